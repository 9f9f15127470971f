"""One video from bytes to rows: decode, find faces, crop, score or keep the crops.

Runs in the child process of `framejury.examine.worker`. No Spark, no TensorFlow.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import av
import cv2
import numpy as np
import pyarrow as pa

from framejury.errors import MediaError, SetupError
from framejury.examine.clips import ClipMaker
from framejury.examine.costs import OPEN_S, READ_S_A_BYTE, frame_s
from framejury.examine.faces import ExaminedFace, FaceExaminer, FollowedFace, face_row, score_row
from framejury.examine.messages import (
    OUT_OF_MEMORY,
    ROWS,
    TABLE_COLUMN,
    ExaminePlan,
    Outcome,
    Segment,
    VideoJob,
    extraction_row,
    to_ipc,
)
from framejury.examine.segments import staged
from framejury.faces.detect import Detector, make_detector
from framejury.media.container import VideoSource, import_lazy_modules
from framejury.media.decode import VideoFile
from framejury.media.decoded_frame import DecodedFrame
from framejury.media.sample import Indices, Walk, draw_again
from framejury.media.small_clip import small_clip
from framejury.model.bundle import load_bundle
from framejury.model.runtime import Scorer
from framejury.records import Box, CroppedFace, DetectedFace, Point, Region, SampledFrame
from framejury.schemas.notes import VideoNote, to_text
from framejury.schemas.statuses import LANDMARK_NAMES, Status
from framejury.settings import PAIR_SIGNALS, LimitSettings, Settings
from framejury.settings.loading import settings_from

_OVERHEAD_RATIO = 0.1
"""Largest share of a segment's work that opening the file again may take."""


