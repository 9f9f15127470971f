"""extract: open each indexed video once, detect its faces and keep their crops."""

from __future__ import annotations

from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser(
        "extract", __doc__, ["sampling", "detection", "crops", "limits", "scoring", "spark"]
    )
    add_warehouse(options, writes=True)
    options.add_argument(
        "--all",
        action="store_true",
        help="extract every video again (default: new and changed ones, and retries)",
    )
    options.add_argument(
        "--bundle",
        metavar="DIR",
        type=Place("folder to open"),
        help="cut the faces as this bundle's network needs them (default: as crops.* says)",
    )
    return options
