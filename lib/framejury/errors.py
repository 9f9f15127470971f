"""Every error that framejury raises on purpose, with its exit code.

A message states what happened, with the value received, and what to do. Exit codes: 1 for a
fault, 2 for something the user can fix (a path, a setting, a bundle, a split, a full disk).
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable

from framejury.schemas.statuses import Note, Status


class FramejuryError(Exception):
    """A fault in the run; the job ends with exit code 1."""

    exit_code = 1


class ReconcileError(FramejuryError):
    """`verdicts` does not hold exactly one row per video of the run."""


class LockError(FramejuryError):
    """Another run has locked the warehouse; run again when it has ended."""


class CommitError(FramejuryError):
    """A run could not be committed, for example because another run committed first."""


class SparkFaultError(FramejuryError):
    """Spark failed: tasks failed too often, or the cluster is gone."""


class ParityError(FramejuryError):
    """The exported network does not reproduce the trained network's scores."""


class UsageError(FramejuryError):
    """Something the user passed cannot be used; exit code 2, nothing is written."""

    exit_code = 2


class ConfigError(UsageError):
    """An unknown setting or a value out of range."""


class ArchiveError(UsageError):
    """The archive is missing, empty, or contradicts itself."""


class WarehouseError(UsageError):
    """The warehouse cannot be read or written, or lacks a table."""


class BundleError(UsageError):
    """The model bundle is missing, altered or in another format."""


class SplitError(UsageError):
    """The videos cannot be split as asked."""


class LeakageError(UsageError):
    """A group, original, donor or identical content is in two splits."""


class CalibrationError(UsageError):
    """There are too few labelled videos, or the wrong ones, to fit a verdict rule."""


class SetupError(UsageError):
    """A program or library that the command needs is not installed."""


class MediaError(Exception):
    """One video cannot be judged. It gets a row with `status`; the job does not fail.

    Attributes:
        status: outcome of the video.
        note: what a reader should know about the file; None: nothing.
    """

    def __init__(self, status: Status, message: str, note: Note | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.note = note


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for an unknown word, or nothing if no known word is close."""
    names = list(known)
    begun = [name for name in names if len(word.strip("-")) > 1 and name.startswith(word)]
    close = begun or difflib.get_close_matches(word, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_WORDS = ("No space left on device", "Disk quota exceeded", "No usable temporary directory")
"""As Java, TensorFlow and `tempfile` say it."""


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether a full disk is what the error, or one that it was raised from, tells of."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        if any(words in str(error) for words in _FULL_WORDS):
            return True
        error = error.__cause__
    return False
