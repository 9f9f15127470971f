"""From a trained network to a bundle: its verdict rule, and how good it is. No Spark."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from framejury.errors import CalibrationError, WarehouseError
from framejury.evaluation.rule_fitting import FittedRule, candidate_table
from framejury.labelled.committed_split import only_side
from framejury.labelled.measure import (
    FrameLabels,
    cross_fitted_figures,
    figures_by_set,
    fit_rule_on,
)
from framejury.labelled.training_files import write_training_outputs
from framejury.labelled.videos import LabelledVideo, describe_data, labelled_videos
from framejury.logs import say
from framejury.model.bundle import with_metrics, with_rule
from framejury.model.manifest import Bundle, Framing, Measurement
from framejury.model.runtime import Scorer
from framejury.model.scoring import score_faces
from framejury.model.source import FaceSource
from framejury.model.source_counts import count_hand_labels
from framejury.pages.text_table import counted
from framejury.schemas.statuses import Side
from framejury.settings import Settings
from framejury.verdict.rule import NOT_CALIBRATED
from framejury.warehouse import Warehouse

if TYPE_CHECKING:
    from framejury.model.training import TrainedNetwork

_THRESHOLD = 0.5  # the mean is rounded, as most published recipes do
_DEMO_NOTE = "Trained on the demo's clips of three people; its figures say nothing."


def framing_of(warehouses: Sequence[Warehouse], source: FaceSource) -> Framing:
    """How the crops were cut; all runs that are trained on must agree.

    Args:
        warehouses: whose faces these are.
        source: what is trained on.

    Raises:
        WarehouseError: they do not.
    """
    used = {truth.run_id for truth in source.videos.values()}
    found = {
        Framing.of_settings(commit.settings): f"run {commit.run_id} of {place.location.uri}"
        for place in warehouses
        for commit in place.with_table("faces")
        if commit.run_id in used
    }
    if len(found) != 1:
        listed = "; ".join(
            f"{' '.join(framing.overrides())} in {run}" for framing, run in found.items()
        )
        raise WarehouseError(
            f"faces were cut in different ways ({listed}); extract all of them with the same "
            "--set crops...: `framejury extract --all`"
        )
    return next(iter(found))


def write_trained(
    trained: TrainedNetwork,
    output: Path,
    warehouses: Sequence[Warehouse],
    *,
    settings: Settings,
    framing: Framing,
    purpose: Literal["detector", "demo"],
) -> Bundle:
    """Export, fit the verdict rule on val, measure on val and test, write the bundle.

    Args:
        trained: the network.
        output: folder of the bundle.
        warehouses: it learned from; the first gets the files of `report.outputs`.
        settings: of scoring, verdict and report.
        framing: of the crops it learned from.
        purpose: demo: its verdicts mean nothing.
    """
    from framejury.model.export import pack_bundle

    videos = labelled_videos(*warehouses)
    described = describe_data(warehouses, videos)
    with tempfile.TemporaryDirectory() as scratch:
        draft = pack_bundle(
            trained,
            Path(scratch) / "bundle",
            framing=framing,
            threshold=settings.verdict.threshold_or(_THRESHOLD),
            data_description=described,
            purpose=purpose,
            notes=_notes(purpose, trained.source),
            leak=trained.source.leak,
        )
        scorer = Scorer(draft, settings.scoring.threads, settings.scoring.batch_size)
        sides = [
            _Scored(side, score_faces(scorer, part), _videos_of(part, videos), part.frame_labels)
            for side in (Side.VAL, Side.TEST)
            if (part := only_side(trained.source, side)).videos
        ]
        if settings.report.outputs == "face_frames":
            _publish(warehouses[0], trained, sides)
        try:
            fitted = _fit(sides, settings, f"side val of {described}")
        except CalibrationError as error:
            metrics = _figures(sides, draft, settings)
            return with_metrics(draft, output, metrics, notes=(f"{NOT_CALIBRATED}{error}.",))
        rule = fitted.rule
        judge = replace(
            draft, reducer=rule.reducer, calibration=rule.calibration, threshold=rule.threshold
        )
        metrics = _figures(sides, judge, settings)
        metrics[Side.VAL.value] |= cross_fitted_figures(fitted)
        return with_rule(draft, output, rule, fitted.fit, metrics)


def _notes(purpose: str, source: FaceSource) -> tuple[str, ...]:
    """For the bundle, which every report on its verdicts shows."""
    notes = [_DEMO_NOTE] if purpose == "demo" else []
    if source.frame_labels:
        by_hand = count_hand_labels(source)
        faces, videos = counted(by_hand.faces, "face"), counted(by_hand.videos, "video")
        notes.append(f"Labels set by hand: on {faces} of {videos}.")
    return tuple(notes)


@dataclass(frozen=True)
class _Scored:
    """One side of the split: its faces with their scores, its videos, labels set by hand."""

    side: Side
    scored: pa.Table
    videos: list[LabelledVideo]
    frame_labels: FrameLabels


def _videos_of(source: FaceSource, videos: Sequence[LabelledVideo]) -> list[LabelledVideo]:
    return [video for video in videos if video.row["video_id"] in source.videos]


def _fit(sides: Sequence[_Scored], settings: Settings, data: str) -> FittedRule:
    """The verdict rule fitted on val.

    Raises:
        CalibrationError: val is too small for one, or none is wanted.
    """
    if not settings.verdict.calibrated:
        raise CalibrationError("verdict.calibrated is false")
    val = next((part for part in sides if part.side is Side.VAL), None)
    if val is None:
        raise CalibrationError("side val has no videos with faces")
    fitted = fit_rule_on(val.scored, val.videos, settings.verdict, data=data)
    say(candidate_table(fitted))
    return fitted


def _figures(
    sides: Sequence[_Scored], bundle: Bundle, settings: Settings
) -> dict[str, dict[str, Measurement]]:
    """Side, or side and data set -> name -> figure, by the rule of the bundle and no other."""
    own = settings.verdict.model_copy(update={"reducer": None, "threshold": None})
    metrics: dict[str, dict[str, Measurement]] = {}
    for part in sides:
        metrics |= figures_by_set(
            part.scored, bundle, part.videos, own, side=part.side, frame_labels=part.frame_labels
        )
    return metrics


def _publish(warehouse: Warehouse, trained: TrainedNetwork, sides: Sequence[_Scored]) -> None:
    """The files of `report.outputs`."""
    test = next((part for part in sides if part.side is Side.TEST), None)
    videos = [] if test is None else [video.row for video in test.videos]
    place = write_training_outputs(
        warehouse,
        trained,
        None if test is None else test.scored,
        videos,
        trained.source.frame_labels,
    )
    say(f"  published files: {place.uri}")
