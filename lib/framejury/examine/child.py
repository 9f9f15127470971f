"""One video from bytes to rows: decode, detect, crop, and score or keep the crops.

Runs in the child process of `framejury.examine.worker`. No Spark, no TensorFlow.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import av
import cv2
import numpy as np
import pyarrow as pa

from framejury.errors import MediaError, SetupError
from framejury.examine.costs import FRAME_S, OPEN_S, READ_S_A_BYTE
from framejury.examine.faces import ExaminedFace, FollowedFace, Lookout
from framejury.examine.messages import (
    ROWS,
    TABLE_COLUMN,
    ExaminePlan,
    Segment,
    VideoJob,
    extraction_row,
    to_ipc,
)
from framejury.examine.segments import staged
from framejury.faces.detect import Detector, make_detector
from framejury.media.decode import VideoFile
from framejury.media.picture import Picture
from framejury.media.sample import Indices, draw_again
from framejury.media.signatures import VideoSource
from framejury.model.bundle import load_bundle
from framejury.model.runtime import Scorer
from framejury.records import Box, CroppedFace, DetectedFace, Point, Region, SampledFrame
from framejury.schemas.statuses import LANDMARK_NAMES, Status
from framejury.settings import PAIR_SIGNALS, Settings
from framejury.settings.loading import settings_from

_OVERHEAD_RATIO = 0.1
"""Of a segment's work, what opening the file once more for it may take."""
_NO_MEMORY = "asks for more memory than limits.memory_bytes leaves"
"""What is really needed, or what a damaged header makes libav ask for."""


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
            BundleError, SetupError: they are missing or altered, the GPU that the plan asks
                for is not usable, or the network needs pairs of frames and the settings none.
        """
        settings = settings_from(plan.settings)
        threads = settings.scoring.threads
        cv2.setNumThreads(threads)  # else it takes every core of the machine
        scorer = None
        if plan.bundle_dir is not None:
            bundle = load_bundle(plan.bundle_dir)
            if bundle.signal in PAIR_SIGNALS and not settings.sampling.pairs:
                raise SetupError(f"signal {bundle.signal} needs sampling.pairs=true")
            scorer = Scorer(bundle, threads, settings.scoring.batch_size, plan.device)
            if plan.device == "cuda":
                # CUDA maps memory on first use; the sandbox limits what comes after loading.
                black = np.zeros((bundle.input_px, bundle.input_px, 3), np.uint8)
                points = np.zeros((len(LANDMARK_NAMES), 2), np.float32)
                scorer.score([CroppedFace(black, points, black)] * scorer.batch_size)
        return cls(settings, make_detector(settings.detection, threads), scorer, plan.keep_crops)

    def lookout(self) -> Lookout:
        """A fresh look at a video."""
        return Lookout(self.settings, self.detector, self.scorer, keep_crops=self.keep_crops)


def load_the_rest(tools: Toolbox) -> None:
    """Have the libraries load what they load on first use: after this the child opens no file."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.startswith(("av.datasets", "av.__main__")):
            importlib.import_module(module.name)
    importlib.import_module("numpy.random")
    frame = av.VideoFrame.from_ndarray(np.zeros((240, 320, 3), np.uint8), format="rgb24")
    sampled = SampledFrame(0, 0.0, Picture(frame.reformat(format="yuv420p")), True)
    look = tools.lookout()
    look.at([sampled])
    points = (Point(80.0, 80.0),) * len(LANDMARK_NAMES)
    for x in (40.0, 42.0):  # twice, so that they are compared
        face = DetectedFace(Box(x, 40.0, 90.0, 90.0), 1.0, points)
        followed = FollowedFace(face, Region(40, 40, 90, 90))
        look.keep_all([sampled, sampled], [followed], None)
    look.finish()
    row = extraction_row(VideoJob("", "", 0, datetime.now(UTC)), "", tools.settings)
    rows = [row, *_other_rows(Examined({}, look.faces, look.pictures()), row, tools, "")]
    to_ipc(pa.RecordBatch.from_pylist(rows, schema=ROWS))


