"""evaluate: measure a bundle on labelled videos and write a report.

--archive follows the evaluation protocol (docs/evaluation.md): it opens the videos of a local
archive. --warehouse alone scores the faces kept in a warehouse. Neither needs Spark.
"""

from __future__ import annotations

import argparse

from framejury.cli.archive_options import add_layout
from framejury.cli.options import (
    WAREHOUSE_VARIABLE,
    add_bundle,
    add_decisions,
    make_parser,
    stand_in,
)
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser
from framejury.errors import UsageError

_ARCHIVE_ONLY = ("sides", "layout", "workers", "quick")
_SECTIONS = ("index", "sampling", "detection", "crops", "limits", "scoring", "verdict", "report")


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("evaluate", __doc__, _SECTIONS)
    options.add_argument(
        "--archive",
        metavar="DIR",
        type=Place("input", remote=True),
        help="local folder with labelled videos (default: none)",
    )
    options.add_argument(
        "--warehouse",
        metavar="DIR",
        type=Place("folder to open", remote=True),
        help=f"faces to score; with --archive, it gets the report (default: {WAREHOUSE_VARIABLE}, "
        "with --archive none)",
    )
    add_bundle(options)
    options.add_argument(
        "--weights",
        metavar="FILE",
        type=Place("input file"),
        help="instead of a bundle: a best_weights.weights.h5 of outputs/; needs a split and "
        "TensorFlow (default: none)",
    )
    options.add_argument(
        "--side",
        metavar="SIDE",
        choices=["train", "val", "test", "all"],
        help="train, val, test or all; with --sides, all but train (default: test with a split or "
        "--sides, else all)",
    )
    options.add_argument(
        "--frame-labels",
        metavar="FILE",
        type=Place("input file"),
        help="CSV video,frame,label with labels of frames, for figures on faces (default: none)",
    )
    options.add_argument(
        "--sides",
        metavar="FILE",
        type=Place("input file"),
        help="with --archive: CSV pattern,side, the split (default: none)",
    )
    add_decisions(options, "with a warehouse: ")
    add_layout(options, "with --archive: ")
    options.add_argument(
        "--workers",
        metavar="N",
        type=int,
        help="with --archive: processes (default: one per core)",
    )
    options.add_argument(
        "--quick",
        action="store_true",
        help="with --archive: no robustness curves (default: measure)",
    )
    options.add_argument(
        "--output",
        metavar="DIR",
        type=Place("folder"),
        help="local folder of the report (default: in the warehouse, else in ./out)",
    )
    options.check = _check
    return options


def _check(args: argparse.Namespace) -> None:
    """Raise UsageError for options that do not go together."""
    if args.archive is not None:
        for name in ("frame_labels", "weights"):
            if getattr(args, name) is not None:
                option = f"--{name.replace('_', '-')}"
                raise UsageError(f"{option} cannot be used with --archive; use --warehouse alone")
        return
    if args.warehouse is None and stand_in(WAREHOUSE_VARIABLE) is None:
        raise UsageError("give --archive DIR with labelled videos, or --warehouse DIR with faces")
    given = [name for name in _ARCHIVE_ONLY if getattr(args, name)]
    if given:
        raise UsageError(f"--{given[0]} needs --archive, which was not given")
    if args.weights is not None and args.bundle is not None:
        raise UsageError("give either --bundle DIR or --weights FILE")
