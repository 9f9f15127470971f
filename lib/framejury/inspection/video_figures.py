"""The charts of one inspected video: flicker, and how many faces each detector finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

from framejury.inspection.charts import Chart, chart_of, no_chart
from framejury.inspection.inspected import Look
from framejury.pages.style import LIGHT, new_figure, style_axes, style_legend

SSIM, FACES = "ssim", "faces"
_PERSONS = 4
_COLORS = (LIGHT.fake, "#009e73", "#cc79a7", "#b8860b")
_DASHES = ("-", "--", "-.", ":")


def ssim_chart(looks: Sequence[Look]) -> Chart:
    """How like each frame, and each face, is to the one before; a dip is a jump or flicker."""
    title = "Likeness to the frame before (SSIM)"
    frames = [(look.pts_s, look.ssim) for look in looks if look.ssim is not None]
    if not frames:
        return no_chart(SSIM, title, "Fewer than two frames were looked at.")
    figure = new_figure(9.0, 3.4, LIGHT)
    axes = figure.add_subplot()
    style_axes(axes, LIGHT, title=title, x_label="time, seconds", y_label="SSIM")
    axes.plot(*zip(*frames, strict=True), color=LIGHT.real, lw=1.4, label="whole frame")
    people = _persons(looks)
    for (person, points), color, dash in zip(people, _COLORS, _DASHES, strict=False):
        axes.plot(
            [s for s, _ in points],
            [value for _, value in points],
            color=color,
            linestyle=dash,
            lw=1.4,
            label=f"face of person {person}",
        )
    lowest = min(value for values in [frames, *(p for _, p in people)] for _, value in values)
    axes.set_ylim(min(lowest - 0.03, 0.9), 1.005)
    style_legend(axes, LIGHT, loc="lower left", ncols=3)
    middle = float(np.median([value for _, value in frames]))
    faces = "".join(
        f", face of person {person} median {np.median([v for _, v in points]):.3f}, "
        f"lowest {min(v for _, v in points):.3f}"
        for person, points in people
    )
    return chart_of(SSIM, f"{title}: whole frame median {middle:.3f}{faces}", figure)


def faces_chart(looks: Sequence[Look]) -> Chart:
    """Faces in each frame, by detector."""
    title = "Faces in each frame"
    if not looks:
        return no_chart(FACES, title, "No frame was looked at.")
    figure = new_figure(9.0, 2.4, LIGHT)
    axes = figure.add_subplot()
    style_axes(axes, LIGHT, title=title, x_label="time, seconds", y_label="faces, count")
    times = [look.pts_s for look in looks]
    mtcnn = [len(look.mtcnn) for look in looks]
    haar = [len(look.haar) for look in looks]
    axes.step(times, mtcnn, where="post", color=LIGHT.fake, lw=1.8, label="MTCNN")
    axes.step(times, haar, where="post", color=LIGHT.real, lw=1.4, linestyle="--", label="Haar")
    axes.set_ylim(-0.15, max([1, *mtcnn, *haar]) + 0.35)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    style_legend(axes, LIGHT, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    label = f"{title}: MTCNN {np.mean(mtcnn):.2f} on average, Haar {np.mean(haar):.2f}"
    return chart_of(FACES, label, figure)


def _persons(looks: Sequence[Look]) -> list[tuple[int, list[tuple[float, float]]]]:
    """(person, [(seconds, SSIM)]) of those seen most often, at most `_PERSONS`."""
    found: dict[int, list[tuple[float, float]]] = {}
    for look in looks:
        for face in look.mtcnn:
            if face.person is not None and face.ssim is not None:
                found.setdefault(face.person, []).append((look.pts_s, face.ssim))
    often = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return sorted(often[:_PERSONS])
