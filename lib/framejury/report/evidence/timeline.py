"""One video over time as one SVG: scores by track, detector confidence, SSIM, sampled times.

No text of a file reaches the chart, only numbers and our own words.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from framejury.pages.narrow import WIDTH_IN
from framejury.pages.style import LIGHT, inline_svg, style_axes, svg
from framejury.report.evidence.video_evidence import STYLES, FaceEvidence, FaceTrack, TrackStyle

Floats = npt.NDArray[np.float64]

MOST_POINTS = 240
"""Tracks with more faces are drawn as means, minima and maxima of time intervals."""
_BINS = 120
_TICKS = 400
_PANELS_IN = {"score": 2.9, "confidence": 1.0, "ssim": 1.0, "sampled": 0.62}
_TOP_IN, _BOTTOM_IN, _LEFT_IN, _RIGHT_IN = 0.3, 0.48, 0.72, 0.82
_TITLE_CH = 32
"""Longest line of a title on a phone."""
_MINUTES_FROM_S = 180
_STEPS_S = (30, 60, 120, 300, 600, 900, 1800, 3600)


@dataclass(frozen=True, slots=True)
class Scale:
    """What is drawn with the scores, on the scale of single faces, 0 to 1.

    Attributes:
        threshold: None: unknown.
        band: ends of the verdict's interval; None without one.
    """

    threshold: float | None
    band: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class _Size:
    """Width, distance of panels, both in inches, and most marks of the time axis."""

    width_in: float
    gap_in: float
    ticks: int


_WIDE, _NARROW = _Size(9.0, 0.34, 10), _Size(WIDTH_IN, 0.5, 5)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Values over time; with `low` and `high` if each covers a time interval.

    Attributes:
        times: float64 (n,), seconds; values, low, high: float64 (n,).
    """

    times: Floats
    values: Floats
    low: Floats | None = None
    high: Floats | None = None


def timeline(
    tracks: Sequence[FaceTrack],
    scale: Scale,
    sampled_s: Sequence[float] | None,
    duration_s: float | None,
    judges: str = "face",
    *,
    is_narrow: bool = False,
) -> str:
    """Return the chart of a video as an `svg` element for the page.

    Args:
        tracks: of the video, with their styles; may be empty.
        scale: threshold and interval.
        sampled_s: times of the sampled frames, seconds; None: not stored.
        duration_s: of the video; None: unknown.
        judges: face, or frame where each "face" is a whole frame.
        is_narrow: for a phone, with letters of the same size.
    """
    size = _NARROW if is_narrow else _WIDE
    whole = judges == "frame"
    faces = [face for track in tracks for face in track.faces]
    panels = ["score"] if faces else []
    panels += (
        ["confidence"] if not whole and any(face.confidence is not None for face in faces) else []
    )
    panels += ["ssim"] if any(face.ssim is not None for face in faces) else []
    panels += ["sampled"] if not whole or not faces else []
    figure, axes = _canvas(panels, size)
    last_s = max([duration_s or 0.0, *(face.pts_s for face in faces), *(sampled_s or ())])
    for panel_axes, panel in zip(axes, panels, strict=True):
        _prepare(panel_axes, last_s, size, is_lowest=panel_axes is axes[-1])
        if panel == "score":
            _scores(panel_axes, tracks, scale, judges)
        elif panel == "confidence":
            _tracks(panel_axes, tracks, "Detector confidence", 0.9, lambda face: face.confidence)
        elif panel == "ssim":
            before = "sampled frame" if whole else "face of the track"
            title = f"Similarity to the previous {before} (SSIM)"
            _tracks(panel_axes, tracks, title, 0.0, lambda face: face.ssim)
        else:
            _sampled(panel_axes, faces, sampled_s)
        if is_narrow:
            _wrap(panel_axes)
    name = "timeline-narrow" if is_narrow else "timeline"
    return _small(inline_svg(svg(figure), name, _label(panels, judges)))


def binned(times: Sequence[float], values: Sequence[float]) -> Curve:
    """Return a curve of at most MOST_POINTS points; beyond, means over equal time intervals.

    Args:
        times: rising, seconds.
        values: as many.
    """
    at, given = np.asarray(times, np.float64), np.asarray(values, np.float64)
    if len(at) <= MOST_POINTS:
        return Curve(at, given)
    span = max(float(at[-1] - at[0]), 1e-9)
    stretch = np.minimum(((at - at[0]) / span * _BINS).astype(int), _BINS - 1)
    starts = np.flatnonzero(np.r_[True, np.diff(stretch) != 0])
    counts = np.diff(np.r_[starts, len(at)])
    return Curve(
        np.add.reduceat(at, starts) / counts,
        np.add.reduceat(given, starts) / counts,
        np.minimum.reduceat(given, starts),
        np.maximum.reduceat(given, starts),
    )


