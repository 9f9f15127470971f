"""Verdicts on measured videos, by the rule of the bundle, as the tables that reports read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from framejury.evaluation.rows import REPORT_COLUMNS
from framejury.model.manifest import Bundle
from framejury.protocol.examination import VideoScores
from framejury.protocol.frames import Flags
from framejury.protocol.robustness import Condition
from framejury.schemas.statuses import Status
from framejury.schemas.tables import VERDICTS
from framejury.settings import VerdictSettings
from framejury.verdict.judge import FaceScores, Judgement, judge, unscored
from framejury.verdict.rule import rule_in_use

_KNOWN = ("video_id", "path", "uri", "layout", "label", "method", "group")


class VideoJudge:
    """Judges videos as `framejury scan` does with the same bundle and settings.

    Args:
        bundle: gives the rule, where the settings name none.
        settings: of the verdict.
        run_id: written into the rows.

    Raises:
        ConfigError: the settings ask for a reducer that the bundle does not carry.
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

    def table(self, videos: Sequence[VideoScores], frames: int) -> pa.Table:
        """Verdicts from `frames` evenly spread frames a video; columns `rows.REPORT_COLUMNS`.

        One row a video in the order given; one without a face in these frames is not scored.
        """
        rows = []
        for one in videos:
            mask = one.chosen(frames)
            rows.append(self._row(one, one.p_fake[mask], mask))
        return _table(rows)

    def degraded_table(
        self, videos: Sequence[VideoScores], condition: Condition, frames: int
    ) -> pa.Table:
        """The same from faces that were degraded; `frames` as they were examined with."""
        rows = []
        for one in videos:
            scores = one.degraded.get(condition, np.zeros(0, np.float32))
            rows.append(self._row(one, scores, one.chosen(frames)))
        return _table(rows)

    def _row(
        self, one: VideoScores, p_fake: npt.NDArray[np.float32], mask: Flags
    ) -> dict[str, Any]:
        return (
            asdict(self._judged(one, p_fake, mask))
            | {name: one.video[name] for name in _KNOWN}
            | {"error": one.extraction["error"]}
            | self._common
        )

    def _judged(self, one: VideoScores, p_fake: npt.NDArray[np.float32], mask: Flags) -> Judgement:
        if not p_fake.size:
            status = Status(one.extraction["status"])
            return unscored(Status.NO_FACE if status is Status.EXTRACTED else status)
        faces = FaceScores(
            p_fake=p_fake,
            frame_index=one.frame_index[mask].tolist(),
            pts_s=one.pts_s[mask].tolist(),
            person=one.person[mask].tolist(),
        )
        return judge(faces, self.rule, self._settings)


def face_counts(videos: Sequence[VideoScores]) -> pa.Table:
    """The histogram of all face scores, columns `rows.FACE_COUNT_COLUMNS`."""
    columns: dict[str, list[Any]] = {name: [] for name in ("label", "method", "layout", "p_fake")}
    for one in videos:
        for name in ("label", "method", "layout"):
            columns[name] += [one.video[name]] * len(one.p_fake)
        columns["p_fake"] += np.round(one.p_fake.astype(np.float64), 4).tolist()
    texts = [(name, pa.string()) for name in ("label", "method", "layout")]
    table = pa.table(columns, schema=pa.schema([*texts, ("p_fake", pa.float64())]))
    counts = table.group_by(table.column_names).aggregate([([], "count_all")])
    return counts.rename_columns([*table.column_names, "faces"])


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    texts = [pa.field(name, pa.string()) for name in _KNOWN if name not in VERDICTS.names]
    schema = pa.schema([*VERDICTS, *texts])
    return pa.Table.from_pylist(rows, schema=schema).select(list(REPORT_COLUMNS))
