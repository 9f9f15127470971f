"""The closed sets: statuses, reasons, verdicts, labels, parts of a split, modalities."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The outcome of one video. The set is closed; every video has exactly one."""

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
    Status.SCORED: "the model scored it (`verdicts` only)",
    Status.NO_FACE: "the video was decoded; no sampled frame shows a face",
    Status.EMPTY: "the file is empty",
    Status.NOT_VIDEO: "the file is not media, or has no video stream (audio only)",
    Status.UNREADABLE: "the header is that of a video, but no frame could be decoded",
    Status.TOO_LARGE: "the video exceeds a limit of `limits.*`",
    Status.TIMEOUT: "fetching and decoding took longer than `limits.timeout_s`, or more processor "
    "time than `limits.cpu_s`",
    Status.CRASHED: "the decoding process died (a crash or the memory limit) or failed",
    Status.MISSING: "the file is no longer in the archive, or was gone when it was opened",
    Status.NOT_SCORED: "listed in `videos`, but not yet extracted or scored by this model",
}
"""What each status means; printed in the data dictionary."""

EXTRACTION_STATUSES = tuple(s for s in Status if s not in (Status.SCORED, Status.NOT_SCORED))
VERDICT_STATUSES = tuple(s for s in Status if s is not Status.EXTRACTED)
RETRYABLE_STATUSES = (Status.TIMEOUT, Status.CRASHED, Status.UNREADABLE)
"""Outcomes worth another try on the same file, `limits.tries` in all. A missing file is tried as
soon as it is listed again."""
FAILURE_STATUSES = (*RETRYABLE_STATUSES, Status.MISSING)
"""Outcomes that count as failures of a run, for files that were listed."""


class Note(StrEnum):
    """What a reader of a verdict should know about the file. The set is closed."""

    OTHER_STREAMS = "other_streams"
    CLOCK_RESTARTED = "clock_restarted"
    CLOCK_JUMPED = "clock_jumped"
    FRAMES_CONCEALED = "frames_concealed"
    CUT_SHORT = "cut_short"
    DAMAGED = "damaged"
    TONE_MAPPED = "tone_mapped"
    INTERLACED = "interlaced"
    SIZE_CHANGED = "size_changed"
    ENCRYPTED = "encrypted"
    ROUNDS_LEFT_OUT = "rounds_left_out"
    SHORTER_THAN_CLIP = "shorter_than_clip"
    SCENE_CHANGES = "scene_changes"


NOTE_MEANING = {
    Note.OTHER_STREAMS: "The file has another video stream, which was not judged",
    Note.CLOCK_RESTARTED: "The file holds several recordings end to end; all were judged, and "
    "times run through all of them",
    Note.CLOCK_JUMPED: "The clock of the file jumps; the gap holds no frames and does "
    "not count as time",
    Note.FRAMES_CONCEALED: "Frames that the decoder could only guess were left out",
    Note.CUT_SHORT: "The file ends earlier than its header says",
    Note.DAMAGED: "Part of the file could not be decoded and was not judged",
    Note.TONE_MAPPED: "High dynamic range or wide colour was converted to BT.709",
    Note.INTERLACED: "The video is interlaced; only every other line of each frame was used",
    Note.SIZE_CHANGED: "The size of the picture changes within the file",
    Note.ENCRYPTED: "The file is encrypted",
    Note.ROUNDS_LEFT_OUT: "Further frames were not sampled",
    Note.SHORTER_THAN_CLIP: "The video is shorter than one clip of the network",
    Note.SCENE_CHANGES: "Clips in which the scene changes were not judged",
}
"""What each note means: a sentence without its full stop, to which details are added."""


UNNAMED = "not named"
"""Stands for the method of fakes whose data set does not name it."""


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
    Reason.NEW: "never judged before",
    Reason.CHANGED: "the file has a different size or time than when it was judged",
    Reason.RETURNED: "was missing and is back",
    Reason.RETRIED: "failed before and has tries left",
    Reason.RESCORED: "judged by another model or with other settings (`--rescore`)",
    Reason.MISSING: "judged, but no longer in the archive",
    Reason.SELECTED: "requested (`--all`, `framejury retry`)",
}
"""What each reason means."""


class Verdict(StrEnum):
    """The verdict on one video."""

    FAKE = "fake"
    REAL = "real"
    INCONCLUSIVE = "inconclusive"


class SoundOutcome(StrEnum):
    """How judging the sound of a video ended. The set is closed."""

    SCORED = "scored"
    NO_SOUND = "no_sound"
    SILENT = "silent"
    TOO_SHORT = "too_short"
    UNREADABLE = "unreadable"
    TIMEOUT = "timeout"
    CRASHED = "crashed"


SOUND_MEANING = {
    SoundOutcome.SCORED: "the sound was judged",
    SoundOutcome.NO_SOUND: "the file has no sound",
    SoundOutcome.SILENT: "the sound is silence",
    SoundOutcome.TOO_SHORT: "the sound is shorter than one window (2 s)",
    SoundOutcome.UNREADABLE: "the sound, or more than a tenth of its packets, cannot be decoded",
    SoundOutcome.TIMEOUT: "decoding the sound took longer than `limits.timeout_s` or "
    "`limits.cpu_s` left",
    SoundOutcome.CRASHED: "the process that decoded the sound died or failed",
}
"""What each outcome means; only the first gives a score."""


class DecidedBy(StrEnum):
    """Which score a verdict of fake or real rests on, where sound was judged too."""

    PICTURE = "picture"
    SOUND = "sound"


class Decision(StrEnum):
    """What a person decided after watching a video. The set is closed."""

    FAKE = "fake"
    REAL = "real"
    UNCLEAR = "unclear"
    WITHDRAWN = "withdrawn"


DECISION_MEANING = {
    Decision.FAKE: "the video was manipulated",
    Decision.REAL: "the video was not manipulated",
    Decision.UNCLEAR: "the person looked and could not tell",
    Decision.WITHDRAWN: "the earlier decisions on this content no longer count",
}
"""What each decision means; printed in the data dictionary."""


class PictureKind(StrEnum):
    """What a picture kept as evidence shows."""

    FACE = "face"
    FRAME = "frame"
    CLIP = "clip"


class HeatBy(StrEnum):
    """How a heat map was made."""

    GRADIENT = "gradient"
    OCCLUSION = "occlusion"


class C2paState(StrEnum):
    """Whether a file carries a C2PA manifest (Content Credentials), which nobody verified."""

    PRESENT = "present"
    ABSENT = "absent"


class Label(StrEnum):
    """The true label of a video, as its data set gives it."""

    FAKE = "FAKE"
    REAL = "REAL"


class Side(StrEnum):
    """The part of a split that a video is assigned to."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"
    EXCLUDED = "excluded"
    MIXED = "mixed"


class Modality(StrEnum):
    """What differs between a fake and its original. The set is closed."""

    VIDEO = "video"
    AUDIO = "audio"
    BOTH = "both"
    NONE = "none"
    UNKNOWN = "unknown"


LANDMARK_NAMES = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
"""Order of the five points in `faces.landmarks`; left is left in the picture."""