def _canvas(panels: Sequence[str], size: _Size) -> tuple[Figure, list[Axes]]:
    """Place panels below each other by hand: a layout engine takes longer than all the rest."""
    heights = [_PANELS_IN[panel] for panel in panels]
    height = sum(heights) + size.gap_in * (len(panels) - 1) + _TOP_IN + _BOTTOM_IN
    figure = Figure(figsize=(size.width_in, height), facecolor=LIGHT.paper)
    FigureCanvasAgg(figure)
    left, width = _LEFT_IN / size.width_in, 1 - (_LEFT_IN + _RIGHT_IN) / size.width_in
    top, axes = height - _TOP_IN, []
    for own in heights:
        axes.append(figure.add_axes((left, (top - own) / height, width, own / height)))
        top -= own + size.gap_in
    return figure, axes


def _prepare(axes: Axes, last_s: float, size: _Size, *, is_lowest: bool) -> None:
    style_axes(axes, title="", x_label="", y_label="")
    axes.set_xlim(-0.012 * max(last_s, 0.1), 1.012 * max(last_s, 0.1))
    if last_s >= _MINUTES_FROM_S:
        step_s = next((step for step in _STEPS_S if last_s <= size.ticks * step), _STEPS_S[-1])
        axes.xaxis.set_major_locator(MultipleLocator(step_s))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda s, _: f"{s // 60:.0f}:{s % 60:02.0f}"))
    else:
        steps = [1, 2, 5, 10]
        axes.xaxis.set_major_locator(MaxNLocator(nbins=size.ticks, min_n_ticks=2, steps=steps))
    if is_lowest:
        unit = "minutes:seconds" if last_s >= _MINUTES_FROM_S else "seconds"
        axes.set_xlabel(f"time in the video, {unit}", fontsize=9.5, color=LIGHT.ink)
    else:
        axes.tick_params(labelbottom=False)


def _wrap(axes: Axes) -> None:
    """Break a long title into lines."""
    title = textwrap.fill(axes.get_title("left"), _TITLE_CH)
    axes.set_title(title, loc="left", fontsize=9.5, color=LIGHT.ink, pad=5)


def _scores(axes: Axes, tracks: Sequence[FaceTrack], scale: Scale, judges: str) -> None:
    if scale.band is not None:
        axes.axhspan(*scale.band, facecolor=LIGHT.undecided, alpha=0.22, linewidth=0)
    if scale.threshold is not None:
        axes.axhline(scale.threshold, color=LIGHT.ink, linewidth=1.2, dashes=(6, 3))
    _beside(axes, scale)
    _tracks(
        axes, tracks, f"{judges.capitalize()} score (not calibrated)", 0.0, lambda face: face.score
    )
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])


def _beside(axes: Axes, scale: Scale) -> None:
    """Name line and band right of the axes, without overlap."""
    names: list[tuple[float, str]] = []
    if scale.threshold is not None:
        names.append((scale.threshold, "threshold"))
    if scale.band is not None:
        middle = sum(scale.band) / 2
        if names and abs(middle - names[0][0]) < 0.09:
            middle = names[0][0] + (0.09 if middle >= names[0][0] else -0.09)
        names.append((middle, "interval"))
    for at, name in names:
        axes.annotate(
            name,
            (1.01, at),
            xycoords=("axes fraction", "data"),
            va="center",
            ha="left",
            fontsize=9,
            color=LIGHT.ink,
            annotation_clip=False,
        )


def _tracks(
    axes: Axes,
    tracks: Sequence[FaceTrack],
    title: str,
    floor: float,
    value_of: Callable[[FaceEvidence], float | None],
) -> None:
    """Draw all tracks; the axis starts at `floor`, or lower where values are."""
    axes.set_title(title, loc="left", fontsize=9.5, color=LIGHT.ink, pad=5)
    lowest = floor
    for track in sorted(tracks, key=lambda track: track.style is not None):
        pairs = [(face.pts_s, value_of(face)) for face in track.faces]
        known = [(at, value) for at, value in pairs if value is not None]
        if not known:
            continue
        curve = binned([at for at, _ in known], [value for _, value in known])
        lowest = min(lowest, *(value for _, value in known))
        _draw(axes, curve, track.style)
    margin = 0.06 * (1 - lowest)
    axes.set_ylim(lowest - margin, 1 + margin)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=2, steps=[1, 5, 10]))


