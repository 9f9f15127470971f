"""The verdict table of a page: columns, filters, rows, small pictures of faces. Pure."""

from __future__ import annotations

import io
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from PIL import Image, UnidentifiedImageError

from framejury.pages.templating import data_uri
from framejury.report.inputs import Context, ReportFace
from framejury.report.same_columns import same_sentence, same_values
from framejury.report.sound_words import decided_word
from framejury.report.wording import correct_word, decimal, outcome_word, status_word
from framejury.verdict.members import agreement
from framejury.verdict.members import in_words as said_by
from framejury.verdict.stretches import in_words

SMALL_PX = 72
"""Longer side in the verdict table: twice the displayed size, for high-density screens."""
LARGE_PX = 160
"""Longer side in the list of mistakes."""

_SIDE_LIMIT_PX = 8192
_QUALITY = 72


def thumbnail(picture: bytes, side_px: int) -> str | None:
    """Return a JPEG file as a `data:` address, its longer side reduced to `side_px`.

    Returns None for a file that is not a JPEG, is truncated or larger than 8192 pixels.
    """
    try:
        with Image.open(io.BytesIO(picture), formats=("JPEG",)) as opened:
            if max(opened.size) > _SIDE_LIMIT_PX:
                return None
            opened.draft("RGB", (side_px, side_px))
            image = opened.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError):
        return None
    image.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    small = io.BytesIO()
    image.save(small, "JPEG", quality=_QUALITY, optimize=True)
    return data_uri(small.getvalue(), "image/jpeg")


MOST_PARTS = 3
"""Most suspicious stretches of a row; the evidence page and predictions.csv have all."""

MOST_CHOICES = 60
"""Most values of a filter; the search finds the rest."""

# Relative, plain and without a scheme: such a link cannot leave the disk.
_LINK = re.compile(r"(?!/)(?:\.\./)*(?:[\w-][\w.-]*/)*[\w-][\w.-]*\.html", re.ASCII)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table.

    Attributes:
        key: its name in the script; head: its heading.
        is_number: flush right and sorted by value, not as words.
        is_wide: hidden on a phone.
        choices: values of its filter; empty without one.
        label: of that filter.

    A column whose value is the same for all videos is left out and named above the table.
    """

    key: str
    head: str
    is_number: bool = False
    is_wide: bool = False
    choices: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A video, as text.

    Attributes:
        p_fake, low, high, threshold: 0 to 1; None where not scored.
        face: a small picture as a `data:` address; face_words: its text alternative.
        decided: picture or sound where the verdict of fake rests on one of two scores.
        link: to its evidence page, relative.
        change: changed, new or unchanged; before: the outcome before, may be empty.
        decision: of a person; reviewer: who; both may be empty.
        parts: the first `MOST_PARTS` suspicious stretches.
        members: what each member of an ensemble says; empty without.
        model: that produced the verdict.
    """

    video_id: str
    outcome: str
    decided: str
    p_fake: float | None
    low: float | None
    high: float | None
    threshold: float | None
    path: str
    label: str
    correct: str
    layout: str
    method: str
    faces: int
    people: int
    status: str
    judged: str
    before: str
    change: str
    link: str | None
    face: str | None
    face_words: str
    decision: str
    reviewer: str
    parts: tuple[str, ...]
    members: tuple[str, ...]
    model: str


@dataclass(frozen=True, slots=True)
class TablePage:
    """One page of the table.

    Attributes:
        number: from 1; pages: their number; first: rank of its first video, from 1.
        total: videos on all pages.
        same: a sentence on what is the same for all videos, so that no column shows it.
    """

    number: int
    pages: int
    first: int
    total: int
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    same: str

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(column.key for column in self.columns)


def page_count(predictions: pa.Table, page_rows: int) -> int:
    """Return how many pages the table has, at least one."""
    videos: int = predictions.num_rows
    return max(1, math.ceil(videos / page_rows))


def table_page(
    predictions: pa.Table, context: Context, number: int, page_rows: int, judges: str = "face"
) -> TablePage:
    """Return a page of the table.

    Args:
        predictions: all videos, highest score first.
        number: of the page, from 1.
        page_rows: videos per page.
        judges: face or frame: what the model scores.

    Raises:
        ValueError: a link to evidence leads out of the report's folder.
    """
    start = (number - 1) * page_rows
    rows = tuple(_rows(predictions.slice(start, page_rows), context, judges))
    columns = tuple(_columns(predictions, context, rows, judges))
    heads = {column.key: column.head for column in columns}
    same = same_values(predictions, heads)
    return TablePage(
        number=number,
        pages=page_count(predictions, page_rows),
        first=start + 1 if rows else 0,
        total=predictions.num_rows,
        columns=tuple(column for column in columns if column.key not in same),
        rows=rows,
        same=same_sentence(predictions.num_rows, heads, same),
    )


