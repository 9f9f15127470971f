"""The rule of a verdict: how faces become one score, what that score means, and from where on
it is called fake. A bundle carries the rule that was fitted for it; settings may override it.

Plain frozen records without Spark or scikit-learn; `framejury.verdict.judge` applies them in NumPy,
`tables.reduce` in SQL, `evaluation.rule_fitting` fits them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter

from framejury.errors import ConfigError
from framejury.settings import ReducerName, VerdictSettings
from framejury.verdict.calibration import Calibration, rising

PLAIN_THRESHOLD = 0.5
"""Of scores that no rule was fitted for: the network was trained to put the classes apart here."""

NOT_CALIBRATED = "Not calibrated: "
"""How a bundle's note begins that says why it carries no calibration."""

ThresholdSource = Literal["quantile", "maximum", "given"]
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, kw_only=True)
class Reducer:
    """How the face scores of a video become one. `framejury.verdict.judge` has the formulas.

    Attributes:
        name: of the reducer.
        trim_ratio: trimmed_mean only: share cut from each tail, 0 to 0.5.
        top_ratio: top_share only: share of highest scores averaged, 0 to 1.
        quantiles: learned only: (k,) rising, 0 to 1.
        weights: learned only: (k,) one a quantile, not negative, so that a higher score of any
            face never lowers the video's.
        intercept: learned only.

    Raises:
        ValueError: a parameter is missing, out of range, or of another reducer.
    """

    __pydantic_config__ = _STRICT

    name: ReducerName
    trim_ratio: float | None = None
    top_ratio: float | None = None
    quantiles: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    intercept: float | None = None

    def __post_init__(self) -> None:
        given = {key for key, value in asdict(self).items() if value not in (None, ())} - {"name"}
        wanted = _PARAMETERS.get(self.name, set())
        if given != wanted:
            raise ValueError(
                f"reducer {self.name} takes {sorted(wanted) or 'no parameters'}, "
                f"got {sorted(given) or 'none'}"
            )
        if self.trim_ratio is not None and not 0 <= self.trim_ratio < 0.5:
            raise ValueError(f"trim_ratio must be 0 to below 0.5, got {self.trim_ratio}")
        if self.top_ratio is not None and not 0 < self.top_ratio <= 1:
            raise ValueError(f"top_ratio must be above 0 to 1, got {self.top_ratio}")
        if self.name == "learned":
            self._check_learned()

    def _check_learned(self) -> None:
        if len(self.quantiles) != len(self.weights):
            raise ValueError(f"{len(self.quantiles)} quantiles and {len(self.weights)} weights")
        if not (rising(self.quantiles) and 0 <= self.quantiles[0] <= self.quantiles[-1] <= 1):
            raise ValueError(f"quantiles must rise within 0 to 1, got {self.quantiles}")
        if not all(0 <= weight < math.inf for weight in self.weights):
            raise ValueError(f"weights must not be negative, got {self.weights}")
        if self.intercept is None or not math.isfinite(self.intercept):
            raise ValueError(f"intercept must be finite, got {self.intercept}")

    @property
    def ordered(self) -> bool:
        """Whether it looks at scores in order, for which sums are not enough."""
        return self.name in ("median", "trimmed_mean", "top_share", "learned")


_PARAMETERS = {
    "trimmed_mean": {"trim_ratio"},
    "top_share": {"top_ratio"},
    "learned": {"quantiles", "weights", "intercept"},
}

MEAN = Reducer(name="mean")


@dataclass(frozen=True, kw_only=True)
class RuleFit:
    """What a rule was fitted on and for. Not part of what it does.

    Attributes:
        data: in words, e.g. side and archive.
        target_fpr: share of real videos that may be called fake, 0 to 1.
        threshold_from: quantile: an order statistic of the real videos' scores; maximum: too few
            real videos for that, so the highest of them and a margin; given: by a person.
        fpr, tpr: share of the real and fake videos from the threshold on, scores cross-fitted.
        real_videos, fake_videos: those with at least `min_faces` faces.
        real_groups, fake_groups: groups that hold one of the class.
        groups: of both.
        min_faces: videos with fewer were left out.
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


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Reducer, calibration and threshold that belong together.

    Attributes:
        reducer: face scores to one score.
        calibration: that score to `p_fake`; None leaves it as it is.
        threshold: `p_fake` from here on means fake, 0 to 1, on the calibrated scale.
        remark: what a person should be told of how the rule came about; empty when nothing.
    """

    reducer: Reducer = MEAN
    calibration: Calibration | None = None
    threshold: float = PLAIN_THRESHOLD
    remark: str = ""


def rule_in_use(own: Rule, settings: VerdictSettings) -> Rule:
    """The bundle's rule under the settings.

    `verdict.threshold` replaces the threshold alone. `verdict.reducer` replaces the reducer; if
    that makes it another one than the bundle's, the calibration was fitted for other scores
    and is left out, and so is the threshold: 0.5 then, unless one is set. The same without
    `verdict.calibrated`. The remark says so.

    Raises:
        ConfigError: the setting asks for `learned`, and the bundle carries no weights for it.
    """
    reducer = _named(own.reducer, settings)
    threshold = settings.threshold_or(own.threshold)
    same = reducer == own.reducer
    if same and (settings.calibrated or own.calibration is None):
        return Rule(reducer=reducer, calibration=own.calibration, threshold=threshold)
    if same:
        remark = "verdict.calibrated=false: p_fake is the score as it is"
    else:
        remark = (
            f"verdict.reducer={reducer.name} is not the bundle's ({own.reducer.name}): p_fake is "
            "not calibrated"
        )
    if settings.threshold is None:
        threshold = PLAIN_THRESHOLD
        remark += f", and the threshold is {PLAIN_THRESHOLD} (verdict.threshold sets another)"
    return Rule(reducer=reducer, threshold=threshold, remark=remark)


def _named(own: Reducer, settings: VerdictSettings) -> Reducer:
    name = settings.reducer
    if name is None:
        return own
    if name == "learned":
        if own.name != "learned":
            raise ConfigError(
                "verdict.reducer=learned needs a bundle that carries its weights; this one "
                f"reduces by {own.name} (framejury calibrate fits rules)"
            )
        return own
    return Reducer(
        name=name,
        trim_ratio=settings.trim_ratio if name == "trimmed_mean" else None,
        top_ratio=settings.top_ratio if name == "top_share" else None,
    )


def rule_facts(rule: Rule) -> dict[str, Any]:
    """Reducer, calibration and threshold as plain values, for commit records."""
    return {
        "reducer": asdict(rule.reducer),
        "calibration": None if rule.calibration is None else asdict(rule.calibration),
        "threshold": rule.threshold,
    }


def rule_of_facts(facts: Mapping[str, Any]) -> Rule:
    """The rule in `bundle_facts` as a commit keeps them; the plain mean in old ones."""
    own = facts.get("rule")
    if own is None:
        return Rule(threshold=facts["threshold"])
    calibration = TypeAdapter(Calibration | None).validate_python(own["calibration"])
    reducer = TypeAdapter(Reducer).validate_python(own["reducer"])
    return Rule(reducer=reducer, calibration=calibration, threshold=own["threshold"])
