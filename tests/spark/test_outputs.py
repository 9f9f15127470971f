"""The files of `report.outputs` as reduce and report write them, against tables and pandas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from framejury.archive.video_rows import video_id_of
from framejury.commands import report
from framejury.evaluation.binary import Confusion
from framejury.jobs import reduce_verdicts
from framejury.model.manifest import SEEN_NAME
from framejury.model.seen import KnownVideo, SeenVideos
from framejury.pages.style import png
from framejury.report.figures import confusion_face_figure
from framejury.runs.provenance import bundle_facts
from framejury.schemas.statuses import Side
from framejury.schemas.tables import TABLES
from framejury.settings import Settings
from framejury.storage import write_whole
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts
from tests.builders.bundles import brightness_bundle

NOW = datetime(2026, 5, 17, 2, 30, tzinfo=UTC)
FILES = {"cnn_preds_values.json", "mapreduce_res.txt", "Confusion.png", "ConfusionVideo.png"}
ASKED = ("--set", "report.outputs=face_frames")
PLAIN = ("--set", "verdict.reducer=mean")


@pytest.fixture(autouse=True)
def session(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def same(app: str) -> Iterator[SparkSession]:
        yield spark

    monkeypatch.setattr(reduce_verdicts, "spark_session", same)
    monkeypatch.setattr(report, "spark_session", same)


def scored_faces() -> pd.DataFrame:
    """Faces of twelve videos, in no order; scores that a float holds exactly, some at 0.5."""
    draw = np.random.default_rng(2)
    rows = [
        {"path": f"{'ab'[number % 2]}/v{number:02d}.mp4", "frame": 3 * frame, "face": face}
        | {"score": 0.5 if number == 4 else draw.integers(0, 65) / 64}
        for number in range(12)
        for frame in range(int(draw.integers(1, 8)))
        for face in range(1 + number % 2)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=1)


def label_of(path: str) -> str | None:
    number = int(path[3:5])
    return None if number in (5, 6) else "FAKE" if number % 3 else "REAL"


def warehouse_of(place: Path, faces: pd.DataFrame, *, labelled: bool = True) -> Warehouse:
    """Indexed, extracted and scored; of one more video no frame could be read."""
    warehouse = Warehouse.open_or_plan(str(place / "w"))
    bundle = brightness_bundle(place / "bundle")
    settings = Settings().model_dump(mode="json")
    paths = [*sorted(faces["path"].unique()), "a/v90.mp4"]

    def write(run: Any, table: str, rows: list[dict[str, Any]]) -> None:
        stamped = [row | {"run_id": run.run_id} for row in rows]
        warehouse.write(run, table, pa.Table.from_pylist(stamped, schema=TABLES[table]))

    with warehouse.running("index", NOW) as run:
        rows = [
            {"video_id": video_id_of(path), "path": path, "uri": f"/archive/{path}", "bytes": 1}
            | {"layout": "plain", "label": label_of(path) if labelled else None}
            | {"group_keys": [path], "group": path}
            for path in paths
        ]
        write(run, "videos", rows)
        warehouse.commit(run, NOW, archive="/archive", settings=settings)
    with warehouse.running("score", NOW) as run:
        counts = ("frames_decoded", "frames_sampled", "faces_found", "faces_kept")
        rows = [
            {"video_id": video_id_of(path), "settings_id": "s", **dict.fromkeys(counts, 1)}
            | {"status": "unreadable" if "v90" in path else "extracted"}
            for path in paths
        ]
        write(run, "extractions", rows)
        scores = [
            {"video_id": video_id_of(row.path), "model_id": bundle.model_id, "person": 0}
            | {"frame_index": row.frame, "pts_s": row.frame / 25, "face_index": row.face}
            | {"score": row.score}
            for row in faces.itertuples()
        ]
        write(run, "face_scores", scores)
        facts = CommitFacts(bundle=bundle_facts(bundle))
        warehouse.commit(run, NOW, model_id=bundle.model_id, settings=settings, facts=facts)
    return warehouse


def outputs_of(place: Path) -> Path:
    """Return the only folder of published files, and check whose it is."""
    (folder,) = (place / "outputs").iterdir()
    judged = Warehouse.open(str(place.parent / "w")).require("verdicts")[-1]
    assert folder.name == f"verdicts-{judged.model_id}"
    return folder


def reduced(place: Path, *more: str) -> int:
    return reduce_verdicts.main(["--warehouse", str(place / "w"), *PLAIN, *more])


def means_in(text: str) -> dict[str, float]:
    body = text.split("truth  video\n", 1)[1].split("\n\n", 1)[0]
    lines = [line.split(None, 4) for line in body.splitlines()]
    return {line[4]: float(line[0]) for line in lines}


@pytest.mark.long
def test_reduce_writes_what_the_tables_say(tmp_path: Path) -> None:
    faces = scored_faces()
    warehouse = warehouse_of(tmp_path, faces)
    assert reduced(tmp_path, *ASKED) == 0
    outputs = outputs_of(tmp_path / "w")
    assert {path.name for path in outputs.iterdir()} == FILES

    predictions = json.loads((outputs / "cnn_preds_values.json").read_text())
    assert predictions == {
        path: {f"{row.frame}_{row.face}": 1 - row.score for row in part.itertuples()}
        for path, part in faces.groupby("path")
    }
    assert list(predictions) == sorted(predictions)

    text = (outputs / "mapreduce_res.txt").read_text()
    means = faces.groupby("path")["score"].mean()
    names = {video_id_of(path): path for path in means.index}
    verdicts = warehouse.read_latest("verdicts").to_pylist()
    scored = {names[r["video_id"]]: r["p_fake"] for r in verdicts if r["p_fake"] is not None}
    assert means.to_dict() == scored
    assert means_in(text) == (1 - means).to_dict()  # P(REAL), as published
    assert "\nVideos: all of the archive\n" in text
    called = {path: "FAKE" if mean >= 0.5 else "REAL" for path, mean in means.items()}
    known = [path for path in called if label_of(path) is not None]
    right = sum(called[path] == label_of(path) for path in known)
    assert len(known) == 10
    assert text.startswith(f"Video accuracy: {right / 10!r} ({right} of 10)\n")
    assert "Rule: the mean of all faces" in text
    assert re.search(r"unreadable .* a/v90\.mp4$", text, re.MULTILINE)

    truth = faces["path"].map(label_of)
    fake = faces["score"] >= 0.5
    cells = {
        (t, c): int(((truth == t) & (fake == c)).sum()) for t in ("FAKE", "REAL") for c in (0, 1)
    }
    confusion = Confusion(
        tn=cells["REAL", 0], fp=cells["REAL", 1], fn=cells["FAKE", 0], tp=cells["FAKE", 1]
    )
    assert confusion.total < len(faces)
    assert (outputs / "Confusion.png").read_bytes() == png(confusion_face_figure(confusion, 0.5))


@pytest.mark.long
def test_report_writes_them_again_and_elsewhere(tmp_path: Path) -> None:
    """After a split, of its test set alone: the recipe's Step 4 averages no other faces."""
    faces = scored_faces()
    warehouse = warehouse_of(tmp_path, faces)
    tested = {"a/v00.mp4", "b/v01.mp4", "a/v04.mp4"}
    with warehouse.running("split", NOW) as run:
        rows = [
            {"video_id": video_id_of(path), "run_id": run.run_id, "group": path}
            | {"label": label_of(path), "side": "test" if path in tested else "train"}
            for path in faces["path"].unique()
            if label_of(path) is not None
        ]
        warehouse.write(run, "splits", pa.Table.from_pylist(rows, schema=TABLES["splits"]))
        warehouse.commit(run, NOW, settings=Settings().model_dump(mode="json"))
    assert reduced(tmp_path) == 0
    assert not (tmp_path / "w" / "outputs").exists()
    where = ["--warehouse", str(tmp_path / "w")]
    assert report.main([*where, *ASKED]) == 0
    outputs = outputs_of(tmp_path / "w")
    first = {path.name: path.read_bytes() for path in outputs.iterdir()}
    assert set(first) == FILES
    assert set(json.loads(first["cnn_preds_values.json"])) == tested
    text = first["mapreduce_res.txt"].decode()
    means = faces[faces["path"].isin(tested)].groupby("path")["score"].mean()
    assert means_in(text) == (1 - means).to_dict()
    assert "\nVideos: split test\n" in text
    called = faces[faces["path"].isin(tested)]
    confusion = Confusion(
        tn=int(((called["score"] < 0.5) & (called["path"] == "a/v00.mp4")).sum()),
        fp=int(((called["score"] >= 0.5) & (called["path"] == "a/v00.mp4")).sum()),
        fn=int(((called["score"] < 0.5) & (called["path"] != "a/v00.mp4")).sum()),
        tp=int(((called["score"] >= 0.5) & (called["path"] != "a/v00.mp4")).sum()),
    )
    assert first["Confusion.png"] == png(confusion_face_figure(confusion, 0.5))
    assert report.main([*where, *ASKED, "--output", str(tmp_path / "sent")]) == 0
    sent = {path.name: path.read_bytes() for path in outputs_of(tmp_path / "sent").iterdir()}
    assert sent == first
    assert (tmp_path / "sent" / "report.html").is_file()


