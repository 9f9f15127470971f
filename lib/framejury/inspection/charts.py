"""The charts of `inspect`: of one video, of an archive, and their parts. File names never change.

Each is drawn once, as PNG and SVG.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from framejury.inspection.inspected import InspectedFrame
from framejury.inspection.inspected_archive import NO_LABEL, ArchiveSummary, Counts
from framejury.pages.style import (
    LIGHT,
    new_figure,
    png,
    sentence_figure,
    style_axes,
    style_legend,
    svg,
)
from framejury.pages.text_table import counted
from framejury.redaction import printable
from framejury.report.wording import status_word
from framejury.schemas.statuses import Label, Status

SSIM, FACES = "ssim", "faces"
DETECTORS = "detectors"
_TRACKS = 4
_TRACK_COLORS = (LIGHT.fake, "#009e73", "#cc79a7", "#b8860b")
_TRACK_DASHES = ("-", "--", "-.", ":")
_LONGEST_NAME = 36
_BINS = 24
_COLORS = {Label.FAKE.value: LIGHT.fake, NO_LABEL: LIGHT.undecided}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """A chart as files.

    Attributes:
        name: of the files, without suffix.
        label: the text alternative.
        png, svg: the files.
        empty: whether the chart is only a sentence on why there is no data.
    """

    name: str
    label: str
    png: bytes
    svg: bytes
    empty: bool = False


def chart_of(name: str, label: str, figure: Figure) -> Chart:
    """Make the files of a figure drawn in the theme `LIGHT`."""
    return Chart(name, label, png(figure), svg(figure))


def no_chart(name: str, label: str, sentence: str) -> Chart:
    """Make a chart that states why there is no data."""
    figure = sentence_figure(label, sentence)
    return Chart(name, f"{label}: {sentence}", png(figure), svg(figure), empty=True)


def files_of(charts: Iterable[Chart]) -> dict[str, bytes]:
    """Return `NAME.png` and `NAME.svg` of each, by file name."""
    files: dict[str, bytes] = {}
    for chart in charts:
        files |= {f"{chart.name}.png": chart.png, f"{chart.name}.svg": chart.svg}
    return files


def bars(name: str, title: str, counts: Counts, sentence: str) -> Chart:
    """Draw counts as bars, longest on top.

    Args:
        name, title: of the chart.
        counts: name -> videos.
        sentence: shown without data.
    """
    shown = list(counts.shown)
    if counts.rest[0]:
        shown.append((counted(counts.rest[0], "other"), counts.rest[1]))
    if not shown:
        return no_chart(name, title, sentence)
    total = sum(count for _, count in shown)
    figure = new_figure(5.6, 1.2 + 0.34 * len(shown))
    axes = figure.add_subplot()
    style_axes(axes, title=title, x_label="videos, count", y_label="")
    rows = range(len(shown))
    colors = [_COLORS.get(text, LIGHT.real) for text, _ in shown]
    axes.barh(rows, [count for _, count in shown], color=colors, height=0.66)
    axes.set_yticks(rows, [_short(text) for text, _ in shown])
    for tick in axes.get_yticklabels():
        tick.set_parse_math(False)
    axes.invert_yaxis()
    most = max(count for _, count in shown)
    for row, (_, count) in zip(rows, shown, strict=True):
        text = f"{count:,} ({count / total:.0%})"
        axes.text(count + most * 0.015, row, text, va="center", fontsize=9, color=LIGHT.ink)
    axes.set_xlim(0, most * 1.28)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(False, axis="y")
    numbers = ", ".join(f"{_short(text)} {count:,}" for text, count in shown)
    return chart_of(name, f"{title}: {numbers}", figure)


def histogram(
    name: str,
    title: str,
    series: Sequence[tuple[str, Floats]],
    *,
    x_label: str,
    sentence: str,
) -> Chart:
    """Draw the distribution of values, one outline per series.

    Args:
        name, title: of the chart.
        series: a name and float64 (n,) each; one or two.
        x_label: the values and their unit.
        sentence: shown without data.
    """
    everything = np.concatenate([values for _, values in series])
    if not everything.size:
        return no_chart(name, title, sentence)
    figure = new_figure(5.6, 3.0)
    axes = figure.add_subplot()
    style_axes(axes, title=title, x_label=x_label, y_label="videos, count")
    top = max(float(everything.max()), 1e-9)
    edges = np.linspace(0, top, _BINS + 1).tolist()
    styles = ((LIGHT.fake, "solid", 0.25), (LIGHT.real, "dashed", 0.0))
    for (text, values), (color, dash, fill) in zip(series, styles, strict=False):
        axes.hist(values, bins=edges, histtype="stepfilled", color=color, alpha=fill or 0.01)
        axes.hist(values, bins=edges, histtype="step", color=color, ls=dash, lw=1.6, label=text)
    if len(series) > 1:
        style_legend(axes)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    middle = ", ".join(
        f"{text or 'median'} {'median ' if text else ''}{np.median(values):.2f}"
        for text, values in series
    )
    return chart_of(name, f"{title}; {middle}", figure)


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"


def ssim_chart(frames: Sequence[InspectedFrame]) -> Chart:
    """Draw the similarity of each frame and face to the previous one; flicker shows as dips."""
    title = "Similarity to the previous frame (SSIM)"
    whole = [(one.pts_s, one.ssim) for one in frames if one.ssim is not None]
    if not whole:
        return no_chart(SSIM, title, "Fewer than two frames were inspected.")
    figure = new_figure(9.0, 3.4)
    axes = figure.add_subplot()
    style_axes(axes, title=title, x_label="time, seconds", y_label="SSIM")
    axes.plot(*zip(*whole, strict=True), color=LIGHT.real, lw=1.4, label="whole frame")
    tracks = _tracks(frames)
    for (track, points), color, dash in zip(tracks, _TRACK_COLORS, _TRACK_DASHES, strict=False):
        axes.plot(
            [s for s, _ in points],
            [value for _, value in points],
            color=color,
            linestyle=dash,
            lw=1.4,
            label=f"face of track {track}",
        )
    lowest = min(value for values in [whole, *(p for _, p in tracks)] for _, value in values)
    axes.set_ylim(min(lowest - 0.03, 0.9), 1.005)
    style_legend(axes, loc="lower left", ncols=3)
    middle = float(np.median([value for _, value in whole]))
    faces = "".join(
        f", face of track {track} median {np.median([v for _, v in points]):.3f}, "
        f"lowest {min(v for _, v in points):.3f}"
        for track, points in tracks
    )
    return chart_of(SSIM, f"{title}: whole frame median {middle:.3f}{faces}", figure)


def faces_chart(frames: Sequence[InspectedFrame]) -> Chart:
    """Draw the faces per frame, by detector."""
    title = "Faces per frame"
    if not frames:
        return no_chart(FACES, title, "No frame was inspected.")
    figure = new_figure(9.0, 2.4)
    axes = figure.add_subplot()
    style_axes(axes, title=title, x_label="time, seconds", y_label="faces, count")
    times = [one.pts_s for one in frames]
    mtcnn = [len(one.mtcnn) for one in frames]
    haar = [len(one.haar) for one in frames]
    axes.step(times, mtcnn, where="post", color=LIGHT.fake, lw=1.8, label="MTCNN")
    axes.step(times, haar, where="post", color=LIGHT.real, lw=1.4, linestyle="--", label="Haar")
    axes.set_ylim(-0.15, max([1, *mtcnn, *haar]) + 0.35)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    style_legend(axes, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    label = f"{title}: MTCNN {np.mean(mtcnn):.2f} on average, Haar {np.mean(haar):.2f}"
    return chart_of(FACES, label, figure)


def _tracks(frames: Sequence[InspectedFrame]) -> list[tuple[int, list[tuple[float, float]]]]:
    """Return (track, [(seconds, SSIM)]) of the longest tracks, at most `_TRACKS`."""
    found: dict[int, list[tuple[float, float]]] = {}
    for one in frames:
        for face in one.mtcnn:
            if face.person is not None and face.ssim is not None:
                found.setdefault(face.person, []).append((one.pts_s, face.ssim))
    often = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return sorted(often[:_TRACKS])


def archive_charts(found: ArchiveSummary) -> list[Chart]:
    """Draw all charts, from labels to statuses."""
    empty, none = "The archive has no videos.", "No video could be read."
    return [
        bars("labels", "Labels", found.labels, empty),
        bars("layouts", "Layouts", found.layouts, empty),
        bars("methods", "Manipulation methods", found.methods, "No method is named."),
        bars("sizes", "Frame sizes, pixels", found.sizes, none),
        histogram(
            "durations", "Lengths", [("", found.durations_s)], x_label="seconds", sentence=none
        ),
        bars("codecs", "Video codecs", found.codecs, none),
        bars("sound", "Audio codecs", found.sounds, none),
        histogram(
            "faces",
            "Faces per frame",
            [("MTCNN", found.mtcnn_rates), ("Haar", found.haar_rates)],
            x_label="faces per frame, mean of each video",
            sentence=none,
        ),
        _detectors(found),
        bars("statuses", "Results", _worded(found.statuses), empty),
    ]


def _worded(statuses: Counts) -> Counts:
    words = {Status.EXTRACTED.value: "face found"}
    return replace(
        statuses,
        shown=tuple((words.get(name, status_word(name)), count) for name, count in statuses.shown),
    )


def _detectors(found: ArchiveSummary) -> Chart:
    """Draw the share of frames in which each detector finds a face."""
    title = "Frames with a face"
    both = found.agreement
    if not both.frames:
        return no_chart(DETECTORS, title, "No frame was sampled.")
    rows = (
        ("both", both.both_frames, LIGHT.undecided),
        ("MTCNN only", both.mtcnn_frames - both.both_frames, LIGHT.fake),
        ("Haar only", both.haar_frames - both.both_frames, LIGHT.real),
        (
            "neither",
            both.frames - both.mtcnn_frames - both.haar_frames + both.both_frames,
            LIGHT.faint,
        ),
    )
    figure = new_figure(5.6, 2.6)
    axes = figure.add_subplot()
    style_axes(axes, title=title, x_label="share of frames, %", y_label="")
    for row, (_, count, color) in enumerate(rows):
        share = 100 * count / both.frames
        axes.barh(row, share, color=color, height=0.66)
        axes.text(share + 1, row, f"{share:.1f}%", va="center", fontsize=9, color=LIGHT.ink)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, 118)
    axes.grid(False, axis="y")
    counts = ", ".join(f"{name} {count:,}" for name, count, _ in rows)
    return chart_of(DETECTORS, f"{title}, of {both.frames:,}: {counts}", figure)
