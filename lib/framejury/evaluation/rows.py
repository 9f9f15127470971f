"""Verdict rows and face counts as checked columns."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from framejury.schemas.statuses import (
    VERDICT_STATUSES,
    DecidedBy,
    Label,
    SoundOutcome,
    Status,
    Verdict,
)
from framejury.schemas.tables import VERDICTS

if TYPE_CHECKING:  # it loads scikit-learn
    from framejury.evaluation.binary import Floats, Integers

VIDEO_COLUMNS = ("path", "uri", "layout", "label", "method", "group")
"""Columns of `videos` that the report reads."""

REPORT_COLUMNS = (*VERDICTS.names, *VIDEO_COLUMNS)
"""Columns that the report reads: `verdicts` joined to `videos`."""

FACE_COUNT_COLUMNS = ("label", "method", "layout", "score", "faces")
"""Histogram of face scores: number of `faces` with these values."""

NOT_SCORED = "not_scored"
"""Outcome of a video without a score, next to the three verdicts."""

OUTCOMES = (Verdict.FAKE.value, Verdict.REAL.value, Verdict.INCONCLUSIVE.value, NOT_SCORED)

Texts = npt.NDArray[np.object_]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Columns, each (n,): `labels` and `methods` are object, text or None; `layouts` text."""

    labels: Texts
    methods: Texts
    layouts: Texts

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def fake(self) -> Integers:
        """int8 (n,): 1 where the label is FAKE."""
        return np.asarray(self.labels == Label.FAKE.value, np.int8)

    @property
    def known(self) -> Flags:
        """Where there is a label."""
        return is_known(self.labels)

    def where(self, mask: Flags) -> Self:
        """Return the rows where `mask` is set."""
        return replace(self, **{one.name: getattr(self, one.name)[mask] for one in fields(self)})


@dataclass(frozen=True, slots=True, eq=False)
class VideoRows(_Rows):
    """Columns of verdict rows, each (n,).

    Attributes:
        groups, outcomes: object, text; `outcomes` is one of `OUTCOMES`.
        scores: float64, `p_fake`, NaN where not scored.
        thresholds: float64, the threshold of each row.
    """

    groups: Texts
    outcomes: Texts
    scores: Floats
    thresholds: Floats

    @property
    def scored(self) -> Flags:
        return ~np.isnan(self.scores)

    @property
    def called_fake(self) -> Flags:
        return self.scores >= self.thresholds

    @property
    def group_numbers(self) -> Integers:
        """int64 (n,): the group of each row, numbered from 0."""
        _, numbers = np.unique(self.groups.astype(str), return_inverse=True)
        return numbers


@dataclass(frozen=True, slots=True, eq=False)
class FaceRows(_Rows):
    """Columns of face counts, each (n,): float64 `scores`, int64 `weights` (faces per row)."""

    scores: Floats
    weights: Integers


