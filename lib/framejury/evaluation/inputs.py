"""What a report is made from. Plain facts that the caller has gathered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from framejury.evaluation.protocol import ProtocolData
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
    """

    purpose: str
    card: str
    metrics: Mapping[str, Any] | None = None
    history: tuple[Mapping[str, Any], ...] = ()


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
    """

    verdicts: pa.Table
    face_counts: pa.Table | None
    run: RunInfo
    title: str | None = None
    notes: tuple[str, ...] = ()
    face_threshold: float | None = None
    protocol: ProtocolData | None = None

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
