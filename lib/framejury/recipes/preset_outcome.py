"""How one preset fared: from its verdicts on the shared test side to one row of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field

from framejury.evaluation.metrics import video_metrics
from framejury.evaluation.rows import REPORT_COLUMNS
from framejury.model.manifest import Bundle, Figure

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
Count = Annotated[int, Field(ge=0)]

FIGURES: dict[str, str] = {
    "accuracy": "accuracy",
    "auc": "auc",
    "on_fakes": "recall_fake",
    "on_originals": "recall_real",
}
"""Fields of `Outcome` and what `evaluation.binary` calls them."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One preset on the shared test side. Figures are of scored videos, at the bundle's threshold.

    Attributes:
        preset: its name.
        signal, backbone: of its network.
        labelled, scored: videos of the test side; those with a score.
        accuracy: share called right; with the interval over groups, as all figures.
        auc: area under the ROC curve of the videos.
        on_fakes, on_originals: share of each class called right.
        seconds_a_video: processor time to judge one, mean, seconds.
        peak_memory_bytes: most that a process held that judges videos, resident.
        faces: what it learned from, on train and val, count.
        epochs: done.
        train_s: of training, seconds.
        leak: what the split that it learned from let through; None: nothing.
        remark: what a reader should know of its rule, empty when nothing.
    """

    __pydantic_config__ = _STRICT

    preset: str
    model_id: str
    signal: str
    backbone: str
    labelled: Count
    scored: Count
    accuracy: Figure | None
    auc: Figure | None
    on_fakes: Figure | None
    on_originals: Figure | None
    seconds_a_video: float | None
    peak_memory_bytes: Count | None
    faces: Count
    epochs: Count
    train_s: float
    leak: str | None
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A preset that gave no verdicts.

    Attributes:
        step: in which it ended: index, extract, split, train or judge.
        reason: in words.
    """

    __pydantic_config__ = _STRICT

    preset: str
    step: Literal["index", "extract", "split", "train", "judge"]
    reason: str


def outcome_of(
    preset: str,
    bundle: Bundle,
    judged: pa.Table,
    extractions: pa.Table,
    history: Sequence[Mapping[str, Any]],
    *,
    remark: str = "",
) -> Outcome:
    """One row of the table.

    Args:
        preset: its name.
        bundle: that it trained.
        judged: verdicts on the videos of the test side, columns `rows.REPORT_COLUMNS`.
        extractions: how opening them went, one row a video.
        history: its epochs, as `train` keeps them.
        remark: of its rule.
    """
    overall = video_metrics(judged).overall
    figures = {}
    for field, name in FIGURES.items():
        value, ends = getattr(overall.scored, name), overall.bootstrap.intervals.get(name)
        level = overall.bootstrap.level if ends else None
        figures[field] = (
            value
            if value is None
            else Figure(
                value=value,
                low=ends.low if ends else None,
                high=ends.high if ends else None,
                level=level,
            )
        )
    learned = [row for row in bundle.data.counts if row.side in ("train", "val")]
    peak = pc.max(extractions["peak_memory_bytes"]).as_py()
    return Outcome(
        preset=preset,
        model_id=bundle.model_id,
        signal=bundle.signal,
        backbone=bundle.backbone,
        labelled=overall.coverage.labelled,
        scored=overall.coverage.scored,
        seconds_a_video=pc.mean(extractions["cpu_s"]).as_py(),
        peak_memory_bytes=peak,
        faces=sum(row.faces for row in learned),
        epochs=len(history),
        train_s=sum(float(epoch["seconds"]) for epoch in history),
        leak=bundle.data.leak,
        remark=remark,
        **figures,
    )


def with_truth(verdicts: pa.Table, videos: pa.Table) -> pa.Table:
    """Verdicts joined to what is known of their videos: columns `rows.REPORT_COLUMNS`, by path.

    Args:
        verdicts: rows of the table `verdicts`.
        videos: rows of the table `videos`; those without a verdict are left out.
    """
    known = [name for name in REPORT_COLUMNS if name not in verdicts.schema.names]
    joined = verdicts.join(videos.select(["video_id", *known]), "video_id", join_type="inner")
    return joined.select(list(REPORT_COLUMNS)).sort_by("path")
