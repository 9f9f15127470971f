"""All numbers of one report, computed once for text, JSON, HTML and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from framejury.evaluation.binary import Integers, PrecisionRecall, RocCurve, precision_recall
from framejury.evaluation.breakdown import VerdictCounts, verdict_counts
from framejury.evaluation.few import few_videos, too_few_for_curves
from framejury.evaluation.known_methods import MethodsApart
from framejury.evaluation.metrics import (
    FaceMetrics,
    VideoMetrics,
    face_metrics,
    face_roc,
    video_metrics,
    video_roc,
)
from framejury.evaluation.protocol_numbers import ProtocolFindings, find_protocol
from framejury.evaluation.reliability import Reliability, reliability
from framejury.evaluation.rows import FaceRows, VideoRows, face_rows, video_rows
from framejury.pages.text_table import counted
from framejury.report.bundle_info import DEMO, BundleInfo
from framejury.report.effort import Effort, find_effort
from framejury.report.inputs import Context, RunInfo, RunReport
from framejury.report.known import find_methods, methods_sentence, untested_sentence
from framejury.report.predictions import Mistakes, find_mistakes, predictions_table
from framejury.report.seen_videos import Seen, find_seen, is_seen, seen_note
from framejury.report.since import JudgedRun, Since, find_runs, find_since
from framejury.report.trust import Trust, trust_of_all
from framejury.report.waiting import Review, find_review
from framejury.report.wording import CROSSES, judged_words
from framejury.schemas.notes import from_text
from framejury.schemas.statuses import NOTE_MEANING, VERDICT_STATUSES, Status, Verdict

DEMO_BANNER = (
    "DEMO MODEL: these verdicts mean nothing. The bundle was trained to show that the system runs, "
    "not to tell fake from real. Do not judge any video by it."
)
LEAK_BANNER = (
    "LEAKING SPLIT: this model was tested on sources that it was also trained on, so its test "
    "figures do not hold for new videos."
)


def banners_of(bundle: BundleInfo | None) -> tuple[str, ...]:
    """Return the warnings that stand above all verdicts of a model, most important first."""
    if bundle is None:
        return ()
    leak = None if bundle.leak is None else f"{LEAK_BANNER} {bundle.leak}"
    demo = DEMO_BANNER if bundle.purpose == DEMO else None
    return tuple(banner for banner in (demo, leak) if banner is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """The content of a report.

    Attributes:
        banners: warnings above everything else.
        trust: the model's error rates on held-out videos, above all counts.
        judges: face or frame: what the model scores.
        judged: a sentence on what was judged and what was not.
        videos: all videos, count.
        predictions: one row per video, highest score first.
        outcomes: all videos by outcome; statuses: by status, in the order of the closed set.
        seen: the videos that the model had seen. Labelled ones are left out of every figure on
            accuracy, of the curves and of the mistakes.
        file_notes: sentence -> videos of which it is true, most first.
        inconclusive: reason -> scored videos without a verdict.
        threshold: None when rows differ or there are none.
        face_threshold: the same for single faces.
        face: None when no face counts were given or there is no threshold.
        notes: caveats to the numbers.
        why_no_accuracy: a sentence where accuracy cannot be measured, else None.
        apart: fakes of methods that the model was trained on, and of others; None: not measured.
        why_not_apart: a sentence where they cannot be told apart, else None.
        not_tested: a sentence on what no labelled video here tests, else None.
        protocol: None when the evaluation protocol was not followed.
        video_pr, face_pr: None where there is no ROC curve either.
        calibration: of the labelled, scored videos; None without one.
        judged_now: videos that this run judged; None where unknown.
        review: what waits for a decision of a person, and what was decided; None for a report that
            asks for none.
        since: comparison with the verdicts before this run; None when there were none.
        runs: earlier nightly runs and this one; empty without earlier ones.
    """

    title: str
    run: RunInfo
    is_demo: bool
    banners: tuple[str, ...]
    trust: Trust
    judges: str
    judged: str
    videos: int
    seen: Seen
    predictions: pa.Table
    outcomes: VerdictCounts
    statuses: dict[str, int]
    file_notes: dict[str, int]
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
    apart: MethodsApart | None
    why_not_apart: str | None
    not_tested: str | None
    protocol: ProtocolFindings | None
    video_pr: PrecisionRecall | None
    face_pr: PrecisionRecall | None
    calibration: Reliability | None
    mistakes: Mistakes
    judged_now: int | None
    review: Review | None
    since: Since | None
    runs: tuple[JudgedRun, ...]
    effort: Effort
    context: Context


def find(report: RunReport) -> Findings:
    """Compute all numbers of a report.

    Raises:
        ValueError: the tables break the contract of `rows.video_rows` or `rows.face_rows`.
    """
    report = report.redacted()
    table = report.verdicts
    rows = video_rows(table)
    statuses = Counter(table["status"].to_pylist())
    thresholds = np.unique(rows.thresholds)
    threshold = float(thresholds[0]) if len(thresholds) == 1 else None
    # Without one threshold for all videos there is none for faces.
    face_threshold = threshold if report.face_threshold is None else report.face_threshold
    face_threshold = None if threshold is None else face_threshold
    counts = report.face_counts if threshold is not None else None
    apart = pc.and_(is_seen(table["video_id"], report.context), pc.is_valid(table["label"]))
    seen, fresh = find_seen(table, report.context), table.filter(pc.invert(apart))
    video, fresh_rows = video_metrics(fresh), video_rows(fresh)
    bundle = report.run.bundle
    judges = "face" if bundle is None else bundle.judges
    faces = None if report.face_counts is None else face_rows(report.face_counts)
    truth = fresh_rows.where(fresh_rows.known & fresh_rows.scored)
    predictions = predictions_table(table, report.context)
    unseen = predictions.filter(pc.invert(is_seen(predictions["video_id"], report.context)))
    judged = report.context.judged_now
    return Findings(
        title=report.title or f"Verdicts on {report.run.archive}",
        run=report.run,
        is_demo=bundle is not None and bundle.purpose == DEMO,
        banners=banners_of(bundle),
        trust=trust_of_all(
            {**report.run.others, report.run.model_id: bundle}, _models(table, report.run)
        ),
        judges=judges,
        judged=judged_words(judges, table["sound"].to_pylist()),
        videos=table.num_rows,
        seen=seen,
        predictions=predictions,
        outcomes=verdict_counts(rows.outcomes),
        statuses={s.value: statuses[s] for s in VERDICT_STATUSES if statuses[s]},
        file_notes=_file_notes(table),
        inconclusive=_why_inconclusive(table, judges),
        threshold=threshold,
        face_threshold=face_threshold,
        reducers=tuple(sorted(set(table["reducer"].to_pylist()))),
        video=video,
        face=(
            None
            if counts is None or face_threshold is None
            else face_metrics(counts, face_threshold)
        ),
        video_roc=video_roc(fresh),
        face_roc=None if counts is None else face_roc(counts),
        video_rows=fresh_rows,
        face_rows=faces,
        notes=(*_own_notes(report, video, threshold, seen), *report.notes),
        why_no_accuracy=_why_no_accuracy(video, seen),
        apart=find_methods(fresh_rows, bundle),
        why_not_apart=methods_sentence(fresh_rows, bundle),
        not_tested=untested_sentence(fresh_rows, bundle, fresh["sound"].to_pylist()),
        protocol=None if report.protocol is None else find_protocol(report.protocol),
        video_pr=_precision_recall(truth, np.ones(len(truth), np.int64)),
        face_pr=None if faces is None else _precision_recall(faces, faces.weights),
        calibration=reliability(truth.fake, truth.scores) if len(truth) else None,
        mistakes=find_mistakes(unseen),
        judged_now=None if judged is None else pc.sum(predictions["judged_now"]).as_py() or 0,
        review=_review(predictions, report),
        since=find_since(predictions, report.context),
        runs=find_runs(predictions, report.context, report.run),
        effort=find_effort(predictions, report.context, report.run),
        context=report.context,
    )


def _review(predictions: pa.Table, report: RunReport) -> Review | None:
    decisions = report.context.decisions
    if decisions is None:
        return None
    return find_review(
        predictions, decisions, report.decision_problems, report.context.judging_nights
    )


def timed(f: Findings, seconds: Mapping[str, float]) -> Findings:
    """Return the findings with the run's seconds by phase, and what follows from them."""
    run = replace(f.run, seconds=seconds)
    return replace(
        f,
        run=run,
        runs=find_runs(f.predictions, f.context, run),
        effort=find_effort(f.predictions, f.context, run),
    )


