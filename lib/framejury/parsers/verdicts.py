"""verdicts: print or export the latest committed verdict on every video of the archive.

One row per video, by path: its uri, its label, and every column of the table `verdicts`
(docs/data_dictionary.md). With --frames, one row per face behind these verdicts, with its score.

  framejury verdicts --warehouse DIR --verdict fake --since 1d --sort=-p_fake
  framejury verdicts --warehouse DIR --output verdicts.parquet
"""

from __future__ import annotations

from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser
from framejury.cli.values import OneOrMore, at_least_one, words
from framejury.clock import moment
from framejury.schemas.statuses import VERDICT_STATUSES, Verdict

FORMATS = ("table", "csv", "parquet", "jsonl", "json")


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("verdicts", __doc__, ["report"])
    add_warehouse(options)
    _add_choice(options)
    options.add_argument(
        "--format",
        metavar="FORMAT",
        choices=FORMATS,
        help="table, csv, parquet, jsonl or json (default: by the ending of --output, else table)",
    )
    options.add_argument(
        "--frames",
        action="store_true",
        help="one row per face (default: one per video)",
    )
    options.add_argument(
        "--output",
        metavar="FILE",
        type=Place("file"),
        help="local file to write (default: print to the terminal)",
    )
    return options


def _add_choice(options: Parser) -> None:
    """Add the options that filter, sort and limit; they apply to every format."""
    group = options.add_argument_group("which verdicts (all of these may be combined)")
    verdicts = tuple(verdict.value for verdict in Verdict)
    statuses = tuple(status.value for status in VERDICT_STATUSES)
    not_scored = " (--status finds what was not scored)"
    for name, known, more in (("verdict", verdicts, not_scored), ("status", statuses, "")):
        group.add_argument(
            f"--{name}",
            metavar=f"{name.upper()},...",
            action="extend",
            type=OneOrMore(known),
            default=[],
            help=f"only these: {', '.join(known)}{more} (default: all)",
        )
    group.add_argument(
        "--since",
        metavar="WHEN",
        type=moment,
        help="judged since a date, time or age like 1d (default: all)",
    )
    group.add_argument(
        "--run",
        metavar="ID",
        help="only judged by this run, or `latest` (default: all)",
    )
    group.add_argument(
        "--sort",
        metavar="COLUMN,...",
        action="extend",
        type=words,
        default=[],
        help="lowest first; --sort=-COLUMN: highest first (default: path)",
    )
    group.add_argument("--reverse", action="store_true", help="turn the order (default: no)")
    group.add_argument(
        "--limit", metavar="N", type=at_least_one, help="only the first N videos (default: all)"
    )
