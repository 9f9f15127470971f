"""`MODEL_CARD.md`, written from the manifest so that it cannot say anything else.

Sections follow Mitchell et al., "Model Cards for Model Reporting" (2019).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from framejury.model.manifest import Framing, Manifest, Measurement, TrainingData
from framejury.settings import PAIR_SIGNALS, Signal
from framejury.verdict.calibration import Calibration
from framejury.verdict.rule import Reducer

DEMO_WARNING = (
    "**Demonstration only: the verdicts of this model mean nothing. It was trained on a few "
    "generated clips to show that the machinery runs.**"
)
_SIDES = ("train", "val", "test")
_FEW = 100
"""Videos below which a figure is said to be of few."""


def model_card(manifest: Manifest, model_id: str) -> str:
    """The text of a model card, Markdown.

    Args:
        manifest: of the bundle.
        model_id: the bundle's id.
    """
    blocks = [
        *([DEMO_WARNING] if manifest.purpose == "demo" else []),
        f"# {model_id}",
        _summary(manifest),
        "## Intended use",
        _intended_use(manifest),
        "## Input",
        _contract(manifest),
        "## From faces to a verdict",
        _rule(manifest),
        "## Training data",
        _data(manifest.data),
        "## How it was trained",
        _training(manifest.settings),
        "## Figures",
        _figures(manifest.metrics),
        "## Limits",
        _limits(manifest),
        "## Made with",
        _bullets(f"{name} {version}" for name, version in sorted(manifest.libraries.items())),
    ]
    return "\n\n".join(blocks) + "\n"


def _summary(manifest: Manifest) -> str:
    seen = "whole frame" if manifest.framing.judges == "frame" else "face crop"
    if manifest.signal in PAIR_SIGNALS:
        seen = f"{seen} in two frames that follow each other"
    return (
        f"A {manifest.backbone} network with dense layers and {_output(manifest)} on top. It sees "
        f"one {seen} and gives `p_fake`, 0 to 1; 1 means manipulated. Written "
        f"{manifest.created_at:%Y-%m-%d %H:%M %Z} by framejury."
    )


def _output(manifest: Manifest) -> str:
    softmax = _trained_with(manifest, "output") == "softmax"
    return "a softmax over REAL and FAKE" if softmax else "one sigmoid"


def _trained_with(manifest: Manifest, name: str) -> object:
    """A setting of section `training`; None where it was not recorded."""
    section = manifest.settings.get("training")
    return section.get(name) if isinstance(section, Mapping) else None


def _intended_use(manifest: Manifest) -> str:
    if manifest.purpose == "demo":
        return "To try framejury out. Not for judging any video."
    return (
        "Sorting a video archive by how likely a face in the picture was manipulated, so that "
        "people look at the right videos first. Not as the only evidence about a video or a person."
    )


def _contract(manifest: Manifest) -> str:
    pixels = manifest.pixels
    lines = [
        f"Input: float32 (faces, {pixels.input_px}, {pixels.input_px}, 3) {pixels.channels}, "
        f"{pixels.low} to {pixels.high}; normalised inside the network; crops are resized "
        f"by {pixels.resize}.",
        _crops(manifest.framing),
    ]
    if manifest.signal != "rgb":
        lines.append(f"Signal: {manifest.signal}: {_SIGNALS[manifest.signal]}.")
    frozen = _trained_with(manifest, "frozen_layers")
    if isinstance(frozen, Sequence) and frozen:
        lines.append(f"Layers that never learned: {', '.join(map(str, frozen))}.")
    return _bullets(lines)


def _crops(framing: Framing) -> str:
    if framing.judges == "frame":
        return "Crops: none, the whole frame."
    margin = (
        f"{framing.margin_ratio:g} of the box"
        if framing.margin_px is None
        else f"{framing.margin_px} pixels of the frame"
    )
    text = (
        f"Crops: {framing.shape}, margin {margin} on each side, moved down by "
        f"{framing.shift_ratio:g} of {'it' if framing.margin_px is None else 'the box'}"
    )
    same = "; the second frame of a pair is cut at the same place" if framing.pair == "same" else ""
    return f"{text}{same}."


_SIGNALS: Mapping[Signal, str] = {
    "rgb": "the crop",
    "marked": "the crop with its landmarks as red points",
    "delta": "the difference of the face in two frames that follow each other",
    "flow_fusion": "the face in two frames and the optical flow between them in one picture",
}


def _rule(manifest: Manifest) -> str:
    """How face scores become a verdict, and what `p_fake` of a video therefore means."""
    rule, fit = manifest.rule, manifest.rule_fit
    lines = [f"Score of a video: {_reducer(rule.reducer)}.", _calibration(rule.calibration)]
    lines.append(f"Threshold: `p_fake` >= {rule.threshold:.6g} means fake.")
    if fit is not None:
        lines += [
            f"Fitted on {fit.data}: {fit.real_videos:,} real videos of {fit.real_groups:,} groups "
            f"and {fit.fake_videos:,} fake ones of {fit.fake_groups:,}, {fit.groups:,} groups in "
            f"all; videos with fewer than {fit.min_faces} faces were left out.",
            f"{_THRESHOLD_FROM[fit.threshold_from].format(target=fit.target_fpr)} From it on "
            f"stand {fit.fpr:.1%} of these real and {fit.tpr:.1%} of these fake videos.",
        ]
    return _bullets(lines)


_THRESHOLD_FROM = {
    "quantile": "The threshold is for a false positive rate of at most {target:.1%} on real videos "
    "like those: an order statistic of their scores.",
    "maximum": "The threshold is meant for a false positive rate of at most {target:.1%}, which so "
    "few real videos cannot show: it is the highest of them and a margin.",
    "given": "The threshold was given by hand, not chosen for a false positive rate.",
}


def _reducer(reducer: Reducer) -> str:
    details = {
        "trimmed_mean": f" without {reducer.trim_ratio or 0:.0%} at each end",
        "top_share": f" ({reducer.top_ratio or 0:.0%} of the faces)",
        "confidence_weighted": " (weights |2 p - 1| + 0.1)",
        "learned": " (logistic over quantiles "
        + ", ".join(
            f"{quantile:g}: {weight:.3g}"
            for quantile, weight in zip(reducer.quantiles, reducer.weights, strict=True)
        )
        + f"; intercept {reducer.intercept or 0:.3g})",
    }
    return f"`{reducer.name}` of its faces' scores{details.get(reducer.name, '')}"


def _calibration(calibration: Calibration | None) -> str:
    if calibration is None:
        return "Not calibrated: `p_fake` is what the network gave, reduced; it is no probability."
    how = (
        f"Platt's (slope {calibration.slope:.4g}, intercept {calibration.intercept:.4g} on the "
        "logit of the score)"
        if calibration.method == "platt"
        else f"isotonic ({len(calibration.x)} knots)"
    )
    return (
        f"Calibration: {how}. `p_fake` of a video is the probability of a fake where half of the "
        "videos are fake; where fewer are, it is lower. Scores of single faces are not calibrated."
    )


def _data(data: TrainingData) -> str:
    rows = [
        (count.side, count.label, f"{count.videos:,}", f"{count.faces:,}") for count in data.counts
    ]
    table = _table(("side", "class", "videos", "faces"), rows)
    return f"{data.description}\n\n{table}\n\nFingerprint: `{data.fingerprint}`"


def _training(settings: Mapping[str, object]) -> str:
    lines = []
    for section, values in settings.items():
        if isinstance(values, Mapping):
            lines += [f"`{section}.{name}`: {value}" for name, value in values.items()]
        else:
            lines.append(f"`{section}`: {values}")
    return _bullets(lines) if lines else "Not recorded."


def _figures(metrics: Mapping[str, Mapping[str, Measurement]]) -> str:
    if not metrics:
        return "None were measured."
    sides = [*(s for s in _SIDES if s in metrics), *(s for s in metrics if s not in _SIDES)]
    rows = [
        (side, name, *_cells(figure)) for side in sides for name, figure in metrics[side].items()
    ]
    return _table(("side", "figure", "value", "interval"), rows)


def _cells(figure: Measurement) -> tuple[str, str]:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4g}", "not computed"
    level = f" ({figure.level:.0%})" if figure.level is not None else ""
    return f"{figure.value:.4g}", f"{figure.low:.4g} to {figure.high:.4g}{level}"


def _judged(manifest: Manifest) -> str:
    pairs = manifest.signal in PAIR_SIGNALS
    at_a_time = "two frames at a time" if pairs else "one frame at a time"
    if manifest.framing.judges == "frame":
        return f"Whole frames are judged, {at_a_time}: it may look at anything but the face."
    beyond = "longer movement" if pairs else "movement over time"
    return f"Only faces are judged, {at_a_time}: not the background, not {beyond}."


def _limits(manifest: Manifest) -> str:
    lines = [
        *([f"**{manifest.data.leak}**"] if manifest.data.leak else []),
        "It has seen only the kinds of manipulation, cameras, compression and people of its "
        "training data. On others its figures do not hold.",
        "Sound is not judged: a video whose voice alone is fake looks real to it.",
        _judged(manifest),
        "Not tested: differences between groups of people (skin tone, age, sex), deliberate "
        "attempts to deceive the detector, pictures that are not from videos.",
    ]
    few = min((_videos(figures) for figures in manifest.metrics.values()), default=_FEW)
    if few < _FEW:
        lines.append(
            f"Some figures are of few videos (as few as {few:.0f}), which the intervals show where "
            "there are enough groups for one: a perfect score on few videos promises nothing."
        )
    if "test" not in manifest.metrics:
        lines.append("It was not tested on videos held out from both training and choice.")
    if manifest.parity is not None:
        lines.append(
            f"The exported network repeats the trained one within "
            f"{manifest.parity.max_abs_difference:.1e} on {manifest.parity.faces} real crops."
        )
    return _bullets([*lines, *manifest.notes])


def _videos(figures: Mapping[str, Measurement]) -> float:
    counts = [figures[name].value for name in ("real_videos", "fake_videos") if name in figures]
    return sum(counts) if counts else _FEW


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
