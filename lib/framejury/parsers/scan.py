"""scan: judge single video files, without Spark and without a warehouse.

With --html each file gets an evidence page: scores over time, faces with heat maps, and what was
not judged. For one FILE, PATH.html is its page; any other PATH is a folder for index.html and one
page per FILE. Pages of an earlier scan are replaced.

Exit code: 0 if every file was judged; 3 if some were not (no face, damaged, empty, too large, ...),
each with its reason; 2 if a FILE is missing, a folder or otherwise no file, and nothing was judged.
"""

from __future__ import annotations

from framejury.cli.options import add_bundle, make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser

_SECTIONS = ("sampling", "detection", "crops", "limits", "scoring", "audio", "verdict", "evidence")


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("scan", __doc__, _SECTIONS)
    options.add_argument(
        "files",
        metavar="FILE",
        type=Place("input", remote=True),
        nargs="+",
        help="video files (paths or URIs)",
    )
    add_bundle(options, several=True)
    options.add_argument(
        "--json", action="store_true", help="print one JSON object per line (default: text)"
    )
    options.add_argument(
        "--frames",
        action="store_true",
        help="also give the score of each face: frame, time, face track, score (not calibrated) "
        "and box (default: the verdict only)",
    )
    options.add_argument(
        "--html",
        metavar="PATH",
        type=Place("folder", file_endings=(".html", ".htm")),
        help="where to write evidence pages (default: none); needs framejury[report]",
    )
    return options
