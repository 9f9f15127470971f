"""`framejury calibrate`: from labelled faces in warehouses to a bundle that carries its rule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from framejury.cli.main import main
from framejury.labelled.committed_split import only_side, training_source, videos_of
from framejury.labelled.measure import judge_labelled
from framejury.labelled.scoring import score_faces
from framejury.labelled.videos import labelled_videos
from framejury.model.bundle import load_bundle
from framejury.model.manifest import Bundle
from framejury.model.runtime import Scorer
from framejury.schemas.statuses import Side
from framejury.settings import VerdictSettings
from framejury.verdict.calibration import calibrated
from framejury.verdict.judge import reduced
from framejury.warehouse import Warehouse
from tests.builders.bundles import brightness_bundle
from tests.builders.warehouse import FACES, pairs, relit, split, warehouse_of

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def warehouses(tmp_path_factory: pytest.TempPathFactory) -> list[Warehouse]:
    """Two of 35 sources, a real and a fake video each; a fifth of them on side val."""
    root = tmp_path_factory.mktemp("warehouses")
    return [
        split(relit(warehouse_of(root / name, pairs(name, 35)), seed))
        for seed, name in enumerate(("one", "two"))
    ]


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return brightness_bundle(tmp_path / "bundle")


def calibrate(bundle: Bundle, output: Path, *more: str | Warehouse) -> int:
    places = [
        f"--warehouse={one.location.uri}" if isinstance(one, Warehouse) else one for one in more
    ]
    return main(["calibrate", f"--bundle={bundle.directory}", f"--output={output}", *places])


def refused(capsys: Capture, bundle: Bundle, output: Path, *more: str | Warehouse) -> str:
    assert calibrate(bundle, output, *more) == 2
    assert not output.exists()
    return capsys.readouterr().err


@pytest.mark.long
def test_a_bundle_gets_a_rule_that_its_verdicts_follow(
    warehouses: list[Warehouse], bundle: Bundle, tmp_path: Path, capsys: Capture
) -> None:
    output = tmp_path / "calibrated"
    assert calibrate(bundle, output, *warehouses, "--target-fpr=0.2") == 0
    said = capsys.readouterr()
    assert "14 real videos in 14 groups, 14 fake in 14" in said.out
    assert said.out.count("\n* ") == 1
    fitted = load_bundle(output)
    assert fitted.model_id in said.err and bundle.model_id in said.err
    assert fitted.model_id != bundle.model_id
    assert fitted.onnx_path.read_bytes() == bundle.onnx_path.read_bytes()
    fit = fitted.rule_fit
    assert fit is not None and fitted.calibration is not None
    assert (fit.real_videos, fit.fake_videos, fit.groups) == (14, 14, 14)
    assert (fit.target_fpr, fit.threshold_from, fit.min_faces) == (0.2, "quantile", 3)
    assert "split val of 140 labelled videos of the archives 'one', 'two'" in fit.data
    assert fitted.metrics["val"]["video_auc_cross_fitted"].value > 0.8
    assert fit.alarms is not None and fit.expected is not None
    assert fit.alarms.groups == 14 and fit.alarms.low <= fit.alarms.rate <= 0.2 < fit.alarms.high
    card = (output / "MODEL_CARD.md").read_text()
    assert fit.expected in said.out and fit.expected in card
    for name, alarms in fit.alarms_by_source.items():
        assert f"{name}: {alarms.in_words}" in said.out and f"{name}: {alarms.in_words}" in card
    assert "at most 20.0%" in card and "Not calibrated" not in card
    _check_verdicts(fitted, warehouses)


def _check_verdicts(fitted: Bundle, warehouses: list[Warehouse]) -> None:
    """`p_fake` is the calibrated reduced score, and few reals reach the threshold."""
    whole = training_source(*warehouses)
    source = only_side(whole, Side.VAL)
    videos = videos_of(only_side(whole, Side.VAL), labelled_videos(*warehouses))
    scorer = Scorer(fitted)
    scored = score_faces(scorer, source)
    verdicts, _ = judge_labelled(scored, scorer.bundle, videos, VerdictSettings(), run_id="run")
    faces = score_faces(scorer, source).group_by("video_id").aggregate([("score", "list")])
    scores = {row["video_id"]: row["score_list"] for row in faces.to_pylist()}
    rows = verdicts.to_pylist()
    for row in rows:
        raw = reduced(scores[row["video_id"]], [0] * FACES, fitted.rule.reducer)
        assert row["p_fake"] == float(calibrated(raw, fitted.calibration)) != raw
        assert row["p_fake_low"] <= row["p_fake"] <= row["p_fake_high"]
        assert (row["threshold"], row["reducer"]) == (
            fitted.threshold,
            fitted.rule.reducer.name,
        )
    reals = [row["p_fake"] for row in rows if row["label"] == "REAL"]
    assert sum(p >= fitted.threshold for p in reals) <= 0.2 * len(reals)


@pytest.mark.long
def test_calibrating_twice_gives_the_same_bundle(
    warehouses: list[Warehouse], bundle: Bundle, tmp_path: Path
) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    assert calibrate(bundle, once, *warehouses) == calibrate(bundle, twice, *warehouses[::-1]) == 0
    assert load_bundle(once).model_id == load_bundle(twice).model_id
    again = tmp_path / "again"
    assert calibrate(load_bundle(once), again, *warehouses) == 0
    assert load_bundle(again).model_id == load_bundle(once).model_id


def test_a_named_reducer_is_kept(
    warehouses: list[Warehouse], bundle: Bundle, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    assert calibrate(bundle, output, *warehouses, "--set", "verdict.reducer=median") == 0
    assert json.loads((output / "bundle.json").read_text())["reducer"]["name"] == "median"


def test_frames_of_the_options_are_those_of_the_new_bundle(
    warehouses: list[Warehouse], bundle: Bundle, tmp_path: Path
) -> None:
    plain, few = tmp_path / "plain", tmp_path / "few"
    assert calibrate(bundle, plain, *warehouses) == 0
    assert load_bundle(plain).judging == bundle.judging
    assert calibrate(bundle, few, *warehouses, "--set", "sampling.frames=24") == 0
    carried = load_bundle(few).judging["sampling"]
    assert carried["frames"] == 24
    again = tmp_path / "again"
    assert calibrate(load_bundle(few), again, *warehouses) == 0
    assert load_bundle(again).judging["sampling"] == carried


def test_side_test_is_refused(
    warehouses: list[Warehouse], bundle: Bundle, tmp_path: Path, capsys: Capture
) -> None:
    said = refused(capsys, bundle, tmp_path / "out", *warehouses, "--side=test")
    assert "would make their figures worthless" in said


def test_too_few_videos_are_counted_and_nothing_is_written(
    bundle: Bundle, tmp_path: Path, capsys: Capture
) -> None:
    small = split(relit(warehouse_of(tmp_path / "w", pairs("w", 6)), 3))
    said = refused(capsys, bundle, tmp_path / "out", small)
    assert "at least 3 faces each; real videos: 1, their groups: 1 " in said


def test_faces_cut_otherwise_are_refused(bundle: Bundle, tmp_path: Path, capsys: Capture) -> None:
    other = split(relit(warehouse_of(tmp_path / "w", pairs("w", 12)), 3, margin_ratio=0.1))
    said = refused(capsys, bundle, tmp_path / "out", other)
    assert "are not cropped as" in said and f"--all --bundle {bundle.directory}" in said


@pytest.mark.parametrize("share", ["0", "1", "1.5"])
def test_a_share_that_is_none(
    warehouses: list[Warehouse], bundle: Bundle, tmp_path: Path, capsys: Capture, share: str
) -> None:
    said = refused(capsys, bundle, tmp_path / "out", *warehouses, f"--target-fpr={share}")
    assert "--target-fpr must be above 0 and below 1" in said


def test_something_else_is_not_overwritten(
    warehouses: list[Warehouse], bundle: Bundle, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years")
    assert calibrate(bundle, tmp_path / "thesis", *warehouses) == 2
    assert "thesis" in capsys.readouterr().err
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years"
