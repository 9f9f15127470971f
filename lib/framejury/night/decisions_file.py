"""`decisions.csv`, read by a nightly run: decisions that people wrote into a file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pyarrow import fs

from framejury.decisions.decisions_csv import (
    LARGEST_BYTES,
    NewDecisions,
    decoded,
    new_decisions,
    read_lines,
)
from framejury.errors import UsageError
from framejury.logs import say
from framejury.pages.text_table import counted
from framejury.redaction import printable
from framejury.storage import is_file, is_local, local_path, locate
from framejury.warehouse import Warehouse
from framejury.warehouse.deciding import known_videos, record_decisions

DECISIONS_CSV = "decisions.csv"
"""Name of the file in the root of an archive."""

_TOLD = 20
"""Problems that are reported one by one, count."""


@dataclass(frozen=True)
class DecisionsFile:
    """A file of decisions.

    Attributes:
        uri: where it is, or may be.
        named: whether the user named it; otherwise it lies in the archive, if there is one.
        follow_out: whether a link out of the archive is followed (`index.links`).
    """

    uri: str
    named: bool = False
    follow_out: bool = False

    @classmethod
    def of(cls, archive: str, named: str | None, *, follow_out: bool = False) -> DecisionsFile:
        """Return the file that was named, or that of the archive.

        Args:
            archive: path or URI.
            named: of `--decisions`; None: the one in the archive.
            follow_out: as the attribute.

        Raises:
            UsageError: the named file is not there.
        """
        if named is None:
            return cls(f"{archive.rstrip('/')}/{DECISIONS_CSV}", follow_out=follow_out)
        if not is_file(locate(named)):
            raise UsageError(f"--decisions {printable(named)} is not a file")
        return cls(named, named=True)

    def text(self) -> str | None:
        """Return its text; None if it is not there.

        Raises:
            ValueError: it is too large, not text, or a link out of the archive.
            OSError: it cannot be read.
        """
        try:
            place = locate(self.uri)
        except UsageError:  # an archive that only Spark can reach
            return None
        info = place.filesystem.get_file_info(place.path)
        if info.type != fs.FileType.File:
            return None
        if not self.named and not self.follow_out and is_local(self.uri):
            _check_inside(local_path(self.uri))
        if info.size > LARGEST_BYTES:
            raise ValueError(f"it has {info.size:,} bytes, more than the {LARGEST_BYTES:,} allowed")
        with place.filesystem.open_input_stream(place.path) as stream:
            content: bytes = stream.read()
        return decoded(content)


@dataclass(frozen=True)
class TakenIn:
    """What was read from a file of decisions.

    Attributes:
        recorded: new decisions, count; None: there is no such file.
        problems: what could not be used, one sentence each; the last one may count more lines.
    """

    recorded: int | None = None
    problems: tuple[str, ...] = ()

    def then(self, later: TakenIn) -> TakenIn:
        """Return both together; the later one has read the whole file again."""
        recorded = [one.recorded for one in (self, later) if one.recorded is not None]
        return TakenIn(sum(recorded) if recorded else None, later.problems)


def _check_inside(path: Path) -> None:
    """Refuse a link out of the archive: whoever can add one must not have any file read."""
    if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
        raise ValueError("it is a link out of the archive; name the file with --decisions FILE")


def take_in(
    warehouse: Warehouse, file: DecisionsFile, now: datetime, *, told: bool = True
) -> TakenIn:
    """Record what is new in a file of decisions, and return what was read.

    Args:
        warehouse: with a committed list of videos.
        file: the file.
        now: the time of decisions whose line gives none.
        told: whether to report what was recorded and what could not be read.
    """
    name, recorded = file.uri.rpartition("/")[2], 0
    try:
        text = file.text()
    except (OSError, ValueError) as error:
        problems: tuple[str, ...] = (f"{name}: {error}",)
    else:
        if text is None:
            return TakenIn()
        read = read_lines(text, now)
        found = read.problems
        if read.lines:
            new = new_decisions(read.lines, known_videos(warehouse), now, name)
            recorded = _record(warehouse, name, new, now)
            found += new.problems
        problems = tuple(f"{name} {problem}" for problem in found)
    if told:
        for problem in problems[:_TOLD]:
            say(f"  warning: {problem}", "decision_left_out", logging.WARNING)
        if len(problems) > _TOLD:
            say(f"  warning: {name}: {len(problems) - _TOLD:,} more lines cannot be used")
    more = (f"{name}: {len(problems) - _TOLD:,} more lines cannot be used.",)
    return TakenIn(recorded, problems[:_TOLD] + (more if len(problems) > _TOLD else ()))


def _record(warehouse: Warehouse, name: str, new: NewDecisions, now: datetime) -> int:
    if new.decided:
        record_decisions(warehouse, new.decided, now)
        say(f"  {name}: {counted(len(new.decided), 'decision')} recorded")
    return len(new.decided)
