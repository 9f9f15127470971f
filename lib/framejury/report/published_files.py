"""Files under the names of the recipe face_frames (`report.outputs`). Pure.

A folder of `outputs/` holds files of one model, and those of its training apart from those of its
verdicts: both have some of the names.

    train              Loss.png, Accuracy.png, best_weights.weights.h5, and the four below
    evaluate, reduce,  cnn_preds_values.json, mapreduce_res.txt, Confusion.png,
    nightly, report    ConfusionVideo.png

The figures are those of a report under other names. As in the recipe, faces are called at
`FACE_THRESHOLD`; videos are called at their own threshold. In these files, and only here, a score
is P(REAL), 1 for REAL, as published: one minus the `p_fake` of all tables and reports.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from framejury.evaluation.binary import Confusion, binary_metrics
from framejury.evaluation.breakdown import verdict_counts
from framejury.evaluation.rows import video_rows
from framejury.pages.style import png
from framejury.redaction import printable
from framejury.report.figures import confusion_face_figure, confusion_video_figure
from framejury.report.inputs import Context
from framejury.report.seen_videos import find_seen, is_seen, seen_note
from framejury.report.training_curves import ACCURACY, LOSS, training_figures
from framejury.schemas.statuses import Label
from framejury.verdict.rule import Rule

PREDICTIONS = "cnn_preds_values.json"
MAPREDUCE = "mapreduce_res.txt"
CONFUSION = "Confusion.png"
CONFUSION_VIDEO = "ConfusionVideo.png"
LOSS_CURVE = "Loss.png"
ACCURACY_CURVE = "Accuracy.png"
WEIGHTS = "best_weights.weights.h5"

FACE_THRESHOLD = 0.5


def outputs_folder(step: Literal["train", "verdicts", "evaluate"], model_id: str) -> str:
    """Return the name of the folder below `outputs/` for one model's training or verdicts."""
    return f"{step}-{model_id}"


@dataclass(frozen=True, slots=True)
class FacePrediction:
    """One scored face.

    Attributes:
        path: of its video below the archive.
        frame_index, face_index: as in `face_scores`.
        score: of the network, 0 to 1.
        label: None if unknown.
    """

    path: str
    frame_index: int
    face_index: int
    score: float
    label: Label | None = None


def predictions_of(
    scored: pa.Table,
    videos: Sequence[Mapping[str, Any]],
    frame_labels: Mapping[tuple[str, int], int],
) -> list[FacePrediction]:
    """Return scored faces with their paths and labels.

    Args:
        scored: columns `video_id`, `frame_index`, `face_index`, `score`.
        videos: rows of `videos`; faces of other videos are left out.
        frame_labels: (video_id, frame_index) -> 1 for FAKE, of frames labelled by hand.
    """
    known = {row["video_id"]: row for row in videos}
    by_hand = {0: Label.REAL, 1: Label.FAKE}
    found = []
    for face in scored.select(["video_id", "frame_index", "face_index", "score"]).to_pylist():
        video = known.get(face["video_id"])
        if video is not None:
            label = None if video["label"] is None else Label(video["label"])
            hand = frame_labels.get((face["video_id"], face["frame_index"]))
            found.append(
                FacePrediction(
                    video["path"],
                    face["frame_index"],
                    face["face_index"],
                    face["score"],
                    label if hand is None else by_hand[hand],
                )
            )
    return found


def training_outputs(history: Sequence[Mapping[str, Any]], weights: bytes) -> dict[str, bytes]:
    """Return the files of a training by name, except for those of `measured_outputs`.

    Args:
        history: as `training_curves.training_figures` takes it.
        weights: of the best epoch (`training.best_weights`).
    """
    curves = training_figures(history)

    return {
        LOSS_CURVE: png(curves[LOSS]),
        ACCURACY_CURVE: png(curves[ACCURACY]),
        WEIGHTS: weights,
    }


def measured_outputs(
    faces: Iterable[FacePrediction], verdicts: pa.Table, rule: Rule, which: str
) -> dict[str, bytes]:
    """Return the files about measured videos by name, from faces that fit into memory.

    Args:
        faces: of these videos, in any order; may be empty.
        verdicts, rule, which: as in `verdict_outputs`.
    """
    faces = sorted(faces, key=lambda face: (face.path, face.frame_index, face.face_index))
    calls: Counter[tuple[str | None, bool]] = Counter(
        (face.label, face.score >= FACE_THRESHOLD) for face in faces
    )
    return {
        PREDICTIONS: b"".join(predictions_json(faces)),
        **verdict_outputs(verdicts, confusion_of(calls), rule, which),
    }


def verdict_outputs(
    verdicts: pa.Table, faces: Confusion, rule: Rule, which: str, context: Context | None = None
) -> dict[str, bytes]:
    """Return the files about verdicts by name, except for `predictions_json`.

    Args:
        verdicts: one row per video, columns `evaluation.rows.REPORT_COLUMNS`.
        faces: of labelled videos that the model had not seen, called at `FACE_THRESHOLD`.
        rule: of the latest verdicts.
        which: the videos in words, such as `split test`.
        context: which videos the model had seen; None: unknown.
    """
    context = context or Context()
    text = mapreduce_text(verdicts, rule, which, context)
    return {
        MAPREDUCE: text.encode("utf-8", errors="backslashreplace"),
        CONFUSION: face_confusion_png(faces),
        CONFUSION_VIDEO: video_confusion_png(
            verdicts.filter(pc.invert(is_seen(verdicts["video_id"], context)))
        ),
    }