def checked_link(link: str | None) -> str | None:
    """Return the link.

    Raises:
        ValueError: it is not a relative path of a page.
    """
    if link is not None and not _LINK.fullmatch(link):
        raise ValueError(f"a link to evidence must be a relative path of a page, not {link!r}")
    return link


def face_words(face: ReportFace, judges: str) -> str:
    """Return the text alternative of a face."""
    return f"{judges} at {face.pts_s:.2f} s, uncalibrated score {face.score:.3f}"


def _rows(predictions: pa.Table, context: Context, judges: str) -> Iterator[Row]:
    for row in predictions.to_pylist():
        video_id = row["video_id"]
        face = next(iter(context.faces.get(video_id, ())), None)
        yield Row(
            video_id=video_id,
            outcome=outcome_word(row),
            decided=decided_word(row).removeprefix(" by its "),
            p_fake=row["p_fake"],
            low=row["p_fake"] if row["p_fake_low"] is None else row["p_fake_low"],
            high=row["p_fake"] if row["p_fake_high"] is None else row["p_fake_high"],
            threshold=row["threshold"],
            path=row["path"],
            label=row["label"] or "",
            correct=correct_word(row),
            layout=row["layout"],
            method=row["method"] or "",
            faces=row["faces_scored"],
            people=row["persons"],
            status=status_word(row["status"]),
            judged={True: "this run", False: "earlier", None: ""}[row["judged_now"]],
            before=_before(row),
            change=_change(row),
            link=checked_link(context.evidence.get(video_id)),
            face=None if face is None else thumbnail(face.picture, SMALL_PX),
            face_words="" if face is None else face_words(face, judges),
            decision=row["decision"] or "",
            reviewer=row["reviewer"] or "",
            parts=tuple(map(in_words, (row["stretches"] or ())[:MOST_PARTS])),
            members=_members(row),
            model=row["model_id"],
        )


def _columns(
    predictions: pa.Table, context: Context, rows: tuple[Row, ...], judges: str
) -> Iterator[Column]:
    """Yield the columns that a report can fill, whether or not their values differ."""
    yield _choice("verdict", "verdict", "Verdict", [row.outcome for row in rows])
    yield Column("p_fake", "p_fake", is_number=True)
    yield Column("path", "video")
    if _has(predictions, "sound"):
        yield _choice("decided", "fake by its", "Fake by its", [row.decided for row in rows])
    if _has(predictions, "label"):
        yield _choice("truth", "label", "Label", [row.label for row in rows])
        yield _choice("right", "correct?", "Correct?", [row.correct for row in rows])
    if predictions["decision"].null_count < predictions.num_rows:
        yield _choice("decision", "decision", "Decision", [row.decision for row in rows])
    if context.before is not None:
        yield _choice("change", "before", "Change", [row.change for row in rows])
    if _has(predictions, "members"):
        yield Column("members", "each detector says", is_wide=True)
    yield _choice("layout", "layout", "Layout", [row.layout for row in rows], is_wide=True)
    if _has(predictions, "method"):
        yield _choice("method", "method", "Method", [row.method for row in rows], is_wide=True)
    yield Column("faces", f"{judges}s", is_number=True, is_wide=True)
    if judges == "face":
        yield Column("people", "tracks", is_number=True, is_wide=True)
    yield _choice("status", "status", "Status", [row.status for row in rows], is_wide=True)
    if context.judged_now is not None:
        yield _choice("judged", "judged", "Judged", [row.judged for row in rows], is_wide=True)
    yield _choice("model", "model", "Model", [row.model for row in rows], is_wide=True)


def _has(predictions: pa.Table, name: str) -> bool:
    return bool(predictions[name].null_count < predictions.num_rows)


def _choice(key: str, head: str, label: str, values: list[str], *, is_wide: bool = False) -> Column:
    """Return a column with its most frequent values as choices, unless there is only one."""
    found = Counter(value for value in values if value)
    common = sorted(value for value, _ in found.most_common(MOST_CHOICES))
    choices = tuple(common) if len(set(values)) > 1 else ()
    return Column(key, head, is_wide=is_wide, choices=choices, label=label)


def _members(row: Mapping[str, Any]) -> tuple[str, ...]:
    members = row["members"]
    return (agreement(members), *said_by(members)) if members else ()


def _before(row: Mapping[str, Any]) -> str:
    if row["before"] is None:
        return ""
    word = status_word(row["before"])
    score = row["p_fake_before"]
    return word if score is None else f"{word} {decimal(score)}"


def _change(row: Mapping[str, Any]) -> str:
    if row["before"] is None:
        return "new"
    return "unchanged" if status_word(row["before"]) == outcome_word(row) else "changed"