def report_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Build a table with `REPORT_COLUMNS` from rows of `verdicts` with `VIDEO_COLUMNS`."""
    texts = [pa.field(name, pa.string()) for name in VIDEO_COLUMNS]
    return pa.Table.from_pylist(rows, schema=pa.schema([*VERDICTS, *texts]))


def joined(videos: pa.Table, verdicts: pa.Table) -> pa.Table:
    """Return the columns of both, one row per video that is in both, in the order of `videos`.

    A join by pyarrow refuses columns of lists.
    """
    places = pc.index_in(videos["video_id"], verdicts["video_id"].combine_chunks())
    known = pc.is_valid(places)
    rows, about = verdicts.take(places.filter(known)), videos.filter(known)
    for name in about.column_names:
        if name not in rows.column_names:
            rows = rows.append_column(about.schema.field(name), about[name])
    return rows


def count_faces(faces: pa.Table) -> pa.Table:
    """Count single faces by label, method, layout and score.

    Args:
        faces: columns `label`, `method`, `layout`, `score`; one row per face.

    Returns:
        columns `FACE_COUNT_COLUMNS`, `score` rounded to 4 decimals.
    """
    keys = list(FACE_COUNT_COLUMNS[:-1])
    rounded = pc.round(faces["score"].cast(pa.float64()), 4)
    faces = faces.set_column(faces.column_names.index("score"), "score", rounded)
    counts = faces.group_by(keys).aggregate([([], "count_all")])
    return counts.rename_columns(FACE_COUNT_COLUMNS).sort_by([(key, "ascending") for key in keys])


def video_rows(table: pa.Table) -> VideoRows:
    """Read the columns of a verdict table with `REPORT_COLUMNS`.

    Raises:
        ValueError: a column is missing, a value is outside its set or range, or a video has a
            score without status `scored`, or that status without a score.
    """
    _need_columns(table, REPORT_COLUMNS, "the verdict table")
    _need_values(table, "status", [status.value for status in VERDICT_STATUSES])
    _need_values(table, "verdict", [verdict.value for verdict in Verdict])
    _need_values(table, "label", [label.value for label in Label], null=True)
    _need_values(table, "sound", [outcome.value for outcome in SoundOutcome], null=True)
    _need_values(table, "decided_by", [by.value for by in DecidedBy], null=True)
    for name in ("layout", "group", "threshold"):
        _need_no_null(table, name)
    _need_range(table, "p_fake")
    has_score = pc.is_valid(table["p_fake"])
    odd = table.filter(pc.not_equal(has_score, pc.equal(table["status"], Status.SCORED.value)))
    if odd.num_rows:
        raise ValueError(
            f"{odd.num_rows} rows contradict themselves: p_fake must be set exactly when "
            f"status is scored; for example {odd['video_id'][0].as_py()} has status "
            f"{odd['status'][0].as_py()} and p_fake {odd['p_fake'][0].as_py()}"
        )
    return VideoRows(
        labels=_texts(table["label"]),
        methods=_texts(table["method"]),
        layouts=_texts(table["layout"]),
        groups=_texts(table["group"]),
        outcomes=_texts(outcome_column(table)),
        scores=_floats(table["p_fake"]),
        thresholds=_floats(table["threshold"]),
    )


def face_rows(face_counts: pa.Table) -> FaceRows:
    """Read the columns of a face histogram with `FACE_COUNT_COLUMNS`.

    Raises:
        ValueError: a column is missing, or a value is outside its set or range.
    """
    _need_columns(face_counts, FACE_COUNT_COLUMNS, "the face counts")
    _need_values(face_counts, "label", [label.value for label in Label], null=True)
    for name in ("layout", "score", "faces"):
        _need_no_null(face_counts, name)
    _need_range(face_counts, "score")
    if not pa.types.is_integer(face_counts["faces"].type):
        raise ValueError(f"faces must be whole numbers, not {face_counts['faces'].type}")
    return FaceRows(
        labels=_texts(face_counts["label"]),
        methods=_texts(face_counts["method"]),
        layouts=_texts(face_counts["layout"]),
        scores=_floats(face_counts["score"]),
        weights=face_counts["faces"].to_numpy().astype(np.int64),
    )


def outcome_column(table: pa.Table) -> pa.ChunkedArray:
    """Return the verdict of each row with a score, of picture or sound, else `not_scored`."""
    verdict = table["verdict"].cast(pa.string())
    # Without a score of its picture, a video is fake by its sound, or inconclusive.
    decided = pc.or_(
        pc.is_valid(table["p_fake"]), pc.not_equal(verdict, Verdict.INCONCLUSIVE.value)
    )
    return pc.if_else(decided, verdict, NOT_SCORED)


def is_known(texts: Texts) -> Flags:
    """Return where the text is not None, bool (n,)."""
    known: Flags = texts != np.array(None, dtype=object)
    return known


def _need_columns(table: pa.Table, names: tuple[str, ...], what: str) -> None:
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise ValueError(
            f"{what} lacks the columns {', '.join(missing)}; it has {', '.join(table.column_names)}"
        )


def _need_values(table: pa.Table, name: str, allowed: list[str], *, null: bool = False) -> None:
    found = set(pc.unique(table[name]).to_pylist())
    odd = found - set(allowed) - ({None} if null else set())
    if odd:
        raise ValueError(
            f"column {name} holds {sorted(map(str, odd))[:5]}; allowed: {', '.join(allowed)}"
            + (" or null" if null else "")
        )


def _need_no_null(table: pa.Table, name: str) -> None:
    if table[name].null_count:
        raise ValueError(f"column {name} is null in {table[name].null_count} rows")


def _need_range(table: pa.Table, name: str) -> None:
    """Raise unless every value that is not null lies within 0 to 1; NaN does not."""
    values: Any = table[name].drop_null().to_numpy()
    odd = values[~((values >= 0) & (values <= 1))]
    if odd.size:
        raise ValueError(f"column {name} must be within 0 to 1 or null; it holds {odd[0]}")


def _texts(column: pa.ChunkedArray) -> Texts:
    values: Texts = column.cast(pa.string()).to_numpy(zero_copy_only=False).astype(object)
    return values


def _floats(column: pa.ChunkedArray) -> Floats:
    values: Floats = column.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    return values
