"""The charts of one inspected video: flicker, and faces per detector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

from framejury.inspection.charts import Chart, chart_of, no_chart
from framejury.inspection.inspected import InspectedFrame
from framejury.pages.style import LIGHT, new_figure, style_axes, style_legend

SSIM, FACES = "ssim", "faces"
_TRACKS = 4
_COLORS = (LIGHT.fake, "#009e73", "#cc79a7", "#b8860b")
_DASHES = ("-", "--", "-.", ":")


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
    for (track, points), color, dash in zip(tracks, _COLORS, _DASHES, strict=False):
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
