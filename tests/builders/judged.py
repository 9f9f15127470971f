"""Warehouses with verdicts, scores and pictures, written without Spark and without a video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from framejury.archive.video_rows import video_id_of
from framejury.schemas.tables import TABLES
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Commit, CommitFacts, Merged, Run

NOW = datetime(2026, 5, 17, 2, 30, tzinfo=UTC)
MODEL = "b0-000000000000"
BOX = {"x": 1.0, "y": 2.0, "width": 30.0, "height": 40.0}


def video_row(path: str, missing_since: datetime | None = None) -> dict[str, Any]:
    """Return a row of `videos` without its run."""
    return {
        "video_id": video_id_of(path),
        "path": path,
        "uri": f"/archive/{path}",
        "bytes": 1,
        "missing_since": missing_since,
        "layout": "plain",
        "label": "FAKE",
        "group_keys": [path],
        "group": path,
    }


def verdict_of(path: str, scores: Sequence[float], status: str | None = None) -> dict[str, Any]:
    """Return a row of `verdicts` without its run; no scores: the video has no face."""
    mean = sum(scores) / len(scores) if scores else None
    return {
        "video_id": video_id_of(path),
        "model_id": MODEL,
        "status": status or ("scored" if scores else "no_face"),
        "verdict": "inconclusive" if mean is None else "fake" if mean >= 0.5 else "real",
        **dict.fromkeys(("p_fake", "p_fake_low", "p_fake_high"), mean),
        "faces_scored": len(scores),
        "frames_scored": len(scores),
        "persons": int(bool(scores)),
        "threshold": 0.5,
        "reducer": "mean",
    }


def rows_of(path: str, scores: Sequence[float], crop: bytes) -> dict[str, list[dict[str, Any]]]:
    """Return rows of every table that shows faces, one per score, and of `extractions`."""
    video = {"video_id": video_id_of(path)}
    frames: list[dict[str, Any]] = [
        video | {"frame_index": at, "pts_s": float(at), "face_index": 0, "person": 0}
        for at in range(len(scores))
    ]
    face = {"box": BOX, "confidence": 0.9}
    region = {name: int(value) for name, value in BOX.items()}
    cut = {"detector": "mtcnn", "crop_region": region, "crop": crop}
    scored = [
        frame | {"model_id": MODEL, "score": p} for frame, p in zip(frames, scores, strict=True)
    ]
    counts = dict.fromkeys(
        ("frames_decoded", "frames_sampled", "faces_found", "faces_kept"), len(scores)
    )
    status = "extracted" if scores else "no_face"
    return {
        "extractions": [
            video
            | counts
            | {"status": status, "settings_id": "s", "bytes": 1, "duration_s": 9.0}
            | {"sampled_s": [frame["pts_s"] for frame in frames], "frames_total": 100}
        ],
        "faces": [frame | face | cut for frame in frames],
        "face_scores": [row | face for row in scored],
        "pictures": [
            {name: value for name, value in row.items() if name != "person"}
            | {"kind": "face", "picture": crop, "clip": b"moving: " + crop}
            for row in scored
        ],
    }


def write(warehouse: Warehouse, run: Run, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of a table with the run's id."""
    mine = [{**row, "run_id": run.run_id} for row in rows]
    warehouse.write(run, table, pa.Table.from_pylist(mine, schema=TABLES[table]))


def night(
    warehouse: Warehouse,
    judged: Mapping[str, Sequence[float]],
    *,
    gone: Sequence[str] = (),
    listed: Sequence[str] | None = None,
    crop: bytes = b"jpeg",
) -> Commit:
    """Commit what a nightly run writes.

    Args:
        judged: path -> scores of the faces of each video that the run judges.
        gone: videos deleted from the archive, whose verdict becomes `missing`.
        listed: all videos of the archive that are there; None: those judged.
        crop: bytes of every crop and picture.
    """
    with warehouse.running("nightly", NOW) as run:
        there = list(judged) if listed is None else list(listed)
        videos = [video_row(path) for path in there] + [video_row(path, NOW) for path in gone]
        write(warehouse, run, "videos", videos)
        tables: dict[str, list[dict[str, Any]]] = {}
        for path, scores in judged.items():
            for table, rows in rows_of(path, scores, crop).items():
                tables.setdefault(table, []).extend(rows)
        for table, rows in tables.items():
            write(warehouse, run, table, rows)
        verdicts = [verdict_of(path, scores) for path, scores in judged.items()]
        verdicts += [verdict_of(path, [], "missing") for path in gone]
        write(warehouse, run, "verdicts", verdicts)
        facts = CommitFacts(keeps_crops=True)
        return warehouse.commit(run, NOW, archive="/archive", model_id=MODEL, facts=facts)


def merge(warehouse: Warehouse, *tables: str) -> Commit:
    """Commit a run that merges the files of these tables, as `tables.merge` does with Spark."""
    with warehouse.running("merge", NOW) as run:
        for table in tables:
            runs = tuple(commit.run_id for commit in warehouse.with_table(table))
            rows = pa.concat_tables([warehouse.read_run(one, table) for one in runs])
            place = f"runs/{run.run_id}/merged/table={table}"
            Path(warehouse.location.path, place).mkdir(parents=True)
            pa.parquet.write_table(rows, f"{warehouse.location.path}/{place}/part-0.parquet")
            run.merged[table] = Merged(place, runs)
        return warehouse.commit(run, NOW)