def predictions_json(faces: Iterable[FacePrediction]) -> Iterator[bytes]:
    """Yield `{"<path>": {"<frame>_<face>": P(REAL), ...}, ...}`, one part per video.

    Args:
        faces: grouped by video; only those of one video are held in memory.
    """
    before = b"{"
    for path, members in groupby(faces, key=lambda face: face.path):
        scores = {f"{face.frame_index}_{face.face_index}": 1 - face.score for face in members}
        yield before + f"\n {json.dumps(path)}: {json.dumps(scores, allow_nan=False)}".encode()
        before = b","
    yield b"{}\n" if before == b"{" else b"\n}\n"


def confusion_of(counts: Mapping[tuple[str | None, bool], int]) -> Confusion:
    """Build it from (label, called fake) -> faces; faces without a label are not counted."""
    return Confusion(
        tn=counts.get((Label.REAL, False), 0),
        fp=counts.get((Label.REAL, True), 0),
        fn=counts.get((Label.FAKE, False), 0),
        tp=counts.get((Label.FAKE, True), 0),
    )


def face_confusion_png(faces: Confusion) -> bytes:
    """Draw faces, called at `FACE_THRESHOLD`, or a sentence if none has a label."""
    return png(confusion_face_figure(faces, FACE_THRESHOLD))


def video_confusion_png(verdicts: pa.Table) -> bytes:
    """Draw videos, called at their own threshold; columns as in `verdict_outputs`."""
    rows = video_rows(verdicts)
    labelled = rows.where(rows.known)
    scored = labelled.where(labelled.scored)
    counts = {
        label.value: verdict_counts(labelled.outcomes[labelled.labels == label.value])
        for label in (Label.FAKE, Label.REAL)
    }
    calls = binary_metrics(scored.fake, scored.scores, scored.thresholds).confusion
    return png(confusion_video_figure(calls, counts))


def mapreduce_text(
    verdicts: pa.Table, rule: Rule, which: str, context: Context | None = None
) -> str:
    """Return video accuracy, the score of each video, and prediction against label.

    Videos that the model had seen in training have an accuracy and a table of their own.

    Args:
        verdicts, rule, which, context: as in `verdict_outputs`. Scores are printed without loss of
            precision.
    """
    context = context or Context()
    verdicts = verdicts.append_column("was_seen", is_seen(verdicts["video_id"], context))
    rows = sorted(verdicts.to_pylist(), key=lambda row: str(row["path"]))
    scored = [row for row in rows if row["p_fake"] is not None]
    new, seen = (
        Counter((row["label"], _call(row)) for row in scored if row["was_seen"] is was_seen)
        for was_seen in (False, True)
    )
    lines = [f"Video accuracy: {_accuracy(new)}"]
    if seen:
        lines.append(f"Separately, on videos the model had seen in training: {_accuracy(seen)}")
    lines += [f"Videos: {which}", "Scores: 1 is REAL, 0 is FAKE", *_rule_lines(scored, rule)]
    caveat = seen_note(find_seen(verdicts, context))
    if caveat is not None and any(row["label"] is not None for row in scored):
        lines.append(f"Note: {caveat}")
    lines += ["", "Mean of each video", f"{'mean':>22}{'faces':>8}  predicted  truth  video"]
    lines += [
        f"{1 - row['p_fake']!r:>22}{row['faces_scored']:>8,}  {_call(row):<9}  "
        f"{row['label'] or '-':<5}  {printable(row['path'])}"
        for row in scored
    ]
    lines += ["", "Prediction against label", *_matrix(new)]
    if seen:
        lines += ["", "The same, on videos the model had seen in training", *_matrix(seen)]
    return "\n".join([*lines, *_unscored_lines(rows)]) + "\n"


def _accuracy(calls: Mapping[tuple[str | None, str], int]) -> str:
    """Return the share of right calls: (label, call) -> videos."""
    right = sum(calls.get((label, label), 0) for label in (Label.FAKE, Label.REAL))
    known = sum(count for (label, _), count in calls.items() if label is not None)
    return f"{right / known!r} ({right:,} of {known:,})" if known else "no video is labelled"


def _matrix(calls: Mapping[tuple[str | None, str], int]) -> list[str]:
    rows = (("label FAKE", "FAKE"), ("label REAL", "REAL"), ("no label", None))
    return [
        f"{'':<12}{'called FAKE':>12}{'called REAL':>12}",
        *(
            f"{name:<14}{calls.get((label, 'FAKE'), 0):>12,}{calls.get((label, 'REAL'), 0):>12,}"
            for name, label in rows
        ),
    ]


def _call(row: Mapping[str, Any]) -> str:
    return (Label.FAKE if row["p_fake"] >= row["threshold"] else Label.REAL).value


def _rule_lines(scored: Sequence[Mapping[str, Any]], rule: Rule) -> list[str]:
    """Return the rule of the recipe, or a note on the one that replaced it."""
    used = sorted({(row["reducer"], row["threshold"]) for row in scored})
    if rule.calibration is None and used in ([], [("mean", FACE_THRESHOLD)]):
        return ["Rule: the mean of all faces of a video, rounded; above 0.5 is REAL"]
    words = "; ".join(f"{name}, above {1 - threshold:g} is REAL" for name, threshold in used)
    scale = "" if rule.calibration is None else f", calibrated ({rule.calibration.method})"
    return [
        f"Note: this is not the recipe's mean rounded at 0.5. The column mean is 1 - p_fake by the "
        f"rule in use{scale}: {words}"
    ]


def _unscored_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    unscored = [row for row in rows if row["p_fake"] is None]
    if not unscored:
        return []
    return [
        "",
        f"Without a score, not counted above ({len(unscored):,})",
        *(
            f"{row['status']:>22}{'':<21}  {row['label'] or '-':<5}  {printable(row['path'])}"
            for row in unscored
        ),
    ]