@pytest.mark.long
def test_videos_that_the_model_has_seen_stand_apart(tmp_path: Path) -> None:
    """The warehouse remembers them; neither report nor published files need the bundle."""
    faces = scored_faces()
    warehouse = warehouse_of(tmp_path, faces)
    seen = {f"a/v{number:02d}.mp4" for number in (0, 2, 4, 6)}
    record = SeenVideos.of((Side.TRAIN, KnownVideo(None, (path,))) for path in seen)
    model_id = str(warehouse.commits()[-1].model_id)
    place = warehouse.location.child("models", model_id, SEEN_NAME)
    write_whole(place, record.to_bytes())
    assert reduced(tmp_path, *ASKED) == 0
    folder = tmp_path / "w" / "reports" / warehouse.commits()[-1].run_id
    found = json.loads((folder / "report.json").read_text())
    (side,) = found["seen"]["sides"]
    assert (side["videos"], side["metrics"]["coverage"]["labelled"]) == (4, 3)
    assert found["videos"]["overall"]["coverage"]["labelled"] == 8
    counted = faces[~faces["path"].isin({path for path in seen if label_of(path)})]
    assert found["faces"]["faces"] == len(counted)
    assert found["notes"] == [n for n in found["notes"] if "not recorded" not in n]
    text = (outputs_of(tmp_path / "w") / "mapreduce_res.txt").read_text()
    assert re.match(r"Video accuracy: \S+ \(\d of 7\)\nSeparately, .*: \S+ \(\d of 3\)\n", text)


@pytest.mark.long
def test_another_rule_and_no_labels_are_said(tmp_path: Path) -> None:
    warehouse_of(tmp_path, scored_faces(), labelled=False)
    assert reduced(tmp_path, *ASKED, "--set", "verdict.threshold=0.25") == 0
    outputs = outputs_of(tmp_path / "w")
    text = (outputs / "mapreduce_res.txt").read_text()
    assert text.startswith("Video accuracy: no video is labelled\nVideos: all of the archive\n")
    assert "\nNote: this is not the recipe's mean" in text
    assert "mean, above 0.75 is REAL" in text
    assert (outputs / "Confusion.png").read_bytes() == png(confusion_face_figure(None, 0.5))
