"""The part of the model card on the rule of a verdict."""

from __future__ import annotations

from framejury.model.card_tables import bullets
from framejury.model.manifest import Manifest
from framejury.verdict.calibration import Calibration
from framejury.verdict.persons import MOST_COMPANY
from framejury.verdict.rule import Reducer


def rule_lines(manifest: Manifest) -> str:
    """Describe how face scores become a verdict, and what `p_fake` of a video means."""
    rule, fit = manifest.rule, manifest.rule_fit
    lines = [f"Score of a video: {_reducer(rule.reducer)}.", _calibration(rule.calibration)]
    lines.append(f"Threshold: `p_fake` >= {rule.threshold:.6g} means fake.")
    if fit is not None:
        lines += [
            f"Fitted on {fit.data}: {fit.real_videos:,} real videos in {fit.real_groups:,} groups "
            f"and {fit.fake_videos:,} fake videos in {fit.fake_groups:,} groups, {fit.groups:,} "
            f"groups in all. Videos with fewer than {fit.min_faces} faces were left out.",
            *([fit.sampled_in_words] if fit.sampled_in_words else []),
            f"{_THRESHOLD_FROM[fit.threshold_from].format(target=fit.target_fpr)} "
            f"{fit.fpr:.1%} of these real and {fit.tpr:.1%} of these fake videos score at or above "
            "it; those whose interval crosses it are left inconclusive.",
            *([fit.expected] if fit.expected else []),
            *(
                f"Real videos at or above the threshold, {name}: {alarms.in_words}, "
                f"{alarms.groups:,} groups."
                for name, alarms in fit.alarms_by_source.items()
            ),
        ]
    return bullets(lines)


_THRESHOLD_FROM = {
    "quantile": "The threshold is an order statistic of the scores of real videos, for a false "
    "positive rate of at most {target:.1%} on videos like these.",
    "maximum": "The threshold is meant for a false positive rate of at most {target:.1%}, but the "
    "real videos are too few to ensure it: the threshold is their highest score plus a margin.",
    "given": "The threshold was set by hand, not chosen for a false positive rate.",
}


def _reducer(reducer: Reducer) -> str:
    details = {
        "trimmed_mean": f" without {reducer.trim_ratio or 0:.0%} at each end",
        "top_share": f" (the highest {reducer.top_ratio or 0:.0%})",
        "per_person": _per_person(reducer),
        "confidence_weighted": " (weights |2 p - 1| + 0.1)",
        "learned": " (logistic over quantiles "
        + ", ".join(
            f"{quantile:g}: {weight:.3g}"
            for quantile, weight in zip(reducer.quantiles, reducer.weights, strict=True)
        )
        + f"; intercept {reducer.intercept or 0:.3g})",
    }
    return f"`{reducer.name}` of its faces' scores{details.get(reducer.name, '')}"


def _per_person(reducer: Reducer) -> str:
    return (
        ": of the highest face track, where a track of fewer than "
        f"{reducer.shrink_faces} faces is filled up to so many with the mean of all faces; its "
        f"logit is lowered by {reducer.company_shift or 0:g} ln(faces per frame, {MOST_COMPANY} at "
        "most)"
    )


def _calibration(calibration: Calibration | None) -> str:
    if calibration is None:
        return "Not calibrated: `p_fake` is the aggregated score, not a probability."
    how = (
        f"Platt (slope {calibration.slope:.4g}, intercept {calibration.intercept:.4g} on the "
        "logit of the score)"
        if calibration.method == "platt"
        else f"isotonic ({len(calibration.x)} knots)"
    )
    return (
        f"Calibration: {how}. `p_fake` of a video is the probability that it is fake, in an "
        "archive where half of the videos are fake; where fewer are, the probability is lower. "
        "Scores of single faces are not calibrated."
    )
