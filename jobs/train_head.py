"""train: fit EfficientNetB0 and a head on the split's faces, and write a model bundle.

Refuses to start when a source stands on two sides of the split. An interrupted training
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
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framejury.commandline import add_warehouse, make_parser, run_command, say, settings_of
from framejury.errors import SetupError, WarehouseError
from framejury.labelled import describe_data, labelled_videos, only_side, training_source
from framejury.measure import figures_for_card, judge_labelled, on_side
from framejury.model.bundle import check_may_replace, with_metrics
from framejury.model.manifest import Bundle, Figure, Framing
from framejury.model.runtime import Scorer
from framejury.model.source import FaceSource
from framejury.schemas import Side
from framejury.settings import Settings
from framejury.warehouse import Warehouse

if TYPE_CHECKING:
    from framejury.model.training import TrainedNetwork

_THRESHOLD = 0.5  # the mean is rounded, as most published recipes do
_CHANCE_AUC = 0.6
_DEMO_NOTE = "Trained on the demo's clips of three people; its figures say nothing."


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("train", __doc__, ["training", "scoring", "verdict"])
    add_warehouse(parser)
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
    settings = settings_of(args)
    output = Path(args.output).absolute()
    check_may_replace(output)
    warehouse = Warehouse.open(args.warehouse)
    source = training_source(warehouse)
    framing = _framing(warehouse, source)
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
    bundle = _pack(args, settings, warehouse, framing, trained)
    place = warehouse.write_report(f"train-{bundle.model_id}", _training_files(trained))
    shutil.rmtree(work_dir)
    for note in bundle.notes:
        say(f"  note: {note}")
    for side, figures in bundle.metrics.items():
        say(f"  {side}: " + ", ".join(f"{k} {_words(v)}" for k, v in figures.items()))
    _warn_of_chance(bundle)
    say(f"  bundle {bundle.model_id} written to {output}")
    say(f"  curves: {place.child('loss.png').uri}, {place.child('accuracy.png').uri}")
    return 0


def _framing(warehouse: Warehouse, source: FaceSource) -> Framing:
    """How the crops were cut; all runs that are trained on must agree.

    Raises:
        WarehouseError: they do not.
    """
    used = {truth.run_id for truth in source.videos.values()}
    found = {
        (commit.settings["crops"]["margin_ratio"], commit.settings["crops"]["shape"])
        for commit in warehouse.with_table("faces")
        if commit.run_id in used
    }
    if len(found) != 1:
        raise WarehouseError(
            f"faces were cut in different ways (margin_ratio, shape): {sorted(found)}; "
            "run `framejury extract --all`"
        )
    margin_ratio, shape = found.pop()
    return Framing(margin_ratio=margin_ratio, shape=shape)


def _pack(
    args: argparse.Namespace,
    settings: Settings,
    warehouse: Warehouse,
    framing: Framing,
    trained: TrainedNetwork,
) -> Bundle:
    """Export, measure the export on val and test, write the bundle."""
    from framejury.model.export import pack_bundle

    videos = labelled_videos(warehouse)
    with tempfile.TemporaryDirectory() as scratch:
        draft = pack_bundle(
            trained,
            Path(scratch) / "bundle",
            framing=framing,
            threshold=settings.verdict.threshold_or(_THRESHOLD),
            data_description=describe_data(warehouse, videos),
            purpose=args.purpose,
            notes=(_DEMO_NOTE,) if args.purpose == "demo" else (),
        )
        scorer = Scorer(draft, settings.scoring.threads, settings.scoring.batch_size)
        metrics: dict[str, dict[str, Figure]] = {}
        for side in (Side.VAL, Side.TEST):
            part = only_side(trained.source, side)
            if part.videos:
                verdicts, counts = judge_labelled(
                    scorer,
                    part,
                    on_side(videos, trained.source, side),
                    settings.verdict,
                    run_id="train",
                )
                metrics[side.value] = figures_for_card(verdicts, counts)
        return with_metrics(draft, Path(args.output).absolute(), metrics)


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
    from framejury.evaluation.figures import training_figures

    history: list[dict[str, Any]] = [asdict(epoch) for epoch in trained.history]
    return {
        **training_figures(history),
        "history.json": json.dumps(history, indent=1).encode(),
    }


def _words(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


if __name__ == "__main__":
    sys.exit(main())
