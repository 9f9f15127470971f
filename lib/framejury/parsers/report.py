"""report: write the report of the latest verdicts again, and missing evidence pages.

With --output both go to one folder, which can be moved, archived and sent. If its name ends with
.zip, they go into one new file with a digest of every file in it.
"""

from __future__ import annotations

from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("report", __doc__, ["report"])
    add_warehouse(options)
    options.add_argument(
        "--output",
        metavar="DIR",
        type=Place("new folder", file_endings=(".zip",)),
        help="new or empty local folder for report and evidence pages, or a new file *.zip "
        "(default: in the warehouse)",
    )
    return options
