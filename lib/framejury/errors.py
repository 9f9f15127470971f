"""Every error framejury raises on purpose, and the exit code each one means.

A message says what was received and what to do about it. Exit codes: 1 for a
fault, 2 for something the user can mend (a path, a setting, a bundle, a split).
"""

from __future__ import annotations

from framejury.schemas.statuses import Status


class FramejuryError(Exception):
    """A fault in the run; the job ends with exit code 1."""

    exit_code = 1


class ReconcileError(FramejuryError):
    """`verdicts` and the videos of the run are not one to one."""


class LockError(FramejuryError):
    """Another run holds the warehouse; run again when it has ended."""


class CommitError(FramejuryError):
    """A run could not be published, for example because another run was faster."""


class SparkFaultError(FramejuryError):
    """Spark could not do its work: tasks failed too often, a disk is full, the cluster is gone."""


class ParityError(FramejuryError):
    """The exported network does not repeat the trained network's scores."""


class UsageError(FramejuryError):
    """Something the user gave cannot be used; exit code 2, nothing written."""

    exit_code = 2


class ConfigError(UsageError):
    """An unknown setting or a value out of range."""


class ArchiveError(UsageError):
    """The archive is missing, empty, or contradicts itself."""


class WarehouseError(UsageError):
    """The warehouse cannot be read or written, or lacks a table."""


class BundleError(UsageError):
    """The model bundle is missing, altered or of another format."""


class SplitError(UsageError):
    """The videos cannot be split as asked."""


class LeakageError(UsageError):
    """A group, original, donor or content stands on two sides of a split."""


class CalibrationError(UsageError):
    """There are too few labelled videos to fit a verdict rule on, or the wrong ones."""


class SetupError(UsageError):
    """A program or library that this command needs is not installed."""


class MediaError(Exception):
    """One video cannot be judged. Becomes a row with `status`, never a failed job.

    Attributes:
        status: how the video ends; one of `framejury.schemas.statuses.Status`.
    """

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
