"""decide: record what a person decided about a video, or list what waits for a decision.

  framejury decide --warehouse DIR            lists what waits, new fakes first
  framejury decide VIDEO --warehouse DIR      shows what is known of a video
  framejury decide VIDEO --fake --note "lips" --warehouse DIR
  framejury decide --from to_decide.csv --warehouse DIR

VIDEO is a path below the archive or its end, an absolute path, a URI or a video_id. Decisions are
kept with author and time and never overwritten: the latest about the current file counts.
"""

from __future__ import annotations

from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser
from framejury.schemas.statuses import Decision

LISTED = 50
"""Waiting videos that are listed unless all are asked for."""

REVIEWER = "FRAMEJURY_REVIEWER"
"""Environment variable: the name of whoever decides."""


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("decide", __doc__)
    options.add_argument(
        "videos",
        metavar="VIDEO",
        nargs="*",
        help="the videos that the decision is about (default: list what waits)",
    )
    add_warehouse(options)
    what = options.add_mutually_exclusive_group()
    for decision, words in (
        (Decision.FAKE, "they were manipulated"),
        (Decision.REAL, "they were not manipulated"),
        (Decision.UNCLEAR, "you looked and cannot tell"),
    ):
        what.add_argument(
            f"--{decision}",
            dest="decision",
            action="store_const",
            const=decision,
            help=f"{words} (default: show what is known)",
        )
    what.add_argument(
        "--withdraw",
        dest="decision",
        action="store_const",
        const=Decision.WITHDRAWN,
        help="earlier decisions no longer count, and the videos wait again (default: no)",
    )
    what.add_argument(
        "--from",
        dest="file",
        metavar="FILE",
        type=Place("input file"),
        help="CSV file,decision,by,note, such as a filled-in to_decide.csv of a report; a line "
        "that was recorded before is left out (default: none)",
    )
    options.add_argument(
        "--by",
        metavar="NAME",
        help=f"who decides (default: {REVIEWER} in the environment, else the login name)",
    )
    options.add_argument(
        "--note", metavar="TEXT", help="why, in your words, stored with it (default: none)"
    )
    options.add_argument(
        "--all",
        action="store_true",
        help=f"list everything that waits (default: the first {LISTED})",
    )
    return options
