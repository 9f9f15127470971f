"""Verdicts on measured videos by the rule of the bundle, as tables for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from framejury.evaluation.rows import VIDEO_COLUMNS, count_faces, report_table
from framejury.examine.simulated_rounds import Flags
from framejury.model.manifest import Bundle
from framejury.protocol.examination import VideoScores
from framejury.protocol.robustness import Condition
from framejury.schemas.statuses import Status
from framejury.settings import VerdictSettings
from framejury.verdict.judge import FaceScores, Judgement, judge, unscored
from framejury.verdict.rule import rule_in_use
from framejury.verdict.settled import is_settled


class VideoJudge:
    """Judge of videos, equal to `framejury scan` with the same bundle and settings.

    Args:
        bundle: its rule judges, unless the settings override it.
        settings: of the verdict.
        run_id: written into the rows.

    Raises:
        ConfigError: the settings name an aggregation that the bundle does not carry.
    """

    def __init__(self, bundle: Bundle, settings: VerdictSettings, run_id: str) -> None:
        self.run_id = run_id
        self._settings = settings
        self.rule = rule_in_use(bundle.rule, settings)
        self._common = {
            "run_id": run_id,
            "model_id": bundle.model_id,
            "threshold": self.rule.threshold,
            "reducer": self.rule.reducer.name,
        }

    def table(self, videos: Sequence[VideoScores], frames: int | None) -> pa.Table:
        """Judge by `frames` evenly spread frames per video, or all; columns `rows.REPORT_COLUMNS`.

        One row per video in the order given; a video without faces in these frames is not scored.
        """
        rows = []
        for one in videos:
            mask = np.ones(len(one.score), np.bool_) if frames is None else one.chosen(frames)
            rows.append(self._row(one, one.score[mask], mask))
        return report_table(rows)

    def table_in_rounds(self, videos: Sequence[VideoScores], counts: Sequence[int]) -> pa.Table:
        """Judge by as many frames per video as rounds would have sampled.

        Args:
            videos: examined with at least as many frames as the last round has.
            counts: frames per video after each round.

        Returns:
            as `table`.
        """
        rows = []
        for one in videos:
            mask = self._until_settled(one, counts)
            rows.append(self._row(one, one.score[mask], mask))
        return report_table(rows)

    def perturbed_table(
        self, videos: Sequence[VideoScores], condition: Condition, frames: int
    ) -> pa.Table:
        """Judge by perturbed faces; `frames` as given to `examine_all`."""
        rows = []
        for one in videos:
            scores = one.perturbed.get(condition, np.zeros(0, np.float32))
            rows.append(self._row(one, scores, one.chosen(frames)))
        return report_table(rows)

    def _until_settled(self, one: VideoScores, counts: Sequence[int]) -> Flags:
        """Return which faces rounds would have examined, bool (n,)."""

        def settled(mask: Flags, rounds: int) -> bool:
            faces = _faces_of(one, one.score[mask], mask)
            return is_settled(faces, self.rule, self._settings, rounds=rounds)

        return one.in_rounds(counts, settled)

    def _row(
        self, one: VideoScores, scores: npt.NDArray[np.float32], mask: Flags
    ) -> dict[str, Any]:
        return (
            asdict(self._judged(one, scores, mask))
            | {name: one.video[name] for name in ("video_id", *VIDEO_COLUMNS)}
            | {"error": one.extraction["error"]}
            | self._common
        )

    def _judged(self, one: VideoScores, scores: npt.NDArray[np.float32], mask: Flags) -> Judgement:
        if not scores.size:
            status = Status(one.extraction["status"])
            return unscored(Status.NO_FACE if status is Status.EXTRACTED else status)
        return judge(_faces_of(one, scores, mask), self.rule, self._settings)


def _faces_of(one: VideoScores, scores: npt.NDArray[np.float32], mask: Flags) -> FaceScores:
    return FaceScores(
        score=scores,
        frame_index=one.frame_index[mask].tolist(),
        pts_s=one.pts_s[mask].tolist(),
        person=one.person[mask].tolist(),
    )


def face_histogram(videos: Sequence[VideoScores]) -> pa.Table:
    """Return the histogram of all face scores, columns `rows.FACE_COUNT_COLUMNS`."""
    rows = [
        {name: one.video[name] for name in ("label", "method", "layout")} | {"score": score}
        for one in videos
        for score in one.score.tolist()
    ]
    texts = [(name, pa.string()) for name in ("label", "method", "layout")]
    return count_faces(
        pa.Table.from_pylist(rows, schema=pa.schema([*texts, ("score", pa.float64())]))
    )
