"""The record of the videos that a network learns from, which its bundle carries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from framejury.errors import BundleError
from framejury.labelled.videos import LabelledVideo
from framejury.model.bundle import load_bundle, read_seen
from framejury.model.manifest import Bundle
from framejury.model.seen import KnownVideo, SeenVideos, known_video
from framejury.schemas.statuses import Side
from framejury.training.source import FaceSource
from framejury.warehouse import Warehouse

Parts = Sequence[tuple[Warehouse, list[LabelledVideo]]]
"""Warehouses with their labelled videos, from `labelled.videos.labelled_parts`."""


def record_of(parts: Parts, source: FaceSource) -> SeenVideos:
    """Return the record of the train and val videos of a source.

    A video with faces in several splits counts as train.
    """
    return SeenVideos.of(
        (Side.TRAIN if truth.side is Side.MIXED else truth.side, known)
        for warehouse, videos in parts
        for video, known in zip(videos, known_videos(warehouse, videos), strict=True)
        if (truth := source.videos.get(video.row["video_id"])) is not None
    )


def record_with_start(record: SeenVideos, weights: str) -> SeenVideos | None:
    """Add what the network had seen before, when it starts from the network of a bundle.

    Args:
        record: of this training.
        weights: `training.weights`.

    Returns:
        None when that bundle has no record, because then nobody knows all that was seen.
    """
    start = _bundle_of(weights)
    if start is None:
        return record
    before = read_seen(start)
    return None if before is None else record.joined(before)


def known_videos(warehouse: Warehouse, videos: Iterable[LabelledVideo]) -> list[KnownVideo]:
    """Return what each video of a warehouse can be recognised by."""
    return [
        known_video(video.row, video.candidate.content_id, warehouse.archive) for video in videos
    ]


def _bundle_of(weights: str) -> Bundle | None:
    path = Path(weights)
    if not path.is_file():
        return None
    try:
        return load_bundle(path.parent)
    except BundleError:
        return None
