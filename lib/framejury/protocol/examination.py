"""Faces of every video, scored unchanged and perturbed, in several child processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from framejury.cli.progress import progress
from framejury.examine.messages import TABLE_COLUMN, ExaminePlan, VideoJob
from framejury.examine.simulated_rounds import Flags, judged_faces
from framejury.examine.worker import Examiner
from framejury.faces.crop import cropped_face
from framejury.model.runtime import Scorer
from framejury.protocol.robustness import Condition, perturbed_faces
from framejury.protocol.selection import VideoRow

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class VideoScores:
    """Scores of one video.

    Attributes:
        video: its row of `videos`.
        extraction: its row of `extractions`.
        score: float32 (n,), score of each face, by frame and face.
        frame_index, person: int64 (n,), frame and face track.
        pts_s: float64 (n,), time of the frame, seconds.
        perturbed: condition -> scores of the faces in the headline's frames (`chosen`), float32
            (m,); empty when robustness is not measured.
    """

    video: VideoRow
    extraction: Mapping[str, Any]
    score: npt.NDArray[np.float32]
    frame_index: npt.NDArray[np.int64]
    person: npt.NDArray[np.int64]
    pts_s: npt.NDArray[np.float64]
    perturbed: dict[Condition, npt.NDArray[np.float32]] = field(default_factory=dict)

    def chosen(self, count: int) -> Flags:
        """Return which faces are in `count` evenly spread sampled frames, bool (n,)."""
        return self.in_rounds((count,), lambda _chosen, _rounds: True)

    def in_rounds(self, counts: Sequence[int], is_settled: Callable[[Flags, int], bool]) -> Flags:
        """Return which faces rounds would have examined, bool (n,); as `judged_faces`."""
        sampled_s, duration_s = self.extraction["sampled_s"], self.extraction["duration_s"]
        if not sampled_s or not duration_s:
            return np.ones(len(self.score), np.bool_)
        return judged_faces(self.pts_s, sampled_s, duration_s, counts, is_settled)


def examine_all(
    videos: Sequence[VideoRow],
    plan: ExaminePlan,
    workers: int,
    *,
    scorer: Scorer | None = None,
    conditions: Sequence[Condition] = (),
    frames: int = 1,
) -> list[VideoScores]:
    """Examine every video; return the scores in the same order. Progress goes to stderr.

    Args:
        videos: rows of `videos`.
        plan: with a bundle; keeps crops when there are conditions.
        workers: child processes, count.
        scorer: scores perturbed faces in this process; required with conditions.
        conditions: perturbations to measure.
        frames: frames per video whose faces are perturbed, count.

    Raises:
        SandboxStartError: a child cannot start.
        FramejuryError: the network returned an invalid score.
    """

    def one(video: VideoRow, examiner: Examiner) -> VideoScores:
        scores, faces = _examined(video, examiner)
        if scorer is not None and faces:
            _perturb(scores, faces, scorer, conditions, frames)
        return scores

    return with_examiners(videos, plan, workers, one)


def with_examiners(
    videos: Sequence[VideoRow],
    plan: ExaminePlan,
    workers: int,
    one: Callable[[VideoRow, Examiner], Result],
) -> list[Result]:
    """Call `one` for every video with an idle examiner; progress goes to stderr.

    Args:
        videos: rows of `videos`.
        plan: of the examiners.
        workers: child processes, count.
        one: called in several threads.

    Returns:
        the results in the order of the videos.
    """
    free: SimpleQueue[Examiner] = SimpleQueue()

    def called(video: VideoRow) -> Result:
        examiner = free.get()
        try:
            return one(video, examiner)
        finally:
            free.put(examiner)

    count = max(1, min(workers, len(videos)))
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(count))
        for _ in range(count):
            examiner = Examiner(plan)
            stack.callback(examiner.close)
            free.put(examiner)
        # Runs first on an early end: waiting videos are dropped, then the children are killed, so
        # that the threads end.
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        waiting = [pool.submit(called, video) for video in videos]
        with progress("videos", len(videos), lambda: sum(task.done() for task in waiting)):
            for task in as_completed(waiting):
                task.result()
    return [task.result() for task in waiting]


def _examined(video: VideoRow, examiner: Examiner) -> tuple[VideoScores, list[Mapping[str, Any]]]:
    """Return the scores of a video, and its rows of `faces` if crops are kept."""
    job = VideoJob(video["video_id"], video["uri"])
    extraction, *others = examiner.examine(job).to_pylist()
    faces = {_key(row): row for row in others if row[TABLE_COLUMN] == "faces"}
    scored = sorted((row for row in others if row[TABLE_COLUMN] == "face_scores"), key=_key)
    scores = VideoScores(
        video,
        extraction,
        np.array([row["score"] for row in scored], np.float32),
        np.array([row["frame_index"] for row in scored], np.int64),
        np.array([row["person"] for row in scored], np.int64),
        np.array([row["pts_s"] for row in scored], np.float64),
    )
    return scores, [faces[_key(row)] for row in scored] if faces else []


def _key(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["frame_index"], row["face_index"]


def _perturb(
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
        scores.perturbed[condition] = scorer.score(perturbed_faces(chosen, persons, condition))
