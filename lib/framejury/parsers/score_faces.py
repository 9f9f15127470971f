"""score: score kept face crops with a model bundle, on the executors."""

from __future__ import annotations

from framejury.cli.options import add_bundle, add_warehouse, make_parser
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("score", __doc__, ["scoring", "evidence", "spark"])
    add_warehouse(options, writes=True)
    add_bundle(options)
    return options
