"""compare: compare a fake with its original: was the picture changed, the sound or both?

Aligns both in time and in the picture. Prints one line that begins with video, audio, both, none or
unknown, and writes compare.html, compare.json and their pictures. Needs no Spark.

  framejury compare fake.mp4 original.mp4 --output out/compare
"""

from __future__ import annotations

from framejury.cli.options import make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("compare", __doc__, ["inspect", "limits"])
    options.add_argument(
        "fake", metavar="FAKE", type=Place("input", remote=True), help="a video file (path or URI)"
    )
    options.add_argument(
        "original",
        metavar="ORIGINAL",
        type=Place("input", remote=True),
        help="the video it was made from",
    )
    options.add_argument(
        "--output",
        metavar="DIR",
        required=True,
        type=Place("new folder"),
        help="new or empty folder (required)",
    )
    options.add_argument(
        "--json", action="store_true", help="also print compare.json (default: one line)"
    )
    return options
