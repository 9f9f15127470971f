"""runs: list the runs of a warehouse, newest last; `runs show ID` shows one in detail."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence

from framejury.cli.options import add_warehouse, make_parser, run_command
from framejury.commands.runs_show import show_csv, show_json, show_table
from framejury.errors import UsageError
from framejury.logs import say
from framejury.pages.text_table import UNKNOWN, columns, count, duration
from framejury.runs.details import details
from framejury.runs.history import PastRun, State, find_run, past_runs
from framejury.schemas.statuses import Verdict
from framejury.warehouse import Warehouse
from framejury.warehouse.lock import read_lock

_SHOWN = 50


def parser() -> argparse.ArgumentParser:
    options = make_parser("runs", __doc__)
    options.add_argument(
        "action", nargs="?", choices=["show"], help="show one run (default: list all runs)"
    )
    options.add_argument(
        "run_id", nargs="?", metavar="ID", help="id of the run to show, or its first characters"
    )
    add_warehouse(options)
    options.add_argument(
        "--last", metavar="N", type=int, help="list only the newest N runs (default: all)"
    )
    options.add_argument(
        "--all",
        action="store_true",
        help=f"in the table of one run, list all videos without a score (default: {_SHOWN})",
    )
    options.add_argument(
        "--format",
        choices=["table", "json", "csv"],
        default="table",
        help="table: for people; json, csv: all figures (default: table)",
    )
    return options


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    if (args.action is None) != (args.run_id is None):
        raise UsageError("no run was named; run: framejury runs show ID --warehouse DIR")
    if args.last is not None and args.last < 1:
        raise UsageError(f"--last must be 1 or more, not {args.last}")
    warehouse = Warehouse.open(args.warehouse)
    runs = past_runs(warehouse)
    if args.action == "show":
        found = details(find_run(runs, args.run_id), warehouse)
        if args.format == "json":
            show_json(found)
        elif args.format == "csv":
            show_csv(found)
        else:
            show_table(found, None if args.all else _SHOWN)
        return 0
    _LIST[args.format](runs[-args.last :] if args.last else runs)
    lock = read_lock(warehouse.location)
    if lock is not None and lock.is_held:
        say(f"the warehouse is in use by {lock.described()}")
    return 0


def _list_json(runs: Sequence[PastRun]) -> None:
    print(json.dumps([run.to_plain() for run in runs], indent=1, allow_nan=False))


def _list_csv(runs: Sequence[PastRun]) -> None:
    names = list(PastRun(("",), State.DROPPED).to_plain())
    writer = csv.DictWriter(sys.stdout, names)
    writer.writeheader()
    for run in runs:
        row = run.to_plain()
        writer.writerow(row | {"run_ids": " ".join(row["run_ids"])})


def _list_table(runs: Sequence[PastRun]) -> None:
    headings = ("run", "job", "started (UTC)", "took", "commits", "videos", "failed")
    rows = [(*headings, *(name.value for name in Verdict), "model", "state")]
    for run in runs:
        row = run.to_plain()
        rows.append(
            (
                run.run_id,
                run.job or UNKNOWN,
                f"{run.started_at:%Y-%m-%d %H:%M}" if run.started_at else UNKNOWN,
                duration(run.wall_s),
                count(len(run.commits)),
                *(count(row[name]) for name in ("videos", "failures", *Verdict)),
                run.model_id or UNKNOWN,
                run.state.value,
            )
        )
    for line in columns(rows, "lll" + "r" * (4 + len(Verdict))):
        print(line)


_LIST = {"table": _list_table, "json": _list_json, "csv": _list_csv}


if __name__ == "__main__":
    sys.exit(main())
