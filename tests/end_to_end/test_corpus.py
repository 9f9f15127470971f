"""The main job on the corpus of 81 real videos, where it lies beside the checkout."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from sklearn.metrics import roc_auc_score

from framejury.archive.csv_files import read_pins
from framejury.schemas.statuses import Side
from framejury.warehouse import Warehouse
from tests.builders.media_matrix import ffmpeg
from tests.builders.programs import here, ok, submit

pytestmark = pytest.mark.long

SIDES = Path(__file__).resolve().parents[2] / "conf" / "training" / "sides-corpus.csv"
LEAST_AUC = 0.7
NO_FACE = "other/wild/MichaelSalSail__no_face.mp4"


@pytest.fixture(scope="module")
def night(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a warehouse after one nightly run with the shipped bundle, crops kept."""
    place = tmp_path_factory.mktemp("corpus") / "warehouse"
    ok(submit("nightly", corpus, "--warehouse", place, "--keep-crops"))
    return place


@pytest.fixture(scope="module")
def truth(corpus: Path) -> dict[str, dict[str, str]]:
    with (corpus / "CORPUS.csv").open(newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def test_one_verdict_for_each_video(night: Path, truth: dict[str, dict[str, str]]) -> None:
    warehouse = Warehouse.open(str(night))
    videos = warehouse.read_snapshot("videos").to_pylist()
    assert {row["path"]: row["label"] or "" for row in videos} == {
        path: row["label"] for path, row in truth.items()
    }
    verdicts = {row["video_id"]: row for row in warehouse.read_latest("verdicts").to_pylist()}
    assert len(verdicts) == len(videos) == 81
    statuses = {row["path"]: verdicts[row["video_id"]]["status"] for row in videos}
    assert statuses.pop(NO_FACE) == "no_face"
    assert set(statuses.values()) == {"scored"}
    report = next(night.glob("reports/*/report.html")).read_text()
    assert "MichaelSalSail__no_face.mp4" in report
    assert "these verdicts mean nothing" not in report


def test_the_bundle_that_ships_judges_people_it_has_never_seen(
    night: Path, truth: dict[str, dict[str, str]]
) -> None:
    """Hold a floor that a broken detector does not reach; the model card has the figures."""
    pins = read_pins(SIDES)
    warehouse = Warehouse.open(str(night))
    paths = {row["video_id"]: row["path"] for row in warehouse.read_snapshot("videos").to_pylist()}
    held_out = [
        (truth[path]["label"] == "FAKE", row["p_fake"], row["verdict"])
        for row in warehouse.read_latest("verdicts").to_pylist()
        if row["p_fake"] is not None
        and truth[path := paths[row["video_id"]]]["label"]
        and pins.side_of(path) is Side.TEST
    ]
    fake, p_fake, verdicts = zip(*held_out, strict=True)
    assert len(fake) > 20
    assert roc_auc_score(fake, p_fake) > LEAST_AUC
    accused = sum(v == "fake" for is_fake, v in zip(fake, verdicts, strict=True) if not is_fake)
    assert accused <= 3


SIDE_BY_SIDE = (
    "[0:v]scale=-2:480,fps=25[left];[1:v]scale=-2:480,fps=25[right];[left][right]hstack=shortest=1"
)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg (package ffmpeg)")
@pytest.mark.parametrize(
    ("left", "right", "fake_side"),
    [
        ("celebdf/Celeb-synthesis/id32_id34_0003.mp4", "celebdf/Celeb-real/id29_0000.mp4", "left"),
        ("other/hdtf/WDA_KatieHill_000.mp4", "other/uadfv/0017_fake.mp4", "right"),
        ("celebdf/Celeb-real/id29_0000.mp4", "other/hdtf/WDA_KatieHill_000.mp4", None),
    ],
)
def test_of_a_fake_and_a_real_person_in_one_video_the_fake_one_is_named(
    left: str, right: str, fake_side: str | None, corpus: Path, tmp_path: Path
) -> None:
    pins = read_pins(SIDES)
    assert pins.side_of(left) is pins.side_of(right) is Side.TEST
    both = tmp_path / "both.mp4"
    inputs = [text for path in (left, right) for text in ("-i", str(corpus / path))]
    coding = ["-filter_complex", SIDE_BY_SIDE, "-t", "6", "-crf", "18", "-pix_fmt", "yuv420p"]
    ffmpeg(*inputs, *coding, "-an", both)
    verdict = json.loads(ok(here("scan", both, "--json")))
    named = [track["position"] for track in verdict["suspicious_tracks"]]
    expected = ("real", []) if fake_side is None else ("fake", [fake_side])
    assert (verdict["verdict"], named) == expected
    assert len(verdict["tracks"]) == 2


def test_contents_are_those_of_the_truth(night: Path, truth: dict[str, dict[str, str]]) -> None:
    warehouse = Warehouse.open(str(night))
    paths = {row["video_id"]: row["path"] for row in warehouse.read_snapshot("videos").to_pylist()}
    for row in warehouse.read_latest("extractions").to_pylist():
        known = truth[paths[row["video_id"]]]
        assert row["content_id"] == known["sha256"]
        assert row["frames_total"] == int(known["n_frames"])
        assert f"{row['width_px']}x{row['height_px']}" == known["resolution"]


def test_a_second_night_finds_nothing_new(night: Path, corpus: Path) -> None:
    ok(here("nightly", corpus, "--warehouse", night))
    printed = json.loads(ok(here("verdicts", "--warehouse", night, "--format", "json")))
    assert len(printed) == 81
    assert len({row["run_id"] for row in printed}) == 1


def test_split_keeps_groups_together(night: Path, truth: dict[str, dict[str, str]]) -> None:
    ok(here("split", "--warehouse", night, "--set", "split.balance=none"))
    warehouse = Warehouse.open(str(night))
    paths = {row["video_id"]: row["path"] for row in warehouse.read_snapshot("videos").to_pylist()}
    sides = defaultdict(set)
    for row in warehouse.read_snapshot("splits").to_pylist():
        if row["side"] != "excluded":
            sides[truth[paths[row["video_id"]]]["group"]].add(row["side"])
    assert all(len(found) == 1 for found in sides.values()), sides
    assert Counter(side for found in sides.values() for side in found).keys() == {
        "train",
        "val",
        "test",
    }


def test_train_and_evaluate(night: Path) -> None:
    output = night.parent / "trained"
    quick = ["weights=none", "input_px=32", "head_epochs=0", "finetune_epochs=1"]
    options = [text for setting in quick for text in ("--set", f"training.{setting}")]
    ok(submit("train_head", "--warehouse", night, "--output", output, *options))
    text = ok(here("evaluate", "--warehouse", night, "--bundle", output))
    assert "Held out" in text
    ok(here("evaluate", "--warehouse", night, "--bundle", output, "--side", "all"))
    (place,) = night.glob("reports/evaluate-*-all")
    predictions = json.loads((place / "predictions.json").read_text())
    assert len(predictions) == 80  # the video without a label is not measured
