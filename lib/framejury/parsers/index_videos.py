"""index: list the videos of an archive with their labels and sources, as table `videos`."""

from __future__ import annotations

from framejury.cli.archive_options import add_archive
from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("index", __doc__, ["index"])
    add_archive(options)
    add_warehouse(options, writes=True)
    return options
