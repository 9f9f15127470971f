"""Videos that the model had seen in training: counted, measured apart, and named."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from framejury.evaluation.metrics import SliceMetrics, slice_metrics
from framejury.evaluation.rows import VideoRows, video_rows
from framejury.model.seen import NEW, SIDES
from framejury.pages.text_table import counted
from framejury.report.inputs import Context
from framejury.report.wording import decimal, percent
from framejury.schemas.statuses import Label, Side

USES = {Side.TRAIN: "trained on", Side.VAL: "used to choose the best epoch or the rule"}
HEADER = ("use in training", "videos", "labelled", "decided", "right", "accuracy", "AUC")
NOTE = (
    "These figures do not carry over to new videos. A video counts as seen if its file, or another "
    "video of the same source, was used; a copy with other bytes is recognised by its source alone."
)


@dataclass(frozen=True, slots=True)
class SeenSide:
    """Videos of one split of the training.

    Attributes:
        side: train or val.
        videos: all of them, count.
        metrics: of the labelled ones.
    """

    side: Side
    videos: int
    metrics: SliceMetrics


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known about videos that the models of a report had seen.

    Attributes:
        sides: splits with at least one video, train first.
        new: videos that their model had not seen, count.
        unrecorded: model_id -> judged videos of which it is not recorded whether it had seen them.
        odds: that any video is taken for a seen one by chance, at most, 0 to 1.
    """

    sides: tuple[SeenSide, ...]
    new: int
    unrecorded: dict[str, int]
    odds: float

    @property
    def labelled(self) -> int:
        """Labelled videos that were seen, count."""
        return sum(one.metrics.coverage.labelled for one in self.sides)


def seen_column(video_ids: pa.ChunkedArray, context: Context) -> pa.ChunkedArray:
    """Return for each video `train`, `val`, `no`, or null where it is not recorded."""
    if context.seen is None:
        return pa.chunked_array([pa.nulls(len(video_ids), pa.string())])
    known = context.seen.videos.combine_chunks()
    return known["seen"].take(pc.index_in(video_ids, known["video_id"].combine_chunks()))


def is_seen(video_ids: pa.ChunkedArray, context: Context) -> pa.ChunkedArray:
    """Return where a video was seen, bool; not where it is not recorded."""
    sides = pa.array([side.value for side in SIDES])
    return pc.is_in(seen_column(video_ids, context), sides)


def find_seen(table: pa.Table, context: Context) -> Seen:
    """Count and measure the videos that were seen.

    Args:
        table: columns `rows.REPORT_COLUMNS`.
        context: of the report.
    """
    column = seen_column(table["video_id"], context)
    sides = []
    for side in SIDES:
        mine = table.filter(pc.fill_null(pc.equal(column, side.value), False))
        if mine.num_rows:
            rows: VideoRows = video_rows(mine)
            sides.append(
                SeenSide(side, mine.num_rows, slice_metrics(side.value, rows.where(rows.known)))
            )
    unrecorded = pc.value_counts(table["model_id"].filter(pc.is_null(column))).to_pylist()
    return Seen(
        sides=tuple(sides),
        new=pc.sum(pc.equal(column, NEW)).as_py() or 0,
        unrecorded={one["values"]: one["counts"] for one in unrecorded},
        odds=0.0 if context.seen is None else context.seen.odds,
    )


def seen_sentence(seen: Seen, new_labelled: int) -> str:
    """Return how many labelled videos stand apart; empty where nothing is known or labelled.

    Args:
        seen: of the report.
        new_labelled: labelled videos that do not stand apart, count.
    """
    if not seen.labelled:
        known = new_labelled and not seen.unrecorded
        return "The model had seen no labelled video here in training." if known else ""
    parts = [
        f"{one.metrics.coverage.labelled:,} {USES[one.side]}"
        for one in seen.sides
        if one.metrics.coverage.labelled
    ]
    return (
        f"Not counted: {counted(seen.labelled, 'labelled video')} that the model had seen in "
        f"training ({', '.join(parts)}); their figures are shown separately."
    )


def seen_note(seen: Seen, trained_elsewhere: Collection[str] = ()) -> str | None:
    """Return a caveat where it is not recorded what a model has seen.

    Args:
        seen: of the report.
        trained_elsewhere: models of which the report says so anyway.
    """
    counts = {name: n for name, n in seen.unrecorded.items() if name not in trained_elsewhere}
    if not counts:
        return None
    return (
        f"It is not recorded which videos {', '.join(sorted(counts))} learned from, so the "
        "accuracy measured on the videos of this report may include some of them "
        f"({counted(sum(counts.values()), 'video')} could not be compared). This does not concern "
        "the figures of the model's own test."
    )


def seen_rows(seen: Seen) -> list[tuple[str, ...]]:
    """Return the table of seen videos, columns `HEADER`."""
    rows = []
    for one in seen.sides:
        c = one.metrics.coverage
        right = sum(
            verdicts.fake if label == Label.FAKE else verdicts.real
            for label, verdicts in one.metrics.verdicts.items()
        )
        counts = (one.videos, c.labelled, c.decided, right)
        shares = (percent(c.accuracy_decided), decimal(one.metrics.scored.auc))
        rows.append((USES[one.side], *(f"{count:,}" for count in counts), *shares))
    return rows


def odds_sentence(seen: Seen) -> str:
    """Return the odds of a false match; empty where nothing was compared."""
    if not seen.odds:
        return ""
    return (
        "Videos are recognised by 64-bit hashes. The odds that any video here was taken for a seen "
        f"one by chance are below 1 in {int(1 / seen.odds):,}."
    )
