"""One video from bytes to rows: decode, detect, crop, and score or keep the crops.

Runs in the child process of `framejury.examiner`. No Spark, no TensorFlow.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from framejury.config import settings_from
from framejury.errors import MediaError
from framejury.faces.crop import crop_region, encode_crop, limited
from framejury.faces.detect import Detector, find_faces, make_detector
from framejury.faces.person import assign_persons
from framejury.media.decode import VideoFile
from framejury.model.bundle import load_bundle
from framejury.model.runtime import Scorer
from framejury.packing import FRAME_S, OPEN_S, READ_S_A_BYTE
from framejury.records import DetectedFace, Image, Region, SampledFrame
from framejury.rows import (
    ROWS,
    TABLE_COLUMN,
    ExaminePlan,
    Segment,
    VideoJob,
    extraction_row,
    to_ipc,
)
from framejury.schemas import Status
from framejury.segments import staged
from framejury.settings import Settings

_CHUNK_PX = 16_000_000
_OVERHEAD_RATIO = 0.1


@dataclass
class Toolbox:
    """What examining needs, loaded once a process."""

    settings: Settings
    detector: Detector
    scorer: Scorer | None
    keep_crops: bool

    @classmethod
    def load(cls, plan: ExaminePlan) -> Toolbox:
        """Load detector and network.

        Raises:
            BundleError, SetupError: they are missing or altered, or the GPU that the plan
                asks for is not usable.
        """
        settings = settings_from(plan.settings)
        threads = settings.scoring.threads
        cv2.setNumThreads(threads)  # else it takes every core of the machine
        scorer = None
        if plan.bundle_dir is not None:
            bundle = load_bundle(plan.bundle_dir)
            scorer = Scorer(bundle, threads, settings.scoring.batch_size, plan.device)
            if plan.device == "cuda":
                # CUDA maps memory on first use; the sandbox limits what comes after loading.
                side = bundle.input_px
                scorer.score([np.zeros((side, side, 3), np.uint8)] * scorer.batch_size)
        return cls(settings, make_detector(settings.detection, threads), scorer, plan.keep_crops)


@dataclass(frozen=True)
class ExaminedFace:
    """A face without its picture; `crop` is the stored image file, when kept."""

    frame_index: int
    pts_s: float
    face_index: int
    face: DetectedFace
    region: Region
    crop: bytes | None
    p_fake: float | None


@dataclass
class Examined:
    """The outcome of one video: columns of `extractions`, and its faces."""

    facts: dict[str, Any]
    faces: list[ExaminedFace]


def examine_video(path: Path, key: str, tools: Toolbox, segment: Segment | None = None) -> Examined:
    """Decode, detect, crop and score one local file, in this process.

    Args:
        path: the file.
        key: what makes random sampling differ between videos (the `video_id`).
        tools: detector, network, settings.
        segment: only these of the frames that the whole video's plan looks at.

    Returns:
        status `extracted` or `no_face` and every face; or another status and no face. Memory
        stays bounded by a few frames, whatever the video's length.
    """
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    facts: dict[str, Any] = {"frames_decoded": 0, "frames_sampled": 0, "faces_found": 0}
    faces: list[ExaminedFace] = []
    try:
        with VideoFile(path, tools.settings.limits, tools.settings.scoring.threads) as video:
            size = video.facts.coded_size
            facts |= {
                "container": video.facts.container,
                "codec": video.facts.codec,
                "width_px": size.width,
                "height_px": size.height,
                "duration_s": video.facts.duration_s,
                "frames_total": len(video.facts.times_s),
            }
            ranks = video.choose(tools.settings.sampling, key)
            if segment is not None:
                ranks = ranks[(ranks >= segment.first) & (ranks < segment.stop)]
            try:
                for chunk in _chunks(video.frames(ranks)):
                    shown = chunk[0].picture.size
                    facts |= {"width_px": shown.width, "height_px": shown.height}
                    facts["frames_sampled"] += len(chunk)
                    facts["faces_found"] += _examine_frames(chunk, tools, faces)
            finally:
                facts["frames_decoded"] = video.frames_decoded
        facts["status"] = (Status.EXTRACTED if faces else Status.NO_FACE).value
        facts["error"] = video.damage
    except MediaError as error:
        faces.clear()
        facts |= {"status": error.status.value, "error": str(error), "faces_found": 0}
    except MemoryError:
        faces.clear()
        facts |= {"status": Status.CRASHED.value, "error": "out of limits.memory_bytes"}
    facts["faces_kept"] = len(faces)
    facts["wall_s"] = time.perf_counter() - started_s
    facts["cpu_s"] = time.process_time() - started_cpu_s
    return Examined(facts, faces)


def serve(setup: Mapping[str, Any]) -> Any:
    """The child's handler: requests of `Examiner` in, Arrow IPC bytes out."""
    plan = ExaminePlan(**setup)
    tools = Toolbox.load(plan)
    model_id = tools.scorer.bundle.model_id if tools.scorer is not None else None

    def handle(request: dict[str, Any]) -> bytes:
        if request.get("survey"):
            return json.dumps(
                survey_video(Path(request["path"]), request["video_id"], tools)
            ).encode()
        segment = Segment(**request["segment"]) if request.get("segment") else None
        examined = examine_video(Path(request["path"]), request["video_id"], tools, segment)
        modified_at = request["modified_at"]
        job = VideoJob(
            request["video_id"],
            request["uri"],
            request["size_bytes"],
            None if modified_at is None else datetime.fromisoformat(modified_at),
        )
        row = extraction_row(job, plan.run_id, tools.settings)
        row |= examined.facts | {"content_id": request["content_id"]}
        rows = [row, *_face_rows(examined, row, tools, model_id)]
        if segment is not None:
            boxes = {(f.frame_index, f.face_index): f.face.box for f in examined.faces}
            rows = [
                staged(row, segment, boxes.get((row.get("frame_index"), row.get("face_index"))))
                for row in rows
            ]
        return to_ipc(pa.RecordBatch.from_pylist(rows, schema=ROWS))

    return handle


