"""Result of one preset: from its verdicts on the shared test videos to one row of the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field

from framejury.evaluation.few import few_videos
from framejury.evaluation.metrics import true_class_probability, video_metrics
from framejury.evaluation.rows import REPORT_COLUMNS, joined
from framejury.labelled.measure import bounded_figure
from framejury.model.manifest import Bundle, Measurement
from framejury.model.schedule import EpochRecord

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
Count = Annotated[int, Field(ge=0)]

FIGURES: dict[str, str] = {
    "accuracy": "accuracy",
    "auc": "auc",
    "on_fakes": "recall_fake",
    "on_originals": "recall_real",
}
"""Fields of `PresetOutcome` and their names in `evaluation.binary`."""


@dataclass(frozen=True, kw_only=True)
class PresetOutcome:
    """One preset on the shared test videos. Figures cover scored videos, at its own threshold.

    Attributes:
        preset: name.
        signal, backbone: of its network.
        labelled, scored: test videos, and those with a score, count.
        accuracy: share of correct calls, 0 to 1; like all figures with an interval over groups.
        auc: area under the ROC curve of the videos.
        on_fakes, on_originals: share of correct calls in each class, 0 to 1.
        p_true, p_true_fake, p_true_real: mean probability of the true class over the faces of all
            videos, of fakes and of originals, 0 to 1; None unless scores are plain means.
        seconds_a_video: mean processor time to judge one video, seconds.
        peak_memory_bytes: most resident memory of one process that judges videos, bytes.
        faces: in splits train and val, count.
        epochs: of training, count.
        train_s: duration of training, seconds.
        leak: sentence on how its split leaks; None: it does not.
        remark: sentence on its verdict rule; empty: nothing to mention.
        judges: face or frame: what its network scores.
        few: sentence where its figures rest on too few videos (`evaluation.few`), else None.
    """

    __pydantic_config__ = _STRICT

    preset: str
    model_id: str
    signal: str
    backbone: str
    labelled: Count
    scored: Count
    accuracy: Measurement | None
    auc: Measurement | None
    on_fakes: Measurement | None
    on_originals: Measurement | None
    seconds_a_video: float | None
    peak_memory_bytes: Count | None
    faces: Count
    epochs: Count
    train_s: float
    leak: str | None
    remark: str = ""
    judges: str = "face"
    few: str | None = None
    p_true: float | None = None
    p_true_fake: float | None = None
    p_true_real: float | None = None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A preset without figures.

    Attributes:
        step: that failed: index, extract, split, train or judge.
        reason: the error.
    """

    preset: str
    step: str
    reason: str


def outcome_of(
    preset: str,
    bundle: Bundle,
    judged: pa.Table,
    extractions: pa.Table,
    history: Sequence[EpochRecord],
    *,
    remark: str = "",
) -> PresetOutcome:
    """Compute one row of the table.

    Args:
        preset: name.
        bundle: trained by the preset.
        judged: verdicts on the test videos, columns `rows.REPORT_COLUMNS`.
        extractions: columns `cpu_s` and `peak_memory_bytes`, one row per test video.
        history: epochs of its training.
        remark: of its rule.
    """
    overall = video_metrics(judged).overall
    learned = [row for row in bundle.data.counts if row.side in ("train", "val")]
    figures: dict[str, Any] = {
        field: bounded_figure(overall, name) for field, name in FIGURES.items()
    }
    peak = pc.max(extractions["peak_memory_bytes"]).as_py()
    return PresetOutcome(
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
        train_s=sum(epoch.seconds for epoch in history),
        leak=bundle.data.leak,
        remark=remark,
        judges=bundle.framing.judges,
        few=few_videos(overall.scored.reals, overall.scored.fakes),
        **figures,
        **_true_class(bundle, judged),
    )


def _true_class(bundle: Bundle, judged: pa.Table) -> dict[str, Any]:
    """Return the fields `p_true`; a plain mean, times the faces, is the sum over the faces."""
    scored = judged.filter(pc.field("p_fake").is_valid() & pc.field("label").is_valid())
    if bundle.calibration is not None or set(scored["reducer"].to_pylist()) != {"mean"}:
        return {}
    return true_class_probability(scored["label"], scored["p_fake"], scored["faces_scored"])


def with_truth(verdicts: pa.Table, videos: pa.Table) -> pa.Table:
    """Join verdicts to their videos: columns `rows.REPORT_COLUMNS`, by path.

    Args:
        verdicts: rows of table `verdicts`.
        videos: rows of table `videos`; those without a verdict are left out.
    """
    known = [name for name in REPORT_COLUMNS if name not in verdicts.schema.names]
    both = joined(videos.select(["video_id", *known]).sort_by("path"), verdicts)
    return both.select(list(REPORT_COLUMNS))
