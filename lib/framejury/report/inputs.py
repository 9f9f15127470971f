"""What a report is made from. Plain facts that the caller has gathered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from framejury.evaluation.protocol_numbers import ProtocolData
from framejury.redaction import redacted

DEMO = "demo"
"""Purpose of a bundle whose verdicts mean nothing."""


@dataclass(frozen=True, slots=True)
class BundleInfo:
    """What the report says of the model bundle.

    Attributes:
        purpose: "detector", or "demo": then the report warns in large letters.
        card: text of `MODEL_CARD.md`; empty when there is none.
        metrics: what training measured, nested as in `bundle.json`; None when nothing was.
        history: one mapping an epoch, as `figures.training_figures` takes; may be empty.
        leak: what the split leaked that it learned from, a sentence: then the report warns in
            large letters, too; None when nothing did.
        judges: face or frame: what it gives a score to.
    """

    purpose: str
    card: str
    metrics: Mapping[str, Any] | None = None
    history: tuple[Mapping[str, Any], ...] = ()
    leak: str | None = None
    judges: str = "face"

    @classmethod
    def of_facts(
        cls, facts: Mapping[str, Any], history: tuple[Mapping[str, Any], ...] = ()
    ) -> BundleInfo:
        """From `provenance.bundle_facts`, as a commit of any version keeps them."""
        return cls(
            facts["purpose"],
            facts["card"],
            facts["metrics"],
            history,
            leak=facts.get("leak"),
            judges=facts.get("judges", "face"),
        )


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The run behind the verdicts.

    Attributes:
        created_at: when the report was made, with time zone.
        archive, warehouse: path or URI.
        bundle: None when the bundle is not at hand.
        settings: section -> name -> value; may hold further plain values.
        versions: library -> version.
        seconds: phase -> wall-clock seconds, in the order of the work.
        statuses: status -> videos that *this run* worked on; None when it is the same as in
            the verdict table. A nightly run judges what is new, the table holds everything.
    """

    run_id: str
    created_at: datetime
    archive: str
    warehouse: str
    model_id: str
    bundle: BundleInfo | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    statuses: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        if self.created_at.tzinfo is None:
            raise ValueError(f"created_at needs a time zone; got {self.created_at!r}")


@dataclass(frozen=True, slots=True)
class NightInfo:
    """An earlier night, as its commits tell it.

    Attributes:
        ended_at: when its last commit was made, with time zone.
        statuses, verdicts: of the videos that it worked on, count.
        wall_s: from its start to its last commit, seconds; None where that is not known.
    """

    run_id: str
    ended_at: datetime
    statuses: Mapping[str, int]
    verdicts: Mapping[str, int]
    wall_s: float | None = None


@dataclass(frozen=True, slots=True)
class ShownFace:
    """A face shown beside a verdict.

    Attributes:
        picture: a JPEG file.
        p_fake: its score, 0 to 1; pts_s: its time, seconds.
    """

    picture: bytes
    p_fake: float
    pts_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What a report knows beside the verdicts; each part may be missing.

    Attributes:
        judged_now: ids of the videos that this run judged; None: not known.
        before: the verdicts as they stood before this run, columns `BEFORE_COLUMNS`; None when
            there was no run before.
        nights: earlier nights, the latest last.
        extractions: one row a video, columns of `extractions` (`EXTRACTION_COLUMNS`).
        evidence: video_id -> link to its evidence page, relative to the report.
        faces: video_id -> some of its faces, the most suspicious first.
        work: name -> figure of this run: videos, faces_scored, read_bytes, videos_cpu_s,
            videos_wall_s.
    """

    judged_now: frozenset[str] | None = None
    before: pa.Table | None = None
    nights: tuple[NightInfo, ...] = ()
    extractions: pa.Table | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)
    faces: Mapping[str, tuple[ShownFace, ...]] = field(default_factory=dict)
    work: Mapping[str, float] = field(default_factory=dict)


BEFORE_COLUMNS = ("video_id", "status", "verdict", "p_fake")
EXTRACTION_COLUMNS = (
    *("video_id", "container", "codec", "width_px", "height_px", "duration_s"),
    *("frames_total", "frames_decoded", "frames_sampled", "wall_s", "cpu_s"),
)


@dataclass(frozen=True, slots=True, eq=False)
class RunReport:
    """Everything `report.build_report` needs.

    Attributes:
        verdicts: one row a video, columns `rows.REPORT_COLUMNS`; label and method may be null.
        face_counts: histogram of face scores, columns `rows.FACE_COUNT_COLUMNS`, or None.
        title: heading; None is "Verdicts on ARCHIVE".
        notes: sentences that a reader must know, e.g. that videos were trained on.
        face_threshold: a single face from here on is called fake, 0 to 1, where faces have
            another scale than the calibrated verdicts; None is the verdicts' threshold.
        protocol: the same videos measured by the evaluation protocol; None: they were not.
        context: nights before, evidence, and what the videos were.
    """

    verdicts: pa.Table
    face_counts: pa.Table | None
    run: RunInfo
    title: str | None = None
    notes: tuple[str, ...] = ()
    face_threshold: float | None = None
    protocol: ProtocolData | None = None
    context: Context = field(default_factory=Context)

    def redacted(self) -> RunReport:
        """The same without passwords, keys and signatures: a report is sent around."""
        table = self.verdicts
        for name, suspect in _SUSPECT.items():
            if name in table.column_names:
                hidden = _redact_column(table[name].cast(pa.string()), suspect)
                table = table.set_column(table.column_names.index(name), name, hidden)
        run = replace(
            self.run,
            archive=redacted(self.run.archive),
            warehouse=redacted(self.run.warehouse),
            settings=_redact_all(self.run.settings),
        )
        title = None if self.title is None else redacted(self.title)
        notes = tuple(redacted(note) for note in self.notes)
        return replace(self, verdicts=table, run=run, title=title, notes=notes)


_SUSPECT = {"uri": "[@?]", "error": "[@?=:]"}
"""Columns that may hold a secret, and what no secret in them comes without."""


def _redact_column(texts: pa.ChunkedArray, suspect: str) -> pa.ChunkedArray:
    """Only suspects pass through Python: a million addresses without one cost nothing."""
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
