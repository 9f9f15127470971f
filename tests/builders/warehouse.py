"""Small labelled warehouses: indexed, extracted and split without Spark."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from framejury.archive.splits import split_videos
from framejury.cli.main import main
from framejury.faces.crop import encode_crop
from framejury.labelled.committed_split import split_table
from framejury.labelled.videos import labelled_videos
from framejury.schemas.statuses import Side
from framejury.schemas.tables import TABLES
from framejury.settings import Settings, SplitSettings
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts
from tests.builders.faces import Video, face_rows

NOW = datetime(2026, 5, 17, 2, 30, tzinfo=UTC)
FACES = 5
"""Faces per video after `relit`."""
SHARES = ("split.train=0.6", "split.val=0.2", "split.test=0.2", "split.seed=5")
FACE_LEAK = "Split by face: faces of the same video are in several splits (40 videos)"


def video(path: str, label: str | None, *keys: str, layout: str = "plain") -> dict[str, Any]:
    """Return a row of `videos`; the first of `keys` in order names its group."""
    return {
        "video_id": path,
        "path": path,
        "uri": f"/archive/{path}",
        "bytes": 1,
        "layout": layout,
        "label": label,
        "group_keys": list(keys),
        "group": min(keys),
    }


def pairs(name: str, count: int) -> list[dict[str, Any]]:
    """Return rows of `videos`: `count` sources, one real and one fake video each."""
    return [
        video(f"{name}/{kind}{n}.mp4", kind.upper(), f"{name}:{n}")
        for n in range(count)
        for kind in ("real", "fake")
    ]


def warehouse_of(
    place: Path, videos: list[dict[str, Any]], contents: dict[str, str] | None = None, **crops: Any
) -> Warehouse:
    """Write a warehouse with an index and an extraction, two faces per video.

    `contents` by path sets content ids, so that two videos can have the same content.
    """
    warehouse = Warehouse.open_or_plan(str(place))
    settings = Settings().model_dump(mode="json")
    settings["crops"] |= crops

    def write(run: Any, table: str, rows: list[dict[str, Any]]) -> None:
        rows = [row | {"run_id": run.run_id} for row in rows]
        warehouse.write(run, table, pa.Table.from_pylist(rows, schema=TABLES[table]))

    with warehouse.running("index", NOW) as run:
        write(run, "videos", videos)
        warehouse.commit(run, NOW, archive=f"/archives/{place.name}", settings=settings)
    with warehouse.running("extract", NOW + timedelta(hours=1)) as run:
        extractions = [
            {
                "video_id": row["video_id"],
                "status": "extracted",
                "settings_id": "s",
                "content_id": (contents or {}).get(row["path"], f"{place.name}{row['path']}"),
                **dict.fromkeys(("frames_decoded", "frames_sampled"), 2),
                **dict.fromkeys(("faces_found", "faces_kept"), 2),
            }
            for row in videos
        ]
        write(run, "extractions", extractions)
        faces = [
            face
            for row in videos
            for face in face_rows(
                Video(row["video_id"], int(row["label"] == "FAKE"), Side.TRAIN, faces=2)
            )
        ]
        write(run, "faces", faces)
        warehouse.commit(run, NOW, settings=settings, facts=CommitFacts(keeps_crops=True))
    return warehouse


def split(warehouse: Warehouse, seed: int = 0) -> Warehouse:
    """Commit a split by group: 60% train, 20% val, 20% test."""
    settings = SplitSettings(train=0.6, val=0.2, test=0.2, seed=seed, balance="none")
    rows = split_videos([one.candidate for one in labelled_videos(warehouse)], settings)
    with warehouse.running("split", NOW) as run:
        warehouse.write(run, "splits", split_table(rows, run.run_id))
        warehouse.commit(run, NOW)
    return warehouse


def relit(warehouse: Warehouse, seed: int, **crops: float) -> Warehouse:
    """Extract again: `FACES` crops per video, each of one colour, redder in fake videos.

    `tests.builders.bundles.brightness_network` scores the red channel.
    """
    rng = np.random.default_rng(seed)
    first = warehouse.require("extractions")[-1]
    settings = {**first.settings, "crops": {**first.settings["crops"], **crops}}
    extractions = warehouse.read_run(first.run_id, "extractions").to_pylist()
    labels = {
        row["video_id"]: row["label"] for row in warehouse.read_snapshot("videos").to_pylist()
    }
    faces = []
    for row in extractions:
        centre = rng.normal(0.8 if labels[row["video_id"]] == "FAKE" else -0.8, 0.8)
        reds = 255 / (1 + np.exp(-rng.normal(centre, 0.5, FACES)))
        for number, (red, face) in enumerate(
            zip(reds, face_rows(Video(row["video_id"], 0, Side.TRAIN, faces=FACES)), strict=True)
        ):
            crop = np.full((48, 48, 3), (round(red), 90, 90), np.uint8)
            faces.append(face | {"pts_s": float(number), "crop": encode_crop(crop, "png")})
    later = NOW + timedelta(days=1)
    with warehouse.running("extract", later) as run:
        for table, rows in (("extractions", extractions), ("faces", faces)):
            mine = [row | {"run_id": run.run_id} for row in rows]
            warehouse.write(run, table, pa.Table.from_pylist(mine, schema=TABLES[table]))
        warehouse.commit(run, later, settings=settings, facts=CommitFacts(keeps_crops=True))
    return warehouse


def split_by(warehouse: Warehouse, *changes: str, unit: str) -> Warehouse:
    """Run `framejury split` with `split.unit` and further settings."""
    options = [f"--set={one}" for one in (*SHARES, "split.balance=none", *changes)]
    place = f"--warehouse={warehouse.location.uri}"
    assert main(["split", place, f"--set=split.unit={unit}", *options]) == 0
    return warehouse


def scored_warehouse(place: Path, count: int = 20) -> Warehouse:
    """Return a relit warehouse of `count` real and `count` fake videos."""
    return relit(warehouse_of(place, pairs(place.name, count)), 0)


def hand_labels(folder: Path, lines: Sequence[str]) -> Path:
    """Write a file for `--frame-labels`."""
    path = folder / "frames.csv"
    path.write_text("\n".join(["video,frame,label", *lines]) + "\n", encoding="utf-8")
    return path
