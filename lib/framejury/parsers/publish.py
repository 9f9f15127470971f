"""publish: bring tables for other tools up to date: Delta Lake, PostgreSQL.

A nightly run does so by itself where publish.delta or publish.database is set. This command does it
now: for the first time, or after an outage. Without settings, it uses those of the latest run that
had any. Runs that are there already change nothing.

  framejury publish --warehouse DIR --set publish.delta=FOLDER
"""

from __future__ import annotations

from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("publish", __doc__, ["publish"])
    add_warehouse(options, writes=True)
    return options
