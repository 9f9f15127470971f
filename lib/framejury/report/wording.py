"""How numbers and names are written, the same in text and HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from framejury.evaluation.binary import BinaryMetrics
from framejury.evaluation.bootstrap import Bootstrap, Interval
from framejury.evaluation.breakdown import BreakdownRow
from framejury.evaluation.rows import NOT_SCORED
from framejury.schemas.statuses import STATUS_MEANING, Status

UNDEFINED = "n/a"
SOUND = "Sound was not judged: a video whose voice alone is fake can be called real here."
_JUDGED = {
    "face": "Only faces in the picture were judged.",
    "frame": "Whole frames were judged and no face was sought: what is counted as a face here is a "
    "frame.",
}


@dataclass(frozen=True, slots=True)
class MetricLine:
    """One number ready to print."""

    label: str
    value: str
    interval: str
    meaning: str


_METRICS = (
    ("accuracy", "Accuracy", True, "called right at the threshold"),
    ("balanced_accuracy", "Balanced accuracy", True, "mean of both classes' shares called right"),
    ("recall_fake", "Recall (fake)", True, "fakes called fake"),
    ("fpr", "False alarms", True, "reals called fake (FPR)"),
    ("precision_fake", "Precision (fake)", True, "of those called fake, really fake"),
    ("f1_fake", "F1 (fake)", False, "harmonic mean of precision and recall, 0 to 1"),
    ("auc", "AUC", False, "a random fake scores above a random real, 0 to 1; 0.5 is chance"),
    ("average_precision", "Average precision", False, "area under precision and recall, 0 to 1"),
    ("log_loss", "Log loss", False, "0 is perfect; always answering 0.5 gives 0.693"),
    ("eer", "Equal error rate", True, "where false alarms equal missed fakes"),
    (
        "tpr_at_fpr_1",
        "Found at 1 % FPR",
        True,
        "fakes found where at most 1 % of reals are accused",
    ),
    (
        "tpr_at_fpr_5",
        "Found at 5 % FPR",
        True,
        "fakes found where at most 5 % of reals are accused",
    ),
    (
        "ece",
        "Calibration error",
        False,
        "score against share of fakes, 10 bins (ECE); 0 is perfect",
    ),
)


def judged_words(judges: str) -> str:
    """What was judged and what was not.

    Args:
        judges: face or frame: what the model gives a score to.
    """
    return f"{_JUDGED[judges]} {SOUND}"


def metric_lines(metrics: BinaryMetrics, bootstrap: Bootstrap | None) -> list[MetricLine]:
    """The numbers of `metrics` with their intervals, in reading order."""
    lines = []
    for name, label, is_share, meaning in _METRICS:
        write = percent if is_share else decimal
        interval = None if bootstrap is None else bootstrap.intervals[name]
        lines.append(
            MetricLine(
                label, write(getattr(metrics, name)), interval_text(interval, write), meaning
            )
        )
    return lines


def interval_text(interval: Interval | None, write: Any) -> str:
    """`low to high`, or nothing."""
    return "" if interval is None else f"{write(interval.low)} to {write(interval.high)}"


def bootstrap_sentence(bootstrap: Bootstrap) -> str:
    """What the intervals rest on."""
    return (
        f"Intervals: {bootstrap.level:.0%} percentile, {bootstrap.draws:,} bootstrap draws of "
        f"whole groups ({bootstrap.groups:,} groups; {bootstrap.groups_real:,} hold reals, "
        f"{bootstrap.groups_fake:,} hold fakes). None is given with fewer than 5 groups of a "
        "class or when every draw agrees."
    )


def auc_against(row: BreakdownRow) -> str:
    """Which reals the AUC of a method was taken against."""
    if row.auc_against is None:
        return ""
    return f"{row.auc_reals:,} reals of {row.auc_against}"


def percent(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.1%}"


def decimal(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.3f}"


def outcome_word(row: Mapping[str, Any]) -> str:
    """fake, real, inconclusive or not scored, of one prediction."""
    return str(row["verdict"]) if row["p_fake"] is not None else NOT_SCORED.replace("_", " ")


def agreement_word(row: Mapping[str, Any]) -> str:
    """right, wrong or undecided of one prediction; empty without a label."""
    if row["label"] is None:
        return ""
    return {True: "right", False: "wrong", None: "undecided"}[row["correct"]]


def day_word(when: datetime) -> str:
    """A time to the minute, with its zone."""
    return f"{when:%Y-%m-%d %H:%M %Z}"


def took_word(seconds: float) -> str:
    """How long something took: `0.31 s`, `27 min 1 s`, `1 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.{2 if seconds < 1 else 1 if seconds < 20 else 0}f} s"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:,} h {minute} min" if hours else f"{minute} min {second} s"


def delta_word(difference: int) -> str:
    """`+2`, `-1`, or `as many as before`."""
    return f"{difference:+,}" if difference else "as many as before"


def bytes_word(count: float) -> str:
    """`1.2 GB`, powers of 1,000."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count:,.0f} bytes"


def status_word(status: str) -> str:
    return status.replace("_", " ")


def status_meaning(status: str) -> str:
    """What a status means, without the notes that only the data dictionary needs."""
    return STATUS_MEANING[Status(status)].replace(" (`verdicts` only)", "").replace("`", "")


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as (dotted key, text) pairs, in the order given."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        elif isinstance(value, float):
            yield name, f"{value:.6g}"
        else:
            yield name, "null" if value is None else str(value)
