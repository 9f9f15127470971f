"""Small faces tables for the tests of the model layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import skimage.data
from pyarrow.fs import LocalFileSystem

from framejury.faces.crop import encode_crop
from framejury.records import Image
from framejury.schemas.statuses import Side
from framejury.schemas.tables import FACES
from framejury.training.source import FaceSource, VideoTruth

RUN = "run-1"


@dataclass(frozen=True)
class Video:
    """Facts of one video in a faces table."""

    video_id: str
    label: int
    side: Side
    faces: int = 4
    run_id: str = RUN


def real_face(seed: int, side_px: int = 64) -> Image:
    """Return the astronaut's face, slightly shifted and relit under `seed`."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(-6, 7, 2)
    face = skimage.data.astronaut()[50 + y : 200 + y, 150 + x : 300 + x]
    lit = np.clip(face * rng.uniform(0.85, 1.15), 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(lit, (side_px, side_px), interpolation=cv2.INTER_AREA))


def fake_face(seed: int, side_px: int = 64) -> Image:
    """Return a real face whose middle is turned upside down and tinted green."""
    face = real_face(seed, side_px)
    part = slice(side_px // 4, 3 * side_px // 4)
    inner = face[part, part][::-1].astype(np.float32) * (0.5, 1.4, 0.5)
    face[part, part] = np.clip(inner, 0, 255).astype(np.uint8)
    return face


def face_rows(video: Video, seed: int = 0, side_px: int = 64) -> list[dict[str, object]]:
    """Return rows of `faces` for one video, crops as PNG."""
    make = fake_face if video.label else real_face
    name = sum(video.video_id.encode())
    return [
        {
            "video_id": video.video_id,
            "run_id": video.run_id,
            "frame_index": 10 * number,
            "pts_s": 0.4 * number,
            "face_index": 0,
            "person": 0,
            "box": {"x": 1.0, "y": 2.0, "width": 30.0, "height": 40.0},
            "confidence": 0.99,
            "landmarks": None,
            "detector": "haar",
            "crop_region": {"x": 0, "y": 0, "width": 48, "height": 48},
            "crop": encode_crop(make(1000 * seed + 100 * name + number, side_px), "png"),
        }
        for number in range(video.faces)
    ]


def write_rows(path: Path, rows: Sequence[dict[str, object]], row_group_size: int = 6) -> str:
    """Write a Parquet file of the table `faces` with several row groups; return its path."""
    pq.write_table(
        pa.Table.from_pylist(list(rows), schema=FACES), path, row_group_size=row_group_size
    )
    return str(path)


def source_of(files: Sequence[str], videos: Sequence[Video]) -> FaceSource:
    truths = {v.video_id: VideoTruth(v.run_id, v.label, v.side) for v in videos}
    return FaceSource(tuple(files), LocalFileSystem(), truths)


def small_videos(train_each: int = 6, val_each: int = 3, test_each: int = 0) -> list[Video]:
    """Return as many fake as real videos in each split."""
    sides = {Side.TRAIN: train_each, Side.VAL: val_each, Side.TEST: test_each}
    return [
        Video(f"{side}-{'fake' if label else 'real'}-{number}", label, side)
        for side, count in sides.items()
        for number in range(count)
        for label in (0, 1)
    ]


def write_source(folder: Path, videos: Sequence[Video], seed: int = 0) -> FaceSource:
    """Write the faces of `videos` into two files."""
    folder.mkdir(parents=True, exist_ok=True)
    half = len(videos) // 2
    files = [
        write_rows(folder / f"part-{n}.parquet", [r for v in part for r in face_rows(v, seed)])
        for n, part in enumerate((videos[:half], videos[half:]))
    ]
    return source_of(files, videos)
