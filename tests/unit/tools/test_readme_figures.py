"""The README states the figures of the bundle that ships."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from framejury.model.bundle import load_bundle
from framejury.model.figure_sets import FigureSet
from framejury.model.manifest import Bundle, Measurement
from tools.readme_figures import BEGIN, END, figures_of, main, with_figures

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(ROOT / "models" / "detector")


def changed(bundle: Bundle, **figures: float) -> Bundle:
    """The bundle with other test figures."""
    test = dict(bundle.metrics["test"])
    test |= {name: Measurement(value=value) for name, value in figures.items()}
    return replace(bundle, metrics={**bundle.metrics, "test": test})


def test_the_readme_agrees_with_the_bundle(bundle: Bundle) -> None:
    assert with_figures(README, figures_of(bundle)) == README, "run `make docs`"


def test_the_first_figure_is_the_false_accusations(bundle: Bundle) -> None:
    right = {"real_videos": 11, "fake_videos": 15, "video_fpr": 3 / 11, "video_accuracy": 20 / 26}
    first = figures_of(changed(bundle, **right)).split(".**")[0]
    assert "26 held-out videos" in first
    assert first.replace("\n", " ").endswith(
        "calls 3 of 11 real videos fake: 27% (95% interval 10% to 57%)"  # Wilson's, of 3 of 11
    )
    assert "finds 12 of 15 fakes" in figures_of(changed(bundle, **right)).replace("\n", " ")


def test_every_data_set_has_a_row_and_an_unknown_one_keeps_its_name(bundle: Bundle) -> None:
    more = {**bundle.metrics, "test, mine": bundle.metrics["test, ffpp"]}
    text = figures_of(replace(bundle, metrics=more))
    assert "| mine | 0 of 3 | 1 of 8 | 0.83 |" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    kinds = [FigureSet.of(name) for name in more]
    sets = sum((one.split, one.kind) == ("test", "data set") for one in kinds)
    methods = sum((one.split, one.kind) == ("test", "method") for one in kinds)
    assert len(rows) == 1 + sets + 1 + methods


def test_each_method_has_a_row_unknown_ones_first(bundle: Bundle) -> None:
    def of(fakes: int, share: float, **more: float) -> dict[str, Measurement]:
        values = {"real_videos": 9, "fake_videos": fakes, "video_recall_fake": share} | more
        return {name: Measurement(value=value) for name, value in values.items()}

    more = {
        **{name: figures for name, figures in bundle.metrics.items() if "method" not in name},
        "test, ffpp, method NeuralTextures": of(8, 0.25, video_auc=0.71),
        "test, wild, method VASA-1": of(3, 1 / 3),
        "test, known methods": of(8, 0.25, video_auc=0.71),
    }
    data = replace(bundle.data, methods={"NeuralTextures": 5, "Deepfakes": 7})
    lines = figures_of(replace(bundle, metrics=more, data=data)).splitlines()
    first = lines.index("| method of the fakes | in training | fakes found | AUC |")
    assert lines[first + 2 :] == [
        "| VASA-1 (wild) | unknown | 1 of 3 | no reals or no fakes |",
        "| NeuralTextures (FaceForensics++) | known | 2 of 8 | 0.71 |",
        "",
        "Not in the test videos: methods it was trained on (Deepfakes).",
    ]


def test_a_threshold_on_enough_videos_is_not_called_unreliable(bundle: Bundle) -> None:
    assert bundle.rule_fit is not None
    few = replace(bundle.rule_fit, threshold_from="maximum", real_videos=13)
    many = replace(
        few,
        threshold_from="quantile",
        real_videos=90,
        real_groups=74,
        sampled_videos=134,
        sampled_faces=(3, 6),
    )
    said = [" ".join(figures_of(replace(bundle, rule_fit=fit)).split()) for fit in (few, many)]
    assert "at most, but 13 real videos were too few to set it reliably." in said[0]
    rests = "at most, and rests on 90 real videos in 74 groups of split val. Of these videos, 134 "
    assert rests in said[1] and "too few" not in said[1]


def test_figures_of_unscored_videos_are_refused(bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="some have no score"):
        figures_of(changed(bundle, video_fpr=0.15))


def test_a_bundle_without_held_out_figures_is_refused(bundle: Bundle) -> None:
    for other in (
        replace(bundle, metrics={}),
        replace(bundle, purpose="demo"),
        replace(bundle, data=replace(bundle.data, leak="A source is in two splits.")),
    ):
        with pytest.raises(ValueError, match="no figures on held-out videos"):
            figures_of(other)


def test_markers_must_be_there_once(bundle: Bundle) -> None:
    for text in ("no markers", f"{BEGIN}{END}{BEGIN}{END}"):
        with pytest.raises(ValueError, match="the README needs it once"):
            with_figures(text, "")


def test_the_script_writes_the_readme(tmp_path: Path) -> None:
    (tmp_path / "models").symlink_to(ROOT / "models")
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nstale\n{END}\nafter\n", encoding="utf-8")
    assert main([str(readme)]) == 0
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}\n**On ") and text.endswith(f"\n{END}\nafter\n")
