"""`MODEL_CARD.md`, written from the manifest so that the two cannot differ.

Its sections follow Mitchell et al., "Model Cards for Model Reporting" (2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from framejury.model.card_members import members_input, members_summary, members_table
from framejury.model.card_origin import origin_of
from framejury.model.card_rule import rule_lines
from framejury.model.card_tables import (
    bullets,
    epoch_table,
    figure_tables,
    markdown_table,
    untested_by,
)
from framejury.model.figure_sets import FigureSet
from framejury.model.foreign import training_remark
from framejury.model.input_contract import Framing, PixelContract
from framejury.model.manifest import (
    JudgingSection,
    Manifest,
    Measurement,
    TrainingData,
)
from framejury.model.schedule import EpochRecord
from framejury.redaction import printable
from framejury.settings import PAIR_SIGNALS, Signal

DEMO_WARNING = (
    "**Demonstration only: the verdicts of this model mean nothing. It was trained on a few "
    "generated clips to show that the software runs.**"
)
_SPLITS = ("train", "val", "test")
_FEW = 100
"""Number of videos below which the limits mention it."""


def model_card(manifest: Manifest, model_id: str, curves: Sequence[EpochRecord] = ()) -> str:
    """Return the text of a model card, Markdown.

    Args:
        manifest: manifest of the bundle.
        model_id: id of the bundle.
        curves: the epochs of its training; empty: not recorded.
    """
    blocks = [
        *([DEMO_WARNING] if manifest.purpose == "demo" else []),
        f"# {model_id}",
        members_summary(manifest) if manifest.members else _summary(manifest),
        *(["## Members", members_table(manifest)] if manifest.members else []),
        "## Intended use",
        _intended_use(manifest),
        *_accuracy(manifest),
        "## Limits",
        _limits(manifest),
        "## Input",
        members_input() if manifest.members else _contract(manifest),
        "## From faces to a verdict",
        rule_lines(manifest),
        *(origin_of(manifest.adopted) if manifest.adopted else _learning(manifest, curves)),
        "## Figures",
        _figures(manifest.metrics),
        "## Made with",
        bullets(f"{name} {version}" for name, version in sorted(manifest.libraries.items())),
    ]
    return "\n\n".join(blocks) + "\n"


def _learning(manifest: Manifest, curves: Sequence[EpochRecord]) -> list[str]:
    return [
        "## Training data",
        _data(manifest.data),
        "## How it was trained",
        _training(manifest.settings),
        *epoch_table(curves, _chosen_epoch(manifest)),
    ]


def _summary(manifest: Manifest) -> str:
    seen = "whole frame" if manifest.framing.judges == "frame" else "face crop"
    if manifest.pixels.clip_frames > 1:
        seen = f"clip of {manifest.pixels.clip_frames} {seen}s"
    if manifest.signal in PAIR_SIGNALS:
        seen = f"{seen} in two consecutive frames"
    if manifest.adopted is not None:
        return (
            f"{printable(manifest.adopted.name)}: a network that was trained elsewhere and adopted "
            f"by framejury on {manifest.created_at:%Y-%m-%d}. It sees one {seen} and returns a "
            "score, 0 to 1; 1 means manipulated."
        )
    article = "An" if manifest.backbone[0] in "aeiou" else "A"
    return (
        f"{article} {manifest.backbone} network with dense layers and {_output(manifest)} on top. "
        f"It sees one {seen} and returns a score, 0 to 1; 1 means manipulated. Written "
        f"{manifest.created_at:%Y-%m-%d %H:%M %Z} by framejury."
    )


def _clip(pixels: PixelContract) -> str:
    """Return the frames that a network sees at once, in words."""
    if pixels.clip_frames == 1:
        return "one frame"
    stride = pixels.clip_stride
    every = "" if stride == 1 else f", each {stride} frames after the one before"
    return f"{pixels.clip_frames} {'consecutive ' if stride == 1 else ''}frames{every}"


def _output(manifest: Manifest) -> str:
    softmax = _trained_with(manifest, "output") == "softmax"
    return "a softmax over REAL and FAKE" if softmax else "one sigmoid"


def _trained_with(manifest: Manifest, name: str) -> object:
    """Return a setting of section `training`; None where it was not recorded."""
    section = manifest.settings.get("training")
    return section.get(name) if isinstance(section, Mapping) else None


def _chosen_epoch(manifest: Manifest) -> int | None:
    chosen = _trained_with(manifest, "best_epoch")
    return chosen if isinstance(chosen, int) else None


def _intended_use(manifest: Manifest) -> str:
    if manifest.purpose == "demo":
        return "Trying framejury. Not for judging any video."
    return (
        "Sorting a video archive by the likelihood that a face in the picture was manipulated, so "
        "that people look at the right videos first. Not as the only evidence about a video or a "
        "person."
    )


def _accuracy(manifest: Manifest) -> list[str]:
    """Return the main figures on held-out videos, false accusations first; nothing without them."""
    test = manifest.metrics.get("test", {})
    lines = [
        f"{title}: {_headline(test[name], spec)}"
        for name, title, spec in _HEADLINES
        if name in test
    ]
    if not lines or manifest.purpose == "demo":
        return []
    videos = [f"{test[f'{kind}_videos'].value:,.0f} {kind}" for kind in ("real", "fake")]
    return [
        "## How accurate it is",
        f"On {' and '.join(videos)} held-out videos:",
        bullets(lines),
        *figure_tables(manifest),
    ]


_HEADLINES = (
    ("video_fpr", "Real videos called fake (false accusations)", ".1%"),
    ("video_recall_fake", "Fake videos called fake", ".1%"),
    ("video_accuracy", "Videos called correctly at the threshold", ".1%"),
    ("video_auc", "AUC", ".3f"),
)


def _headline(figure: Measurement, spec: str) -> str:
    if figure.low is None or figure.high is None or figure.level is None:
        return f"{figure.value:{spec}}; the videos are too few for an interval."
    interval = f"{figure.low:{spec}} to {figure.high:{spec}}"
    return f"{figure.value:{spec}}, {figure.level:.0%} interval {interval}."


def _contract(manifest: Manifest) -> str:
    pixels = manifest.pixels
    clip = f"{pixels.clip_frames}, " if pixels.clip_frames > 1 else ""
    lines = [
        f"Input: float32 (faces, {clip}{pixels.input_px}, {pixels.input_px}, 3) {pixels.channels}, "
        f"{pixels.low} to {pixels.high}; the network normalises it; crops are resized by "
        f"{pixels.resize}{_jpeg(pixels.jpeg_quality)}.",
        _crops(manifest.framing),
    ]
    if manifest.judging:
        lines.append(_found(manifest.judging))
    if manifest.signal != "rgb":
        lines.append(f"Signal: {manifest.signal}: {_SIGNALS[manifest.signal]}.")
    frozen = _trained_with(manifest, "frozen_layers")
    if isinstance(frozen, Sequence) and frozen:
        lines.append(f"Layers that were never trained: {', '.join(map(str, frozen))}.")
    return bullets(lines)


def _found(judging: Mapping[JudgingSection, Mapping[str, JsonValue]]) -> str:
    sampling, detection = judging.get("sampling", {}), judging.get("detection", {})
    count, rounds = sampling.get("frames"), sampling.get("rounds") or ()
    number = f"{count} per video"
    if count is None and isinstance(rounds, Sequence):
        number = f"{', '.join(map(str, rounds))} per video, in rounds"
    return (
        f"Unless settings change it: frames {sampling.get('mode')}, {number} (sampling.*); "
        f"faces by {detection.get('detector')}, kept: {detection.get('keep')}. bundle.json has "
        "all settings it judges by."
    )


def _jpeg(quality: int | None) -> str:
    return "" if quality is None else f", then compressed as JPEG of quality {quality}"


def _crops(framing: Framing) -> str:
    if framing.judges == "frame":
        return "Crops: none; the network sees the whole frame."
    if framing.template is not None:
        return (
            "Crops: aligned by five landmarks, which a similarity brings to a template "
            f"({framing.template_text()}); margin {framing.margin_ratio:g} of its square on each "
            f"side{_SECOND_FRAME[framing.pair]}."
        )
    margin = (
        f"{framing.margin_ratio:g} of the box"
        if framing.margin_px is None
        else f"{framing.margin_px} pixels of the frame"
    )
    text = (
        f"Crops: {framing.shape}, margin {margin} on each side, moved down by "
        f"{framing.shift_ratio:g} of {'it' if framing.margin_px is None else 'the box'}"
    )
    return f"{text}{_SECOND_FRAME[framing.pair]}."


_SECOND_FRAME = {
    "own": "",
    "same": "; in the second frame of a pair the place is the same",
    "kept": "; in the second frame of a pair it is the face kept there, even if it is another",
}


_SIGNALS: Mapping[Signal, str] = {
    "rgb": "the crop",
    "marked": "the crop with its landmarks as red points",
    "delta": "the difference between the face in two consecutive frames",
    "flow_fusion": "the face in two frames and the optical flow between them in one picture",
}


def _data(data: TrainingData) -> str:
    rows = [
        (count.side, count.label, f"{count.videos:,}", f"{count.faces:,}") for count in data.counts
    ]
    table = markdown_table(("split", "class", "videos", "faces"), rows)
    blocks = [data.description, *([table] if rows else [])]
    if data.methods is not None:
        listed = ", ".join(f"{name} ({count:,})" for name, count in data.methods.items())
        blocks.append(f"Methods of the fake videos in train and val: {listed or 'none'}.")
    return "\n\n".join([*blocks, f"Fingerprint: `{data.fingerprint}`"])


def _training(settings: Mapping[str, object]) -> str:
    lines = []
    for section, values in settings.items():
        if isinstance(values, Mapping):
            lines += [f"`{section}.{name}`: {value}" for name, value in values.items()]
        else:
            lines.append(f"`{section}`: {values}")
    return bullets(lines) if lines else "Not recorded."


def _figures(metrics: Mapping[str, Mapping[str, Measurement]]) -> str:
    if not metrics:
        return "No figures were measured."
    # Figures by method are in a table of their own.
    named = [name for name in metrics if FigureSet.of(name).kind in ("all", "data set")]
    splits = [*(s for s in _SPLITS if s in named), *(s for s in named if s not in _SPLITS)]
    rows = [
        (split, name, *_cells(figure))
        for split in splits
        for name, figure in metrics[split].items()
    ]
    return markdown_table(("split", "figure", "value", "interval"), rows)


def _cells(figure: Measurement) -> tuple[str, str]:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4g}", "not computed"
    level = f" ({figure.level:.0%})" if figure.level is not None else ""
    return f"{figure.value:.4g}", f"{figure.low:.4g} to {figure.high:.4g}{level}"


def _judged(manifest: Manifest) -> str:
    several = manifest.signal in PAIR_SIGNALS or manifest.pixels.clip_frames > 1
    frames = "two frames" if manifest.signal in PAIR_SIGNALS else _clip(manifest.pixels)
    at_a_time = f"{frames} at a time"
    if manifest.framing.judges == "frame":
        return f"It judges whole frames, {at_a_time}, and may react to more than the face."
    beyond = "longer movement" if several else "movement over time"
    return f"It judges only faces, {at_a_time}: neither the background nor {beyond}."


def _limits(manifest: Manifest) -> str:
    lines = [
        *(f"**{one}**" for one in (manifest.data.leak, training_remark(manifest)) if one),
        "Its figures apply only to the kinds of manipulation, cameras, compression and people in "
        "its training and test data.",
        "It does not judge sound: a video in which only the voice is fake looks real to it.",
        _judged(manifest),
        "Not tested: differences between groups of people (skin tone, age, sex), deliberate "
        "attempts to deceive the detector, pictures that are not from videos.",
    ]
    if missing := untested_by(manifest):
        lines.append(f"Not in its test videos: {', '.join(missing)}.")
    few = min((_videos(figures) for figures in manifest.metrics.values()), default=_FEW)
    if few < _FEW:
        lines.append(
            f"Some figures come from few videos (as few as {few:.0f}), with intervals only "
            "where there are enough groups. A perfect score on few videos means little."
        )
    if "test" not in manifest.metrics:
        lines.append("It was not tested on videos held out from training and model selection.")
    if manifest.parity is not None:
        lines.append(
            f"Scores of the exported network differ from the trained network's by at most "
            f"{manifest.parity.max_abs_difference:.1e} on {manifest.parity.faces} real crops."
        )
    return bullets([*lines, *manifest.notes])


def _videos(figures: Mapping[str, Measurement]) -> float:
    counts = [figures[name].value for name in ("real_videos", "fake_videos") if name in figures]
    return sum(counts) if counts else _FEW
