"""The charts of an inspected archive. File names never change."""

from __future__ import annotations

from dataclasses import replace

from framejury.inspection.charts import Chart, bars, chart_of, histogram, no_chart
from framejury.inspection.inspected_archive import ArchiveSummary, Counts
from framejury.pages.style import LIGHT, new_figure, style_axes
from framejury.report.wording import status_word
from framejury.schemas.statuses import Status

DETECTORS = "detectors"


def archive_charts(found: ArchiveSummary) -> list[Chart]:
    """labels, layouts, methods, sizes, durations, codecs, sound, faces, detectors, statuses."""
    none = "No video could be read."
    return [
        bars("labels", "Labels", found.labels, "videos", "The archive has no video."),
        bars("layouts", "Layouts", found.layouts, "videos", "The archive has no video."),
        bars("methods", "Methods of manipulation", found.methods, "videos", "None is named."),
        bars("sizes", "Sizes, pixels", found.sizes, "videos", none),
        histogram(
            "durations",
            "How long videos are",
            [("", found.durations_s)],
            x_label="seconds",
            sentence=none,
        ),
        bars("codecs", "Codecs of the picture", found.codecs, "videos", none),
        bars("sound", "Codecs of the sound", found.sounds, "videos", none),
        histogram(
            "faces",
            "Faces a frame",
            [("MTCNN", found.mtcnn_rates), ("Haar", found.haar_rates)],
            x_label="faces a frame, mean of each video",
            sentence=none,
        ),
        _detectors(found),
        bars("statuses", "How inspecting ended", _worded(found.statuses), "videos", "No video."),
    ]


def _worded(statuses: Counts) -> Counts:
    words = {Status.EXTRACTED.value: "a face was found"}
    return replace(
        statuses,
        shown=tuple((words.get(name, status_word(name)), count) for name, count in statuses.shown),
    )


def _detectors(found: ArchiveSummary) -> Chart:
    """Share of the frames in which each detector finds a face."""
    title = "Frames with a face"
    both = found.agreement
    if not both.frames:
        return no_chart(DETECTORS, title, "No frame was looked at.")
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
    figure = new_figure(5.6, 2.6, LIGHT)
    axes = figure.add_subplot()
    style_axes(axes, LIGHT, title=title, x_label="share of frames, %", y_label="")
    for place, (_, count, color) in enumerate(rows):
        share = 100 * count / both.frames
        axes.barh(place, share, color=color, height=0.66)
        axes.text(share + 1, place, f"{share:.1f} %", va="center", fontsize=9, color=LIGHT.ink)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, 118)
    axes.grid(False, axis="y")
    said = ", ".join(f"{name} {count:,}" for name, count, _ in rows)
    return chart_of(DETECTORS, f"{title}, of {both.frames:,}: {said}", figure)
