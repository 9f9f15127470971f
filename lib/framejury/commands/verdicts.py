"""verdicts: print the latest committed verdict of every video of the archive."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from framejury.commandline import add_warehouse, make_parser, run_command
from framejury.evaluation.spreadsheet import csv_bytes
from framejury.redaction import printable
from framejury.schemas import VERDICTS
from framejury.warehouse import Warehouse

COLUMNS = ("uri", "label", *VERDICTS.names)
_SHOWN = ("uri", "label", "verdict", "p_fake", "interval", "faces_scored", "status", "error")


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("verdicts", __doc__)
    add_warehouse(parser)
    parser.add_argument(
        "--format",
        choices=["table", "csv", "json"],
        default="table",
        help="table for people; csv and json with every column of `verdicts` (default: table); in "
        "csv a text that a spreadsheet would run has an apostrophe before it",
    )
    return run_command(parser, argv, _run)


def latest_verdicts(warehouse: Warehouse) -> pa.Table:
    """The latest verdict of every video of the current snapshot, `COLUMNS`, by path.

    Raises:
        WarehouseError: nothing was judged yet.
    """
    verdicts = warehouse.read_latest("verdicts")
    videos = warehouse.read_snapshot("videos").select(["video_id", "path", "uri", "label"])
    both = videos.join(verdicts, keys="video_id", join_type="inner").sort_by("path")
    return both.select(list(COLUMNS))


def _run(args: argparse.Namespace) -> int:
    table = latest_verdicts(Warehouse.open(args.warehouse))
    rows = table.to_pylist()
    if args.format == "json":
        print(json.dumps(rows, indent=1, allow_nan=False))
    elif args.format == "csv":
        sys.stdout.write(csv_bytes(table).decode())
    else:
        print_table([_words(row) for row in rows])
    return 0


def print_table(rows: list[dict[str, str]]) -> None:
    """Print rows under `_SHOWN`'s headings, aligned."""
    widths = {
        name: max([len(name), *(len(row[name]) for row in rows)])
        for name in _SHOWN
        if name != _SHOWN[-1]
    }
    for row in [{name: name for name in _SHOWN}, *rows]:
        print("  ".join(row[name].ljust(widths.get(name, 0)) for name in _SHOWN).rstrip())


def _words(row: Mapping[str, Any]) -> dict[str, str]:
    scored = row["p_fake"] is not None
    return {
        "uri": printable(row["uri"]),
        "label": row["label"] or "-",
        "verdict": row["verdict"],
        "p_fake": f"{row['p_fake']:.3f}" if scored else "-",
        "interval": f"{row['p_fake_low']:.2f}..{row['p_fake_high']:.2f}" if scored else "-",
        "faces_scored": str(row["faces_scored"]),
        "status": row["status"],
        "error": printable(row["error"] or ""),
    }


if __name__ == "__main__":
    sys.exit(main())
