"""Labelled videos of a warehouse: what a split divides and a training reads. No Spark."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from framejury.archive.split import Candidate, Placement, check_leakage, keys_of
from framejury.errors import SplitError
from framejury.model.source import FaceSource, VideoTruth
from framejury.schemas import SPLITS, Label, Side, Status
from framejury.warehouse import Warehouse

_EXTRACTION_COLUMNS = ["video_id", "run_id", "status", "content_id"]


@dataclass(frozen=True)
class LabelledVideo:
    """A video with a known label, and how its latest extraction ended.

    Attributes:
        row: its row of `videos`.
        extraction: the columns `run_id`, `status`, `content_id` of its latest extraction that
            kept crops; None before that.
    """

    row: dict[str, Any]
    extraction: dict[str, Any] | None

    @property
    def candidate(self) -> Candidate:
        """As `archive.split` wants it."""
        extraction = self.extraction or {}
        return Candidate(
            video_id=self.row["video_id"],
            path=self.row["path"],
            label=Label(self.row["label"]),
            # The group too: an unlabelled video may be all that binds two labelled ones.
            group_keys=(*self.row["group_keys"], f"group:{self.row['group']}"),
            content_id=extraction.get("content_id"),
            usable=extraction.get("status") == Status.EXTRACTED,
        )


def labelled_videos(warehouse: Warehouse) -> list[LabelledVideo]:
    """Every labelled video of the current snapshot, with its latest extraction that kept crops.

    Raises:
        WarehouseError: nothing was indexed or extracted yet.
        SplitError: no video has a label.
    """
    videos = warehouse.read_snapshot("videos").to_pylist()
    warehouse.require("faces")
    outcomes = warehouse.read_latest("extractions", _EXTRACTION_COLUMNS, warehouse.with_crops())
    extractions = {row["video_id"]: row for row in outcomes.to_pylist()}
    labelled = [
        LabelledVideo(row, extractions.get(row["video_id"]))
        for row in videos
        if row["label"] is not None
    ]
    if not labelled:
        raise SplitError(
            f"none of the {len(videos)} videos has a label; a labels.csv (file,label) in the "
            "archive gives them one: see README"
        )
    return labelled


def read_split(warehouse: Warehouse, videos: list[LabelledVideo]) -> list[Placement]:
    """The committed split of these videos, its keys taken from the tables, not from itself.

    Raises:
        WarehouseError: there is no split.
        SplitError: it names a video that is no longer there; split again.
    """
    known = {video.row["video_id"]: video.candidate for video in videos}
    placements = []
    for row in warehouse.read_snapshot("splits").to_pylist():
        candidate = known.get(row["video_id"])
        if candidate is None:
            raise SplitError(
                f"the split holds video {row['video_id']}, which is not in `videos` any more; "
                "run `framejury split` again"
            )
        placements.append(
            Placement(
                candidate.video_id,
                candidate.path,
                Label(row["label"]),
                row["group"],
                Side(row["side"]),
                row["reason"],
                keys_of(candidate),
            )
        )
    return placements


def training_source(warehouse: Warehouse) -> FaceSource:
    """Faces of the committed split, after the leakage gate.

    Raises:
        LeakageError: a source stands on two sides; nothing is read.
        WarehouseError, SplitError: tables are missing or do not fit each other.
    """
    videos = labelled_videos(warehouse)
    placements = read_split(warehouse, videos)
    check_leakage(placements)
    sides = {row.video_id: row.side for row in placements}
    return _source(warehouse, videos, sides)


def labelled_source(warehouse: Warehouse) -> FaceSource:
    """Faces of every labelled video, all on side `test`: for evaluation without a split."""
    videos = labelled_videos(warehouse)
    return _source(warehouse, videos, {v.row["video_id"]: Side.TEST for v in videos})


def only_side(source: FaceSource, side: Side) -> FaceSource:
    """The videos of one side."""
    kept = {video_id: truth for video_id, truth in source.videos.items() if truth.side is side}
    return replace(source, videos=kept)


def describe_data(warehouse: Warehouse, videos: list[LabelledVideo]) -> str:
    """What was learned from, in words, for the model card."""
    layouts = sorted({video.row["layout"] for video in videos})
    name = (warehouse.archive or "").rstrip("/").rpartition("/")[2]
    return f"{len(videos)} labelled videos of the archive {name!r} (layouts: {', '.join(layouts)})"


def split_table(placements: list[Placement], run_id: str) -> pa.Table:
    """Rows of `splits`."""
    return pa.Table.from_pylist(
        [
            {
                "video_id": row.video_id,
                "run_id": run_id,
                "group": row.group,
                "label": row.label,
                "side": row.side,
                "reason": row.reason,
            }
            for row in placements
        ],
        schema=SPLITS,
    )


def _source(
    warehouse: Warehouse, videos: list[LabelledVideo], sides: dict[str, Side]
) -> FaceSource:
    files = warehouse.parquet_files("faces")
    truths = {
        video.row["video_id"]: VideoTruth(
            run_id=video.extraction["run_id"],
            label=1 if video.row["label"] == Label.FAKE else 0,
            side=sides[video.row["video_id"]],
        )
        for video in videos
        if video.extraction is not None
        and video.extraction["status"] == Status.EXTRACTED
        and video.row["video_id"] in sides
    }
    return FaceSource(tuple(f.path for f in files), files[0].filesystem, truths)
