"""All numbers of one report, computed once; text, JSON, HTML and pictures show the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from framejury.evaluation.binary import Integers
from framejury.evaluation.breakdown import VerdictCounts, verdict_counts
from framejury.evaluation.curves import PrecisionRecall, precision_recall
from framejury.evaluation.metrics import (
    FaceMetrics,
    RocCurve,
    VideoMetrics,
    face_metrics,
    face_roc,
    video_metrics,
    video_roc,
)
from framejury.evaluation.protocol_numbers import ProtocolFindings, find_protocol
from framejury.evaluation.reliability import Reliability, reliability
from framejury.evaluation.rows import FaceRows, VideoRows, face_rows, video_rows
from framejury.report.effort import Effort, find_effort
from framejury.report.inputs import DEMO, BundleInfo, Context, RunInfo, RunReport
from framejury.report.mistakes import Mistakes, find_mistakes
from framejury.report.predictions import predictions_table
from framejury.report.since import Night, Since, find_nights, find_since
from framejury.report.wording import judged_words
from framejury.schemas.statuses import VERDICT_STATUSES, Status, Verdict

CROSSES = "interval crosses the threshold"
TOO_FEW = "too few faces"

DEMO_BANNER = (
    "DEMO MODEL: these verdicts mean nothing. This bundle was trained to show that the system "
    "runs, not to tell fake from real. Judge no video by it."
)
LEAK_BANNER = (
    "LEAKING SPLIT: the split that this model learned by measures it on sources it knows, so "
    "figures on that split do not hold for new videos."
)


def banners_of(bundle: BundleInfo | None) -> tuple[str, ...]:
    """What must be read before anything that this model says, most important first."""
    if bundle is None:
        return ()
    leak = None if bundle.leak is None else f"{LEAK_BANNER} {bundle.leak}"
    demo = DEMO_BANNER if bundle.purpose == DEMO else None
    return tuple(banner for banner in (demo, leak) if banner is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """The content of a report.

    Attributes:
        banners: what must be read before anything else, in large letters.
        judged: what was judged and what was not, in words.
        predictions: one row a video, most suspicious first.
        outcomes: all videos by outcome; statuses: by status, in the order of the closed set.
        inconclusive: why scored videos were not decided.
        threshold: the one in use; None when rows differ or there are none.
        face_threshold: the same for single faces.
        face: None when no face counts were given or there is no threshold.
        notes: what a reader must know before believing a number.
        why_no_accuracy: a sentence when there is no truth to compare with, else None.
        protocol: None when the evaluation protocol was not followed.
        video_pr, face_pr: None where there is no ROC curve either.
        calibration: of the labelled, scored videos; None without one.
        judged_now: how many of the videos this run judged; None where that is not known.
        since: against the verdicts before this run; None when there were none.
        nights: earlier nights and this one; empty when there were none.
    """

    title: str
    run: RunInfo
    is_demo: bool
    banners: tuple[str, ...]
    judged: str
    predictions: pa.Table
    outcomes: VerdictCounts
    statuses: dict[str, int]
    inconclusive: dict[str, int]
    threshold: float | None
    face_threshold: float | None
    reducers: tuple[str, ...]
    video: VideoMetrics
    face: FaceMetrics | None
    video_roc: RocCurve | None
    face_roc: RocCurve | None
    video_rows: VideoRows
    face_rows: FaceRows | None
    notes: tuple[str, ...]
    why_no_accuracy: str | None
    protocol: ProtocolFindings | None
    video_pr: PrecisionRecall | None
    face_pr: PrecisionRecall | None
    calibration: Reliability | None
    mistakes: Mistakes
    judged_now: int | None
    since: Since | None
    nights: tuple[Night, ...]
    effort: Effort
    context: Context

    @property
    def videos(self) -> int:
        return self.video.videos


def find(report: RunReport) -> Findings:
    """Compute everything.

    Raises:
        ValueError: the tables break the contract of `rows.video_rows` or `rows.face_rows`.
    """
    report = report.redacted()
    table = report.verdicts
    rows = video_rows(table)
    statuses = Counter(table["status"].to_pylist())
    thresholds = np.unique(rows.thresholds)
    threshold = float(thresholds[0]) if len(thresholds) == 1 else None
    # Different thresholds of videos leave none for faces, whatever the caller says.
    face_threshold = threshold if report.face_threshold is None else report.face_threshold
    face_threshold = None if threshold is None else face_threshold
    counts = report.face_counts if threshold is not None else None
    video = video_metrics(table)
    bundle = report.run.bundle
    faces = None if report.face_counts is None else face_rows(report.face_counts)
    truth = rows.where(rows.known & rows.scored)
    predictions = predictions_table(table, report.context)
    judged = report.context.judged_now
    return Findings(
        title=report.title or f"Verdicts on {report.run.archive}",
        run=report.run,
        is_demo=bundle is not None and bundle.purpose == DEMO,
        banners=banners_of(bundle),
        judged=judged_words("face" if bundle is None else bundle.judges),
        predictions=predictions,
        outcomes=verdict_counts(rows.outcomes),
        statuses={s.value: statuses[s] for s in VERDICT_STATUSES if statuses[s]},
        inconclusive=_why_inconclusive(table),
        threshold=threshold,
        face_threshold=face_threshold,
        reducers=tuple(sorted(set(table["reducer"].to_pylist()))),
        video=video,
        face=(
            None
            if counts is None or face_threshold is None
            else face_metrics(counts, face_threshold)
        ),
        video_roc=video_roc(table),
        face_roc=None if counts is None else face_roc(counts),
        video_rows=rows,
        face_rows=faces,
        notes=(*_own_notes(report, video, threshold), *report.notes),
        why_no_accuracy=_why_no_accuracy(video),
        protocol=None if report.protocol is None else find_protocol(report.protocol),
        video_pr=_precision_recall(truth, np.ones(len(truth), np.int64)),
        face_pr=None if faces is None else _precision_recall(faces, faces.weights),
        calibration=reliability(truth.fake, truth.scores) if len(truth) else None,
        mistakes=find_mistakes(predictions),
        judged_now=None if judged is None else pc.sum(predictions["judged_now"]).as_py() or 0,
        since=find_since(predictions, report.context),
        nights=find_nights(predictions, report.context, report.run),
        effort=find_effort(predictions, report.context, report.run),
        context=report.context,
    )


def why_no_roc(findings: Findings) -> str:
    """The sentence for a missing ROC curve."""
    scored = findings.video.overall.scored
    if not scored.total:
        return "No labelled video was scored."
    only = "FAKE" if scored.fakes else "REAL"
    return f"All labelled and scored videos are {only}: there is nothing to tell apart."


def _precision_recall(rows: VideoRows | FaceRows, weights: Integers) -> PrecisionRecall | None:
    known = rows.known & (weights > 0)
    mine = rows.where(known)
    return precision_recall(mine.fake, mine.scores, weights[known])


def _why_inconclusive(table: pa.Table) -> dict[str, int]:
    """Reasons of scored videos that were not decided, as `verdict.judge.decide` has them."""
    undecided = pc.and_(
        pc.equal(table["verdict"], Verdict.INCONCLUSIVE.value),
        pc.equal(table["status"], Status.SCORED.value),
    )
    rows = table.filter(undecided)
    crosses = pc.and_(
        pc.less(rows["p_fake_low"], rows["threshold"]),
        pc.less_equal(rows["threshold"], rows["p_fake_high"]),
    )
    across = pc.sum(pc.fill_null(crosses, False)).as_py() or 0
    reasons = {CROSSES: across, TOO_FEW: rows.num_rows - across}
    return {reason: count for reason, count in reasons.items() if count}


def _why_no_accuracy(video: VideoMetrics) -> str | None:
    if not video.videos:
        return "There is no video, so there is nothing to be right or wrong about."
    if video.unlabelled == video.videos:
        return "No video has a label, so nobody can say here how many verdicts are right."
    if not video.overall.scored.total:
        return "No labelled video was scored, so there is no accuracy."
    return None


def _own_notes(report: RunReport, video: VideoMetrics, threshold: float | None) -> list[str]:
    """What the tables themselves give cause to say."""
    notes = []
    table = report.verdicts
    models = sorted(set(table["model_id"].to_pylist()))
    if len(models) > 1:
        notes.append(f"Verdicts of {len(models)} models are mixed: {', '.join(models)}.")
    if threshold is None and table.num_rows:
        notes.append("Verdicts were made with different thresholds; faces are not judged here.")
    reducers = sorted(set(table["reducer"].to_pylist()))
    if len(reducers) > 1:
        notes.append(f"Scores were reduced in different ways: {', '.join(reducers)}.")
    if 0 < video.unlabelled < video.videos:
        notes.append(
            f"{video.unlabelled:,} of {video.videos:,} videos have no label; "
            "accuracy and the like are about the others."
        )
    scored = video.overall.scored
    if scored.total and not (scored.reals and scored.fakes):
        only = "FAKE" if scored.fakes else "REAL"
        notes.append(
            f"All labelled and scored videos are {only}: no AUC, no false-alarm trade-off."
        )
    return notes
