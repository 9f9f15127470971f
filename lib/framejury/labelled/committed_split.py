"""The committed split of a warehouse, and the faces on its sides. No Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import pyarrow as pa

from framejury.archive.frame_labels import read_frame_labels
from framejury.archive.labelled_video import Placement, keys_of
from framejury.archive.leakage import check_leakage
from framejury.archive.split_by_face import FaceDraw
from framejury.errors import SplitError, WarehouseError
from framejury.labelled.videos import LabelledVideo, labelled_parts, labelled_videos
from framejury.model.source import FaceSource, VideoTruth, read_batches
from framejury.schemas.statuses import Label, Side, Status
from framejury.schemas.tables import SPLITS
from framejury.warehouse import Warehouse

_FACE_KEYS = ["video_id", "run_id", "frame_index", "face_index"]


def read_split(warehouse: Warehouse, videos: list[LabelledVideo]) -> list[Placement]:
    """The committed split of these videos, its keys taken from the tables, not from itself.

    Raises:
        WarehouseError: there is no split.
        SplitError: it names a video that is no longer there, or teaches a fake of which only
            the sound was changed; split again.
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
        if candidate.why_not is not None and row["side"] != Side.EXCLUDED:
            raise SplitError(
                f"the split has {candidate.path} on side {row['side']}, and {candidate.why_not}, "
                "as table `modalities` says by now; run `framejury split` again"
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
                unit=row["unit"] or "group",
            )
        )
    return placements


def training_source(*warehouses: Warehouse) -> FaceSource:
    """Faces of the committed splits of one or several warehouses, after the leakage gate.

    The gate looks at all of them together: a source, donor or content that two warehouses
    hold must stand on one side. What a split by video or face leaks is said in `leak`.

    Raises:
        LeakageError: a source of a split by group stands on two sides; nothing is read.
        WarehouseError, SplitError: tables are missing or do not fit each other, or two
            warehouses hold one video or lie on different file systems.
    """
    parts = labelled_parts(warehouses)
    placements = [read_split(warehouse, videos) for warehouse, videos in parts]
    leak = check_leakage(
        row if len(parts) == 1 else replace(row, path=f"{warehouse.location.uri}: {row.path}")
        for (warehouse, _), rows in zip(parts, placements, strict=True)
        for row in rows
    )
    sources = [
        _source(warehouse, videos, {row.video_id: row.side for row in rows})
        for (warehouse, videos), rows in zip(parts, placements, strict=True)
    ]
    return replace(_united(sources), leak=leak)


def labelled_source(warehouse: Warehouse) -> FaceSource:
    """Faces of every labelled video, all on side `test`: for evaluation without a split."""
    videos = labelled_videos(warehouse)
    return _source(warehouse, videos, {v.row["video_id"]: Side.TEST for v in videos})


def with_frame_labels(
    source: FaceSource, warehouses: Sequence[Warehouse], path: Path | str
) -> FaceSource:
    """The source with the labels of single frames that a CSV file sets by hand.

    Args:
        source: of these warehouses.
        path: of the file, see `archive.frame_labels`.

    Raises:
        UsageError: the file cannot be read, a line is wrong, or a video is in no warehouse.
    """
    ids = {
        row["path"]: row["video_id"]
        for warehouse in warehouses
        for row in warehouse.read_snapshot("videos").select(["path", "video_id"]).to_pylist()
    }
    return replace(source, frame_labels=read_frame_labels(path, ids))


def only_side(source: FaceSource, side: Side) -> FaceSource:
    """The videos of one side to judge a network by; stills, no videos, are left out.

    Of a mixed video only the faces of that side are left; one without any is left out.

    Raises:
        WarehouseError: there are mixed videos, and a file of faces cannot be read.
    """
    kept = {
        video_id: truth if truth.draw is None else replace(truth, only=side)
        for video_id, truth in source.videos.items()
        if truth.side in (side, Side.MIXED) and not truth.still
    }
    part = replace(source, videos=kept)
    if not any(truth.draw is not None for truth in kept.values()):
        return part
    there = _with_faces(part)
    return replace(
        part,
        videos={key: truth for key, truth in kept.items() if truth.draw is None or key in there},
    )


def _with_faces(source: FaceSource) -> set[str]:
    """The videos that have a face which counts."""
    found: set[str] = set()
    for path in source.files:
        for batch in read_batches(source, path, _FACE_KEYS):
            for row in batch.to_pylist():
                key, truth = row["video_id"], source.videos.get(row["video_id"])
                if key in found or truth is None or truth.run_id != row["run_id"]:
                    continue
                if truth.side_of(key, row["frame_index"], row["face_index"]) is not None:
                    found.add(key)
    return found


def on_side(videos: Sequence[LabelledVideo], source: FaceSource, side: Side) -> list[LabelledVideo]:
    """The videos that `only_side` leaves."""
    kept = only_side(source, side).videos
    return [video for video in videos if video.row["video_id"] in kept]


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
                "unit": row.unit,
            }
            for row in placements
        ],
        schema=SPLITS,
    )


def _draw_of(warehouse: Warehouse) -> FaceDraw:
    """How the committed split gives sides to single faces."""
    settings = warehouse.require("splits")[-1].settings["split"]
    return FaceDraw(**{part.name: settings[part.name] for part in fields(FaceDraw)})


def _source(
    warehouse: Warehouse,
    videos: list[LabelledVideo],
    sides: Mapping[str, Side],
) -> FaceSource:
    files = warehouse.parquet_files("faces")
    draw = _draw_of(warehouse) if Side.MIXED in sides.values() else None
    truths = {
        video.row["video_id"]: VideoTruth(
            run_id=video.extraction["run_id"],
            label=1 if video.row["label"] == Label.FAKE else 0,
            side=sides[video.row["video_id"]],
            still=video.candidate.still,
            dataset=video.dataset,
            draw=draw if sides[video.row["video_id"]] is Side.MIXED else None,
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
