"""Where commands that work on single files read and write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from framejury.errors import MediaError, UsageError
from framejury.redaction import printable
from framejury.storage import is_local, local_path


def new_folder(name: str) -> Path:
    """A local folder to write into, which is new or empty; it is not made yet.

    Raises:
        UsageError: something is there, or it is no local path.
    """
    if not is_local(name):
        raise UsageError(f"--output {printable(name)} is no local folder")
    folder = local_path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{printable(name)} is not an empty folder; give another --output")
    return folder


def place_of(name: str) -> str:
    """A file's absolute path, or its URI.

    Raises:
        UsageError: the name is no text that a page could hold.
    """
    if any("\ud800" <= char <= "\udfff" for char in name):  # bytes that are no UTF-8
        raise UsageError(f"the name {printable(name)} is not UTF-8; rename the file")
    return str(local_path(name)) if is_local(name) else name


@contextmanager
def read_or_stop(name: str) -> Iterator[None]:
    """What cannot be read ends the command, with the status that a night would give it.

    Raises:
        UsageError: instead of `MediaError`.
    """
    try:
        yield
    except MediaError as error:
        raise UsageError(f"{printable(name)} ({error.status.value}): {error}") from error