@dataclass
class Examined:
    """The outcome of one video: columns of `extractions`, its faces, and rows of `pictures`."""

    facts: dict[str, Any]
    faces: list[ExaminedFace]
    pictures: list[dict[str, Any]]


def examine_video(
    source: VideoSource, key: str, tools: Toolbox, segment: Segment | None = None
) -> Examined:
    """Decode, detect, crop and score one local file, in this process.

    Args:
        source: the file: its path, or a descriptor of it.
        key: what makes random sampling differ between videos (the `video_id`).
        tools: detector, network, settings.
        segment: only these of the frames that the whole video's plan looks at.

    Returns:
        status `extracted` or `no_face` and every face; or another status and no face. Memory
        stays bounded by a few frames, whatever the video's length.
    """
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    facts: dict[str, Any] = {"frames_decoded": 0, "frames_sampled": 0, "faces_found": 0}
    facts["sampled_s"] = []
    examined = Examined(facts, [], [])
    try:
        look = _look_at(source, key, tools, segment, facts)
        examined.faces, examined.pictures = look.faces, look.pictures()
        facts["status"] = (Status.EXTRACTED if look.faces else Status.NO_FACE).value
    except MediaError as error:
        facts |= {"status": error.status.value, "error": str(error), "faces_found": 0}
    except MemoryError:
        facts |= {"status": Status.CRASHED.value, "error": _NO_MEMORY}
    facts["faces_kept"] = len(examined.faces)
    facts["wall_s"] = time.perf_counter() - started_s
    facts["cpu_s"] = time.process_time() - started_cpu_s
    return examined


def _look_at(
    source: VideoSource, key: str, tools: Toolbox, segment: Segment | None, facts: dict[str, Any]
) -> Lookout:
    """Look at all that the settings choose; what is found out of the video goes into `facts`."""
    sampling = tools.settings.sampling
    drawn = sampling.mode == "random" and segment is None
    with _opened(source, tools) as video:
        size, total = video.facts.coded_size, len(video.facts.times_s)
        facts |= {
            "container": video.facts.container,
            "codec": video.facts.codec,
            "width_px": size.width,
            "height_px": size.height,
            "duration_s": video.facts.duration_s,
            "frames_total": total,
        }
        ranks, stop = video.choose(sampling, key), total if drawn else None
        if segment is not None:
            ranks, stop = ranks[(ranks >= segment.first) & (ranks < segment.stop)], segment.stop
        elif len(ranks) == 0:
            facts["error"] = "no frame is followed by another, and sampling.pairs asks for two"
            return tools.lookout()
        look = _watch(video, ranks, stop, tools, facts)
        facts["error"] = video.damage
    if drawn and look.ranks != ranks.tolist():
        look = _draw_again(source, key, tools, facts)
    return look


def _draw_again(source: VideoSource, key: str, tools: Toolbox, facts: dict[str, Any]) -> Lookout:
    """Look at frames that can be read in place of those that were drawn first.

    From the start, for people are followed in order of time; three passes over a damaged file.

    Raises:
        MediaError: `unreadable` when none can be read.
    """
    damage = facts["error"] or "frames are not where the container says"
    with _opened(source, tools) as video:
        readable = video.readable()
        facts["frames_decoded"] += video.frames_decoded
        ranks = draw_again(len(video.facts.times_s), tools.settings.sampling, key, readable)
    if len(ranks) == 0:
        raise MediaError(Status.UNREADABLE, damage)
    with _opened(source, tools) as video:
        look = _watch(video, ranks, None, tools, facts)
    facts["error"] = f"{damage}; others were drawn"
    return look


def _opened(source: VideoSource, tools: Toolbox) -> VideoFile:
    return VideoFile(source, tools.settings.limits, tools.settings.scoring.threads)


def _watch(
    video: VideoFile, ranks: Indices, stop: int | None, tools: Toolbox, facts: dict[str, Any]
) -> Lookout:
    """One pass over a video; counts start anew in `facts`, but for frames decoded."""
    look = tools.lookout()
    facts |= {"frames_sampled": 0, "faces_found": 0, "sampled_s": []}
    try:
        for frames in video.looks(ranks, stop, pairs=tools.settings.sampling.pairs):
            shown = frames[0].picture.size
            facts |= {"width_px": shown.width, "height_px": shown.height}
            facts["frames_sampled"] += len(frames)
            facts["sampled_s"].append(frames[0].pts_s)
            facts["faces_found"] += look.at(frames)
        look.finish()
    finally:
        facts["frames_decoded"] += video.frames_decoded
    return look