def why_no_curves(findings: Findings) -> str | None:
    """Return why counts stand in for all curves on accuracy; None where curves are drawn."""
    return too_few_for_curves(findings.video.overall.scored.total)


def why_no_roc(findings: Findings) -> str:
    """Return why there is no ROC curve."""
    scored = findings.video.overall.scored
    if not scored.total:
        return "No labelled video was scored."
    only = "FAKE" if scored.fakes else "REAL"
    return f"All labelled and scored videos are {only}; the curve needs both classes."


def _precision_recall(rows: VideoRows | FaceRows, weights: Integers) -> PrecisionRecall | None:
    known = rows.known & (weights > 0)
    mine = rows.where(known)
    return precision_recall(mine.fake, mine.scores, weights[known])


def _file_notes(table: pa.Table) -> dict[str, int]:
    counts = Counter(note.code for text in table["notes"].to_pylist() for note in from_text(text))
    return {f"{NOTE_MEANING[code]}.": count for code, count in counts.most_common()}


def _why_inconclusive(table: pa.Table, judges: str) -> dict[str, int]:
    """Count the reasons of `verdict.judge.decide` for scored videos without a verdict."""
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
    reasons = {CROSSES: across, f"too few {judges}s": rows.num_rows - across}
    return {reason: count for reason, count in reasons.items() if count}


