"""The README's figures of the shipped model, taken from its bundle.

`python -m tools.readme_figures README.md`, or `make docs`, rewrites the text between
the README's two markers. The bundle is `models/detector` beside the README.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from framejury.model.bundle import load_bundle
from framejury.model.card_tables import trained_word, untested_by
from framejury.model.figure_sets import FigureSet
from framejury.model.manifest import Bundle, Measurement
from framejury.report.bundle_info import BundleInfo
from framejury.report.trust import trust_of
from framejury.verdict.rule import RuleFit

BEGIN, END = "<!-- figures:begin -->", "<!-- figures:end -->"

_SETS = {
    "celebdf": "Celeb-DF",
    "dfdc": "DFDC",
    "dfdc_faces": "DFDC, single faces",
    "ff_faces": "FaceForensics++, sampled faces",
    "wild_faces": "recent generators, sampled faces",
    "ffpp": "FaceForensics++",
    "other": "other sets",
}
_APART = ("dfdc_faces", "ff_faces", "wild_faces")
"""Face sets, whose videos do not count as held-out videos."""
_WIDTH = 100


def figures_of(bundle: Bundle) -> str:
    """Return Markdown: false accusations first, then what was found, then each data set.

    Args:
        bundle: a detector with figures of its test split.

    Raises:
        ValueError: not a detector; its split leaks; it has no test figures or no fitted rule; or a
            rate is not a whole number of its videos, so that some of them have no score.
    """
    test, fit = bundle.metrics.get("test"), bundle.rule_fit
    if bundle.purpose != "detector" or bundle.data.leak is not None or not test or not fit:
        raise ValueError(f"{bundle.model_id} has no figures on held-out videos to publish")
    wrong, reals, found, fakes = _counts(test)
    words = (
        f"**On {reals + fakes} held-out videos, the shipped model calls {wrong} of {reals} real "
        f"videos fake: {test['video_fpr'].value:.0%}{_interval(_alarms(bundle), '.0%')}.** It "
        f"finds {found} of {fakes} fakes; AUC {test['video_auc'].value:.2f}"
        f"{_interval(test['video_auc'], '.2f')}. None of these videos shares an original, a donor "
        f"or a known person with the training data. The threshold was meant for "
        f"{fit.target_fpr:.0%} false accusations at most, {_set_on(fit)}"
    )
    lines = [
        *textwrap.wrap(words, _WIDTH, break_on_hyphens=False),
        "",
        "| held out | reals called fake | fakes found | AUC |",
        "|---|---|---|---|",
    ]
    for split, figures in sorted(bundle.metrics.items()):
        which = FigureSet.of(split)
        if (which.split, which.kind) == ("test", "data set"):
            wrong, reals, found, fakes = _counts(figures)
            lines.append(
                f"| {_named(which.data_set)} | {wrong} of {reals} | "
                f"{found} of {fakes} | {_auc(figures)} |"
            )
    return "\n".join([*lines, *_by_method(bundle)])


def _alarms(bundle: Bundle) -> Measurement:
    """Return the share of reals called fake with an interval, also where it is 0."""
    rate = trust_of(BundleInfo.of_bundle(bundle, bundle.rule)).false_alarm_rate
    if rate is None:
        raise ValueError(f"{bundle.model_id} has no figures on held-out videos to publish")
    return Measurement(value=rate.value, low=rate.low, high=rate.high, level=rate.level)


def _named(data_set: str) -> str:
    apart = " (not among those above)" if data_set in _APART else ""
    return f"{_SETS.get(data_set, data_set)}{apart}"


def _set_on(fit: RuleFit) -> str:
    """Return the end of the sentence on the threshold."""
    if fit.threshold_from == "maximum":
        return f"but {fit.real_videos} real videos were too few to set it reliably."
    on = f"and rests on {fit.real_videos} real videos in {fit.real_groups} groups of split val."
    return f"{on} {fit.sampled_in_words}" if fit.sampled_in_words else on


def _by_method(bundle: Bundle) -> list[str]:
    """Return the table of methods, unknown ones first, and what was not tested; or nothing."""
    found = []
    for split, figures in bundle.metrics.items():
        which = FigureSet.of(split)
        if (which.split, which.kind) == ("test", "method"):
            known = trained_word(which.method, bundle.data.methods)
            fakes = int(figures["fake_videos"].value)
            right = round(figures["video_recall_fake"].value * fakes)
            name = f"{which.method} ({_SETS.get(which.data_set, which.data_set)})"
            found.append((known != "unknown", name, known, f"{right} of {fakes}", _auc(figures)))
    if not found:
        return []
    lines = ["", "| method of the fakes | in training | fakes found | AUC |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(cells)} |" for _, *cells in sorted(found)]
    if missing := untested_by(bundle):
        words = f"Not in the test videos: {', '.join(missing)}."
        lines += ["", *textwrap.wrap(words, _WIDTH, break_on_hyphens=False)]
    return lines


def _auc(figures: Mapping[str, Measurement]) -> str:
    return f"{figures['video_auc'].value:.2f}" if "video_auc" in figures else "no reals or no fakes"


def with_figures(text: str, figures: str) -> str:
    """Return the text of a README with these figures between its markers.

    Raises:
        ValueError: the markers do not occur exactly once.
    """
    block = f"{BEGIN}\n{figures}\n{END}"
    changed, times = re.subn(f"{BEGIN}.*?{END}", lambda _: block, text, flags=re.DOTALL)
    if times != 1:
        raise ValueError(f"{BEGIN} ... {END} occurs {times} times; the README needs it once")
    return changed


def main(argv: Sequence[str] | None = None) -> int:
    """Rewrite the figures in the README that the only argument names."""
    (name,) = sys.argv[1:] if argv is None else argv
    readme = Path(name)
    bundle = load_bundle(readme.resolve().parent / "models" / "detector")
    text = readme.read_text(encoding="utf-8")
    readme.write_text(with_figures(text, figures_of(bundle)), encoding="utf-8")
    return 0


def _counts(figures: Mapping[str, Measurement]) -> tuple[int, int, int, int]:
    """Return (reals at or above the threshold, reals, fakes at or above it, fakes)."""
    reals, fakes = (int(figures[f"{kind}_videos"].value) for kind in ("real", "fake"))
    wrong = figures["video_fpr"].value * reals if reals else 0.0
    found = figures["video_accuracy"].value * (reals + fakes) - (reals - wrong)
    if max(abs(value - round(value)) for value in (wrong, found)) > 1e-6:
        raise ValueError(f"{wrong} of {reals} reals, {found} of {fakes} fakes: some have no score")
    return round(wrong), reals, round(found), fakes


def _interval(figure: Measurement, spec: str) -> str:
    if figure.low is None or figure.high is None or figure.level is None:
        return ""
    return f" ({figure.level:.0%} interval {figure.low:{spec}} to {figure.high:{spec}})"


if __name__ == "__main__":
    sys.exit(main())
