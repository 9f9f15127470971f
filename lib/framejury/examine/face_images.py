"""Images of one face each, from bytes to rows of `extractions` and `faces`.

The counterpart of `framejury.examine.child` for face sets. No Spark, no TensorFlow.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2

from framejury.errors import FramejuryError
from framejury.examine.faces import ExaminedFace, face_row
from framejury.examine.messages import VideoJob, extraction_row
from framejury.faces.crop import Cut, cut_of, decode_crop, encode_crop, limited
from framejury.faces.detect import Detector, make_detector
from framejury.faces.header import PICTURE_STARTS
from framejury.faces.portrait import find_portrait, portrait_region
from framejury.records import DetectedFace, Image, Size
from framejury.schemas.statuses import Status
from framejury.settings import CropSettings, Settings

_BATCHES_AHEAD = 2


@dataclass(frozen=True, slots=True)
class FaceImage:
    """An image file of a face set.

    Attributes:
        job: id, URI and size of its video.
        data: its bytes; None: missing.
        rank: its rank in the video, from 0; becomes `frame_index`.
        pts_s: its time in the video, seconds.
    """

    job: VideoJob
    data: bytes | None
    rank: int = 0
    pts_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FaceImageRows:
    """The row of `extractions` of one image, and its row of `faces` if it shows a face."""

    extraction: dict[str, Any]
    face: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Batch:
    run_id: str
    settings_json: str
    images: tuple[FaceImage, ...]


def extract_face_images(
    batches: Iterable[Sequence[FaceImage]], run_id: str, settings: Settings, workers: int
) -> Iterator[list[FaceImageRows]]:
    """Yield the rows of all images in order, batch by batch; few batches are held at once.

    Args:
        batches: images, in order.
        run_id: written into every row.
        settings: `detection` and `crops` are used.
        workers: processes; 1: use this process.

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
            "a process that searched for faces died (out of memory?); try --workers 1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def extract_face_image(
    file: FaceImage, detector: Detector, settings: Settings, run_id: str
) -> FaceImageRows:
    """Find the face of one image and crop it.

    Returns:
        status `extracted` with a face; `no_face`; `unreadable` or `empty` for damaged bytes.
        The crop is the original file if the image is kept whole, otherwise encoded anew.
    """
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    row = extraction_row(file.job, run_id, settings)
    face = None
    if not file.data:
        row |= {"status": Status.EMPTY.value, "error": "the image has no bytes"}
    else:
        row["content_id"] = hashlib.sha256(file.data).hexdigest()
        try:
            image = decode_crop(file.data)
        except ValueError as error:
            row |= {"status": Status.UNREADABLE.value, "error": str(error)}
        else:
            face = _find_face(image, file, row, detector, settings)
    row["wall_s"] = time.perf_counter() - started_s
    row["cpu_s"] = time.process_time() - started_cpu_s
    return FaceImageRows(row, face)


_SUMMED = (
    *("frames_total", "frames_decoded", "frames_sampled", "faces_found", "faces_kept"),
    *("wall_s", "cpu_s"),
)


def joined_extraction(first: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return one row of `extractions` for two images of the same video.

    It is `extracted` if either image shows a face; `content_id` is a hash over those of both.
    """
    extracted = other["status"] == Status.EXTRACTED and first["status"] != Status.EXTRACTED
    kept = dict(other if extracted else first)
    kept |= {name: (first.get(name) or 0) + (other.get(name) or 0) for name in _SUMMED}
    ids = [one["content_id"] for one in (first, other) if one.get("content_id")]
    if len(ids) == 2:
        ids = [hashlib.sha256("".join(ids).encode()).hexdigest()]
    return kept | {"content_id": ids[0] if ids else None}


def _extract_batch(batch: _Batch) -> list[FaceImageRows]:
    settings, detector = _tools(batch.settings_json)
    return [extract_face_image(image, detector, settings, batch.run_id) for image in batch.images]


@cache
def _tools(settings_json: str) -> tuple[Settings, Detector]:
    """Load settings and detector once per process."""
    cv2.setNumThreads(1)  # the processes share the cores
    settings = Settings.model_validate_json(settings_json)
    return settings, make_detector(settings.detection, threads=1)


def _find_face(
    image: Image, file: FaceImage, row: dict[str, Any], detector: Detector, settings: Settings
) -> dict[str, Any] | None:
    """Fill in `row`; return the row of `faces`, or None."""
    size = Size(*image.shape[:2])
    portrait = find_portrait(image, detector, settings.detection)
    cut = None if portrait.face is None else _cut_of(portrait.face, size, settings.crops)
    row |= {
        "status": (Status.NO_FACE if cut is None else Status.EXTRACTED).value,
        "width_px": size.width,
        "height_px": size.height,
        "frames_total": 1,
        "frames_decoded": 1,
        "frames_sampled": 1,
        "faces_found": portrait.found,
        "faces_kept": 0 if cut is None else 1,
    }
    if portrait.face is None or cut is None:
        return None
    face = ExaminedFace(
        frame_index=file.rank,
        pts_s=file.pts_s,
        face_index=0,
        person=0,
        track_box=portrait.face.box.in_heights(size),
        face=portrait.face,
        cut=cut,
        crop=_encoded(image, file.data or b"", cut, settings.crops),
    )
    ids = {name: row[name] for name in ("video_id", "run_id")}
    return ids | face_row(face, detector.name)


def _cut_of(face: DetectedFace, size: Size, crops: CropSettings) -> Cut | None:
    if crops.template is not None:
        return cut_of(face, size, crops)
    return Cut(portrait_region(face.box, size, crops))


def _encoded(image: Image, data: bytes, cut: Cut, settings: CropSettings) -> bytes:
    region = cut.region
    part = image[region.y : region.y + region.height, region.x : region.x + region.width]
    crop = limited(cut.turned(part), settings.max_side_px)
    is_whole = cut.alignment is None and crop.shape == image.shape
    if is_whole and data.startswith(PICTURE_STARTS):
        return data  # compressing again would erase traces of forgery
    return encode_crop(crop, settings.format, settings.jpeg_quality)
