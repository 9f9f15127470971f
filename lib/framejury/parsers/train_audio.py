"""train-audio: train a sound model on the sounds of labelled videos.

Which sounds are fake comes from --labels, or from table modalities (framejury modality). Videos are
split by source with the settings split.*, and the leakage gate applies. The model judges with
--set audio.model=DIR in nightly, retry and scan. framejury ships no sound model.
"""

from __future__ import annotations

from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("train-audio", __doc__, ["audio", "limits", "split"])
    add_warehouse(options)
    options.add_argument(
        "--labels",
        metavar="FILE",
        type=Place("input file"),
        help="CSV video,sound with labels of sounds: path in the archive, REAL or FAKE (default: "
        "real videos, and fakes by table modalities)",
    )
    options.add_argument(
        "--output",
        metavar="DIR",
        required=True,
        type=Place("folder"),
        help="folder of the new sound model (required)",
    )
    options.add_argument(
        "--log-dir",
        metavar="DIR",
        type=Place("folder"),
        help="folder of training logs for TensorBoard and as CSV; this one gets the name of "
        "--output (default: no log)",
    )
    return options
