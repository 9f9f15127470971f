"""How numbers and names are written, the same in text and HTML."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from framejury.evaluation.rows import NOT_SCORED
from framejury.pages.paths import halves
from framejury.pages.text_table import counted
from framejury.report.sound_words import decided_word, is_by_sound, sound_sentences
from framejury.schemas.statuses import STATUS_MEANING, Status

if TYPE_CHECKING:  # they load scikit-learn
    from framejury.evaluation.binary import BinaryMetrics
    from framejury.evaluation.bootstrap import Bootstrap, Interval
    from framejury.evaluation.breakdown import BreakdownRow

UNDEFINED = "n/a"
CROSSES = "interval crosses the threshold"
_JUDGED = {
    "face": "Only faces in the picture were judged.",
    "frame": "Whole frames were judged; no face was searched for. Columns named after faces count "
    "frames.",
}


@dataclass(frozen=True, slots=True)
class MetricLine:
    """One metric as text."""

    label: str
    value: str
    interval: str
    meaning: str


def percent(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.1%}"


def decimal(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.3f}"


_METRICS = (
    ("accuracy", "Accuracy", percent, "videos on the right side of the threshold"),
    (
        "balanced_accuracy",
        "Balanced accuracy",
        percent,
        "mean accuracy of reals and of fakes",
    ),
    ("recall_fake", "Recall (fake)", percent, "fakes at or above the threshold"),
    ("fpr", "False positive rate", percent, "reals at or above the threshold (FPR)"),
    ("precision_fake", "Precision (fake)", percent, "fakes among those at or above the threshold"),
    ("f1_fake", "F1 (fake)", decimal, "harmonic mean of precision and recall, 0 to 1"),
    ("auc", "AUC", decimal, "how often a random fake scores above a random real; 0.5 is chance"),
    ("average_precision", "Average precision", decimal, "area under precision and recall, 0 to 1"),
    ("log_loss", "Log loss", decimal, "0 is perfect; always answering 0.5 gives 0.693"),
    ("eer", "Equal error rate", percent, "where the rates of false alarms and misses are equal"),
    ("tpr_at_fpr_1", "Recall at 1% FPR", percent, "fakes found with at most 1% of reals accused"),
    ("tpr_at_fpr_5", "Recall at 5% FPR", percent, "fakes found with at most 5% of reals accused"),
    ("ece", "Calibration error", decimal, "score against share of fakes, 10 bins; 0 is perfect"),
)


def judged_words(judges: str, sounds: Sequence[str | None] = ()) -> str:
    """Return what was judged and what was not.

    Args:
        judges: face or frame: what the model scores.
        sounds: column `sound` of the verdicts.
    """
    heard = any(one is not None for one in sounds)
    seen = _JUDGED[judges].replace("Only faces in the picture", "Of the picture only faces")
    return f"{seen if heard else _JUDGED[judges]} {sound_sentences(sounds)}"


def metric_lines(metrics: BinaryMetrics, bootstrap: Bootstrap | None) -> list[MetricLine]:
    """Return the metrics and their intervals in reading order."""
    lines = []
    for name, label, write, meaning in _METRICS:
        interval = None if bootstrap is None else bootstrap.intervals[name]
        value = write(getattr(metrics, name))
        lines.append(MetricLine(label, value, interval_text(interval, write), meaning))
    return lines


def interval_text(interval: Interval | None, write: Callable[[float], str]) -> str:
    """Return `low to high`; empty without an interval."""
    return "" if interval is None else f"{write(interval.low)} to {write(interval.high)}"


def bootstrap_sentence(bootstrap: Bootstrap) -> str:
    """Return how the intervals were made."""
    return (
        f"Intervals are {bootstrap.level:.0%} percentile intervals from {bootstrap.draws:,} "
        f"bootstrap draws of whole groups ({counted(bootstrap.groups, 'group')}, "
        f"{bootstrap.groups_real:,} with reals, {bootstrap.groups_fake:,} with fakes). No interval "
        "is given for fewer than 5 groups per class or where all draws agree."
    )


def auc_against(row: BreakdownRow) -> str:
    """Return which reals the AUC of a method is measured against."""
    if row.auc_against is None:
        return ""
    return f"{counted(row.auc_reals, 'real')} of {row.auc_against}"


def outcome_word(row: Mapping[str, Any]) -> str:
    """Return fake, real, inconclusive or not scored, of one prediction."""
    decided = row["p_fake"] is not None or is_by_sound(row)
    return str(row["verdict"]) if decided else status_word(NOT_SCORED)


def correct_word(row: Mapping[str, Any]) -> str:
    """Return yes, no or undecided, of one prediction; empty without a label."""
    if row["label"] is None:
        return ""
    return {True: "yes", False: "no", None: "undecided"}[row["correct"]]


def day_word(when: datetime) -> str:
    """Return a time to the minute, with its zone."""
    return f"{when:%Y-%m-%d %H:%M %Z}"


def took_word(seconds: float) -> str:
    """Return a length of time: `0.040 s`, `0.31 s`, `59 s`, `27 min 1 s`, `1 h 5 min`."""
    if seconds < 60:
        digits = 3 if seconds < 0.1 else 2 if seconds < 1 else 1 if seconds < 20 else 0
        return f"{seconds:.{digits}f} s"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:,} h {minute} min" if hours else f"{minute} min {second} s"


def clock(seconds: float) -> str:
    """Return a time in a video: `0:03.24`, `1:02:03.50`."""
    hundredths = math.floor(seconds * 100 + 0.5)
    whole, rest = divmod(hundredths, 100)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    hour = f"{hours}:{minute:02d}" if hours else f"{minute}"
    return f"{hour}:{second:02d}.{rest:02d}"


def delta_word(difference: int) -> str:
    """Return `+2`, `-1`, or `same number as before`."""
    return f"{difference:+,}" if difference else "same number as before"


def bytes_word(count: float) -> str:
    """Return `1.2 GB`, powers of 1,000."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count:,.0f} bytes"


def status_word(status: str) -> str:
    return status.replace("_", " ")


def left_out_words(left_out: Mapping[str, int]) -> str | None:
    """Return a sentence on files of the archive that were not opened; None if there are none."""
    if not left_out:
        return None
    counts = ", ".join(f"{name} {count:,}" for name, count in left_out.items())
    return f"Files of the archive that were not opened, because of their names: {counts}."


def inconclusive_words(reasons: Mapping[str, int]) -> list[str]:
    """Return how many scored videos are inconclusive for each reason of `findings`."""
    return [
        counted(number, "interval crosses the threshold", "intervals cross the threshold")
        if reason == CROSSES
        else f"{number:,} with {reason}"
        for reason, number in reasons.items()
    ]


def status_meaning(status: str) -> str:
    """Return what a status means, without the notes for the data dictionary."""
    return STATUS_MEANING[Status(status)].replace(" (`verdicts` only)", "").replace("`", "")


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested settings as (dotted key, text), in the order given."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        elif isinstance(value, float):
            yield name, f"{value:.6g}"
        else:
            yield name, "null" if value is None else str(value)


FILTERS: dict[str, Callable[..., Any]] = {
    "percent": percent,
    "decimal": decimal,
    "count": lambda value: f"{value:,}",
    "counted": counted,
    "clock": clock,
    "day": day_word,
    "took": took_word,
    "delta": delta_word,
    "outcome_word": outcome_word,
    "decided_word": decided_word,
    "status_word": status_word,
    "status_meaning": status_meaning,
    "auc_against": auc_against,
    "halves": halves,
}
"""Filters for the templates of all pages."""
