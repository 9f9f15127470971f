"""Input files and output folders of commands that work on single files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from framejury.errors import MediaError, UsageError
from framejury.redaction import printable
from framejury.storage import is_local, local_path


def new_folder(name: str) -> Path:
    """Return a local folder to write into, new or empty; it is not created yet.

    Raises:
        UsageError: it is not empty, or not a local path.
    """
    if not is_local(name):
        raise UsageError(
            f"--output {printable(name)} is not a local folder; write to one, then copy it"
        )
    folder = local_path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--output {printable(name)} is not an empty folder; choose another")
    return folder


def place_of(name: str) -> str:
    """Return a file's absolute path, or its URI.

    Raises:
        UsageError: the name is not UTF-8, so no page could hold it.
    """
    if any("\ud800" <= char <= "\udfff" for char in name):  # bytes that are not UTF-8
        raise UsageError(f"the file name {printable(name)} is not UTF-8; rename the file")
    return str(local_path(name)) if is_local(name) else name


@contextmanager
def read_or_stop(name: str) -> Iterator[None]:
    """End the command if a file cannot be read, with the status a nightly run would give it.

    Raises:
        UsageError: instead of `MediaError`.
    """
    try:
        yield
    except MediaError as error:
        raise UsageError(f"{printable(name)} ({error.status.value}): {error}") from error
