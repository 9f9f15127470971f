"""Video files that a command is given by name: what cannot be one is refused before any work."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Sequence
from pathlib import Path

from framejury.cli.outputs import place_of
from framejury.errors import UsageError
from framejury.redaction import printable, redacted
from framejury.storage import STORES, is_local, local_path

_MOST_NAMED = 3


def video_places(names: Sequence[str]) -> list[str]:
    """Return the absolute path or the URI of each video file.

    Local files are checked: they exist and can be read. A file in a store is not looked for.

    Raises:
        UsageError: some cannot be video files; the message says why for up to three of them.
    """
    wrong = []
    places = []
    for name in names:
        try:
            places.append(_video_place(name))
        except UsageError as error:
            wrong.append(str(error))
    if wrong:
        more = len(wrong) - _MOST_NAMED
        rest = f"; and {more} more" if more > 0 else ""
        raise UsageError("; ".join(wrong[:_MOST_NAMED]) + rest)
    return places


def _video_place(name: str) -> str:
    if not name:
        raise UsageError("an empty file name; name a video file")
    if name == "-":
        raise UsageError(
            "- would be standard input, which cannot be judged: save the video to a file "
            "(a file of that name is ./-)"
        )
    place = place_of(name)
    if is_local(name):
        _check_file(local_path(name), printable(name))
    elif name.partition(":")[0].lower() not in STORES:
        raise UsageError(
            f"{printable(redacted(name, {}))} cannot be opened: framejury reads files, and URIs of "
            "s3, gs, abfs and hdfs. Download the video, then name the file"
        )
    return place


def _check_file(path: Path, shown: str) -> None:
    """Check that a video file can be opened, without waiting for a writer of a named pipe.

    Raises:
        UsageError: it cannot.
    """
    try:
        kind = path.stat().st_mode
        if stat.S_ISREG(kind):
            os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            return
    except FileNotFoundError:
        if path.is_symlink():
            raise UsageError(f"{shown} is a link to {path.readlink()}, which is missing") from None
        raise UsageError(f"no file at {shown}") from None
    except OSError as error:
        raise UsageError(f"cannot read {shown}: {error.strerror}") from None
    if stat.S_ISDIR(kind):
        raise UsageError(
            f"{shown} is a folder; to judge the videos in it: "
            f"framejury nightly {shlex.quote(shown)} --warehouse DIR"
        )
    raise UsageError(f"{shown} is not a regular file: save the video to a file, then name that")
