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
    """Draw all charts, from labels to statuses."""
    empty, none = "The archive has no videos.", "No video could be read."
    return [
        bars("labels", "Labels", found.labels, "videos", empty),
        bars("layouts", "Layouts", found.layouts, "videos", empty),
        bars("methods", "Manipulation methods", found.methods, "videos", "No method is named."),
        bars("sizes", "Frame sizes, pixels", found.sizes, "videos", none),
        histogram(
            "durations",
            "Lengths",
            [("", found.durations_s)],
            x_label="seconds",
            sentence=none,
        ),
        bars("codecs", "Video codecs", found.codecs, "videos", none),
        bars("sound", "Audio codecs", found.sounds, "videos", none),
        histogram(
            "faces",
            "Faces per frame",
            [("MTCNN", found.mtcnn_rates), ("Haar", found.haar_rates)],
            x_label="faces per frame, mean of each video",
            sentence=none,
        ),
        _detectors(found),
        bars(
            "statuses", "Results", _worded(found.statuses), "videos", "The archive has no videos."
        ),
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