@dataclass
class Examined:
    """The outcome of one video, its faces, and columns of `pictures` without ids."""

    outcome: Outcome
    faces: list[ExaminedFace] = field(default_factory=list)
    pictures: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Toolbox:
    """Detector, network and settings, loaded once per process."""

    settings: Settings
    detector: Detector
    scorer: Scorer | None
    keep_crops: bool

    @classmethod
    def load(cls, plan: ExaminePlan) -> Toolbox:
        """Load detector and network.

        Raises:
            BundleError, SetupError: a file is missing or altered, the GPU that the plan requires
                is not usable, or the network needs pairs of frames and the settings have none.
        """
        settings = settings_from(plan.settings)
        threads = settings.scoring.threads
        cv2.setNumThreads(threads)  # by default OpenCV takes every core
        scorer = None
        if plan.bundle_dir is not None:
            bundle = load_bundle(plan.bundle_dir)
            if bundle.signal in PAIR_SIGNALS and not settings.sampling.pairs:
                raise SetupError(f"signal {bundle.signal} needs sampling.pairs=true")
            scorer = Scorer(bundle, threads, settings.scoring.batch_size, plan.device)
            if plan.device == "cuda":
                # CUDA maps memory on first use; the sandbox limits memory after loading.
                black = np.zeros((bundle.input_px, bundle.input_px, 3), np.uint8)
                points = np.zeros((len(LANDMARK_NAMES), 2), np.float32)
                scorer.score([CroppedFace(black, points, black)] * scorer.batch_size)
        return cls(settings, make_detector(settings.detection, threads), scorer, plan.keep_crops)

    def face_examiner(self) -> FaceExaminer:
        """Return an examiner for a new video."""
        return FaceExaminer(self.settings, self.detector, self.scorer, keep_crops=self.keep_crops)

    def rows(self, examined: Examined, extraction: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield rows of `faces` when crops are kept, of `face_scores` and `pictures` when scored.

        Args:
            examined: faces and pictures of one video.
            extraction: its row of `extractions`.
        """
        ids = {name: extraction[name] for name in ("video_id", "run_id")}
        model_id = None if self.scorer is None else self.scorer.bundle.model_id
        for face in examined.faces:
            if self.keep_crops:
                yield ids | face_row(face, self.detector.name)
            if face.score is not None:
                yield ids | score_row(face) | {"model_id": model_id}
        for picture in examined.pictures:
            yield ids | picture | {TABLE_COLUMN: "pictures", "model_id": model_id}


def load_the_rest(tools: Toolbox) -> None:
    """Make libraries load what they load on first use: afterwards the child opens no file."""
    import_lazy_modules()
    sampling = tools.settings.sampling.model_copy(update={"frames": 2, "stream": "auto"})
    free = {"limits": LimitSettings(), "sampling": sampling}  # limits are for videos
    rehearsing = replace(tools, settings=tools.settings.model_copy(update=free))
    with small_clip() as clip:
        examine_video(clip, "", rehearsing)
        survey_video(clip, "", rehearsing)
    # Again with faces that no setting of the detector leaves out.
    frame = av.VideoFrame.from_ndarray(np.zeros((240, 320, 3), np.uint8), format="rgb24")
    sampled = SampledFrame(0, 0.0, DecodedFrame(frame.reformat(format="yuv420p")), True)
    examiner = tools.face_examiner()
    examiner.examine([sampled])
    points = (Point(80.0, 80.0),) * len(LANDMARK_NAMES)
    for x in (40.0, 42.0):  # two faces, so that they are compared
        face = DetectedFace(Box(x, 40.0, 90.0, 90.0), 1.0, points)
        followed = FollowedFace(face, Region(40, 40, 90, 90))
        examiner.add([sampled, sampled], [followed], None)
    examiner.finish()
    ClipMaker(tools.settings, tools.scorer).warm_up()
    row = extraction_row(VideoJob("", "", 0, datetime.now(UTC)), "", tools.settings)
    rows = [row, *tools.rows(Examined(Outcome(), examiner.faces, examiner.pictures()), row)]
    to_ipc(pa.RecordBatch.from_pylist(rows, schema=ROWS))


def examine_video(
    source: VideoSource, key: str, tools: Toolbox, segment: Segment | None = None
) -> Examined:
    """Decode one local file in this process; find, crop and score its faces.

    Memory stays bounded by a few frames, whatever the length of the video.

    Args:
        source: the file: its path, or a descriptor of it.
        key: seeds random sampling per video (the `video_id`).
        tools: detector, network, settings.
        segment: limits the sampled frames to this segment of the video.

    Returns:
        status `extracted` or `no_face` with every face, or another status without faces.
    """
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    examination = _Examination(source, key, tools)
    outcome = examination.outcome
    examined = Examined(outcome)
    try:
        found = examination.run(segment)
        examined.faces, examined.pictures = found.faces, found.pictures()
        outcome.status = Status.EXTRACTED if found.faces else Status.NO_FACE
    except MediaError as error:
        outcome.status, outcome.error, outcome.faces_found = error.status, str(error), 0
        if error.note is not None:
            outcome.notes = to_text([VideoNote(error.note)])
    except MemoryError:
        outcome.status, outcome.error = Status.CRASHED, OUT_OF_MEMORY
    outcome.faces_kept = len(examined.faces)
    outcome.wall_s = time.perf_counter() - started_s
    outcome.cpu_s = time.process_time() - started_cpu_s
    return examined


class _Examination:
    """Passes over one video.

    Attributes:
        outcome: what is known so far, also when a pass raises.
    """

    def __init__(self, source: VideoSource, key: str, tools: Toolbox) -> None:
        self.outcome = Outcome()
        self._source = source
        self._key = key
        self._tools = tools
        self._sampling = tools.settings.sampling

    def run(self, segment: Segment | None) -> FaceExaminer:
        """Examine the frames that the settings choose.

        Raises:
            MediaError: the video cannot be read.
        """
        with self._open() as video:
            self._note_headers(video)
            ranks = video.choose(self._sampling, self._key)
            if segment is not None:
                inside = (ranks >= segment.first) & (ranks < segment.stop)
                found = self._examine(video, ranks[inside], segment.stop)
                self.outcome.error = video.damage
                return found
            if len(ranks) == 0:
                self.outcome.error = "no frame has a successor, as sampling.pairs requires"
                return self._tools.face_examiner()
            drawn = self._sampling.mode == "random"
            found = self._examine(video, ranks, len(video.facts.times_s) if drawn else None)
            self.outcome.error = video.damage
        if drawn and found.ranks != ranks.tolist():
            return self._redraw(video.damage or "frames are not where the container says")
        return found

    def _redraw(self, damage: str) -> FaceExaminer:
        """Sample readable frames in place of those drawn first.

        Starts over, since faces are tracked in order of time: a damaged file takes three passes.

        Raises:
            MediaError: `unreadable` when no frame can be read.
        """
        with self._open() as video:
            readable = video.readable()
            self.outcome.frames_decoded += video.frames_decoded
            ranks = draw_again(len(video.facts.times_s), self._sampling, self._key, readable)
        if len(ranks) == 0:
            raise MediaError(Status.UNREADABLE, damage)
        with self._open() as video:
            found = self._examine(video, ranks, None)
        self.outcome.error = f"{damage}; other frames were drawn instead"
        return found

    def _open(self) -> VideoFile:
        settings = self._tools.settings
        threads, stream = settings.scoring.threads, settings.sampling.stream
        return VideoFile(self._source, settings.limits, threads, stream)

    def _note_headers(self, video: VideoFile) -> None:
        facts, outcome = video.facts, self.outcome
        outcome.container, outcome.codec = facts.container, facts.codec
        outcome.width_px, outcome.height_px = facts.coded_size.width, facts.coded_size.height
        outcome.duration_s, outcome.frames_total = facts.duration_s, len(facts.times_s)
        outcome.origin = asdict(video.origin)

    def _examine(self, video: VideoFile, ranks: Indices, stop: int | None) -> FaceExaminer:
        """Make one pass; all counts start anew, except that of decoded frames."""
        outcome, found = self.outcome, self._tools.face_examiner()
        outcome.frames_sampled, outcome.faces_found, outcome.sampled_s = 0, 0, []
        walk = None
        samples = video.samples(ranks, stop, pairs=self._sampling.pairs)
        if self._sampling.mode == "strided_retry":
            walk = Walk(len(video.facts.times_s), self._sampling)
            samples = video.walk(walk)
        try:
            for frames in samples:
                shown = frames[0].picture.size
                outcome.width_px, outcome.height_px = shown.width, shown.height
                outcome.frames_sampled += len(frames)
                outcome.sampled_s.append(frames[0].pts_s)
                kept = found.kept
                outcome.faces_found += found.examine(frames)
                if walk is not None:
                    walk.go_on(frames[0].frame_index, found=found.kept > kept)
            found.finish()
        finally:
            outcome.frames_decoded += video.frames_decoded
            outcome.notes = to_text(video.notes())
        return found


def serve(setup: Mapping[str, Any]) -> Any:
    """Make the child's handler: requests of `Examiner` in, Arrow IPC bytes out."""
    plan = ExaminePlan(**setup)
    tools = Toolbox.load(plan)
    load_the_rest(tools)
    clips = ClipMaker(tools.settings, tools.scorer)

    def handle(request: dict[str, Any]) -> bytes:
        if request.get("survey"):
            return json.dumps(survey_video(request["file"], request["video_id"], tools)).encode()
        segment = Segment(**request["segment"]) if request.get("segment") else None
        if request.get("clips"):
            ids = {"video_id": request["video_id"], "run_id": plan.run_id}
            found = Examined(Outcome(), pictures=clips.rows(request["file"]))
            return _packed(list(tools.rows(found, ids)), segment)
        examined = examine_video(request["file"], request["video_id"], tools, segment)
        modified_at = request["modified_at"]
        job = VideoJob(
            request["video_id"],
            request["uri"],
            request["size_bytes"],
            None if modified_at is None else datetime.fromisoformat(modified_at),
        )
        row = extraction_row(job, plan.run_id, tools.settings)
        row |= examined.outcome.to_row() | {"content_id": request["content_id"]}
        rows = [row, *tools.rows(examined, row)]
        clips.remember(examined.faces, is_whole=segment is None)
        boxes = {(face.frame_index, face.face_index): face.track_box for face in examined.faces}
        return _packed(rows, segment, boxes)

    return handle


def _packed(
    rows: list[dict[str, Any]],
    segment: Segment | None,
    boxes: Mapping[tuple[Any, Any], Box] | None = None,
) -> bytes:
    """Return an answer; rows of a segment are addressed to the staging table.

    Args:
        boxes: `track_box` of each face by frame and face index.
    """
    if segment is not None:
        known = boxes or {}
        rows = [
            staged(row, segment, known.get((row.get("frame_index"), row.get("face_index"))))
            for row in rows
        ]
    return to_ipc(pa.RecordBatch.from_pylist(rows, schema=ROWS))


def survey_video(file: int, key: str, tools: Toolbox) -> dict[str, Any]:
    """Estimate costs and possible cuts of a long video from its headers, without decoding.

    Every segment reads the headers again, so in very large files segments are longer than
    `spark.segment_s` to keep that a small share of their work.

    Args:
        file: descriptor of the file.
        key, tools: as in `examine_video`.

    Returns:
        `segments`: a list of {`first`, `stop`, `cost_s`}, in order of time.

    Raises:
        MediaError: the file cannot be opened.
    """
    sampling = tools.settings.sampling
    with VideoFile(file, tools.settings.limits, stream=sampling.stream) as video:
        ranks = video.choose(sampling, key)
        open_s = OPEN_S + READ_S_A_BYTE * os.fstat(file).st_size
        most_s = max(tools.settings.spark.segment_s, open_s / _OVERHEAD_RATIO)
        each_s = frame_s(tools.settings.detection.detector)
        segments = video.segments(ranks, most_s, each_s, pairs=sampling.pairs)
    return {
        "segments": [
            {"first": first, "stop": stop, "cost_s": open_s + cost_s}
            for (first, stop), cost_s in segments
        ]
    }
