"""What to do about a verdict, in words. Pure: a row in, plain text out."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from framejury.decisions.decided import Decided, VideoDecisions
from framejury.evaluation.rows import NOT_SCORED
from framejury.redaction import printable, redacted
from framejury.report.evidence.sentences import advice
from framejury.report.sound_words import is_by_sound
from framejury.report.wording import day_word
from framejury.schemas.statuses import Decision, Verdict

MOST_PARTS = 3
"""Most suspicious stretches that an action names."""

CHOICES = "[--fake | --real | --unclear]"
"""In suggested commands: brackets, as without them a shell would run all up to the first `|`."""

DECIDED_WORD = {
    Decision.FAKE: "fake",
    Decision.REAL: "real",
    Decision.UNCLEAR: "unclear",
    Decision.WITHDRAWN: "withdrawn",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do.

    Attributes:
        words: a sentence; before a command without its full stop.
        command: to type; may be empty.
    """

    words: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.words}: {self.command}" if self.command else self.words


@dataclass(frozen=True, slots=True)
class Place:
    """Where a video is.

    Attributes:
        warehouse: its path or URI; None for a file that was scanned.
        original: path or URI of the video it was made from; None: not known.
        judges: face, or frame where the model scores whole frames.
    """

    warehouse: str | None = None
    original: str | None = None
    judges: str = "face"


def look_at(row: Mapping[str, Any], judges: str = "face") -> str:
    """Return the seconds to look at: `0:07 to 0:12 (face track 2)`; empty if no part stands out.

    Args:
        row: of the predictions; `stretches` and `decided_by` are read.
        judges: face, or frame where the model scores whole frames.
    """
    if is_by_sound(row):
        return ""
    stretches = row["stretches"] or ()
    parts = []
    for one in stretches[:MOST_PARTS]:
        track = f" (face track {one['person']})" if judges == "face" else ""
        end_s = max(one["end_s"], math.floor(one["start_s"]) + 1)
        parts.append(f"{_clock(one['start_s'])} to {_clock(math.ceil(end_s))}{track}")
    more = len(stretches) - MOST_PARTS
    return ", ".join(parts) + (f" and {more:,} more" if more > 0 else "")


def what_to_do(
    row: Mapping[str, Any], place: Place, decisions: VideoDecisions | None = None
) -> tuple[Step, ...]:
    """Return what to do about the verdict on a video, in order.

    Args:
        row: columns of the predictions, `decision` among them not needed.
        place: of the video.
        decisions: of people on this video.
    """
    current = None if decisions is None else decisions.current
    if current is not None:
        return (Step(_decided(current)), *_record(row, place, "To change that"))
    called = _outcome(row)
    if called == NOT_SCORED:
        tip = advice(row["status"])
        steps = [Step(tip)] if tip else []
        return (*steps, *_record(row, place, "If you watched it yourself, record your decision"))
    if called == Verdict.REAL:
        nothing = "Nothing needs to be done. No sign of manipulation is not proof that it is real."
        return (Step(nothing), *_record(row, place, "If you know better, record it"))
    why = "framejury could not decide. " if called == Verdict.INCONCLUSIVE else ""
    label = row.get("label")
    if label is not None:
        known = f"{why}{_look(row, place)} The archive labels it {label}, so it needs no decision."
        return (Step(known), _compare(row, place))
    first = Step(f"{why}{_look(row, place)}")
    return (first, _compare(row, place), *_record(row, place, "Then record your decision"))


def _decided(current: Decided) -> str:
    who, day = printable(current.reviewer), day_word(current.decided_at)
    if current.decision == Decision.UNCLEAR:
        return f"{who} could not tell ({day}). It needs the original, or a second person."
    return f"{who} decided {DECIDED_WORD[current.decision]} on {day}, so nothing is left to do."


def _outcome(row: Mapping[str, Any]) -> str:
    return str(row["verdict"]) if row["p_fake"] is not None or is_by_sound(row) else NOT_SCORED


def _look(row: Mapping[str, Any], place: Place) -> str:
    if is_by_sound(row):
        return "Listen to all of it: its sound decided."
    parts = look_at(row, place.judges)
    return (
        f"Look at {parts}."
        if parts
        else "Watch all of it: no seconds are more suspicious than the rest."
    )


def _compare(row: Mapping[str, Any], place: Place) -> Step:
    fake = _quoted(redacted(row["uri"]))
    if place.original is not None:
        original = _quoted(redacted(place.original))
        return Step(
            "Compare it with its original",
            f"framejury compare {fake} {original} --output DIR",
        )
    return Step(
        "If you have the original, compare them",
        f"framejury compare {fake} ORIGINAL --output DIR",
    )


def _record(row: Mapping[str, Any], place: Place, words: str) -> tuple[Step, ...]:
    if place.warehouse is None:
        return ()
    path = str(row["path"])
    plain = printable(path) == path and not path.startswith("-")
    name = shlex.quote(path) if plain else row["video_id"]
    return (Step(words, decide_command(name, place.warehouse)),)


def decide_command(video: str, warehouse: str) -> str:
    """Return the command that records a decision; as it stands, a shell records nothing with it.

    Args:
        video: quoted for a shell.
        warehouse: path or URI.
    """
    return f"framejury decide {video} {CHOICES} --note WHY --warehouse {_quoted(warehouse)}"


def _quoted(name: str) -> str:
    return shlex.quote(printable(name))


def _clock(seconds: float) -> str:
    """Return whole seconds as `0:07`, `1:02:03`."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