def serve(setup: Mapping[str, Any]) -> Any:
    """The child's handler: requests of `Examiner` in, Arrow IPC bytes out."""
    plan = ExaminePlan(**setup)
    tools = Toolbox.load(plan)
    load_the_rest(tools)
    model_id = tools.scorer.bundle.model_id if tools.scorer is not None else None

    def handle(request: dict[str, Any]) -> bytes:
        if request.get("survey"):
            return json.dumps(survey_video(request["file"], request["video_id"], tools)).encode()
        segment = Segment(**request["segment"]) if request.get("segment") else None
        examined = examine_video(request["file"], request["video_id"], tools, segment)
        modified_at = request["modified_at"]
        job = VideoJob(
            request["video_id"],
            request["uri"],
            request["size_bytes"],
            None if modified_at is None else datetime.fromisoformat(modified_at),
        )
        row = extraction_row(job, plan.run_id, tools.settings)
        row |= examined.facts | {"content_id": request["content_id"]}
        rows = [row, *_other_rows(examined, row, tools, model_id)]
        if segment is not None:
            boxes: dict[tuple[Any, Any], Box] = {
                (face.frame_index, face.face_index): face.face.box for face in examined.faces
            }
            rows = [
                staged(row, segment, boxes.get((row.get("frame_index"), row.get("face_index"))))
                for row in rows
            ]
        return to_ipc(pa.RecordBatch.from_pylist(rows, schema=ROWS))

    return handle


def survey_video(file: int, key: str, tools: Toolbox) -> dict[str, Any]:
    """What a long video would cost and where it may be cut; its headers are read, no frame.

    Each segment reads the headers again, so in a very large file segments are longer than
    `spark.segment_s`, and that stays a small part of their work.

    Args:
        file: descriptor of the file.
        key, tools: as in `examine_video`.

    Returns:
        `segments`: a list of {`first`, `stop`, `cost_s`}, in order of time.

    Raises:
        MediaError: it cannot be opened.
    """
    sampling = tools.settings.sampling
    with VideoFile(file, tools.settings.limits) as video:
        ranks = video.choose(sampling, key)
        open_s = OPEN_S + READ_S_A_BYTE * os.fstat(file).st_size
        most_s = max(tools.settings.spark.segment_s, open_s / _OVERHEAD_RATIO)
        segments = video.segments(ranks, most_s, FRAME_S, pairs=sampling.pairs)
    return {
        "segments": [
            {"first": first, "stop": stop, "cost_s": open_s + cost_s}
            for (first, stop), cost_s in segments
        ]
    }


def _other_rows(
    examined: Examined, extraction: Mapping[str, Any], tools: Toolbox, model_id: str | None
) -> Iterator[dict[str, Any]]:
    """Rows of `faces` when crops are kept, of `face_scores` and `pictures` with a network."""
    ids = {name: extraction[name] for name in ("video_id", "run_id")}
    for face in examined.faces:
        common = ids | {
            "frame_index": face.frame_index,
            "pts_s": face.pts_s,
            "face_index": face.face_index,
            "person": face.person,
            "box": asdict(face.face.box),
            "confidence": face.face.confidence,
        }
        if tools.keep_crops:
            landmarks = face.face.landmarks
            yield common | {
                TABLE_COLUMN: "faces",
                "landmarks": None if landmarks is None else [asdict(p) for p in landmarks],
                "detector": tools.detector.name,
                "crop_region": asdict(face.region),
                "crop": face.crop,
                "next_crop": face.next_crop,
            }
        if face.p_fake is not None:
            yield common | {
                TABLE_COLUMN: "face_scores",
                "model_id": model_id,
                "p_fake": face.p_fake,
                "ssim": face.ssim,
            }
    for picture in examined.pictures:
        yield ids | picture | {TABLE_COLUMN: "pictures", "model_id": model_id}
