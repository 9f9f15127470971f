"""Input files and output folders of commands that work on single files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

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


def is_zip(name: str | None) -> bool:
    """Return whether `--output` names a ZIP file."""
    return name is not None and name.lower().endswith(".zip")


@contextmanager
def new_zip(name: str) -> Iterator[tuple[Path, Path]]:
    """Yield an empty folder to fill and the path of a draft; rename the draft to a new ZIP file.

    Both lie beside the file until then, and are gone in any case afterwards.

    Raises:
        UsageError: there is such a file, it is no local path, or its folder cannot be written.
    """
    if not is_local(name):
        raise UsageError(f"--output {printable(name)} is not a local file; write one, then copy it")
    target = local_path(name)
    if os.path.lexists(target):
        raise UsageError(f"--output {printable(name)} exists; choose another name, or delete it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        place = TemporaryDirectory(dir=target.parent, prefix=".report-", ignore_cleanup_errors=True)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"--output {printable(name)} cannot be written: {reason}") from error
    with place as work:
        folder, draft = Path(work) / "report", Path(work) / target.name
        folder.mkdir()
        yield folder, draft
        draft.replace(target)


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
