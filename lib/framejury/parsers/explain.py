"""explain: show what made the network suspect the most suspicious faces of a video.

Writes one picture per face: the face as the network saw it, the same under a heat map (red points
most to FAKE), and below them frame, time and score. The heat maps are those of the evidence pages:
Grad-CAM by the network itself, or for networks that cannot give it, by covering parts of the face.
A heat map shows what influenced the score, not that the score is right.
"""

from __future__ import annotations

from framejury.cli.options import add_bundle, make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser(
        "explain", __doc__, ["sampling", "detection", "crops", "limits", "scoring"]
    )
    options.add_argument(
        "video",
        metavar="VIDEO",
        type=Place("input", remote=True),
        help="a video file (path or URI)",
    )
    add_bundle(options)
    options.add_argument(
        "--output",
        metavar="DIR",
        required=True,
        type=Place("new folder"),
        help="new or empty folder (required)",
    )
    options.add_argument(
        "--faces",
        metavar="COUNT",
        type=int,
        default=6,
        help="number of faces, the most suspicious first (default: 6)",
    )
    return options
