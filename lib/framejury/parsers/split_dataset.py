"""split: divide labelled videos into train, val and test by source, and balance them."""

from __future__ import annotations

from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("split", __doc__, ["split"])
    add_warehouse(options, writes=True)
    options.add_argument(
        "--sides",
        metavar="FILE",
        type=Place("input file"),
        help="CSV pattern,side that fixes the split of matching videos and of their groups; the "
        "others are drawn (default: none)",
    )
    return options
