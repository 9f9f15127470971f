"""calibrate: fit the verdict rule on labelled videos and write a bundle with it.

The network is unchanged. Aggregation, calibration and threshold are chosen for a given share of
real videos called fake, on faces kept in one or several warehouses. The new bundle has a new
model_id, so archives are scored again with it.
"""

from __future__ import annotations

from framejury.cli.options import add_bundle, add_decisions, add_warehouse, make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser
from framejury.schemas.statuses import Side

TARGET_FPR = 0.05
"""As in `evaluation.rule_fitting`, which takes too long to import for this."""


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("calibrate", __doc__, ["scoring", "verdict"])
    add_warehouse(options, several="folder or URI with labelled faces and a split; may be repeated")
    add_bundle(options)
    add_decisions(options)
    options.add_argument(
        "--output",
        metavar="DIR",
        required=True,
        type=Place("folder"),
        help="folder of the new bundle (required)",
    )
    options.add_argument(
        "--side",
        choices=[side.value for side in (Side.TRAIN, Side.VAL, Side.TEST)],
        default=Side.VAL.value,
        help="split to fit on; test is refused (default: val)",
    )
    options.add_argument(
        "--target-fpr",
        metavar="SHARE",
        type=float,
        default=TARGET_FPR,
        help=f"share of real videos that may be called fake, 0 to 1 (default: {TARGET_FPR})",
    )
    return options