def _draw(axes: Axes, curve: Curve, style: TrackStyle | None) -> None:
    """Draw one track; those without a style are small grey crosses without a line."""
    if style is None:
        axes.plot(
            curve.times,
            curve.values,
            linestyle="none",
            marker="x",
            markersize=4,
            markeredgewidth=0.9,
            color=LIGHT.undecided,
        )
        return
    colour = _placeholder(style)
    if curve.low is not None and curve.high is not None:
        axes.fill_between(curve.times, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(curve.times, curve.values, color=colour, linestyle=style.dash, linewidth=1.4)
        return
    axes.plot(
        curve.times,
        curve.values,
        color=colour,
        linestyle=style.dash,
        linewidth=1.1,
        marker=style.marker,
        markersize=6 if len(curve.times) <= 60 else 4,
        markeredgecolor=LIGHT.paper,
        markeredgewidth=0.6,
        clip_on=False,
        zorder=3,
    )


def _sampled(axes: Axes, faces: Sequence[FaceEvidence], sampled_s: Sequence[float] | None) -> None:
    """Draw one tick per frame, on the upper line where a face was judged, else on the lower."""
    with_face = sorted({face.pts_s for face in faces})
    without = sorted(set(sampled_s or ()) - set(with_face))
    axes.set_title("Sampled frames", loc="left", fontsize=9.5, color=LIGHT.ink, pad=5)
    for at, times, colour in ((1, with_face, LIGHT.ink), (0, without, LIGHT.undecided)):
        # One path with gaps is far smaller than a line per tick; ticks in one place are merged.
        step = max(axes.get_xlim()[1] / _TICKS, 1e-9)
        places = np.unique(np.round(np.asarray(times, np.float64) / step)) * step
        x = np.repeat(places, 3)
        y = np.tile([at - 0.38, at + 0.38, np.nan], len(places))
        axes.plot(x, y, color=colour, linewidth=1.4)
    axes.set_ylim(-0.6, 1.6)
    axes.set_yticks([0, 1], ["no face", "face"])
    axes.grid(False, axis="y")


def _placeholder(style: TrackStyle) -> str:
    """Return a unique colour, which `_small` replaces by the variable of evidence.css."""
    return f"#fe00f{style.colour:x}"


def _small(drawn: str) -> str:
    """Return the same chart in fewer bytes, in the colours of the page."""
    for style in STYLES:
        drawn = drawn.replace(_placeholder(style), f"var(--track-{style.colour})")
    drawn = _UNUSED.sub("", _DECIMALS.sub(r"\1", drawn))
    drawn = _MARKS.sub(_hoisted, drawn)
    return _BETWEEN.sub("\n", drawn)


def _hoisted(match: re.Match[str]) -> str:
    """Move the style that all marks of a curve share to their group."""
    marks = match[2]
    styles = set(_STYLE.findall(marks))
    if len(styles) != 1:
        return match[0]
    return f"<g{match[1]}{styles.pop()}>{_STYLE.sub('', marks)}</g>"


def _label(panels: Sequence[str], judges: str) -> str:
    whole = judges == "frame"
    what = {
        "score": "the score of each frame" if whole else "the face score by track",
        "confidence": "the detector's confidence",
        "ssim": "the similarity of each frame to the previous one"
        if whole
        else "the similarity of each face to the previous one of its track",
        "sampled": "the sampled frames, with and without a face",
    }
    named = "; ".join(what[panel] for panel in panels)
    return f"Over time: {named}. The tables below have the same numbers."


# Nothing refers to groups; the page sets the font (`pages.style.chart_css`).
_UNUSED = re.compile(r"(?<=<g) id=\"[^\"]*\"|font-family: [^;\"]*; ")
_DECIMALS = re.compile(r"(-?\d+\.\d\d)\d+")
_MARKS = re.compile(r"<g((?: clip-path=\"[^\"]*\")?)>((?:\s*<use [^>]*/>)+)\s*</g>")
_STYLE = re.compile(r" style=\"[^\"]*\"")
_BETWEEN = re.compile(r"\n\s+")
