"""train-audio: train a sound model on the sounds of labelled videos."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from framejury.audio.sound_model import check_may_replace
from framejury.cli.chatter import quiet_tensorflow
from framejury.cli.options import run_command, settings_of
from framejury.errors import SetupError, UsageError
from framejury.labelled.sound_labels import (
    counted_labels,
    labels_from_modalities,
    read_sound_labels,
)
from framejury.labelled.sound_making import listen_to, make_sound_model
from framejury.logs import say
from framejury.parsers.train_audio import parser
from framejury.schemas.statuses import Label
from framejury.warehouse import Warehouse

_CHANCE_AUC = 0.6


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


@quiet_tensorflow()
def _run(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    output = Path(args.output).absolute()
    check_may_replace(output)
    warehouse = Warehouse.open(args.warehouse)
    videos = warehouse.read_snapshot("videos").to_pylist()
    if args.labels is None:
        labels = labels_from_modalities(warehouse)
    else:
        labels = read_sound_labels(args.labels, videos)
    if set(labels.values()) != set(Label):
        raise UsageError(
            f"training needs real and fake sounds, but there are {counted_labels(labels)}; label "
            "more with --labels, or compare more fakes: "
            f"framejury modality --warehouse {args.warehouse}"
        )
    try:
        import framejury.training.sound_network  # noqa: F401
    except ImportError as error:
        raise SetupError(
            f"training needs TensorFlow ({error}); pip install 'framejury[train]'"
        ) from error
    say(f"  {counted_labels(labels)} are labelled")
    sounds = listen_to(videos, labels, settings)
    archive = (warehouse.archive or "").rstrip("/").rpartition("/")[2]
    log_dir = None if args.log_dir is None else Path(args.log_dir).absolute() / output.name
    model = make_sound_model(sounds, settings, output, archive, log_dir)
    if model.leak is not None:
        say(f"warning: {model.leak}")
    for side, figures in model.metrics.items():
        say(f"  {side}: " + ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    if model.metrics["val"]["auc"] < _CHANCE_AUC:
        say("  warning: AUC on val is near chance (0.5); do not judge videos with this model")
    say(f"  sound model {model.model_id} written to {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
