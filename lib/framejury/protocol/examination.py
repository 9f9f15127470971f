"""The faces of every video, scored as they are and degraded, by several child processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from framejury.cli.progress import progress
from framejury.examine.messages import TABLE_COLUMN, ExaminePlan, VideoJob
from framejury.examine.worker import Examiner
from framejury.faces.crop import cropped_face
from framejury.model.runtime import Scorer
from framejury.protocol.frames import Flags, in_subset
from framejury.protocol.robustness import Condition, degraded_faces
from framejury.protocol.selection import VideoRow


@dataclass(frozen=True, eq=False)
class VideoScores:
    """One video's outcome.

    Attributes:
        video: its row of `videos`.
        extraction: its row of `extractions`.
        p_fake: float32 (n,), the score of each face, by frame and face.
        frame_index, person: int64 (n,).
        pts_s: float64 (n,), the time of each face's frame.
        degraded: the scores of the faces in the headline's frames (`chosen`), float32 (m,), by
            condition; empty when robustness was not asked for.
    """

    video: VideoRow
    extraction: Mapping[str, Any]
    p_fake: npt.NDArray[np.float32]
    frame_index: npt.NDArray[np.int64]
    person: npt.NDArray[np.int64]
    pts_s: npt.NDArray[np.float64]
    degraded: dict[Condition, npt.NDArray[np.float32]] = field(default_factory=dict)

    def chosen(self, count: int) -> Flags:
        """bool (n,): the faces in `count` evenly spread frames of those looked at."""
        if not len(self.p_fake):
            return np.zeros(0, np.bool_)
        return in_subset(
            self.pts_s,
            duration_s=self.extraction["duration_s"],
            sampled=len(self.extraction["sampled_s"]),  # of pairs the first frames
            count=count,
        )


def examine_all(
    videos: Sequence[VideoRow],
    plan: ExaminePlan,
    workers: int,
    *,
    scorer: Scorer | None = None,
    conditions: Sequence[Condition] = (),
    frames: int = 1,
) -> list[VideoScores]:
    """Every video examined, in the order given; progress goes to stderr.

    Args:
        videos: rows of `videos`.
        plan: with a bundle; crops kept where there are conditions.
        workers: child processes that decode, find faces and score, count.
        scorer: scores the degraded faces, in this process; needed where there are conditions.
        conditions: degradations to measure.
        frames: frames a video whose faces are degraded, count.

    Raises:
        RuntimeError: a child cannot start; a fault of the run.
        FramejuryError: the network gave something that is no score.
    """
    free: SimpleQueue[Examiner] = SimpleQueue()

    def one(video: VideoRow) -> VideoScores:
        examiner = free.get()
        try:
            scores, faces = _examined(video, examiner)
        finally:
            free.put(examiner)
        if scorer is not None and faces:
            _degrade(scores, faces, scorer, conditions, frames)
        return scores

    count = max(1, min(workers, len(videos)))
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(count))
        for _ in range(count):
            examiner = Examiner(plan)
            stack.callback(examiner.close)
            free.put(examiner)
        # Undone first, should something end this early: what waits is dropped, then the children
        # are killed, so that the threads end.
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        waiting = [pool.submit(one, video) for video in videos]
        with progress("videos", len(videos), lambda: sum(task.done() for task in waiting)):
            for task in as_completed(waiting):
                task.result()
    return [task.result() for task in waiting]


def _examined(video: VideoRow, examiner: Examiner) -> tuple[VideoScores, list[Mapping[str, Any]]]:
    """The scores of a video, and the row of `faces` of each where crops are kept."""
    job = VideoJob(video["video_id"], video["uri"])
    extraction, *others = examiner.examine(job).to_pylist()
    faces = {_key(row): row for row in others if row[TABLE_COLUMN] == "faces"}
    scored = sorted((row for row in others if row[TABLE_COLUMN] == "face_scores"), key=_key)
    scores = VideoScores(
        video,
        extraction,
        np.array([row["p_fake"] for row in scored], np.float32),
        np.array([row["frame_index"] for row in scored], np.int64),
        np.array([row["person"] for row in scored], np.int64),
        np.array([row["pts_s"] for row in scored], np.float64),
    )
    return scores, [faces[_key(row)] for row in scored] if faces else []


def _key(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["frame_index"], row["face_index"]


def _degrade(
    scores: VideoScores,
    faces: Sequence[Mapping[str, Any]],
    scorer: Scorer,
    conditions: Sequence[Condition],
    frames: int,
) -> None:
    mask = scores.chosen(frames)
    chosen = [cropped_face(face) for face, wanted in zip(faces, mask, strict=True) if wanted]
    persons = scores.person[mask].tolist()
    for condition in conditions:
        scores.degraded[condition] = scorer.score(degraded_faces(chosen, persons, condition))
