"""adopt: make a bundle of a network that was trained elsewhere.

NETWORK is an ONNX file, a Keras file (.keras; .h5, with weights alone also --architecture), or the
folder of a TensorFlow SavedModel. DESCRIPTION is a YAML file that says what the network expects and
gives; --print-description prints one to fill in. docs/adopting.md leads through it.

The network is tried in a process without rights. --expect refuses it unless it gives known
answers. --check looks for a mistake in the description on labelled videos. With --check or --sheet,
NETWORK may also be an adopted bundle.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from framejury.cli.archive_options import add_layout
from framejury.cli.options import make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser
from framejury.errors import UsageError

FRAMES = 8
_SECTIONS = ("index", "sampling", "detection", "crops", "limits", "scoring")


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("adopt", __doc__, _SECTIONS)
    options.add_argument(
        "network",
        metavar="NETWORK",
        type=Place("input", convert=Path),
        help="file or folder of the network",
    )
    options.add_argument(
        "description",
        metavar="DESCRIPTION",
        nargs="?",
        type=Place("input file", convert=Path),
        help="YAML file (default: none)",
    )
    options.add_argument(
        "--output",
        metavar="DIR",
        type=Place("folder", convert=Path),
        help="folder of the bundle (default: none is written)",
    )
    options.add_argument(
        "--architecture",
        metavar="FILE",
        type=Place("input file", convert=Path),
        help="JSON of Keras's model.to_json(), for an .h5 with weights alone (default: none)",
    )
    options.add_argument(
        "--print-description",
        action="store_true",
        help="print a description to fill in (default: no)",
    )
    options.add_argument(
        "--expect",
        metavar="FILE",
        type=Place("input file", convert=Path),
        help="CSV picture,score[,tolerance] of known answers; output instead of score: the "
        "network's own number (default: none)",
    )
    options.add_argument(
        "--check",
        metavar="DIR",
        type=Place("input"),
        help="local folder with labelled videos (default: none)",
    )
    add_layout(options, "with --check: ")
    options.add_argument(
        "--frames",
        metavar="N",
        type=int,
        default=FRAMES,
        help=f"with --check: frames per video (default: {FRAMES})",
    )
    options.add_argument(
        "--workers", metavar="N", type=int, help="processes (default: one per core)"
    )
    options.add_argument(
        "--sheet",
        metavar="FILE",
        type=Place("file", convert=Path),
        help="picture of the network's input (default: beside --output)",
    )
    options.add_argument(
        "--faces",
        metavar="PATH",
        type=Place("input", convert=Path),
        help="video, or folder of videos, for the sheet (default: --check, else a drawn face)",
    )
    options.check = _check
    return options


def _check(args: argparse.Namespace) -> None:
    """Raise UsageError for options that do not go together."""
    if args.frames < 1:
        raise UsageError(f"--frames must be at least 1, got {args.frames}")
    if args.print_description or (args.network / "bundle.json").is_file():
        return
    if args.description is None:
        raise UsageError(
            "a description is needed: framejury adopt NETWORK --print-description > network.yaml "
            "prints one to fill in"
        )
    if args.output is None and args.check is None and args.expect is None:
        raise UsageError("give --output DIR, --check DIR or --expect FILE")
