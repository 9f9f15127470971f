"""The files of a local archive. Other file systems are listed by `tables.index`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from framejury.errors import ArchiveError


@dataclass(frozen=True)
class ArchiveFile:
    """One file of an archive.

    Attributes:
        path: below the archive, with `/`.
        uri: absolute local path or URI.
        size_bytes: its size.
        modified_at: last change, UTC.
    """

    path: str
    uri: str
    size_bytes: int
    modified_at: datetime


def list_local(root: Path) -> list[ArchiveFile]:
    """Every file below `root`, sorted by path; hidden ones too, linked folders once.

    Raises:
        ArchiveError: `root` is no folder, or a folder in it cannot be read.
    """
    if not root.exists():
        raise ArchiveError(f"no archive at {root}")
    if not root.is_dir():
        raise ArchiveError(f"{root} is a file; an archive is a folder (for files: framejury scan)")
    return sorted(_walk(root), key=lambda file: file.path)


def _walk(root: Path) -> Iterator[ArchiveFile]:
    """Real folders first, then linked ones by name: a video's path must not depend on chance."""
    seen: set[tuple[int, int]] = set()

    def unreadable(error: OSError) -> None:
        raise ArchiveError(f"cannot list {error.filename}: {error.strerror}") from error

    waiting = [root]
    while waiting:
        links: list[Path] = []
        for start in waiting:
            for folder, folders, names in os.walk(start, onerror=unreadable):
                status = Path(folder).stat()
                if (status.st_dev, status.st_ino) in seen:
                    folders.clear()  # a link back into the archive
                    continue
                seen.add((status.st_dev, status.st_ino))
                links += [path for name in folders if (path := Path(folder, name)).is_symlink()]
                for name in names:
                    file = _describe(root, Path(folder, name))
                    if file is not None:
                        yield file
        waiting = sorted(links)


def _describe(root: Path, path: Path) -> ArchiveFile | None:
    """None for no regular file (a socket, a pipe) or one just gone; a dead link counts as empty."""
    relative = PurePosixPath(path.relative_to(root)).as_posix()
    if not _is_text(relative):
        raise ArchiveError(
            f"a file name is not UTF-8: {relative.encode(errors='surrogateescape')!r}; rename it"
        )
    try:
        link = path.lstat()
    except FileNotFoundError:
        return None
    try:
        status = path.stat()
        size_bytes = status.st_size
    except OSError:  # it points nowhere, at itself, or where we may not look
        status, size_bytes = link, 0
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        return None
    modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
    return ArchiveFile(relative, str(path.absolute()), size_bytes, modified_at)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
