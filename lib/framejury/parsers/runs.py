"""runs: list the runs of a warehouse, newest last; `runs show ID` shows one in detail."""

from __future__ import annotations

from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.parser import Parser

SHOWN = 50
"""Videos without a score that the table of one run lists, unless all are asked for."""


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("runs", __doc__)
    options.add_argument(
        "action",
        metavar="list|show",
        nargs="?",
        choices=["list", "show"],
        default="list",
        help="list all runs, or show one (default: list)",
    )
    options.add_argument(
        "run_id",
        nargs="?",
        metavar="ID",
        help="run to show: its id or first characters (default: latest)",
    )
    add_warehouse(options)
    options.add_argument(
        "--last", metavar="N", type=int, help="list only the newest N runs (default: all)"
    )
    options.add_argument(
        "--all",
        action="store_true",
        help=f"in the table of one run, list all videos without a score (default: {SHOWN})",
    )
    options.add_argument(
        "--format",
        choices=["table", "json", "csv"],
        default="table",
        help="table: for people; json, csv: all figures (default: table)",
    )
    return options
