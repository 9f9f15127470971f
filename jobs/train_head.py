"""train: fit a network and a head on the split's faces, and write a model bundle.

Refuses to start when a source stands on two sides of a split by group. An interrupted training
goes on where it stopped when it is called again in the same way.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from framejury import logs
from framejury.commandline import check_has_network, make_parser, run_command, settings_of
from framejury.divided import only_side, training_source, with_frame_labels
from framejury.errors import CalibrationError, SetupError, UsageError, WarehouseError
from framejury.evaluation.calibration import FittedRule, candidate_table
from framejury.evaluation.evidence_words import counted
from framejury.facts import HISTORY_FILE, training_report
from framejury.labelled import LabelledVideo, describe_data, labelled_videos
from framejury.logs import say
from framejury.measure import (
    FrameLabels,
    cross_fitted_figures,
    figures_by_set,
    fit_rule_on,
)
from framejury.model.bundle import check_may_replace, with_metrics, with_rule
from framejury.model.counts import count_hand_labels
from framejury.model.manifest import Bundle, Figure, Framing
from framejury.model.runtime import Scorer
from framejury.model.scoring import score_faces
from framejury.model.source import FaceSource
from framejury.rule import NOT_CALIBRATED
from framejury.schemas import Side
from framejury.settings import Settings
from framejury.training_outputs import write_training_outputs
from framejury.warehouse import Warehouse

if TYPE_CHECKING:
    from framejury.model.training import TrainedNetwork

_THRESHOLD = 0.5  # the mean is rounded, as most published recipes do
_CHANCE_AUC = 0.6
_DEMO_NOTE = "Trained on the demo's clips of three people; its figures say nothing."


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("train", __doc__, ["training", "scoring", "verdict", "report"])
    parser.add_argument(
        "--warehouse",
        metavar="DIR",
        action="append",
        required=True,
        help="folder or URI with faces and a split; repeated, the network learns from all of "
        "them, and figures go to the first (required)",
    )
    parser.add_argument(
        "--archive",
        metavar="DIR",
        help="first index this archive into the warehouse, extract its faces and split it, on "
        "Spark, as the settings say (default: the warehouse has faces and a split)",
    )
    parser.add_argument(
        "--frame-labels",
        metavar="FILE",
        help="CSV video,frame,label that labels single frames by hand, whatever their video is: "
        "its path in the archive, the frame's rank from 0, REAL or FAKE (default: none)",
    )
    parser.add_argument(
        "--output", metavar="DIR", required=True, help="folder of the new bundle (required)"
    )
    parser.add_argument(
        "--purpose",
        choices=["detector", "demo"],
        default="detector",
        help="demo: its verdicts mean nothing, and every report says so (default: detector)",
    )
    return run_command(parser, argv, _run)


def _run(args: argparse.Namespace) -> int:
    check_has_network(args.preset)
    settings = settings_of(args)
    output = Path(args.output).absolute()
    check_may_replace(output)
    if args.archive is not None:
        _prepare(args)
    warehouses = [Warehouse.open(uri) for uri in args.warehouse]
    source = training_source(*warehouses)
    if source.leak is not None:
        say(f"warning: {source.leak}")
    if args.frame_labels is not None:
        source = with_frame_labels(source, warehouses, args.frame_labels)
        _say_missed(source)
    framing = _framing(warehouses, source)
    # TensorFlow prints a page of hints about the machine otherwise.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        from framejury.model.training import train
    except ImportError as error:
        raise SetupError(
            f"training needs TensorFlow ({error}); pip install 'framejury[train]'"
        ) from error
    work_dir = output.with_name(f".{output.name}.training")
    trained = train(settings.training, source, work_dir, say)
    bundle = _pack(args, settings, warehouses, framing, trained)
    place = warehouses[0].write_report(training_report(bundle.model_id), _training_files(trained))
    shutil.rmtree(work_dir)
    for note in bundle.notes:
        say(f"  note: {note}")
    for side, figures in bundle.metrics.items():
        say(f"  {side}: " + ", ".join(f"{k} {_words(v)}" for k, v in figures.items()))
    if source.leak is not None:
        say(f"  warning: these figures flatter. {source.leak}")
    _warn_of_chance(bundle)
    say(f"  bundle {bundle.model_id} written to {output}")
    say(f"  curves: {place.child('loss.png').uri}, {place.child('accuracy.png').uri}")
    return 0


def _prepare(args: argparse.Namespace) -> None:
    """Index, extract and split what `--archive` names."""
    if len(args.warehouse) != 1:
        raise UsageError("--archive fills one warehouse; name one --warehouse, and train on it")
    from framejury.jobs import preparation

    (warehouse,) = args.warehouse
    options = preparation.settings_options(args.preset, args.config, args.set)
    preparation.index_and_extract(args.archive, warehouse, options)
    preparation.split(warehouse, options)
    logs.start("train")


def _say_missed(source: FaceSource) -> None:
    """Before hours of training: which labels set by hand change nothing."""
    missed = len(source.frame_labels) - count_hand_labels(source).frames
    if missed:
        say(
            f"  note: {missed:,} of {len(source.frame_labels):,} frames labelled by hand have no "
            "face that is learned from: none was kept, or their video stands on no side"
        )


def _framing(warehouses: Sequence[Warehouse], source: FaceSource) -> Framing:
    """How the crops were cut; all runs that are trained on must agree.

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
            f"margin_ratio {framing.margin_ratio:g}, shape {framing.shape}, shift_ratio "
            f"{framing.shift_ratio:g} in {run}"
            for framing, run in found.items()
        )
        raise WarehouseError(
            f"faces were cut in different ways ({listed}); extract all of them with the same "
            "--set crops...: `framejury extract --all`"
        )
    return next(iter(found))


