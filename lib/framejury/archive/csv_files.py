"""CSV files that people write: labels of single frames, and videos fixed to a split."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from pathlib import Path
from typing import Literal

from framejury.errors import FramejuryError, SplitError, UsageError
from framejury.schemas.statuses import Label, Side

_DELIMITERS = ",;\t"
SAVE_AS_UTF8 = "save it as UTF-8 (in Excel: CSV UTF-8)"


class CsvText:
    """The rows of a CSV file as people save it.

    With or without a byte-order mark, with commas, semicolons (Excel in many countries) or tabs,
    with Excel's first line `sep=;`, and with empty columns to the right.

    Args:
        text: of the file.

    Attributes:
        header: names of the columns, without spaces around them and without empty ones at the end.
    """

    def __init__(self, text: str) -> None:
        text = text.removeprefix("\ufeff")
        first, _, rest = text.partition("\n")
        named = first.strip().lower().startswith("sep=") and len(first.strip()) == len("sep=;")
        delimiter = first.strip()[-1] if named else max(_DELIMITERS, key=first.count)
        self._before = int(named)
        # Strict, or an unclosed quote would swallow the lines after it. Line ends are kept as they
        # are, as a quoted name may hold one.
        lines = io.StringIO(rest if named else text, newline="")
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)
        self.header = _without_empty_end([name.strip() for name in next(self._reader, [])])

    @property
    def line(self) -> int:
        """Number of the line that was read last; the first is 1."""
        return self._reader.line_num + self._before

    def rows(self) -> Iterator[list[str]]:
        """Yield the fields of each row that is not empty, without empty ones beyond the columns.

        Raises:
            csv.Error: the text is not CSV.
        """
        for row in self._reader:
            extra = _without_empty_end([field.strip() for field in row[len(self.header) :]])
            fields = row[: len(self.header)] + extra
            if any(field.strip() for field in fields):
                yield fields


def _without_empty_end(fields: list[str]) -> list[str]:
    while fields and not fields[-1]:
        fields = fields[:-1]
    return fields


@dataclass(frozen=True, slots=True)
class Line:
    """One non-empty line below the header.

    Attributes:
        fields: one per column, stripped of spaces.
        number: line number in the file; the header is 1.
        place: file and line, for messages.
    """

    fields: tuple[str, ...]
    number: int
    place: str


def csv_lines(
    path: Path | str,
    header: Sequence[str],
    what: str,
    error: type[FramejuryError],
    *,
    comments: bool = False,
) -> Iterator[Line]:
    """Yield the lines of a UTF-8 file, with or without a byte-order mark.

    Args:
        what: what the file holds, in the plural; for messages.
        error: class to raise; the message names file and line.
        comments: whether to skip lines whose first field starts with `#`.

    Raises:
        error: the file cannot be read, is not CSV, has another header or no further line, or a
            line has more or fewer fields.
    """
    wanted = ",".join(header)
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as why:
        raise error(f"the {what} in {path} are not UTF-8 ({why}); {SAVE_AS_UTF8}") from why
    except OSError as why:
        raise error(f"cannot read the {what} in {path}: {why}") from why
    is_empty, table = True, None
    try:
        table = CsvText(text)
        if table.header != list(header):
            raise error(
                f"{path} line 1: the header must be {wanted}, not {','.join(table.header)[:100]!r}"
            )
        for row in table.rows():
            if comments and row[0].lstrip().startswith("#"):
                continue
            place = f"{path} line {table.line}"
            if len(row) != len(header):
                raise error(f"{place}: {len(row)} fields instead of {wanted}")
            is_empty = False
            yield Line(tuple(text.strip() for text in row), table.line, place)
    except csv.Error as why:
        raise error(f"{path} line {table.line if table else 1}: {why}") from why
    if is_empty:
        raise error(f"{path} holds no {what}: it has no line below its header")


_LAST_FRAME = 2**31 - 1

Frame = tuple[str, int]
"""video_id and frame_index."""


def read_frame_labels(path: Path | str, video_ids: Mapping[str, str]) -> dict[Frame, Literal[0, 1]]:
    """Read labels that override those of the videos: (video_id, frame_index) -> 1 for FAKE, or 0.

    The header is `video,frame,label`: the path as in `videos.path`, the frame's rank in
    presentation order from 0 (`frame_index`), REAL or FAKE.

    Args:
        path: the file.
        video_ids: video_id by archive-relative path, with `/`, of every video.

    Raises:
        UsageError: it cannot be read, has another header, or a line is invalid; the message
            names file and line.
    """
    labels: dict[Frame, Literal[0, 1]] = {}
    lines: dict[Frame, int] = {}
    for line in csv_lines(path, ["video", "frame", "label"], "frame labels", UsageError):
        frame, label = _labelled_frame(line, video_ids)
        if frame in lines:
            raise UsageError(
                f"{line.place}: frame {frame[1]} of {line.fields[0]} is already labelled in line "
                f"{lines[frame]}"
            )
        labels[frame], lines[frame] = label, line.number
    return labels


def _labelled_frame(line: Line, video_ids: Mapping[str, str]) -> tuple[Frame, Literal[0, 1]]:
    video, frame, label = line.fields
    if video not in video_ids:
        raise UsageError(
            f"{line.place}: the archive has no video {video!r}; give its path in the archive, such "
            "as folder/name.mp4"
        )
    # int() accepts far more than people write.
    if not (frame.isascii() and frame.isdigit() and len(frame) <= 10 and int(frame) <= _LAST_FRAME):
        raise UsageError(
            f"{line.place}: the frame must be its rank in the video, a whole number from 0, not "
            f"{frame[:40]!r}"
        )
    if label not in Label.__members__:
        raise UsageError(f"{line.place}: unknown label {label!r}; allowed: {', '.join(Label)}")
    return (video_ids[video], int(frame)), 1 if label == Label.FAKE else 0


_PIN_SIDES = tuple(side for side in Side if side is not Side.MIXED)


@dataclass(frozen=True, slots=True)
class Pin:
    """One line: paths that match `pattern` go to `side`. `line` counts from 1, the header."""

    pattern: str
    side: Side
    line: int


@dataclass(frozen=True)
class Pins:
    """All lines of a file, in order.

    Attributes:
        source: the file, as the user named it; for messages.
    """

    source: str
    pins: tuple[Pin, ...]

    def pin_of(self, path: str) -> Pin | None:
        """Return the first line that matches `path` (archive-relative, with `/`), or None."""
        return next((pin for pattern, pin in self._compiled if pattern.match(path)), None)

    def side_of(self, path: str) -> Side | None:
        """Return the split of `path` (archive-relative, with `/`); None if it is free."""
        pin = self.pin_of(path)
        return None if pin is None else pin.side

    def unused(self, paths: Iterable[str]) -> list[Pin]:
        """Return the lines that decide for none of `paths`."""
        used = {self.pin_of(path) for path in paths}
        return [pin for pin in self.pins if pin not in used]

    @cached_property
    def _compiled(self) -> list[tuple[re.Pattern[str], Pin]]:
        return [(re.compile(translate(pin.pattern)), pin) for pin in self.pins]


def read_pins(path: Path | str) -> Pins:
    """Read which videos must be in train, val or test, or excluded.

    The header is `pattern,side`. A pattern is a shell pattern (`fnmatch`, case-sensitive, `*` also
    matches `/`) for the whole archive-relative path. The first line that matches a path decides; a
    path that matches no line is free. Lines whose pattern starts with `#` are ignored.

    Raises:
        SplitError: it cannot be read, has another header, or a line is invalid; the message
            names file and line.
    """
    lines = csv_lines(path, ["pattern", "side"], "sides", SplitError, comments=True)
    return Pins(str(path), tuple(_pin(line) for line in lines))


def _pin(line: Line) -> Pin:
    pattern, side = line.fields
    if not pattern:
        raise SplitError(f"{line.place}: the pattern is empty; * matches every path")
    if side not in _PIN_SIDES:
        raise SplitError(f"{line.place}: unknown side {side!r}; allowed: {', '.join(_PIN_SIDES)}")
    return Pin(pattern, Side(side), line.number)
