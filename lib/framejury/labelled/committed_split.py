"""Committed split of a warehouse, and the faces of each split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from framejury.archive.assignment import FaceCut, FaceDraw
from framejury.archive.balance import chunks
from framejury.archive.csv_files import read_frame_labels
from framejury.archive.groups import family_names
from framejury.archive.labelled_video import Candidate, Placement, keys_of
from framejury.archive.leakage import check_leakage
from framejury.errors import SplitError, WarehouseError
from framejury.labelled.decided_videos import decided_placements
from framejury.labelled.videos import LabelledVideo, labelled_parts, labelled_videos
from framejury.schemas.statuses import Label, Side, Status
from framejury.schemas.tables import SPLITS
from framejury.settings import SplitSettings
from framejury.training.source import FaceSource, VideoTruth, read_batches
from framejury.warehouse import Warehouse

_FACE_KEYS = ["video_id", "run_id", "frame_index", "face_index"]


def read_split(warehouse: Warehouse, videos: list[LabelledVideo]) -> list[Placement]:
    """Read the committed split of these videos; keys come from the current tables.

    Videos that people decided on are in no committed split and are placed beside it; where all are,
    there need be none.

    Raises:
        WarehouseError: there is no split.
        SplitError: the split has a video that is no longer indexed, or trains on a fake of which
            only the sound was changed.
    """
    known = {video.row["video_id"]: video.candidate for video in videos}
    placements: list[Placement] = []
    known_by_people = [video for video in videos if video.decided]
    if known_by_people and len(known_by_people) == len(videos):
        return decided_placements([], videos, SplitSettings())
    for row in warehouse.read_snapshot("splits").to_pylist():
        candidate = known.get(row["video_id"])
        if candidate is None:
            raise SplitError(
                f"the split has video {row['video_id']}, which is no longer in table videos; run "
                "`framejury split` again"
            )
        if candidate.why_not is not None and row["side"] != Side.EXCLUDED:
            raise SplitError(
                f"{candidate.path} is in split {row['side']}, but {candidate.why_not} (table "
                "modalities); run `framejury split` again"
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
                method=candidate.method,
                keep_below=row["keep_below"],
            )
        )
    if known_by_people:
        settings = split_settings(warehouse)
        placements += decided_placements(placements, known_by_people, settings)
    return placements


def training_source(*warehouses: Warehouse, decided: bool = False) -> FaceSource:
    """Return the faces of the committed splits of one or several warehouses.

    The leakage gate checks all warehouses together: a source, donor or content that occurs in two
    of them must be in one split. `leak` describes the leak of a split by video or face.

    Args:
        warehouses: at least one.
        decided: as for `labelled_videos`; only to measure and calibrate, never to train.

    Raises:
        LeakageError: a source of a split by group is in two splits; no faces are read.
        WarehouseError, SplitError: tables are missing or inconsistent, or two warehouses share a
            video or lie on different file systems.
    """
    parts = labelled_parts(warehouses, decided=decided)
    placements = [read_split(warehouse, videos) for warehouse, videos in parts]
    leak = check_leakage(
        row if len(parts) == 1 else replace(row, path=f"{warehouse.location.uri}: {row.path}")
        for (warehouse, _), rows in zip(parts, placements, strict=True)
        for row in rows
    )
    sources = [
        _source(warehouse, videos, {row.video_id: row.side for row in rows}, rows)
        for (warehouse, videos), rows in zip(parts, placements, strict=True)
    ]
    return replace(_united(sources), leak=leak)


def candidates_of(warehouse: Warehouse, settings: SplitSettings) -> list[Candidate]:
    """Return the labelled videos to split, with their faces if those are to be balanced."""
    candidates = [video.candidate for video in labelled_videos(warehouse)]
    if settings.balance_unit == "video":
        return candidates
    source = labelled_source(warehouse)
    faces: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for path in source.files:
        for batch in read_batches(source, path, _FACE_KEYS):
            for row in batch.to_pylist():
                truth = source.videos.get(row["video_id"])
                if truth is not None and truth.run_id == row["run_id"]:
                    faces[row["video_id"]].append((row["frame_index"], row["face_index"]))
    return [replace(one, faces=tuple(faces[one.video_id])) for one in candidates]


def labelled_source(warehouse: Warehouse, *, decided: bool = False) -> FaceSource:
    """Return the faces of all labelled videos, all in split test, to evaluate without a split.

    Args:
        warehouse: the warehouse.
        decided: as for `labelled_videos`.
    """
    videos = labelled_videos(warehouse, decided=decided)
    return _source(warehouse, videos, {v.row["video_id"]: Side.TEST for v in videos})


def with_frame_labels(
    source: FaceSource, warehouses: Sequence[Warehouse], path: Path | str
) -> FaceSource:
    """Add labels of single frames from a CSV file.

    Args:
        source: of these warehouses.
        warehouses: with the videos of the file.
        path: of the file, see `archive.csv_files`.

    Raises:
        UsageError: the file cannot be read, a line is wrong, or a video is in no warehouse.
    """
    ids = {
        row["path"]: row["video_id"]
        for warehouse in warehouses
        for row in warehouse.read_snapshot("videos").select(["path", "video_id"]).to_pylist()
    }
    return replace(source, frame_labels=read_frame_labels(path, ids))


def chunks_of(warehouse: Warehouse, videos: list[LabelledVideo]) -> dict[str, int]:
    """Return video_id -> number, from 0, of the chunk that the committed split balanced.

    Videos that were dropped to balance the classes have one too.
    """
    rows = sorted(read_split(warehouse, videos), key=lambda row: row.path)
    parts = chunks(rows, split_settings(warehouse).chunk_videos)
    return {row.video_id: number for number, part in enumerate(parts) for row in part}


def only_side(source: FaceSource, side: Side) -> FaceSource:
    """Keep the faces of one split, without stills, to measure a network.

    A mixed video keeps only its faces of that split, and is left out if it has none.

    Raises:
        WarehouseError: a file of faces cannot be read (only with mixed videos).
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
    """Return the videos with a face in the source."""
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


