"""The files of a local archive. Other file systems are listed by `tables.index`.

Anyone who can add files to an archive can also add links, odd names and odd times. A listing
neither leaves the archive because of them, nor stops, nor skips a file silently.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from framejury.errors import ArchiveError
from framejury.redaction import printable

_LAST_S = 2**33
"""The year 2242; file systems store times that neither Python nor Spark can represent."""


class Trouble(StrEnum):
    """Why a listed file cannot be used as it is."""

    LEADS_OUT = "leads_out"
    """A link out of the archive, which was not followed."""
    NOT_UTF8 = "not_utf8"
    """Its name is not UTF-8: no table can hold it, so no worker can open it."""


@dataclass(frozen=True)
class ArchiveFile:
    """One file of an archive.

    Attributes:
        path: archive-relative, with `/`.
        uri: absolute local path or URI.
        size_bytes: its size.
        modified_at: last change, UTC; 1970 if that is before 1970 or after 2242.
        trouble: why it cannot be used as it is; None if it can.
    """

    path: str
    uri: str
    size_bytes: int
    modified_at: datetime
    trouble: Trouble | None = None


def list_local(root: Path, *, follow_out: bool = False) -> list[ArchiveFile]:
    """List every file below `root`, sorted by path: also hidden ones, and linked folders once.

    A name that is not UTF-8 is listed with the invalid bytes escaped.

    Args:
        root: the archive.
        follow_out: whether to follow links that lead out of it; otherwise they are listed with
            `Trouble.LEADS_OUT`.

    Raises:
        ArchiveError: `root` is not a folder, its name is not UTF-8, or a folder in it cannot be
            read.
    """
    if not root.exists():
        raise ArchiveError(f"no archive at {root}; name a folder with videos")
    if not root.is_dir():
        raise ArchiveError(f"{root} is a file; an archive is a folder (for files: framejury scan)")
    if not is_text(str(root)):
        raise ArchiveError(f"the folder name {_shown(str(root))} is not UTF-8; rename the folder")
    found = list(_walk(str(root.absolute()), follow_out=follow_out))
    taken = {file.path for file in found}
    files = []
    for file in sorted(found, key=lambda file: os.fsencode(file.path)):
        if is_text(file.path):
            files.append(file)
        else:
            path = _escaped(file.path)
            while path in taken:  # another file may have this very name
                path = f"?{path}"
            taken.add(path)
            trouble = file.trouble or Trouble.NOT_UTF8
            files.append(replace(file, path=path, uri=_escaped(file.uri), trouble=trouble))
    return sorted(files, key=lambda file: file.path)


def _walk(root: str, *, follow_out: bool) -> Iterator[ArchiveFile]:
    """Walk real folders first, then linked ones by name, so that a video's path is stable."""
    seen: set[tuple[int, int]] = set()
    within = os.path.realpath(root)
    below = len(root.rstrip("/")) + 1
    waiting = [root]
    while waiting:
        links: list[str] = []
        while waiting:
            for entry in _entries(waiting.pop(), seen):
                link = entry.is_symlink()
                if link and not follow_out and not _is_within(within, entry.path):
                    yield _described(entry, below, None)
                    continue
                status = _status(entry)
                if status is None:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    (links if link else waiting).append(entry.path)
                elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                    yield _described(entry, below, status)
        waiting = sorted(links, reverse=True)  # the first is popped first


def _entries(folder: str, seen: set[tuple[int, int]]) -> list[os.DirEntry[str]]:
    """Return the folder's entries; none if it was seen under another name or has just vanished.

    Raises:
        ArchiveError: it cannot be read; its videos would otherwise count as deleted.
    """
    try:
        status = os.stat(folder)  # noqa: PTH116  (no Path for each of a million folders)
        if (status.st_dev, status.st_ino) in seen:
            return []
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ArchiveError(f"cannot list {_shown(folder)}: {error.strerror}") from error


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return the status of the target, or of a broken link itself; None if it has vanished.

    Raises:
        ArchiveError: its folder may be listed but not entered.
    """
    try:
        return entry.stat()
    except OSError:  # it points nowhere, at itself, or to a place we may not read
        pass
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ArchiveError(f"cannot access {_shown(entry.path)}: {error.strerror}") from error


def _is_within(root: str, link: str) -> bool:
    target = os.path.realpath(link)
    return target == root or target.startswith(f"{root.rstrip('/')}/")


def _described(entry: os.DirEntry[str], below: int, status: os.stat_result | None) -> ArchiveFile:
    """Describe an entry; without a status it is a link out, whose target stays unread."""
    trouble = Trouble.LEADS_OUT if status is None else None
    regular = status is not None and stat.S_ISREG(status.st_mode)
    return ArchiveFile(
        entry.path[below:],
        entry.path,
        status.st_size if status is not None and regular else 0,
        _when(status.st_mtime if status is not None else 0.0),
        trouble,
    )


def _when(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds if 0 <= seconds < _LAST_S else 0.0, UTC)


def is_text(name: str) -> bool:
    """Whether UTF-8, and so a table, can hold a name; file systems and JSON allow others."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escaped(name: str) -> str:
    r"""Return `caf\xe9.mp4` for a name with that byte."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _shown(path: str) -> str:
    """Shorten a path for a message; its end is the useful part."""
    text = printable(_escaped(path))
    return text if len(text) <= 300 else f"...{text[-300:]}"
