"""evidence: write evidence pages of named videos, which show what a verdict is based on.

The command nightly writes pages for mistakes and high scores (report.evidence_pages); this command
writes any page, and replaces existing ones. It reads the warehouse and opens no video. The page of
a deleted video shows its verdict from before.
"""

from __future__ import annotations

from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("evidence", __doc__)
    options.add_argument(
        "videos",
        metavar="VIDEO",
        nargs="+",
        help="path below the archive, as reports show it, or video_id",
    )
    add_warehouse(options)
    options.add_argument(
        "--output",
        metavar="DIR",
        type=Place("folder", remote=True),
        help="folder below which evidence/ is written (default: the warehouse)",
    )
    return options
