"""A report over a mixed archive: videos seen and new, two models, three settings.

Whoever has only the report and the warehouse can say for each figure which videos, which model and
which settings it comes from. FRAMEJURY_KEEP_REPORT=FOLDER keeps a copy of the report, to look at.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import Counter
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from framejury.model.bundle import write_bundle
from framejury.model.manifest import Measurement
from framejury.model.seen import KnownVideo, SeenVideos
from framejury.night.night import judge, report
from framejury.report.evidence.sentences import HAD_SEEN
from framejury.schemas.statuses import Side
from framejury.warehouse import Warehouse
from tests.builders import clips
from tests.builders.bundles import MANIFEST, brightness_bundle, brightness_network
from tests.builders.nightly import Place
from tests.builders.reports import Page

pytestmark = pytest.mark.long

LABELS = {"a": "FAKE", "b": "REAL", "c": "FAKE", "d": "REAL", "e": "FAKE", "f": "REAL"}
SEEN = {"a": Side.TRAIN, "b": Side.VAL}
FIGURES = {"real_videos": 40, "fake_videos": 50, "video_fpr": 0.1, "video_recall_fake": 0.6}
TRAINED = {"training": {"backbone": "efficientnet_lite0", "input_px": 32, "weights": "lite0"}}


@dataclass(frozen=True)
class Mixed:
    """The warehouse and the report of its last night.

    Attributes:
        first, second: model ids, in the order in which they judged.
    """

    place: Place
    folder: Path
    first: str
    second: str

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return found


@pytest.fixture(scope="module")
def mixed(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Mixed:
    root = tmp_path_factory.mktemp("mixed")
    archive = root / "archive"
    archive.mkdir()
    with (archive / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "label")])
        csv.writer(file).writerows((f"{name}.mp4", label) for name, label in LABELS.items())
    first = _bundle_with_a_record(root / "first", root)
    place = Place(spark, archive, Warehouse.open_or_plan(str(root / "w")), first.directory)
    for names, sections in (("abc", {}), ("d", {"sampling": {"frames": 5}})):
        for name in names:
            shutil.copy(root / f"{name}.mp4", archive / f"{name}.mp4")
        place.run(**sections)
    second = brightness_bundle(root / "second", scale=1 / 400)
    place.bundle_dir = second.directory
    for name in "ef":
        shutil.copy(root / f"{name}.mp4", archive / f"{name}.mp4")
    other = {"sampling": {"frames": 2}, "verdict": {"threshold": 0.3}}
    night = place.night(**other)
    rows, plan = place.plan(night)
    judge(night, plan, rows)
    videos = spark.createDataFrame(place.warehouse.read_snapshot("videos"))
    folder = Path(report(night, videos).path)
    if kept := os.environ.get("FRAMEJURY_KEEP_REPORT"):
        shutil.copytree(place.warehouse.location.path, kept)
    return Mixed(place, folder, first.model_id, second.model_id)


def _bundle_with_a_record(directory: Path, clips_folder: Path) -> Any:
    """A bundle with figures on held-out videos that has learned from `SEEN`."""
    for number, name in enumerate(LABELS):
        clips.write_clip(clips_folder / f"{name}.mp4", clips.face_frames(10 + number))
    known = [
        (side, KnownVideo(sha256((clips_folder / f"{name}.mp4").read_bytes()).hexdigest(), ()))
        for name, side in SEEN.items()
    ]
    metrics = {"test": {name: Measurement(value=value) for name, value in FIGURES.items()}}
    manifest = replace(MANIFEST, settings=TRAINED, metrics=metrics)
    network = brightness_network(directory.with_suffix(".onnx"))
    return write_bundle(directory, manifest, network, seen=SeenVideos.of(known))


def test_each_step_names_its_settings_its_models_and_its_videos(mixed: Mixed) -> None:
    steps = mixed.json()["run"]["steps"]
    sampled = [(s["settings"]["sampling"]["frames"], s["videos"]) for s in _of(steps, "extraction")]
    assert sorted(sampled) == [(2, 2), (3, 3), (5, 1)]
    scored: Counter[str] = Counter()
    for step in _of(steps, "scoring"):
        scored[step["settings"]["model"]["model_id"]] += step["videos"]
    assert scored == {mixed.first: 4, mixed.second: 2}
    thresholds = {
        step["settings"]["model"]["model_id"]: step["settings"]["rule"]["threshold"]
        for step in _of(steps, "verdicts")
    }
    assert thresholds == {mixed.first: 0.5, mixed.second: 0.3}
    (training,) = _of(steps, "training")
    assert (training["model_id"], training["settings"]) == (mixed.first, TRAINED)


def test_accuracy_is_that_of_new_videos_and_seen_ones_stand_apart(mixed: Mixed) -> None:
    found = mixed.json()
    assert found["videos"]["overall"]["coverage"]["labelled"] == 4
    assert {one["side"]: one["videos"] for one in found["seen"]["sides"]} == {"train": 1, "val": 1}
    assert found["seen"]["unrecorded"] == {mixed.second: 2}
    rows = list(csv.DictReader((mixed.folder / "predictions.csv").open(encoding="utf-8-sig")))
    by_name = {row["path"]: row for row in rows}
    assert {name: by_name[f"{name}.mp4"]["seen"] for name in "abcd"} == {
        "a": "train",
        "b": "val",
        "c": "no",
        "d": "no",
    }
    assert {row["model_id"] for row in rows} == {mixed.first, mixed.second}


def test_the_page_says_which_model_judged_what(mixed: Mixed) -> None:
    page = Page((mixed.folder / "report.html").read_text()).text
    text = " ".join((mixed.folder / "report.txt").read_text().split())
    for said in (page, text):
        assert f"{mixed.first} judged 4 videos" in said
        assert f"{mixed.second} judged 2 videos" in said
        assert f"{mixed.first}, which judged 4 videos: Tested on videos kept out" in said
        assert "10.0% of 40 real videos fake" in said
        assert f"{mixed.second}, which judged 2 videos: How often" in said
        assert "Settings changed its rule" not in said  # the first model judged by its own
        assert "Apart from those that the model had seen, 4 videos are labelled." in said
        assert f"It is not recorded which videos {mixed.second} learned from" in said


def test_a_page_of_evidence_says_that_its_video_had_been_seen(mixed: Mixed) -> None:
    videos = mixed.place.warehouse.read_snapshot("videos").to_pylist()
    ids = {row["path"][0]: row["video_id"] for row in videos}
    told = {
        name: HAD_SEEN in Page(page.read_text()).text
        for name, video_id in ids.items()
        for page in Path(mixed.place.warehouse.location.path).glob(f"evidence/*/{video_id}.html")
    }
    assert told == {name: name in SEEN for name in LABELS}


def test_a_page_of_evidence_knows_the_model_that_judged_its_video(mixed: Mixed) -> None:
    """Not the one that judged last."""
    root = Path(mixed.place.warehouse.location.path)
    pages = [Page(path.read_text()).text for path in root.glob("evidence/*/*.html")]
    trusts = Counter("called 10.0% of 40 real videos fake" in page for page in pages)
    assert trusts == {True: 4, False: 2}
    assert not any("rule behind this verdict is no longer available" in page for page in pages)


def _of(steps: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [step for step in steps if step["name"] == name]
