"""nightly: index an archive, judge its new and changed videos, and write a report.

A later run judges new and changed files and retries failed ones. A run that was killed can simply
be repeated. Exit codes: 0 all judged; 3 judged, but more failures than run.failures_ratio; 2 wrong
input; 1 an internal error, run it again.
"""

from __future__ import annotations

from framejury.cli.archive_options import add_archive
from framejury.cli.options import (
    JUDGING_SECTIONS,
    add_bundle,
    add_json,
    add_metrics_file,
    add_notify,
    add_warehouse,
    make_parser,
)
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser
from framejury.clock import moment


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("nightly", __doc__, ["index", *JUDGING_SECTIONS])
    add_archive(options)
    add_warehouse(options, writes=True)
    add_bundle(options, several=True)
    options.add_argument(
        "--since",
        metavar="WHEN",
        type=moment,
        help="only files changed since a date or age, as 7d (default: all)",
    )
    options.add_argument(
        "--rescore",
        action="store_true",
        help="judge again if model or settings changed (default: no)",
    )
    options.add_argument(
        "--all",
        action="store_true",
        help="judge all again (default: new, changed, failed)",
    )
    options.add_argument(
        "--keep-crops",
        action="store_true",
        help="also keep face crops, to train on (default: no)",
    )
    options.add_argument(
        "--dry-run",
        action="store_true",
        help="print the plan, write nothing (default: run)",
    )
    options.add_argument(
        "--decisions",
        metavar="FILE",
        type=Place("input file", remote=True),
        help="CSV file,decision,by,note (default: decisions.csv of ARCHIVE)",
    )
    add_json(options)
    add_metrics_file(options)
    add_notify(options)
    return options
