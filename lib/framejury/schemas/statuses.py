"""The closed sets: statuses, reasons, verdicts, labels, sides of a split, modalities."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """How one video ended. The set is closed; every video ends with exactly one."""

    EXTRACTED = "extracted"
    SCORED = "scored"
    NO_FACE = "no_face"
    EMPTY = "empty"
    NOT_VIDEO = "not_video"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    MISSING = "missing"
    NOT_SCORED = "not_scored"


STATUS_MEANING = {
    Status.EXTRACTED: "faces were found and kept (`extractions` only)",
    Status.SCORED: "faces were found and scored (`verdicts` only)",
    Status.NO_FACE: "the video decoded, and no sampled frame shows a face",
    Status.EMPTY: "the file has no bytes",
    Status.NOT_VIDEO: "the file is not media, or has no moving picture (audio only)",
    Status.UNREADABLE: "a video by its header, and no frame of it could be decoded",
    Status.TOO_LARGE: "beyond a limit of `limits.*`",
    Status.TIMEOUT: "fetching and decoding took longer than `limits.timeout_s`, or more processor "
    "time than `limits.cpu_s`",
    Status.CRASHED: "the decoder's process died (a crash or the memory limit) or failed on it",
    Status.MISSING: "no longer in the archive, or gone when it was opened",
    Status.NOT_SCORED: "in `videos`, and not yet extracted or scored by this model",
}
"""What each status means, for people; the data dictionary prints it."""

EXTRACTION_STATUSES = tuple(s for s in Status if s not in (Status.SCORED, Status.NOT_SCORED))
VERDICT_STATUSES = tuple(s for s in Status if s is not Status.EXTRACTED)
RETRYABLE_STATUSES = (Status.TIMEOUT, Status.CRASHED, Status.UNREADABLE)
"""Worth another try on the same file, `limits.tries` in all. One that was missing is tried as soon
as it is listed again."""
FAILURE_STATUSES = (*RETRYABLE_STATUSES, Status.MISSING)
"""What counts as a failure of a run, where the file was listed."""


class Reason(StrEnum):
    """Why a run works on a video. The set is closed."""

    NEW = "new"
    CHANGED = "changed"
    RETURNED = "returned"
    RETRIED = "retried"
    RESCORED = "rescored"
    MISSING = "missing"
    SELECTED = "selected"


REASON_MEANING = {
    Reason.NEW: "never judged",
    Reason.CHANGED: "judged, and the file has another size or time now",
    Reason.RETURNED: "was missing, and is there again",
    Reason.RETRIED: "failed before, and has tries left",
    Reason.RESCORED: "judged by another model or with other settings (`--rescore`)",
    Reason.MISSING: "judged, and no longer in the archive",
    Reason.SELECTED: "asked for (`--all`, `framejury retry`)",
}
"""What each reason means, for people."""


class Verdict(StrEnum):
    """What framejury says of one video."""

    FAKE = "fake"
    REAL = "real"
    INCONCLUSIVE = "inconclusive"


class PictureKind(StrEnum):
    """What a kept picture shows."""

    FACE = "face"
    FRAME = "frame"


class Label(StrEnum):
    """The truth about a video, as its data set gives it."""

    FAKE = "FAKE"
    REAL = "REAL"


class Side(StrEnum):
    """Where a split puts a video."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"
    EXCLUDED = "excluded"
    MIXED = "mixed"


class Modality(StrEnum):
    """What of a fake differs from its original. The set is closed."""

    VIDEO = "video"
    AUDIO = "audio"
    BOTH = "both"
    NONE = "none"
    UNKNOWN = "unknown"


LANDMARK_NAMES = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
"""Order of the five points in `faces.landmarks`. Left is left in the picture."""
