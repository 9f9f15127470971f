"""`decisions.csv`: decisions of people as a file. Pure.

    file,decision,by,note,time

`file`, `decision` and `by` are required; other columns are ignored, so that a filled-in
`to_decide.csv` of a report can be used as it is. A line without a decision is skipped. A line that
cannot be used is a problem with its number; it stops no other line. A line that was recorded before
is not recorded again.
"""

from __future__ import annotations

import codecs
import csv
from argparse import ArgumentTypeError
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from framejury.archive.csv_files import SAVE_AS_UTF8, CsvText
from framejury.clock import moment
from framejury.decisions.decided import Decided, VideoDecisions
from framejury.decisions.naming import VideoNames
from framejury.redaction import printable
from framejury.schemas.statuses import Decision

LARGEST_BYTES = 16 * 2**20
"""Largest file read."""

LONGEST_NOTE, LONGEST_NAME = 2000, 200
"""Characters of a note and of a reviewer's name, at most."""

CONTENT_DIGITS = 16
"""Digits of `content_id` that `to_decide.csv` gives, to tell a file that was replaced since."""

SEEN = ("seen_verdict", "seen_p_fake", "seen_model_id", "seen_run_id")
"""Columns about the verdict that the author of a decision saw."""

_WORDS = {one.value: one for one in (Decision.FAKE, Decision.REAL, Decision.UNCLEAR)}
_REQUIRED = ("file", "decision", "by")
_SKEW = timedelta(minutes=10)
_LISTED = 3


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """A line that holds a decision.

    Attributes:
        number: of the line; the header is 1.
        name: of the video.
        decided_at: None where the line gives no time.
        content: beginning of the `content_id` that it is about; may be empty.
    """

    number: int
    name: str
    decision: Decision
    reviewer: str
    note: str | None
    decided_at: datetime | None
    content: str


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What a file holds.

    Attributes:
        lines: the decisions, in order.
        problems: one sentence each, with the number of the line.
    """

    lines: tuple[DecisionLine, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KnownVideos:
    """The videos of a warehouse, as far as decisions need them.

    Attributes:
        names: of all of them.
        decisions: video_id -> decisions recorded before.
        seen: video_id -> `content_id` of the file and the columns `seen_*` of its latest verdict.
    """

    names: VideoNames
    decisions: Mapping[str, VideoDecisions]
    seen: Mapping[str, Mapping[str, Any]]

    def decided(
        self,
        video_id: str,
        decision: Decision,
        *,
        reviewer: str,
        note: str | None,
        at: datetime,
        source: str,
    ) -> Decided:
        """Return a decision on what is known now about a video; arguments as its columns."""
        seen = dict.fromkeys(("content_id", *SEEN)) | dict(self.seen.get(video_id, {}))
        return Decided(
            decision=decision, reviewer=reviewer, note=note, decided_at=at, source=source, **seen
        )


@dataclass(frozen=True, slots=True)
class NewDecisions:
    """Decisions to record.

    Attributes:
        decided: video_id and decision, in order of time.
        known: lines that were recorded before, count.
        problems: one sentence each, with the number of the line.
    """

    decided: tuple[tuple[str, Decided], ...]
    known: int
    problems: tuple[str, ...]


def check_words(text: str | None, what: str, longest: int) -> str | None:
    """Return a name or note on one line, None if it is empty.

    Raises:
        ValueError: it is too long, or holds bytes that are not text.
    """
    words = " ".join((text or "").split())
    if len(words) > longest:
        raise ValueError(f"the {what} has {len(words):,} characters; at most {longest:,} are kept")
    if any("\ud800" <= char <= "\udfff" for char in words):
        raise ValueError(f"the {what} {printable(words)} is not UTF-8")
    return words or None


def decoded(content: bytes) -> str:
    """Return the text of a CSV file as people save it: UTF-8, UTF-16, or Windows-1252.

    Raises:
        ValueError: it is not one of these.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            return content.decode("cp1252")
        except UnicodeDecodeError as error:
            raise ValueError(f"it is not a text file ({error}); {SAVE_AS_UTF8}") from error


def read_lines(text: str, now: datetime) -> ReadFile:
    """Read the lines of a file.

    Args:
        text: of the file.
        now: a line must not be from later.
    """
    lines: list[DecisionLine] = []
    problems: list[str] = []
    table = None
    try:
        table = CsvText(text)
        header = [name.lower() for name in table.header]
        lacking = [name for name in _REQUIRED if name not in header]
        if lacking:
            found = printable(", ".join(table.header))[:100] or "none"
            return ReadFile(
                (),
                (
                    f"line 1: no column {' and no column '.join(lacking)} (columns: {found}); "
                    "the first line must be file,decision,by,note",
                ),
            )
        for fields in table.rows():
            try:
                line = _line(table.line, header, fields, now)
            except (ValueError, ArgumentTypeError) as error:
                problems.append(f"line {table.line}: {error}")
            else:
                lines += [] if line is None else [line]
    except csv.Error as error:
        at = 1 if table is None else table.line
        problems.append(f"line {at}: {error}; it and the lines below were not read")
    return ReadFile(tuple(lines), tuple(problems))


