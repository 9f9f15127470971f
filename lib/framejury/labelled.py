"""Labelled videos of a warehouse: what a split divides and a training reads. No Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from framejury.archive.face_sets import STILL_LAYOUT
from framejury.archive.split import Candidate, Placement, check_leakage, keys_of
from framejury.errors import SplitError, WarehouseError
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
            still=self.row["layout"] == STILL_LAYOUT,
        )

    @property
    def dataset(self) -> str:
        """The first folder of its path, which names the set; its layout where it has none."""
        folder, slash, _ = str(self.row["path"]).partition("/")
        return folder if slash else str(self.row["layout"])


def labelled_videos(*warehouses: Warehouse) -> list[LabelledVideo]:
    """Every labelled video of the current snapshots, with its latest extraction that kept crops.

    Raises:
        WarehouseError: nothing was indexed or extracted yet, or two warehouses hold one video.
        SplitError: a warehouse has no video with a label.
    """
    return [video for _, videos in _parts(warehouses) for video in videos]


def _parts(warehouses: Sequence[Warehouse]) -> list[tuple[Warehouse, list[LabelledVideo]]]:
    """Each warehouse with its labelled videos, none of them in two."""
    parts = [(warehouse, _labelled_of(warehouse)) for warehouse in warehouses]
    holder: dict[str, Warehouse] = {}
    for warehouse, videos in parts:
        for video in videos:
            other = holder.setdefault(video.row["video_id"], warehouse)
            if other is not warehouse:
                raise WarehouseError(
                    f"{video.row['path']} is a video of {other.location.uri} and of "
                    f"{warehouse.location.uri}: the same path below two archives, or one archive "
                    "twice; name each once, or index one of them from a folder further up"
                )
    return parts


def _labelled_of(warehouse: Warehouse) -> list[LabelledVideo]:
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


def training_source(*warehouses: Warehouse) -> FaceSource:
    """Faces of the committed splits of one or several warehouses, after the leakage gate.

    The gate looks at all of them together: a source, donor or content that two warehouses
    hold must stand on one side.

    Raises:
        LeakageError: a source stands on two sides; nothing is read.
        WarehouseError, SplitError: tables are missing or do not fit each other, or two
            warehouses hold one video or lie on different file systems.
    """
    parts = _parts(warehouses)
    placements = [read_split(warehouse, videos) for warehouse, videos in parts]
    check_leakage(
        row if len(parts) == 1 else replace(row, path=f"{warehouse.location.uri}: {row.path}")
        for (warehouse, _), rows in zip(parts, placements, strict=True)
        for row in rows
    )
    return _united(
        [
            _source(warehouse, videos, {row.video_id: row.side for row in rows})
            for (warehouse, videos), rows in zip(parts, placements, strict=True)
        ]
    )


def labelled_source(warehouse: Warehouse) -> FaceSource:
    """Faces of every labelled video, all on side `test`: for evaluation without a split."""
    videos = labelled_videos(warehouse)
    return _source(warehouse, videos, {v.row["video_id"]: Side.TEST for v in videos})


def only_side(source: FaceSource, side: Side) -> FaceSource:
    """The videos of one side to judge a network by; stills, no videos, are left out."""
    kept = {
        video_id: truth
        for video_id, truth in source.videos.items()
        if truth.side is side and not truth.still
    }
    return replace(source, videos=kept)


def describe_data(warehouses: Sequence[Warehouse], videos: list[LabelledVideo]) -> str:
    """What was learned from, in words, for the model card.

    Args:
        warehouses: in the order of `labelled_videos`.
        videos: of all of them.
    """
    stills = sum(video.candidate.still for video in videos)
    layouts = sorted({video.row["layout"] for video in videos})
    names = [repr((w.archive or "").rstrip("/").rpartition("/")[2]) for w in warehouses]
    counted = f"{len(videos) - stills} labelled videos"
    if stills:
        counted += f" and {stills} stills"
    archives = f"archive{'s' if len(names) > 1 else ''} {', '.join(names)}"
    return f"{counted} of the {archives} (layouts: {', '.join(layouts)})"


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
            still=video.candidate.still,
            dataset=video.dataset,
        )
        for video in videos
        if video.extraction is not None
        and video.extraction["status"] == Status.EXTRACTED
        and video.row["video_id"] in sides
    }
    return FaceSource(tuple(f.path for f in files), files[0].filesystem, truths)


def _united(sources: Sequence[FaceSource]) -> FaceSource:
    """One source over the files of all; their videos differ, see `labelled_videos`."""
    first, *others = sources
    if any(not source.filesystem.equals(first.filesystem) for source in others):
        raise WarehouseError(
            "warehouses to train on together must lie on one file system; copy them to one"
        )
    files = tuple(file for source in sources for file in source.files)
    truths = {key: truth for source in sources for key, truth in source.videos.items()}
    return FaceSource(files, first.filesystem, truths)
