"""Pictures of one face each, from bytes to rows of `extractions` and `faces`.

The counterpart of `framejury.examine.child` for face sets. No Spark, no TensorFlow.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import cv2

from framejury.errors import FramejuryError
from framejury.examine.messages import VideoJob, extraction_row
from framejury.faces.crop import decode_crop, encode_crop, limited
from framejury.faces.detect import Detector, make_detector
from framejury.faces.header import PICTURE_STARTS
from framejury.faces.portrait import find_portrait, portrait_region
from framejury.records import DetectedFace, Image, Region, Size
from framejury.schemas.statuses import Status
from framejury.settings import CropSettings, Settings

_BATCHES_AHEAD = 2


@dataclass(frozen=True, slots=True)
class FaceImage:
    """A picture to look at: its video's id, place and size, and its bytes (None: it has none)."""

    job: VideoJob
    data: bytes | None


@dataclass(frozen=True, slots=True)
class FaceImageRows:
    """What became of one picture: its row of `extractions`, and of `faces` where it shows one."""

    extraction: dict[str, Any]
    face: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Batch:
    run_id: str
    settings_json: str
    pictures: tuple[FaceImage, ...]


def extract_face_images(
    batches: Iterable[Sequence[FaceImage]], run_id: str, settings: Settings, workers: int
) -> Iterator[list[FaceImageRows]]:
    """Rows of every picture, batch by batch, in order; a few batches are in memory at once.

    Args:
        batches: pictures, in order.
        run_id: written into every row.
        settings: `detection` and `crops` count.
        workers: processes; 1 works in this one.

    Raises:
        FramejuryError: a process died.
        SetupError: the detector's model files are missing.
    """
    plain = settings.model_dump_json()
    tasks = (_Batch(run_id, plain, tuple(batch)) for batch in batches)
    if workers == 1:
        yield from map(_extract_batch, tasks)
        return
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    waiting: deque[Future[list[FaceImageRows]]] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(_extract_batch, task))
            if len(waiting) > workers * _BATCHES_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise FramejuryError(
            "a process that looked for faces died (out of memory?); try --workers 1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def extract_face_image(
    picture: FaceImage, detector: Detector, settings: Settings, run_id: str
) -> FaceImageRows:
    """Find the face of one picture and cut it to the framing.

    Returns:
        status `extracted` with a face; `no_face`; `unreadable` or `empty` for damaged bytes.
        The crop is the picture's own bytes where it is kept whole, else encoded anew.
    """
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    row = extraction_row(picture.job, run_id, settings)
    face = None
    if not picture.data:
        row |= {"status": Status.EMPTY.value, "error": "the row has no picture"}
    else:
        row["content_id"] = hashlib.sha256(picture.data).hexdigest()
        try:
            image = decode_crop(picture.data)
        except ValueError as error:
            row |= {"status": Status.UNREADABLE.value, "error": str(error)}
        else:
            face = _find_face(image, picture.data, row, detector, settings)
    row["wall_s"] = time.perf_counter() - started_s
    row["cpu_s"] = time.process_time() - started_cpu_s
    return FaceImageRows(row, face)


def _extract_batch(batch: _Batch) -> list[FaceImageRows]:
    settings, detector = _tools(batch.settings_json)
    return [
        extract_face_image(picture, detector, settings, batch.run_id) for picture in batch.pictures
    ]


@cache
def _tools(settings_json: str) -> tuple[Settings, Detector]:
    """Loaded once a process."""
    cv2.setNumThreads(1)  # the processes share the cores
    settings = Settings.model_validate_json(settings_json)
    return settings, make_detector(settings.detection, threads=1)


def _find_face(
    image: Image, data: bytes, row: dict[str, Any], detector: Detector, settings: Settings
) -> dict[str, Any] | None:
    """Fills in `row`; the row of `faces`, or None."""
    size = Size(*image.shape[:2])
    portrait = find_portrait(image, detector, settings.detection)
    row |= {
        "status": (Status.NO_FACE if portrait.face is None else Status.EXTRACTED).value,
        "width_px": size.width,
        "height_px": size.height,
        "frames_total": 1,
        "frames_decoded": 1,
        "frames_sampled": 1,
        "faces_found": portrait.found,
        "faces_kept": 0 if portrait.face is None else 1,
    }
    if portrait.face is None:
        return None
    region = portrait_region(portrait.face.box, size, settings.crops)
    return _face_row(row, portrait.face, detector.name, region) | {
        "crop": _cut(image, data, region, settings.crops)
    }


def _cut(image: Image, data: bytes, region: Region, settings: CropSettings) -> bytes:
    part = image[region.y : region.y + region.height, region.x : region.x + region.width]
    crop = limited(part, settings.max_side_px)
    if crop.shape == image.shape and data.startswith(PICTURE_STARTS):
        return data  # compressing again would erase evidence
    return encode_crop(crop, settings.format, settings.jpeg_quality)


def _face_row(
    extraction: dict[str, Any], face: DetectedFace, detector: str, region: Region
) -> dict[str, Any]:
    landmarks = face.landmarks
    return {
        "video_id": extraction["video_id"],
        "run_id": extraction["run_id"],
        "frame_index": 0,
        "pts_s": 0.0,
        "face_index": 0,
        "person": 0,
        "box": asdict(face.box),
        "confidence": face.confidence,
        "landmarks": None if landmarks is None else [asdict(point) for point in landmarks],
        "detector": detector,
        "crop_region": asdict(region),
    }
