"""modality: find out what was changed in each fake, picture or sound, by its original.

Compares every fake with its original in the archive, as `framejury compare` does with two files,
and writes table `modalities`. Pairs compared before are compared again only if a file has changed.
"""

from __future__ import annotations

from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("modality", __doc__, ["inspect", "limits", "spark"])
    add_warehouse(options, writes=True)
    options.add_argument(
        "--all",
        action="store_true",
        help="compare every pair again (default: new and changed pairs)",
    )
    return options
