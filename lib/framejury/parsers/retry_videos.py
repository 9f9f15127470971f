"""retry: judge videos again whose latest verdict has a given status.

The archive is not listed again, and earlier tries do not count. Fix the cause first, or allow more
time (--set limits.timeout_s=1800) or memory.
"""

from __future__ import annotations

from framejury.cli.options import (
    JUDGING_SECTIONS,
    add_bundle,
    add_json,
    add_metrics_file,
    add_notify,
    add_warehouse,
    make_parser,
)
from framejury.cli.parser import Parser
from framejury.cli.values import OneOrMore
from framejury.schemas.statuses import VERDICT_STATUSES, Status

STATUSES = tuple(s.value for s in VERDICT_STATUSES if s is not Status.MISSING)


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("retry", __doc__, JUDGING_SECTIONS)
    add_warehouse(options, writes=True)
    add_bundle(options, several=True)
    options.add_argument(
        "--status",
        metavar="STATUS,...",
        action="extend",
        type=OneOrMore(STATUSES),
        default=[],
        help=f"judge videos with this latest status: {', '.join(STATUSES)}; may be repeated "
        "(required)",
    )
    options.add_argument(
        "--dry-run",
        action="store_true",
        help="print the plan and write nothing (default: run)",
    )
    add_json(options)
    add_metrics_file(options)
    add_notify(options)
    return options
