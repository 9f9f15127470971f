"""train: train a network on the faces of the split and write a model bundle."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from framejury import logs
from framejury.cli.chatter import quiet_tensorflow
from framejury.cli.options import check_has_network, run_command, settings_of
from framejury.cli.outputs import Place, check_place
from framejury.errors import SetupError, UsageError
from framejury.labelled.bundling import framing_of, write_trained
from framejury.labelled.committed_split import training_source, with_frame_labels
from framejury.labelled.measure import figure_text
from framejury.labelled.preparation import index_and_extract, settings_options, split
from framejury.logs import say
from framejury.model.bundle import check_may_replace
from framejury.model.manifest import CURVES_NAME, Bundle
from framejury.pages.text_table import counted
from framejury.parsers.train_head import parser
from framejury.runs.provenance import remember_bundle, training_report
from framejury.schemas.statuses import Side
from framejury.settings import Settings
from framejury.storage import is_local, local_path, write_whole
from framejury.tables.index import check_archive
from framejury.training.mixture import require_mixture
from framejury.training.pretrained import require_weights
from framejury.training.source import FaceSource
from framejury.training.source_counts import count_hand_labels
from framejury.warehouse import Warehouse

if TYPE_CHECKING:
    from framejury.training.train import TrainedNetwork

_CHANCE_AUC = 0.6


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


@quiet_tensorflow()
def _run(args: argparse.Namespace) -> int:
    check_has_network(args.preset)
    settings = settings_of(args)
    only_labelled = settings.training.only_labelled_frames
    if only_labelled and args.frame_labels is None:
        raise UsageError(
            "training.only_labelled_frames trains on frames labelled by hand only; give their "
            "labels with --frame-labels FILE, or set training.only_labelled_frames=false"
        )
    output = Path(args.output).absolute()
    check_may_replace(output)
    check_place("--warehouse", args.warehouse[0], Place("folder", remote=True))  # gets the curves
    if args.archive is not None:
        _prepare(args, settings)
    warehouses = [Warehouse.open(uri) for uri in args.warehouse]
    source = require_mixture(training_source(*warehouses), settings.training.mixture)
    if source.leak is not None:
        say(f"warning: {source.leak}")
    if args.frame_labels is not None:
        source = with_frame_labels(source, warehouses, args.frame_labels)
        _say_missed(source)
    framing = framing_of(warehouses, source)
    try:
        from framejury.training.train import train
    except ImportError as error:
        raise SetupError(
            f"training needs TensorFlow ({error}); pip install 'framejury[train]'"
        ) from error
    work_dir = output.with_name(f".{output.name}.training")
    # The rule is fitted and measured on whole videos, so only the network sees fewer frames.
    shown = replace(source, only_labelled=only_labelled)
    log_dir = None if args.log_dir is None else Path(args.log_dir).absolute() / output.name
    trained = replace(train(settings.training, shown, work_dir, say, log_dir), source=source)
    bundle = write_trained(
        trained,
        output,
        warehouses,
        settings=settings,
        judging=settings_of(args, judging=True),
        framing=framing,
        purpose=args.purpose,
    )
    remember_bundle(warehouses[0], bundle)
    place = warehouses[0].write_report(training_report(bundle.model_id), _training_files(trained))
    for name, content in trained.log.items():
        write_whole(place.child(*name.split("/")), content)
    shutil.rmtree(work_dir)
    for note in bundle.notes:
        say(f"  note: {note}")
    for side, figures in bundle.metrics.items():
        say(f"  {side}: " + ", ".join(f"{k} {figure_text(v)}" for k, v in figures.items()))
    if source.leak is not None:
        say(f"  warning: these figures are too optimistic. {source.leak}")
    _warn_of_chance(bundle)
    say(f"  bundle {bundle.model_id} written to {output}")
    say(f"  curves: {place.uri}: {CURVES_NAME}, loss.png, auc.png, accuracy.png")
    if is_local(place.uri):
        trainings = local_path(place.uri).parent
        say(f"  all trainings here: tensorboard --logdir {shlex.quote(str(trainings))}")
    return 0


def _prepare(args: argparse.Namespace, settings: Settings) -> None:
    """Index, extract and split the archive, which takes hours; what training needs is there."""
    if len(args.warehouse) != 1:
        raise UsageError("--archive fills one warehouse; give --warehouse once")
    (warehouse,) = args.warehouse
    check_archive(args.archive)
    if find_spec("tensorflow") is None:
        raise SetupError("training needs TensorFlow; pip install 'framejury[train]'")
    if settings.training.weights != "none":
        require_weights(settings.training)
    options = settings_options(args.preset, args.config, args.set)
    index_and_extract(args.archive, warehouse, options)
    split(warehouse, options)
    logs.start("train")


def _say_missed(source: FaceSource) -> None:
    """Report, before hours of training, labels set by hand that have no effect."""
    missed = len(source.frame_labels) - count_hand_labels(source).frames
    if missed:
        say(
            f"  note: {missed:,} of {counted(len(source.frame_labels), 'frame')} labelled by hand "
            "without effect: no face was kept, or the video is in no split"
        )


def _warn_of_chance(bundle: Bundle) -> None:
    """Warn about a network that has learned nothing."""
    auc = bundle.metrics.get(Side.VAL.value, {}).get("face_auc")
    if auc is not None and auc.value < _CHANCE_AUC:
        say(
            f"  warning: face AUC on val is {auc.value:.2f}, near chance (0.5); do not judge "
            "videos with this bundle. Train longer, on more sources, or from pretrained weights"
        )


def _training_files(trained: TrainedNetwork) -> dict[str, bytes]:
    from framejury.report.training_curves import training_files

    return training_files([asdict(epoch) for epoch in trained.history], trained.best_epoch + 1)


if __name__ == "__main__":
    sys.exit(main())