def videos_of(source: FaceSource, videos: Sequence[LabelledVideo]) -> list[LabelledVideo]:
    """Return the videos with faces in the source."""
    return [video for video in videos if video.row["video_id"] in source.videos]


def split_table(placements: list[Placement], run_id: str) -> pa.Table:
    """Return rows of table `splits`."""
    rows = [{**vars(row), "run_id": run_id} for row in placements]
    return pa.Table.from_pylist(rows, schema=SPLITS)


def split_settings(warehouse: Warehouse) -> SplitSettings:
    """Return the settings of the committed split."""
    stored = warehouse.require("splits")[-1].settings["split"]
    known = {name: stored[name] for name in SplitSettings.model_fields if name in stored}
    return SplitSettings.model_validate(known)


def _draw_of(warehouse: Warehouse) -> FaceDraw:
    """Return how the committed split assigns single faces."""
    settings = split_settings(warehouse)
    return FaceDraw(settings.seed, settings.train, settings.val, settings.test)


def _source(
    warehouse: Warehouse,
    videos: list[LabelledVideo],
    sides: Mapping[str, Side],
    rows: Sequence[Placement] = (),
) -> FaceSource:
    files = warehouse.parquet_files("faces")
    draw = _draw_of(warehouse) if Side.MIXED in sides.values() else None
    cuts = {
        row.video_id: FaceCut(split_settings(warehouse).seed, row.keep_below)
        for row in rows
        if row.keep_below is not None
    }
    families = family_names(
        [video.row["group_keys"] or [video.row["video_id"]] for video in videos]
    )
    truths = {
        video.row["video_id"]: VideoTruth(
            run_id=video.extraction["run_id"],
            label=1 if video.row["label"] == Label.FAKE else 0,
            side=sides[video.row["video_id"]],
            still=video.candidate.still,
            dataset=video.dataset,
            method=video.row["method"],
            draw=draw if sides[video.row["video_id"]] is Side.MIXED else None,
            cut=cuts.get(video.row["video_id"]),
            family=family,
        )
        for video, family in zip(videos, families, strict=True)
        if video.extraction is not None
        and video.extraction["status"] == Status.EXTRACTED
        and video.row["video_id"] in sides
    }
    return FaceSource(tuple(f.path for f in files), files[0].filesystem, truths)


def _united(sources: Sequence[FaceSource]) -> FaceSource:
    """Return one source over the files of all, which share no video (`labelled_parts`)."""
    first, *others = sources
    if any(not source.filesystem.equals(first.filesystem) for source in others):
        raise WarehouseError(
            "the warehouses lie on different file systems; copy them to one to train on all of them"
        )
    files = tuple(file for source in sources for file in source.files)
    truths = {key: truth for source in sources for key, truth in source.videos.items()}
    return FaceSource(files, first.filesystem, truths)