def _pack(
    args: argparse.Namespace,
    settings: Settings,
    warehouses: Sequence[Warehouse],
    framing: Framing,
    trained: TrainedNetwork,
) -> Bundle:
    """Export, fit the verdict rule on val, measure on val and test, write the bundle."""
    from framejury.model.export import pack_bundle

    videos = labelled_videos(*warehouses)
    output = Path(args.output).absolute()
    described = describe_data(warehouses, videos)
    with tempfile.TemporaryDirectory() as scratch:
        draft = pack_bundle(
            trained,
            Path(scratch) / "bundle",
            framing=framing,
            threshold=settings.verdict.threshold_or(_THRESHOLD),
            data_description=described,
            purpose=args.purpose,
            notes=_notes(args, trained.source),
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


def _notes(args: argparse.Namespace, source: FaceSource) -> tuple[str, ...]:
    """For the bundle, which every report on its verdicts shows."""
    notes = [_DEMO_NOTE] if args.purpose == "demo" else []
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
) -> dict[str, dict[str, Figure]]:
    """Side, or side and data set -> name -> figure, by the rule of the bundle and no other."""
    own = settings.verdict.model_copy(update={"reducer": None, "threshold": None})
    metrics: dict[str, dict[str, Figure]] = {}
    for part in sides:
        metrics |= figures_by_set(
            part.scored, bundle, part.videos, own, side=part.side, frame_labels=part.frame_labels
        )
    return metrics


def _warn_of_chance(bundle: Bundle) -> None:
    """A network that has learned nothing must not be taken for a detector."""
    auc = bundle.metrics.get(Side.VAL.value, {}).get("face_auc")
    if auc is not None and auc.value < _CHANCE_AUC:
        say(
            f"  warning: face AUC on val is {auc.value:.2f}, little better than chance (0.5); "
            "judge no video with this bundle: train longer, on more sources, or from "
            "pretrained weights"
        )


def _training_files(trained: TrainedNetwork) -> dict[str, bytes]:
    from framejury.evaluation.figures import training_files

    history: list[dict[str, Any]] = [asdict(epoch) for epoch in trained.history]
    return {
        **training_files(history),
        HISTORY_FILE: json.dumps(history, indent=1).encode(),
    }


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


def _words(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


if __name__ == "__main__":
    sys.exit(main())