def _why_no_accuracy(video: VideoMetrics, seen: Seen) -> str | None:
    if seen.labelled and not video.overall.coverage.labelled:
        return (
            "The model had seen every labelled video here in training, so its accuracy on new "
            "videos cannot be measured."
        )
    if not video.videos:
        return "There are no videos, so accuracy cannot be measured."
    if video.unlabelled == video.videos:
        return "No video here is labelled, so accuracy cannot be measured."
    if not video.overall.scored.total:
        return "No labelled video was scored, so accuracy cannot be measured."
    return None


def _models(table: pa.Table, run: RunInfo) -> dict[str, int]:
    """Return model_id -> videos that it judged, the run's own model if there are none."""
    return dict(sorted(Counter(table["model_id"].to_pylist()).items())) or {run.model_id: 0}


def _foreign(run: RunInfo) -> list[str]:
    """Return the models that were trained elsewhere."""
    bundles = {**run.others, run.model_id: run.bundle}
    return [name for name, one in bundles.items() if one is not None and one.training]


def _own_notes(
    report: RunReport, video: VideoMetrics, threshold: float | None, seen: Seen
) -> list[str]:
    """Return the caveats that follow from the tables."""
    notes = []
    table = report.verdicts
    models = _models(table, report.run)
    if len(models) > 1:
        shares = (f"{model} judged {counted(n, 'video')}" for model, n in models.items())
        notes.append(f"Verdicts of {len(models)} models are mixed: {', '.join(shares)}.")
    if threshold is None and table.num_rows:
        notes.append("Verdicts use different thresholds, so single faces are not evaluated.")
    reducers = sorted(set(table["reducer"].to_pylist()))
    if len(reducers) > 1:
        notes.append(f"Scores were aggregated in different ways: {', '.join(reducers)}.")
    total = table.num_rows
    if (caveat := seen_note(seen, _foreign(report.run))) and video.unlabelled < video.videos:
        notes.append(caveat)
    if 0 < video.unlabelled < total:
        has, left = ("has", "is") if video.unlabelled == 1 else ("have", "are")
        notes.append(
            f"{video.unlabelled:,} of {total:,} videos {has} no label and {left} left out "
            "of all accuracy figures."
        )
    scored = video.overall.scored
    few = few_videos(scored.reals, scored.fakes)
    if scored.total and not (scored.reals and scored.fakes):
        only = "FAKE" if scored.fakes else "REAL"
        notes.append(f"All labelled and scored videos are {only}, so AUC cannot be measured.")
    elif scored.total and few is not None:
        notes.append(few)
    return notes
