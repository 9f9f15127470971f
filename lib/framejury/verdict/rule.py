"""The rule of a verdict: aggregation, calibration and threshold.

A bundle carries the rule that was fitted for it; settings may override it. The records are plain
and frozen. `framejury.verdict.judge` applies them in NumPy and `tables.reduce` in SQL;
`evaluation.rule_fitting` fits them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter

from framejury.errors import ConfigError
from framejury.settings import ReducerName, VerdictSettings
from framejury.verdict.calibration import Calibration, rising

PLAIN_THRESHOLD = 0.5
"""For scores without a fitted rule: the network was trained to separate the classes here."""

NOT_CALIBRATED = "Not calibrated: "
"""Start of the note in a bundle that gives the reason why it is not calibrated."""

ThresholdSource = Literal["quantile", "maximum", "given"]
MOST_SHRINK_FACES = 1000
"""Keeps the sums of the interval exact (`verdict.interval`)."""

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, kw_only=True)
class Reducer:
    """How the face scores of a video become one score; `framejury.verdict.judge` has the formulas.

    Attributes:
        name: of the aggregation.
        trim_ratio: trimmed_mean only: share cut from each tail, 0 to 0.5.
        top_ratio: top_share only: share of the highest scores that is averaged, 0 to 1.
        quantiles: learned only: (k,) increasing, 0 to 1.
        weights: learned only: (k,) one per quantile, not negative, so that a higher score of a
            face never lowers the score of the video.
        intercept: learned only.
        shrink_faces: per_person only: a face track of fewer faces is filled up to so many with
            faces at the video's mean; 0 to MOST_SHRINK_FACES.
        company_shift: per_person only: how much the logit of the score is lowered per natural
            logarithm of the faces per frame; not negative.

    Raises:
        ValueError: a parameter is missing, out of range, or belongs to another aggregation.
    """

    __pydantic_config__ = _STRICT

    name: ReducerName
    trim_ratio: float | None = None
    top_ratio: float | None = None
    quantiles: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    intercept: float | None = None
    shrink_faces: int | None = None
    company_shift: float | None = None

    def __post_init__(self) -> None:
        given = {key for key, value in asdict(self).items() if value not in (None, ())} - {"name"}
        wanted = _PARAMETERS.get(self.name, set())
        if given != wanted:
            raise ValueError(
                f"aggregation {self.name} takes {sorted(wanted) or 'no parameters'}, "
                f"got {sorted(given) or 'nothing'}"
            )
        if self.trim_ratio is not None and not 0 <= self.trim_ratio < 0.5:
            raise ValueError(f"trim_ratio must be 0 to below 0.5, got {self.trim_ratio}")
        if self.top_ratio is not None and not 0 < self.top_ratio <= 1:
            raise ValueError(f"top_ratio must be above 0 to 1, got {self.top_ratio}")
        if self.shrink_faces is not None and not 0 <= self.shrink_faces <= MOST_SHRINK_FACES:
            raise ValueError(
                f"shrink_faces must not be negative or above {MOST_SHRINK_FACES}, "
                f"got {self.shrink_faces}"
            )
        if self.company_shift is not None and not 0 <= self.company_shift < math.inf:
            raise ValueError(f"company_shift must not be negative, got {self.company_shift}")
        if self.name == "learned":
            self._check_learned()

    def _check_learned(self) -> None:
        if len(self.quantiles) != len(self.weights):
            raise ValueError(f"got {len(self.quantiles)} quantiles and {len(self.weights)} weights")
        if not (rising(self.quantiles) and 0 <= self.quantiles[0] <= self.quantiles[-1] <= 1):
            raise ValueError(f"quantiles must increase within 0 to 1, got {self.quantiles}")
        if not all(0 <= weight < math.inf for weight in self.weights):
            raise ValueError(f"weights must not be negative, got {self.weights}")
        if self.intercept is None or not math.isfinite(self.intercept):
            raise ValueError(f"intercept must be finite, got {self.intercept}")

    @property
    def ordered(self) -> bool:
        """Whether it needs the sorted scores; sums are not enough for it."""
        return self.name in (
            "median",
            "trimmed_mean",
            "top_share",
            "learned",
        )

    @property
    def per_person(self) -> bool:
        """Whether each face track is judged with its own weight and the highest decides."""
        return self.name == "per_person"

    @property
    def one_track(self) -> bool:
        """Whether the score is that of one face track, not of all faces."""
        return self.name in ONE_TRACK


ONE_TRACK = ("per_person", "worst_person")
"""Aggregations in which one face track decides."""

_PARAMETERS = {
    "trimmed_mean": {"trim_ratio"},
    "top_share": {"top_ratio"},
    "learned": {"quantiles", "weights", "intercept"},
    "per_person": {"shrink_faces", "company_shift"},
}

MEAN = Reducer(name="mean")

SHRINK_FACES = 6
COMPANY_SHIFT = 0.5
"""`Reducer.company_shift` where none was fitted. Real videos need 0 to 0.8 (decision 29)."""


@dataclass(frozen=True, kw_only=True)
class FalseAlarms:
    """The share of real videos at or above the threshold in archives like those of the fit.

    No more than that are called fake: where the interval crosses the threshold, the verdict is
    inconclusive.

    Attributes:
        rate: expected share, 0 to 1; each group counts once.
        low, high: ends of its interval.
        level: of the interval, 0 to 1.
        groups: real groups that it was found on.
    """

    __pydantic_config__ = _STRICT

    rate: float
    low: float
    high: float
    level: float
    groups: int

    @property
    def in_words(self) -> str:
        """Return rate and interval as text."""
        return f"{self.rate:.1%} ({self.level:.0%} interval {self.low:.1%} to {self.high:.1%})"


@dataclass(frozen=True, kw_only=True)
class RuleFit:
    """The data and the target that a rule was fitted with. It has no effect on verdicts.

    Attributes:
        data: description, e.g. split and archive.
        target_fpr: share of real videos that may be called fake, 0 to 1.
        threshold_from: quantile: an order statistic of the real videos' scores; maximum: there
            are too few real videos for that, so the highest score plus a margin; given: by hand.
        fpr, tpr: share of the real and fake videos at or above the threshold; each group of a
            class counts once. In bundles without `alarms`, each video does.
        real_videos, fake_videos: number of videos with at least `min_faces` faces.
        real_groups, fake_groups: number of groups with a video of that class.
        groups: number of all groups.
        min_faces: videos with fewer faces were left out.
        sampled_videos: videos of face sets among these, of which only a few faces are stored.
        sampled_faces: fewest and most faces of these; None: there are none.
        alarms: the share of new real videos to expect at or above the threshold; None in bundles
            written before this was computed.
        alarms_by_source: data set -> the same, for those with enough real groups.
    """

    __pydantic_config__ = _STRICT

    data: str
    target_fpr: float
    threshold_from: ThresholdSource
    fpr: float
    tpr: float
    real_videos: int
    fake_videos: int
    real_groups: int
    fake_groups: int
    groups: int
    min_faces: int
    sampled_videos: int = 0
    sampled_faces: tuple[int, int] | None = None
    alarms: FalseAlarms | None = None
    alarms_by_source: Mapping[str, FalseAlarms] = field(default_factory=dict)

    @property
    def sampled_in_words(self) -> str | None:
        """Return how many videos have only sampled faces as a sentence; None without any."""
        if self.sampled_faces is None:
            return None
        low, high = self.sampled_faces
        count = f"{low}" if low == high else f"{low} to {high}"
        return (
            f"Of these videos, {self.sampled_videos:,} are of face sets, with {count} sampled "
            "faces each."
        )

    @property
    def expected(self) -> str | None:
        """Return the share of false alarms to expect as a sentence; None if not known."""
        if self.alarms is None:
            return None
        return (
            "In archives like those its threshold was fitted on, expect at most "
            f"{self.alarms.in_words} of real videos to be called fake: so many score at or above "
            "the threshold, and those whose interval crosses it are left inconclusive."
        )


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Aggregation, calibration and threshold that belong together.

    Attributes:
        reducer: the aggregation of face scores to one score.
        calibration: from that score to `p_fake`; None leaves the score as it is.
        threshold: a `p_fake` at or above it means fake, 0 to 1, on the calibrated scale.
        remark: what people need to know about the origin of the rule; may be empty.
    """

    reducer: Reducer = MEAN
    calibration: Calibration | None = None
    threshold: float = PLAIN_THRESHOLD
    remark: str = ""


