"""The figures of a comparison: where and when the pictures differ, and the sound."""

from __future__ import annotations

import cv2
import numpy as np

from framejury.faces.crop import encode_crop
from framejury.inspection.charts import Chart, chart_of, no_chart
from framejury.inspection.compare import Comparison
from framejury.inspection.difference import CELL_PX, CHANGED_RATIO, Floats
from framejury.inspection.drawing import clock, contact_sheet
from framejury.inspection.sound_difference import SAME_WAVE
from framejury.pages.style import LIGHT, new_figure, style_axes, style_legend
from framejury.records import Image

DIFFERENCE, SOUND = "difference", "sound"
HEAT, WHERE = "heat.jpg", "where.jpg"
SHOWN_PAIRS = 12
TIME = "time in the first video, seconds"
_HOT = 16.0
"""Multiple of `CHANGED_RATIO` with the brightest colour."""
_JPEG_QUALITY = 88


def difference_chart(found: Comparison) -> Chart:
    """Draw the strongest difference of each pair over time, as a multiple of the noise floor."""
    title = "Difference of the pictures"
    if found.picture is None or found.pairs is None:
        return no_chart(DIFFERENCE, title, "The pictures cannot be compared.")
    picture, times = found.picture, found.pairs.times_s
    figure = new_figure(9.0, 4.4)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    style_axes(above, title=title, x_label="", y_label="multiple of noise floor")
    above.plot(
        times, picture.over_time, color=LIGHT.fake, marker="o", ms=3, lw=1.4, label="strongest area"
    )
    above.axhline(
        CHANGED_RATIO,
        color=LIGHT.ink,
        linestyle="--",
        lw=1,
        label=f"changed at {CHANGED_RATIO:g} and above (mean over time)",
    )
    above.set_ylim(bottom=0)
    style_legend(above, loc="upper left", bbox_to_anchor=(0, 1.02), ncols=2)
    above.set_ylim(top=max(float(picture.over_time.max()) * 1.3, CHANGED_RATIO * 1.4))
    style_axes(below, title="", x_label=TIME, y_label="mean, grey levels")
    below.plot(times, picture.mean_levels, color=LIGHT.real, marker="s", ms=3, lw=1.4)
    below.set_ylim(0, max(float(picture.mean_levels.max()) * 1.15, 0.5))
    label = f"{title}, {len(times)} pairs: {picture.why}"
    return chart_of(DIFFERENCE, label, figure)


def sound_chart(found: Comparison) -> Chart:
    """Draw the similarity of the sound over time."""
    title = "Similarity of the sound"
    sound = found.sound
    if not len(sound.times_s):
        return no_chart(SOUND, title, f"{sound.why[:1].upper()}{sound.why[1:]}.")
    figure = new_figure(9.0, 2.8)
    axes = figure.add_subplot()
    style_axes(axes, title=title, x_label=TIME, y_label="correlation")
    axes.plot(sound.times_s, sound.wave, color=LIGHT.real, lw=1.2, marker=".", ms=4)
    axes.plot(
        sound.times_s[sound.changed],
        sound.wave[sound.changed],
        color=LIGHT.fake,
        linestyle="none",
        marker="X",
        ms=7,
        label="different",
    )
    axes.axhline(SAME_WAVE, color=LIGHT.ink, linestyle="--", lw=1, label="same waveform above")
    axes.set_ylim(min(-0.02, float(sound.wave.min())), 1.03)
    style_legend(axes, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return chart_of(SOUND, f"{title}: {sound.why}", figure)


def heat_pictures(found: Comparison) -> dict[str, bytes]:
    """Make `heat.jpg`, pairs over time with their heat maps, and `where.jpg`, their mean."""
    if found.picture is None or found.pairs is None:
        return {}
    pairs, picture = found.pairs, found.picture
    count = min(SHOWN_PAIRS, len(pairs.times_s))
    some = np.unique(np.linspace(0, len(pairs.times_s) - 1, count).round().astype(int))
    sheet = contact_sheet(
        [heated(pairs.fake[at], picture.heats[at]) for at in some],
        [f"{clock(pairs.times_s[at])}  x {picture.over_time[at]:.1f}" for at in some],
    )
    middle = len(pairs.times_s) // 2
    where = contact_sheet(
        [
            pairs.original[middle],
            pairs.fake[middle],
            heated(pairs.fake[middle], picture.heat),
        ],
        [
            "second video",
            f"first video at {clock(pairs.times_s[middle])}",
            "difference, mean of all pairs",
        ],
    )
    files = {HEAT: sheet, WHERE: where}
    return {name: encode_crop(one, "jpeg", _JPEG_QUALITY) for name, one in files.items()}


def heated(picture: Image, heat: Floats) -> Image:
    """Draw a heat map over a picture in grey: dark red at the threshold, yellow far above.

    Args:
        picture: uint8 (height, width, 3) RGB.
        heat: float32 (rows, columns), multiples of the noise floor, cells of `CELL_PX`.
    """
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    height, width = picture.shape[:2]
    size = heat.shape[1] * CELL_PX, heat.shape[0] * CELL_PX
    spread = np.zeros((height, width), np.float32)
    spread[: size[1], : size[0]] = cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR)
    # A logarithmic colour scale: dark at the threshold, brightest at _HOT times that.
    log_heat = np.log(np.maximum(spread, 1e-3) / CHANGED_RATIO) / np.log(_HOT)
    share = np.clip(log_heat, 0, 1)
    colors = cv2.applyColorMap((100 + 155 * share).astype(np.uint8), cv2.COLORMAP_INFERNO)
    strength = np.where(spread >= CHANGED_RATIO, 0.75, 0.0)[..., None]
    mixed = grey * (1 - strength) * 0.85 + colors[..., ::-1] * strength
    return np.asarray(np.clip(mixed, 0, 255), np.uint8)
