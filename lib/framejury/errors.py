"""Every error that framejury raises on purpose, with its exit code.

A message states what happened, with the value received, and what to do. Exit codes: 1 for a
fault, 2 for something the user can fix (a path, a setting, a bundle, a split).
"""

from __future__ import annotations

from framejury.schemas.statuses import Status


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
    """Spark failed: tasks failed too often, a disk is full, or the cluster is gone."""


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
    """

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