def rule_in_use(own: Rule, settings: VerdictSettings) -> Rule:
    """Return the bundle's rule as changed by the settings.

    `verdict.threshold` replaces the threshold alone. `verdict.reducer` replaces the aggregation.
    Any aggregation other than the bundle's disables its calibration and threshold, which were
    fitted for other scores; the threshold is then 0.5 unless one is set. The same holds without
    `verdict.calibrated`. The remark states it.

    Raises:
        ConfigError: the setting is `learned`, and the bundle has no weights for it.
    """
    reducer = _named(own.reducer, settings)
    threshold = settings.threshold_or(own.threshold)
    same = reducer == own.reducer
    if same and (settings.calibrated or own.calibration is None):
        return Rule(reducer=reducer, calibration=own.calibration, threshold=threshold)
    if same:
        remark = "verdict.calibrated=false: p_fake is the uncalibrated score"
    else:
        remark = (
            f"verdict.reducer={reducer.name} is not the bundle's aggregation ({own.reducer.name}): "
            "p_fake is not calibrated"
        )
    if settings.threshold is None:
        threshold = PLAIN_THRESHOLD
        remark += f", and the threshold is {PLAIN_THRESHOLD} (set verdict.threshold to change it)"
    return Rule(reducer=reducer, threshold=threshold, remark=remark)


def _named(own: Reducer, settings: VerdictSettings) -> Reducer:
    name = settings.reducer
    if name is None or (name == own.name and own.per_person):
        return own
    if name == "learned":
        if own.name != "learned":
            raise ConfigError(
                "verdict.reducer=learned needs a bundle with learned weights; this one aggregates "
                f"by {own.name}. Fit a rule with framejury calibrate"
            )
        return own
    return Reducer(
        name=name,
        trim_ratio=settings.trim_ratio if name == "trimmed_mean" else None,
        top_ratio=settings.top_ratio if name == "top_share" else None,
        shrink_faces=SHRINK_FACES if name == "per_person" else None,
        company_shift=COMPANY_SHIFT if name == "per_person" else None,
    )


def rule_facts(rule: Rule) -> dict[str, Any]:
    """Return aggregation, calibration and threshold as plain values, for commit records."""
    return {
        "reducer": asdict(rule.reducer),
        "calibration": None if rule.calibration is None else asdict(rule.calibration),
        "threshold": rule.threshold,
    }


def rule_of_facts(facts: Mapping[str, Any]) -> Rule:
    """Return the rule from the facts in a commit; the plain mean where old commits have no rule."""
    own = facts.get("rule")
    if own is None:
        return Rule(threshold=facts["threshold"])
    calibration = TypeAdapter(Calibration | None).validate_python(own["calibration"])
    reducer = TypeAdapter(Reducer).validate_python(own["reducer"])
    return Rule(reducer=reducer, calibration=calibration, threshold=own["threshold"])
