"""reduce: aggregate face scores to one verdict per video by the bundle's rule, and report."""

from __future__ import annotations

from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("reduce", __doc__, ["verdict", "report", "spark"])
    add_warehouse(options, writes=True)
    return options
