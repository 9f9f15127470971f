"""ensemble: make one bundle of several, which judges by all of them.

Weights are equal unless they are given, or fitted on labelled videos together with the rule
(aggregation, calibration, threshold): on their scores in a warehouse that `framejury nightly
--bundle A --bundle B` wrote, or by judging a local archive here.
"""

from __future__ import annotations

import argparse
import math

from framejury.cli.archive_options import add_layout
from framejury.cli.options import make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser
from framejury.errors import UsageError
from framejury.parsers.calibrate import TARGET_FPR

_SECTIONS = ("index", "sampling", "detection", "crops", "limits", "scoring", "verdict")


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("ensemble", __doc__, _SECTIONS)
    options.add_argument(
        "bundles",
        metavar="BUNDLE",
        type=Place("folder to open"),
        nargs="+",
        help="two or more bundles",
    )
    options.add_argument(
        "--output",
        metavar="DIR",
        required=True,
        type=Place("folder"),
        help="folder of the new bundle (required)",
    )
    options.add_argument(
        "--weights",
        metavar="W,W,...",
        type=_weights,
        help="weight of each bundle; only their ratios count (default: equal)",
    )
    options.add_argument(
        "--warehouse",
        metavar="DIR",
        type=Place("folder to open", remote=True),
        help="fit on the labelled videos that all of them judged here (default: do not fit)",
    )
    options.add_argument(
        "--archive",
        metavar="DIR",
        type=Place("input"),
        help="fit on a local folder of labelled videos (default: do not fit)",
    )
    add_layout(options, "with --archive: ")
    options.add_argument(
        "--workers",
        metavar="N",
        type=int,
        help="with --archive: processes (default: one per core)",
    )
    options.add_argument(
        "--target-fpr",
        metavar="SHARE",
        type=float,
        default=TARGET_FPR,
        help="when fitting: share of real videos that may be called fake, 0 to 1 (default: "
        f"{TARGET_FPR})",
    )
    options.check = _check
    return options


def _weights(text: str) -> tuple[float, ...]:
    try:
        found = tuple(map(float, text.split(",")))
    except ValueError:
        found = ()
    if not found or not all(0 <= one < math.inf for one in found) or sum(found) <= 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of weights of 0 or more, such as 0.7,0.3"
        )
    return found


def _check(args: argparse.Namespace) -> None:
    """Raise UsageError for options that do not go together."""
    given = [name for name in ("weights", "warehouse", "archive") if getattr(args, name)]
    if len(given) > 1:
        raise UsageError(f"give either --{given[0]} or --{given[1]}: weights come from one place")
    if args.weights is not None and len(args.weights) != len(args.bundles):
        raise UsageError(f"--weights has {len(args.weights)} for {len(args.bundles)} bundles")
    for name in ("layout", "workers"):
        if getattr(args, name) and not args.archive:
            raise UsageError(f"--{name} needs --archive, which was not given")
    if not 0 < args.target_fpr < 1:
        raise UsageError(f"--target-fpr must be above 0 and below 1, got {args.target_fpr}")
