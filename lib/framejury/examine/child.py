"""One video from bytes to rows: decode, find faces, crop, score or keep the crops.

Runs in the child process of `framejury.examine.worker`. No Spark, no TensorFlow.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import av
import numpy as np
import pyarrow as pa

from framejury.errors import MediaError
from framejury.examine.clips import ClipMaker
from framejury.examine.costs import OPEN_S, READ_S_A_BYTE, frame_s
from framejury.examine.messages import (
    OUT_OF_MEMORY,
    ROWS,
    ExaminePlan,
    Outcome,
    Segment,
    VideoJob,
    extraction_row,
    to_ipc,
)
from framejury.examine.segments import staged
from framejury.examine.toolbox import Examined, Toolbox
from framejury.examine.video_passes import TimeBudget, VideoPasses
from framejury.media.container import VideoSource, import_lazy_modules
from framejury.media.decode import VideoFile
from framejury.media.decoded_frame import DecodedFrame
from framejury.media.small_clip import small_clip
from framejury.records import Box, DetectedFace, Point, SampledFrame
from framejury.schemas.notes import VideoNote, to_text
from framejury.schemas.statuses import Status
from framejury.settings import LimitSettings

_REHEARSED_POINTS = ((0, 0), (40, 0), (20, 20), (5, 40), (35, 40))
_OVERHEAD_RATIO = 0.1
"""Largest share of a segment's work that opening the file again may take."""


def load_the_rest(tools: Toolbox) -> None:
    """Make libraries load what they load on first use: afterwards the child opens no file."""
    import_lazy_modules()
    few = {"frames": None, "rounds": (1, 2), "stream": "auto"}
    sampling = tools.settings.sampling.model_copy(update=few)
    evidence = tools.settings.evidence.model_copy(update={"occlusion_s": 0.0})  # only takes time
    # Limits are for videos.
    free = {"limits": LimitSettings(), "sampling": sampling, "evidence": evidence}
    rehearsing = replace(tools, settings=tools.settings.model_copy(update=free))
    with small_clip() as clip:
        examine_video(clip, "", rehearsing)
        survey_video(clip, "", rehearsing)
    # Again with faces that no setting of the detector leaves out.
    frame = av.VideoFrame.from_ndarray(np.zeros((240, 320, 3), np.uint8), format="rgb24")
    sampled = SampledFrame(0, 0.0, DecodedFrame(frame.reformat(format="yuv420p")), True)
    examiner = tools.face_examiner()
    examiner.examine([sampled])
    count, size = len(sampling.offsets), sampled.picture.size
    points = tuple(Point(60.0 + x, 60.0 + y) for x, y in _REHEARSED_POINTS)
    for x in (40.0, 42.0):  # two faces, so that they are compared
        face = DetectedFace(Box(x, 40.0, 90.0, 90.0), 1.0, points)
        placed = examiner.placed([face] * count, size)
        assert placed is not None
        examiner.add([sampled] * count, [placed], None)
    examiner.finish()
    tools.is_settled(examiner.faces, 1)
    ClipMaker(tools.settings, tools.scorer).warm_up()
    row = extraction_row(VideoJob("", "", 0, datetime.now(UTC)), "", tools.settings)
    rows = [row, *tools.rows(Examined(Outcome(), examiner.faces, examiner.pictures()), row)]
    to_ipc(pa.RecordBatch.from_pylist(rows, schema=ROWS))


def examine_video(
    source: VideoSource,
    key: str,
    tools: Toolbox,
    segment: Segment | None = None,
    *,
    left_s: float | None = None,
    in_one_round: bool = False,
) -> Examined:
    """Decode one local file in this process; find, crop and score its faces.

    Memory stays bounded by a few frames, besides the faces found: each keeps its stored crop, if
    any, and where a further round may follow, 16 KB to compare it with its neighbours.

    Args:
        source: the file: its path, or a descriptor of it.
        key: seeds random sampling per video (the `video_id`).
        tools: detector, network, settings.
        segment: limits the sampled frames to this segment of the video.
        left_s: seconds left for the video; None: `limits.timeout_s`.
        in_one_round: as in `VideoJob`.

    Returns:
        status `extracted` or `no_face` with every face, or another status without faces.
    """
    limits, threads = tools.settings.limits, tools.settings.scoring.threads
    before = tools.seconds()
    budget = TimeBudget(left_s or limits.timeout_s, limits.most_cpu_s(threads))
    passes = VideoPasses(source, key, tools, budget, in_one_round=in_one_round)
    outcome = passes.outcome
    examined = Examined(outcome)
    try:
        found = passes.run(segment)
        examined.faces = found.faces
        examined.pictures = found.pictures(_occlusion_s(tools, budget, outcome, segment))
        outcome.status = Status.EXTRACTED if found.faces else Status.NO_FACE
    except MediaError as error:
        outcome.status, outcome.error, outcome.faces_found = error.status, str(error), 0
        if error.note is not None:
            outcome.notes = to_text([VideoNote(error.note)])
    except MemoryError:
        outcome.status, outcome.error = Status.CRASHED, OUT_OF_MEMORY
    outcome.faces_kept = len(examined.faces)
    outcome.wall_s, outcome.cpu_s = budget.wall_s, budget.cpu_s
    took = {model_id: s - before[model_id] for model_id, s in tools.seconds().items()}
    outcome.scoring = [{"model_id": name, "seconds": s} for name, s in took.items()] or None
    return examined


def _occlusion_s(
    tools: Toolbox, budget: TimeBudget, outcome: Outcome, segment: Segment | None
) -> float:
    """Return the seconds for heat maps by occlusion; a segment gets its share of the video's."""
    limit_s = tools.settings.evidence.occlusion_s
    if segment is not None and outcome.frames_total:
        limit_s *= (segment.stop - segment.first) / outcome.frames_total
    return min(limit_s, budget.spare_s)


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
        examined = examine_video(
            request["file"],
            request["video_id"],
            tools,
            segment,
            left_s=request["left_s"],
            in_one_round=request["in_one_round"],
        )
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
        segments = video.segments(ranks, most_s, each_s, sampling.offsets)
    return {
        "segments": [
            {"first": first, "stop": stop, "cost_s": open_s + cost_s}
            for (first, stop), cost_s in segments
        ]
    }