def _line(
    number: int, header: Sequence[str], fields: Sequence[str], now: datetime
) -> DecisionLine | None:
    """Return a line; None without a decision.

    Raises:
        ValueError, ArgumentTypeError: it cannot be used.
    """
    if len(fields) > len(header):
        raise ValueError("more fields than columns; put a text with a comma in quotes")
    values = dict(zip(header, (field.strip() for field in fields), strict=False))
    word, name = values.get("decision", "").lower(), values.get("file", "")
    if not word:
        return None
    if word not in _WORDS:
        raise ValueError(f"the decision must be {', '.join(_WORDS)} or empty, not {short(word)}")
    if not name:
        raise ValueError("no file name")
    reviewer = check_words(values.get("by"), "name", LONGEST_NAME)
    if reviewer is None:
        raise ValueError("nobody's name stands in the column by")
    at = _time(values["time"], now) if values.get("time") else None
    note = check_words(values.get("note"), "note", LONGEST_NOTE)
    content = values.get("content", "").lower()
    return DecisionLine(number, name, _WORDS[word], reviewer, note, at, content)


def _time(text: str, now: datetime) -> datetime:
    # No age such as 7d: read again tomorrow, it would be another time.
    at = moment(text) if text[:4].isdigit() else None
    if at is None:
        raise ValueError(f"the time must be such as 2026-11-30 or 2026-11-30T14:00, not {text!r}")
    if at > now + _SKEW:
        raise ValueError(f"the time {short(text)} is in the future")
    return at


def new_decisions(
    lines: Sequence[DecisionLine], videos: KnownVideos, now: datetime, source: str
) -> NewDecisions:
    """Return the decisions of a file that are not recorded yet.

    Args:
        lines: of the file.
        videos: those that can be decided on.
        now: the time of decisions whose line gives none.
        source: name of the file.
    """
    problems: list[tuple[int, str]] = []
    by_video: dict[str, list[DecisionLine]] = defaultdict(list)
    for line in lines:
        ids = videos.names.find(line.name)
        if len(ids) == 1:
            by_video[ids[0]].append(line)
        else:
            paths = [videos.names.paths[one] for one in ids]
            problems.append((line.number, not_found(line.name, paths)))
    decided, repeated = [], 0
    for video_id, mine in by_video.items():
        content_id = videos.seen.get(video_id, {}).get("content_id")
        history = videos.decisions.get(video_id, VideoDecisions(())).history
        fresh = [line for line in mine if not _is_known(line, history, content_id)]
        repeated += len(mine) - len(fresh)
        kept, faults = _consistent(fresh)
        problems += faults
        for line in kept:
            if line.content and content_id and not content_id.startswith(line.content):
                text = f"{short(line.name)} was replaced since; look at it again"
                problems.append((line.number, text))
                continue
            one = videos.decided(
                video_id,
                line.decision,
                reviewer=line.reviewer,
                note=line.note,
                at=line.decided_at or now,
                source=source,
            )
            decided.append((video_id, one))
    decided.sort(key=lambda one: one[1].decided_at)
    sentences = tuple(f"line {number}: {text}" for number, text in sorted(problems))
    return NewDecisions(tuple(decided), repeated, sentences)


def _is_known(line: DecisionLine, history: Sequence[Decided], content_id: str | None) -> bool:
    """Return whether the line was recorded; one that names its content, for that content."""
    return any(
        (one.decision, one.reviewer, one.note) == (line.decision, line.reviewer, line.note)
        and line.decided_at in (None, one.decided_at)
        and (not line.content or one.is_about(content_id))
        for one in history
    )


def _consistent(
    lines: Sequence[DecisionLine],
) -> tuple[list[DecisionLine], list[tuple[int, str]]]:
    """Return the lines of one video that can be recorded, and what is wrong with the others."""
    kept: list[DecisionLine] = []
    problems = []
    for line in lines:
        twin = next((one for one in kept if replace(one, number=line.number) == line), None)
        if twin is None:
            kept.append(line)
        else:
            problems.append((line.number, f"the same as line {twin.number}; counted once"))
    undated = [line for line in kept if line.decided_at is None]
    if len({line.decision for line in kept}) > 1 and undated:
        others = ", ".join(str(line.number) for line in kept)
        text = (
            f"lines {others} contradict each other about {short(lines[0].name)}, so none of them "
            "was recorded; keep one, or give each a time"
        )
        return [], [*problems, (kept[-1].number, text)]
    return kept, problems


def not_found(name: str, candidates: Sequence[str]) -> str:
    """Return why a name does not lead to one video.

    Args:
        name: as it was given.
        candidates: paths of the videos that it can mean: none, or several.
    """
    if not candidates:
        return f"no video {short(name)} in this warehouse"
    listed = ", ".join(map(printable, candidates[:_LISTED]))
    more = f" and {len(candidates) - _LISTED:,} more" if len(candidates) > _LISTED else ""
    return f"{short(name)} can mean {listed}{more}; write more of the path"


def short(text: str) -> str:
    """Return a text of a user in quotation marks, shortened, for a message."""
    text = printable(text)
    return repr(text if len(text) <= 100 else f"{text[:100]}...")
