"""The files of a bundle's folder: their digests, and a folder that takes another's place."""

from __future__ import annotations

import hashlib
from pathlib import Path

from framejury.model.manifest import FileDigest


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests_of(directory: Path) -> dict[str, FileDigest]:
    """Return name -> digest of the files of a folder, without those of its folders."""
    return {
        path.name: FileDigest(sha256=sha256_of(path), bytes=path.stat().st_size)
        for path in sorted(directory.iterdir())
        if path.is_file()
    }


def move_into_place(fresh: Path, directory: Path, aside: Path) -> None:
    """Replace a directory in two renames (one is not portable); restore the old one on failure."""
    if not directory.exists():
        fresh.rename(directory)
        return
    directory.rename(aside)
    try:
        fresh.rename(directory)
    except OSError:
        aside.rename(directory)
        raise
