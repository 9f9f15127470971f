"""How far to trust a model: its figures on held-out videos in one sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from statistics import NormalDist
from typing import Any

from framejury.evaluation.few import few_videos
from framejury.pages.text_table import counted
from framejury.report.bundle_info import DEMO, BundleInfo
from framejury.schemas.statuses import Side, Verdict

LEVEL = 0.95
"""Of the intervals that the card does not have."""

NO_SIGN = "no sign of manipulation found"
"""What the verdict `real` says to readers; tables and files keep the value."""

REAL_MEANS = f"The verdict real means: {NO_SIGN}."

_UNKNOWN = "How often the verdicts of this model are wrong is not known: "


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of videos, 0 to 1, with the ends of its interval at `level`."""

    value: float
    low: float
    high: float
    level: float


@dataclass(frozen=True, slots=True)
class Trust:
    """What is known of a model's errors.

    Attributes:
        sentence: for readers, with all that follows.
        real_videos, fake_videos: held-out videos behind the rates; 0 without rates.
        false_alarm_rate: share of these reals at or above the threshold; None: unknown.
        found_rate: share of these fakes at or above the threshold; None: unknown.
    """

    sentence: str
    real_videos: int = 0
    fake_videos: int = 0
    false_alarm_rate: Rate | None = None
    found_rate: Rate | None = None


def trust_of(bundle: BundleInfo | None) -> Trust:
    """Return what the figures of split test say of a model's errors.

    A card without the share of fakes found has it in its accuracy: the share follows from the
    counts. Where a figure has no interval, it is the Wilson score interval (Wilson, 1927), which
    treats the videos as independent.
    """
    if bundle is None:
        return Trust(f"{_UNKNOWN}its bundle is not available.")
    trust = _of_figures(bundle)
    if bundle.training is None:
        return trust
    return replace(trust, sentence=f"{trust.sentence} {bundle.training}")


def _of_figures(bundle: BundleInfo) -> Trust:
    if bundle.purpose == DEMO:
        return Trust(f"{_UNKNOWN}it is a demo model.")
    if bundle.leak is not None:
        return Trust(f"{_UNKNOWN}it was tested on sources that it was also trained on.")
    figures = (bundle.metrics or {}).get(Side.TEST.value) or {}
    reals, fakes = (int(_value(figures, f"{kind}_videos") or 0) for kind in ("real", "fake"))
    alarms = _rate(figures.get("video_fpr"), reals)
    found = _rate(figures.get("video_recall_fake"), fakes) or _derived(figures, reals, fakes)
    if alarms is None and found is None:
        which = "labelled test videos" if bundle.training else "videos kept out of training"
        return Trust(f"{_UNKNOWN}its model card has no figures on {which}.")
    parts = (
        "has no figure for real videos called fake"
        if alarms is None
        else f"called {_words(alarms, reals, 'real video', ' fake')}",
        "has no figure for the share of fakes it finds"
        if found is None
        else f"found {_words(found, fakes, 'fake')}",
    )
    tested = "labelled videos" if bundle.training else "videos kept out of its training"
    sentence = f"Tested on {tested}, this model {' and '.join(parts)}."
    if (few := few_videos(reals, fakes)) is not None:
        sentence += f" {few}"
    if bundle.expected is not None and bundle.own_rule:
        sentence += f" {bundle.expected}"
    if not bundle.own_rule:
        sentence += " Settings changed its rule for verdicts, so these figures do not hold here."
    return Trust(sentence, reals, fakes, alarms, found)


def trust_of_all(bundles: Mapping[str, BundleInfo | None], videos: Mapping[str, int]) -> Trust:
    """Return what is known of the errors of each model behind the verdicts.

    Args:
        bundles: model_id -> bundle; None where it is not available.
        videos: model_id -> videos that it judged; at least one model.
    """
    if len(videos) == 1:
        return trust_of(bundles.get(next(iter(videos))))
    parts = (
        f"{model_id}, which judged {counted(count, 'video')}: "
        f"{trust_of(bundles.get(model_id)).sentence}"
        for model_id, count in videos.items()
    )
    return Trust(" ".join(parts))


def reader_word(verdict: Mapping[str, Any]) -> str:
    """Return the verdict of one video in readers' words: `fake`, `inconclusive`, or `NO_SIGN`."""
    return NO_SIGN if verdict["verdict"] == Verdict.REAL.value else str(verdict["verdict"])


def _value(figures: Mapping[str, Any], name: str) -> float | None:
    figure = figures.get(name)
    value = figure.get("value") if isinstance(figure, Mapping) else None
    return None if value is None else float(value)


def _rate(figure: Mapping[str, Any] | None, videos: int) -> Rate | None:
    """Return a figure of the card with its interval, or with Wilson's if it has none."""
    if figure is None or not videos:
        return None
    value, low, high = float(figure["value"]), figure.get("low"), figure.get("high")
    if low is None or high is None:
        return _wilson(value, videos)
    return Rate(value, float(low), float(high), float(figure.get("level") or LEVEL))


def _derived(figures: Mapping[str, Any], reals: int, fakes: int) -> Rate | None:
    """Return the share of fakes found, from accuracy and false alarms.

    None where it does not follow: figures count scored videos only, so with unscored ones the
    counts would not be whole.
    """
    fpr, accuracy = (_value(figures, f"video_{name}") for name in ("fpr", "accuracy"))
    if fpr is None or accuracy is None or not fakes:
        return None
    wrong, right = fpr * reals, accuracy * (reals + fakes)
    if max(abs(count - round(count)) for count in (wrong, right)) > 1e-6:
        return None
    return _wilson((round(right) - (reals - round(wrong))) / fakes, fakes)


def _wilson(share: float, count: int) -> Rate:
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2) / (1 + z * z / count)
    return Rate(share, max(middle - half, 0.0), min(middle + half, 1.0), LEVEL)


def _words(rate: Rate, count: int, what: str, after: str = "") -> str:
    named = f"the only {what}" if count == 1 else f"{count:,} {what}s"
    ends = f"{rate.level:.0%} interval {rate.low:.1%} to {rate.high:.1%}"
    return f"{rate.value:.1%} of {named}{after} ({ends})"
