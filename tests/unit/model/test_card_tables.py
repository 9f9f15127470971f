"""The card's figures by source and by method, what was not tested, and the learning curves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from framejury.model.card import model_card
from framejury.model.card_tables import (
    FEW_NOTE,
    MOST_EPOCHS,
    SAMPLED_NOTE,
    epoch_table,
    few_marked,
    untested,
)
from framejury.model.manifest import Manifest, Measurement
from framejury.verdict.rule import RuleFit
from tests.builders.bundles import MANIFEST
from tests.builders.curves import EPOCHS

FIT = RuleFit(
    target_fpr=0.05,
    min_faces=3,
    data="split val",
    real_videos=100,
    fake_videos=100,
    real_groups=50,
    fake_groups=50,
    groups=80,
    threshold_from="quantile",
    fpr=0.04,
    tpr=0.8,
)


def figures(reals: int, fakes: int, **values: float) -> dict[str, Measurement]:
    counts = {"real_videos": Measurement(value=reals), "fake_videos": Measurement(value=fakes)}
    return counts | {name: Measurement(value=value) for name, value in values.items()}


def with_figures(**changes: object) -> Manifest:
    alarms = Measurement(value=0.1, low=0.02, high=0.2, level=0.95)
    metrics = {
        "test": figures(40, 30, video_fpr=0.05, video_auc=0.8),
        "test, phones": figures(40, 0) | {"video_fpr": alarms},
        "test, wild": figures(0, 30, video_recall_fake=0.5),
        "test, wild, method VASA-1": figures(40, 25, video_recall_fake=0.44, video_auc=0.75),
        "test, wild, method Wav2Lip": figures(40, 5, video_recall_fake=0.8, video_auc=0.9),
        "test, known methods": figures(40, 5, video_recall_fake=0.8, video_auc=0.9),
        "test, unknown methods": figures(40, 25, video_recall_fake=0.44, video_auc=0.75),
    }
    data = replace(MANIFEST.data, methods={"Wav2Lip": 3, "Deepfakes": 9, "not named": 2})
    return replace(MANIFEST, metrics=metrics, data=data, rule_fit=FIT, **changes)


def test_the_card_has_a_row_per_source_and_per_method() -> None:
    card = model_card(with_figures(), "b0-1")
    assert "By source of the videos. The threshold is meant for at most 5.0%." in card
    assert "| phones | 40 | 10.0% (2.0% to 20.0%) | 0 |  |  |" in card
    assert "| wild | 0 |  | 30 | 50.0% |  |" in card
    assert "| VASA-1 | unknown | wild | 25 | 44.0% | 0.750 | 40 |" in card
    assert "| Wav2Lip | known | wild | 5 (few) | 80.0% | 0.900 | 40 |" in card
    assert "| all unknown methods | unknown | all | 25 | 44.0% | 0.750 | 40 |" in card
    assert FEW_NOTE in card
    missing = "methods it was trained on (Deepfakes), real videos of wild"
    assert f"Not in its test videos: {missing}." in card
    # Their figures are not repeated among those of the splits.
    assert "| test, phones | video_fpr |" in card and "| test, wild, method" not in card


def test_figures_with_sampled_faces_say_so() -> None:
    plain = with_figures()
    assert SAMPLED_NOTE not in model_card(plain, "b0-1")
    scope = "unknown methods with sampled faces"
    more = {f"test, {scope}": figures(60, 45, video_recall_fake=0.2, video_auc=0.7)}
    card = model_card(replace(plain, metrics={**plain.metrics, **more}), "b0-1")
    assert f"| all {scope} | unknown | all | 45 | 20.0% | 0.700 | 60 |" in card
    assert SAMPLED_NOTE in card
    # After the rows of whole videos, before those of single methods; not among the splits' figures.
    assert card.index("| all unknown methods |") < card.index(f"| all {scope} |")
    assert card.index(f"| all {scope} |") < card.index("| VASA-1 |")
    assert f"| test, {scope} |" not in card


def test_a_card_without_figures_by_source_is_as_before() -> None:
    card = model_card(replace(MANIFEST, metrics={"test": figures(12, 15, video_fpr=0.1)}), "b0-1")
    assert "By source" not in card and "By method" not in card
    assert "Not in its test videos" not in card and FEW_NOTE not in card


@pytest.mark.parametrize(
    ("trained", "tested", "missing"),
    [
        ({"a", "not named"}, {"a", "b"}, []),
        ({"a"}, {"a"}, ["methods it was not trained on"]),
        ({"a", "c", "b"}, {"d"}, ["methods it was trained on (a, b, c)"]),
        (None, {"d"}, []),
    ],
)
def test_what_was_not_tested_is_named(
    trained: set[str] | None, tested: set[str], missing: list[str]
) -> None:
    assert untested(trained, tested) == missing


@pytest.mark.parametrize(("count", "words"), [(0, "0"), (9, "9 (few)"), (10, "10")])
def test_few_videos_are_marked(count: int, words: str) -> None:
    assert few_marked(count) == words


def test_long_curves_are_thinned_and_keep_the_chosen_epoch() -> None:
    curves = [replace(EPOCHS[1], epoch=number) for number in range(3 * MOST_EPOCHS)]
    said, table = epoch_table(curves, 7)
    assert "One epoch in 3 is shown; curves.csv has all." in said
    numbers = [line.split("|")[1].strip() for line in table.splitlines()[2:]]
    assert numbers[:4] == ["3", "6", "7 (chosen)", "9"]
    assert len(numbers) == MOST_EPOCHS + 1
    assert epoch_table([], None) == []
