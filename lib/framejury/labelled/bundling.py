"""From a trained network to a bundle: verdict rule, figures and published files."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from framejury.errors import CalibrationError, SetupError, WarehouseError
from framejury.evaluation.rule_fitting import FittedRule, candidate_table
from framejury.labelled.committed_split import only_side, videos_of
from framejury.labelled.faces_in_use import faces_in_use, fit_rule_in_use, rule_note
from framejury.labelled.learned import record_of, record_with_start
from framejury.labelled.measure import (
    FrameLabels,
    cross_fitted_figures,
    judge_labelled,
)
from framejury.labelled.recipe_outputs import measured_files, training_files, write_outputs
from framejury.labelled.scoring import score_faces
from framejury.labelled.split_figures import figures_by_set
from framejury.labelled.videos import LabelledVideo, describe_data, labelled_parts
from framejury.logs import say
from framejury.model.bundle import with_metrics, with_rule
from framejury.model.input_contract import Framing
from framejury.model.manifest import Bundle, JudgingSection, Measurement
from framejury.model.runtime import Scorer
from framejury.pages.text_table import counted
from framejury.schemas.statuses import Side
from framejury.settings import SamplingSettings, Settings, VerdictSettings
from framejury.training.source import FaceSource
from framejury.training.source_counts import count_faces, count_hand_labels
from framejury.verdict.rule import NOT_CALIBRATED, Reducer, Rule, rule_in_use
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Commit

if TYPE_CHECKING:
    from framejury.training.train import TrainedNetwork

_THRESHOLD = 0.5  # most published recipes round the mean
_IMPORT = "import"
"""The job that reads face sets."""
_BESIDES_THE_RULE = ("min_faces", "confidence_level", "interval")
_DEMO_NOTE = "Trained on the demo's clips of three people; its figures mean nothing."


def framing_of(warehouses: Sequence[Warehouse], source: FaceSource) -> Framing:
    """Return the crop geometry of the faces, which must be the same in all runs.

    Args:
        warehouses: of the faces.
        source: the faces to train on.

    Raises:
        WarehouseError: the runs differ.
    """
    found = {
        Framing.of_settings(commit.settings): f"run {commit.run_id} of {place.location.uri}"
        for place, commit in runs_of(warehouses, source)
    }
    if len(found) != 1:
        listed = "; ".join(
            f"{' '.join(framing.overrides())} in {run}" for framing, run in found.items()
        )
        raise WarehouseError(
            f"faces were cropped in different ways ({listed}); extract all of them again with "
            "the same crop settings: `framejury extract --all`"
        )
    return next(iter(found))


def carried_settings(
    judging: Settings, learning: Settings, runs: Sequence[Commit]
) -> dict[JudgingSection, dict[str, Any]]:
    """Return what a bundle carries: how frames and faces are chosen when it judges.

    Detector and files of crops are those of the runs that found the training faces, where these
    agree; face sets have no frames, so an import does not count. A section that `when_judging`
    changes is that of judging. The crop geometry and the rule have their own places in a bundle.

    Args:
        judging: settings of the command that trains, with `when_judging`.
        learning: the same without `when_judging`.
        runs: the runs whose faces are learned from.
    """
    carried = judging.model_dump(mode="json", include={"sampling", "detection", "crops"})
    for section in ("detection", "crops"):
        used = [run.settings.get(section, {}) for run in runs if run.job != _IMPORT]
        told = getattr(judging, section) != getattr(learning, section)
        if used and not told and all(one == used[0] for one in used):
            carried[section] |= used[0]
    geometry = {part.name for part in fields(Framing)}
    carried["crops"] = {k: v for k, v in carried["crops"].items() if k not in geometry}
    verdict = judging.verdict.model_dump(mode="json", include=set(_BESIDES_THE_RULE))
    return {**carried, "verdict": verdict}


def runs_of(warehouses: Sequence[Warehouse], source: FaceSource) -> list[tuple[Warehouse, Commit]]:
    """Return the runs that extracted the faces of a source, each with its warehouse."""
    used = {truth.run_id for truth in source.videos.values()}
    return [
        (place, commit)
        for place in warehouses
        for commit in place.with_table("faces")
        if commit.run_id in used
    ]


def write_trained(
    trained: TrainedNetwork,
    output: Path,
    warehouses: Sequence[Warehouse],
    *,
    settings: Settings,
    judging: Settings,
    framing: Framing,
    purpose: Literal["detector", "demo"],
) -> Bundle:
    """Export, fit the verdict rule on val, measure on val and test, and write the bundle.

    Args:
        trained: the network.
        output: folder of the bundle.
        warehouses: of the training faces; the first gets the files of `report.outputs`.
        settings: of scoring, verdict and report.
        judging: the same with `when_judging`, for videos that the bundle will judge.
        framing: crop geometry of the training faces.
        purpose: demo: its verdicts mean nothing.
    """
    from framejury.training.export import pack_bundle

    runs = [commit for _, commit in runs_of(warehouses, trained.source)]
    parts = labelled_parts(warehouses)
    videos = [video for _, members in parts for video in members]
    record = record_with_start(record_of(parts, trained.source), trained.settings.weights)
    described = describe_data(warehouses, videos)
    with tempfile.TemporaryDirectory() as scratch:
        draft = pack_bundle(
            trained,
            Path(scratch) / "bundle",
            framing=framing,
            threshold=settings.verdict.threshold_or(_THRESHOLD),
            data_description=described,
            purpose=purpose,
            judging=carried_settings(judging, settings, runs),
            seen=record,
            notes=_notes(purpose, trained.source),
            leak=trained.source.leak,
        )
        scorer = Scorer(draft, settings.scoring.threads, settings.scoring.batch_size)
        sides = [
            _Scored(side, score_faces(scorer, part), videos_of(part, videos), part.frame_labels)
            for side in (Side.VAL, Side.TEST)
            if (part := only_side(trained.source, side)).videos
        ]
        try:
            fitted = _fit(sides, settings, judging.sampling, f"split val of {described}")
        except CalibrationError as error:
            plain = replace(draft, reducer=named_reducer(settings.verdict))
            sides = _in_use(sides, plain, settings, judging.sampling)
            metrics = _figures(sides, plain, settings)
            bundle = with_metrics(plain, output, metrics, notes=(f"{NOT_CALIBRATED}{error}.",))
            return _published(bundle, warehouses[0], trained, sides, settings)
        rule = fitted.rule
        judge = replace(
            draft, reducer=rule.reducer, calibration=rule.calibration, threshold=rule.threshold
        )
        sides = _in_use(sides, judge, settings, judging.sampling)
        metrics = _figures(sides, judge, settings)
        metrics[Side.VAL.value] |= cross_fitted_figures(fitted)
        val = [video for part in sides if part.side is Side.VAL for video in part.videos]
        notes = rule_note(val, judging.sampling)
        bundle = with_rule(draft, output, rule, fitted.fit, metrics, notes=notes)
        return _published(bundle, warehouses[0], trained, sides, settings)


def named_reducer(settings: VerdictSettings) -> Reducer | None:
    """Return the aggregation that the settings name, for a bundle without a fitted rule."""
    if settings.reducer in (None, "mean", "learned"):  # learned weights would have to be fitted
        return None
    return rule_in_use(Rule(), settings).reducer


def bundle_of_weights(
    weights: Path, directory: Path, warehouse: Warehouse, source: FaceSource, threshold: float
) -> Bundle:
    """Write a bundle of a weights file, with the crop geometry of the faces it is measured on.

    Its rule is the plain mean, as in the recipe; a weights file holds no other.

    Args:
        weights: a file that `train` wrote into `outputs/`.
        directory: of the new bundle.
        warehouse: with the faces.
        source: faces of its committed split; those of val check the export.
        threshold: a mean at or above it means fake, 0 to 1.

    Raises:
        SetupError: TensorFlow is not installed.
        UsageError: the file is not one that a training wrote.
    """
    try:
        from framejury.training.best_weights import load_best_weights
        from framejury.training.export import pack_bundle
        from framejury.training.train import TrainedNetwork
    except ImportError as error:
        raise SetupError(
            f"reading weights needs TensorFlow ({error}); pip install 'framejury[train]'"
        ) from error

    model, settings, fingerprint = load_best_weights(weights)
    counts = replace(count_faces(source), fingerprint=fingerprint)
    return pack_bundle(
        TrainedNetwork(model, (), -1, settings, counts, source),
        directory,
        framing=framing_of([warehouse], source),
        threshold=threshold,
        data_description=f"unknown; the weights are those of {weights.name}",
        leak=source.leak,
    )


def _notes(purpose: str, source: FaceSource) -> tuple[str, ...]:
    """Return notes for the bundle; reports on its verdicts show them."""
    notes = [_DEMO_NOTE] if purpose == "demo" else []
    if source.frame_labels:
        by_hand = count_hand_labels(source)
        faces, videos = counted(by_hand.faces, "face"), counted(by_hand.videos, "video")
        notes.append(f"Labels set by hand: {faces} in {videos}.")
    return tuple(notes)


@dataclass(frozen=True)
class _Scored:
    """Scored faces, videos and labels set by hand of one split.

    Attributes:
        in_use: the faces by which the bundle judges; None: all.
    """

    side: Side
    scored: pa.Table
    videos: list[LabelledVideo]
    frame_labels: FrameLabels
    in_use: pa.Table | None = None


def _in_use(
    sides: Sequence[_Scored], bundle: Bundle, settings: Settings, sampling: SamplingSettings
) -> list[_Scored]:
    """Return the splits with the faces by which the bundle will judge."""
    rule = bundle.rule
    return [
        replace(
            part, in_use=faces_in_use(part.scored, part.videos, sampling, rule, settings.verdict)
        )
        for part in sides
    ]


def _fit(
    sides: Sequence[_Scored], settings: Settings, sampling: SamplingSettings, data: str
) -> FittedRule:
    """Fit the verdict rule on val, for videos that are sampled as when the bundle judges.

    Raises:
        CalibrationError: val is too small, or the settings disable calibration.
    """
    if not settings.verdict.calibrated:
        raise CalibrationError("verdict.calibrated is false")
    val = next((part for part in sides if part.side is Side.VAL), None)
    if val is None:
        raise CalibrationError("split val has no videos with faces")
    fitted = fit_rule_in_use(val.scored, val.videos, sampling, settings.verdict, data=data)
    say(candidate_table(fitted))
    return fitted


def _figures(
    sides: Sequence[_Scored], bundle: Bundle, settings: Settings
) -> dict[str, dict[str, Measurement]]:
    """Return split, or split and data set -> name -> figure, by the bundle's own rule."""
    own = settings.verdict.model_copy(update={"reducer": None, "threshold": None})
    metrics: dict[str, dict[str, Measurement]] = {}
    for part in sides:
        metrics |= figures_by_set(
            part.scored,
            bundle,
            part.videos,
            own,
            side=part.side,
            in_use=part.in_use,
            frame_labels=part.frame_labels,
        )
    return metrics


def _published(
    bundle: Bundle,
    warehouse: Warehouse,
    trained: TrainedNetwork,
    sides: Sequence[_Scored],
    settings: Settings,
) -> Bundle:
    """Write the files of `report.outputs` in the bundle's name; return the bundle."""
    if settings.report.outputs != "face_frames":
        return bundle
    test = next((part for part in sides if part.side is Side.TEST), None)
    measured = {}
    if test is not None:
        verdicts, _ = judge_labelled(
            test.scored,
            bundle,
            test.videos,
            settings.verdict,
            run_id="train",
            in_use=test.in_use,
        )
        rule = rule_in_use(bundle.rule, settings.verdict)
        measured = measured_files(
            test.scored,
            test.videos,
            verdicts,
            rule,
            frame_labels=test.frame_labels,
            which="split test",
        )
    files = training_files(trained) | measured
    place = write_outputs(warehouse.location, "train", bundle.model_id, files)
    say(f"  published files: {place.uri}")
    return bundle