def survey_video(path: Path, key: str, tools: Toolbox) -> dict[str, Any]:
    """What a long video would cost and where it may be cut; its headers are read, no frame.

    Each segment reads the headers again, so in a very large file segments are longer than
    `spark.segment_s`, and that stays a small part of their work.

    Args:
        path, key, tools: as in `examine_video`.

    Returns:
        `segments`: a list of {`first`, `stop`, `cost_s`}, in order of time.

    Raises:
        MediaError: it cannot be opened.
    """
    with VideoFile(path, tools.settings.limits) as video:
        ranks = video.choose(tools.settings.sampling, key)
        open_s = OPEN_S + READ_S_A_BYTE * path.stat().st_size
        most_s = max(tools.settings.spark.segment_s, open_s / _OVERHEAD_RATIO)
        segments = video.segments(ranks, most_s, FRAME_S)
    return {
        "segments": [
            {"first": first, "stop": stop, "cost_s": open_s + cost_s}
            for (first, stop), cost_s in segments
        ]
    }


def _chunks(frames: Iterable[SampledFrame]) -> Iterator[list[SampledFrame]]:
    """Runs of frames of at most `_CHUNK_PX` pixels, so that few are in memory at once."""
    chunk: list[SampledFrame] = []
    held_px = 0
    for frame in frames:
        size = frame.picture.size
        if chunk and held_px + size.height * size.width > _CHUNK_PX:
            yield chunk
            chunk, held_px = [], 0
        chunk.append(frame)
        held_px += size.height * size.width
    if chunk:
        yield chunk


def _examine_frames(frames: list[SampledFrame], tools: Toolbox, faces: list[ExaminedFace]) -> int:
    """Append the faces of these frames; returns how many there were before the choice."""
    crops_settings = tools.settings.crops
    detections = find_faces([f.picture for f in frames], tools.detector, tools.settings.detection)
    pending: list[tuple[SampledFrame, int, DetectedFace, Region, Image]] = []
    for frame, detection in zip(frames, detections, strict=True):
        size = frame.picture.size
        for face_index, face in enumerate(detection.faces):
            region = crop_region(face.box, size, crops_settings.margin_ratio, crops_settings.shape)
            crop = limited(frame.picture.part(region), crops_settings.max_side_px)
            pending.append((frame, face_index, face, region, crop))
    scores = tools.scorer.score([item[-1] for item in pending]) if tools.scorer else None
    for rank, (frame, face_index, face, region, crop) in enumerate(pending):
        stored = None
        if tools.keep_crops:
            stored = encode_crop(crop, crops_settings.format, crops_settings.jpeg_quality)
        faces.append(
            ExaminedFace(
                frame.frame_index,
                frame.pts_s,
                face_index,
                face,
                region,
                stored,
                None if scores is None else float(scores[rank]),
            )
        )
    return sum(detection.found for detection in detections)


def _face_rows(
    examined: Examined, extraction: Mapping[str, Any], tools: Toolbox, model_id: str | None
) -> Iterator[dict[str, Any]]:
    """Rows of `faces` when crops are kept, and of `face_scores` when there is a network."""
    for face, person in zip(examined.faces, persons_of(examined.faces), strict=True):
        common = {
            "video_id": extraction["video_id"],
            "run_id": extraction["run_id"],
            "frame_index": face.frame_index,
            "pts_s": face.pts_s,
            "face_index": face.face_index,
            "person": person,
        }
        if tools.keep_crops:
            landmarks = face.face.landmarks
            yield common | {
                TABLE_COLUMN: "faces",
                "box": asdict(face.face.box),
                "confidence": face.face.confidence,
                "landmarks": None if landmarks is None else [asdict(p) for p in landmarks],
                "detector": tools.detector.name,
                "crop_region": asdict(face.region),
                "crop": face.crop,
            }
        if face.p_fake is not None:
            yield common | {
                TABLE_COLUMN: "face_scores",
                "model_id": model_id,
                "p_fake": face.p_fake,
            }


def persons_of(faces: list[ExaminedFace]) -> list[int]:
    """The person of each face; `faces` in order of time."""
    frames: dict[int, list[ExaminedFace]] = {}
    for face in faces:
        frames.setdefault(face.frame_index, []).append(face)
    numbers = assign_persons([[f.face.box for f in group] for group in frames.values()])
    return [number for group in numbers for number in group]
