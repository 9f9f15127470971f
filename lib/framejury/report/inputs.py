"""The input of a report: plain records, gathered by the caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from framejury.decisions.by_night import Night
from framejury.decisions.decided import VideoDecisions
from framejury.evaluation.protocol_numbers import ProtocolData
from framejury.model.seen import Recognised
from framejury.redaction import redacted
from framejury.report.bundle_info import BundleInfo
from framejury.report.steps import Step


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The run behind the verdicts.

    Attributes:
        created_at: when the report was made, with time zone.
        ended_at: when the run ended, with time zone; None: the report is the end of the run.
        archive, warehouse: path or URI.
        bundle: of the model `model_id`; None when it is not available.
        others: model_id -> bundle of other models behind the verdicts, as far as available.
        steps: settings behind the rows, step by step; empty: unknown.
        versions: library -> version.
        seconds: phase -> wall-clock seconds, in the order of the work.
        statuses: status -> videos that *this run* processed; None if these are all videos of
            the verdict table.
    """

    run_id: str
    created_at: datetime
    archive: str
    warehouse: str
    model_id: str
    bundle: BundleInfo | None = None
    steps: tuple[Step, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    statuses: Mapping[str, int] | None = None
    others: Mapping[str, BundleInfo] = field(default_factory=dict)
    ended_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.created_at.tzinfo is None:
            raise ValueError(f"created_at needs a time zone; got {self.created_at!r}")


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """An earlier nightly run, from its commits.

    Attributes:
        ended_at: when its report was written, or else its last commit, with time zone.
        statuses, verdicts: name -> videos that it processed.
        wall_s: from its start to its end, seconds; None where unknown.
    """

    run_id: str
    ended_at: datetime
    statuses: Mapping[str, int]
    verdicts: Mapping[str, int]
    wall_s: float | None = None


@dataclass(frozen=True, slots=True)
class ReportFace:
    """A face shown next to a verdict.

    Attributes:
        picture: a JPEG file.
        score: its score, 0 to 1; pts_s: its time, seconds.
    """

    picture: bytes
    score: float
    pts_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What a report knows besides the verdicts; each part may be missing.

    Attributes:
        judged_now: ids of the videos that this run judged; None: unknown.
        before: the verdicts before this run, columns `BEFORE_COLUMNS`; None without
            a previous run.
        earlier: earlier nightly runs, latest last.
        extractions: one row per video, columns of `extractions` (`EXTRACTION_COLUMNS`).
        evidence: video_id -> link to its evidence page, relative to the report.
        faces: video_id -> some of its faces, highest score first.
        left_out: files of the archive left out by their names, as `ArchiveIndex.left_out`.
        seen: which videos their models had seen in training; None: no model has a record of it.
        decisions: video_id -> what people decided; None: the report asks for no decisions.
        judging_nights: run that made verdicts -> its night; empty: not known.
        work: name -> number of this run: videos, faces_scored, read_bytes, videos_cpu_s,
            videos_wall_s.
    """

    judged_now: frozenset[str] | None = None
    before: pa.Table | None = None
    earlier: tuple[EarlierRun, ...] = ()
    extractions: pa.Table | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)
    faces: Mapping[str, tuple[ReportFace, ...]] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    work: Mapping[str, float] = field(default_factory=dict)
    seen: Recognised | None = None
    decisions: Mapping[str, VideoDecisions] | None = None
    judging_nights: Mapping[str, Night] = field(default_factory=dict)


BEFORE_COLUMNS = ("video_id", "status", "verdict", "p_fake")
EXTRACTION_COLUMNS = (
    *("video_id", "content_id", "container", "codec", "width_px", "height_px", "duration_s"),
    *("frames_total", "frames_decoded", "frames_sampled", "wall_s", "cpu_s"),
)


@dataclass(frozen=True, slots=True, eq=False)
class RunReport:
    """Everything that `report.build_report` needs.

    Attributes:
        verdicts: one row per video, columns `rows.REPORT_COLUMNS`; label and method may be null.
        face_counts: histogram of face scores, columns `rows.FACE_COUNT_COLUMNS`, or None; faces of
            labelled videos that the model had seen are left out.
        title: heading; None is "Verdicts on ARCHIVE".
        notes: caveats as sentences, e.g. that the model was trained on these videos.
        decision_problems: what could not be used of a file of decisions, as sentences.
        face_threshold: of single faces, 0 to 1, where their scale differs from that of the
            calibrated verdicts; None: the verdicts' threshold.
        protocol: the videos that the model had not seen, measured by the evaluation protocol; None:
            not measured.
        context: earlier runs, evidence, properties of the videos.
    """

    verdicts: pa.Table
    face_counts: pa.Table | None
    run: RunInfo
    title: str | None = None
    notes: tuple[str, ...] = ()
    face_threshold: float | None = None
    protocol: ProtocolData | None = None
    context: Context = field(default_factory=Context)
    decision_problems: tuple[str, ...] = ()

    def redacted(self) -> RunReport:
        """Return a copy without passwords, keys and signatures, since reports are sent around."""
        table = self.verdicts
        for name, suspect in _SUSPECT.items():
            if name in table.column_names:
                hidden = _redact_column(table[name].cast(pa.string()), suspect)
                table = table.set_column(table.column_names.index(name), name, hidden)
        run = replace(
            self.run,
            archive=redacted(self.run.archive),
            warehouse=redacted(self.run.warehouse),
            steps=tuple(
                replace(step, settings=_redact_all(step.settings)) for step in self.run.steps
            ),
        )
        title = None if self.title is None else redacted(self.title)
        notes, problems = (
            tuple(redacted(one) for one in sentences)
            for sentences in (self.notes, self.decision_problems)
        )
        return replace(
            self, verdicts=table, run=run, title=title, notes=notes, decision_problems=problems
        )


_SUSPECT = {"uri": "[@?]", "error": "[@?=:]"}
"""Columns that may hold a secret -> the characters of which any secret in them has one."""


def _redact_column(texts: pa.ChunkedArray, suspect: str) -> pa.ChunkedArray:
    """Redact suspicious texts in Python and leave the others in Arrow, which is fast."""
    chunks = []
    for chunk in texts.chunks:
        mask = pc.fill_null(pc.match_substring_regex(chunk, pattern=suspect), False)
        found = [redacted(text) for text in chunk.filter(mask).to_pylist()]
        chunks.append(pc.replace_with_mask(chunk, mask, pa.array(found, pa.string())))
    return pa.chunked_array(chunks, pa.string())


def _redact_all(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {key: _redact_all(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redact_all(item) for item in value]
    return value
