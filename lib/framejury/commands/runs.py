"""runs: list the runs of a warehouse, newest last; `runs show [ID]` shows one in detail.

Without an ID, `runs show` shows the latest run that judged videos.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from framejury.cli.options import run_command
from framejury.errors import UsageError
from framejury.logs import say
from framejury.pages.text_table import UNKNOWN, Fit, columns, count, duration, pairs
from framejury.pages.text_width import terminal_width
from framejury.parsers.runs import SHOWN, parser
from framejury.redaction import printable
from framejury.runs.details import Details, TableFiles, details, timed
from framejury.runs.history import LATEST, PastRun, State, find_run, past_runs
from framejury.schemas.outcomes import OUTCOMES
from framejury.warehouse import Warehouse
from framejury.warehouse.lock import read_lock

_LEAST_MODEL = 12
"""Cells of a model's name that is cut on a terminal."""
_SPARE = ("started (UTC)", "commits", "model", "took", "not scored", "inconclusive", "real", "job")
"""Columns that a narrow terminal does without, the first one first; `run` begins with the time."""
_NOTES = {
    State.DROPPED: "it ended before its commit; its files are not read, the next run removes them",
    State.UNDER_WAY: "its files are not read before its commit",
}


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    if args.action == "list" and args.run_id is not None:
        raise UsageError(
            f"runs list takes no ID; run: framejury runs show {printable(args.run_id)} "
            "--warehouse DIR"
        )
    if args.last is not None and args.last < 1:
        raise UsageError(f"--last must be 1 or more, not {args.last}")
    warehouse = Warehouse.open(args.warehouse)
    runs = past_runs(warehouse)
    if args.action == "show":
        found = details(find_run(runs, args.run_id or LATEST), warehouse)
        if args.format == "json":
            print(json.dumps(found.to_plain(), indent=1, allow_nan=False))
        elif args.format == "csv":
            _show_csv(found)
        else:
            _show_table(found, None if args.all else SHOWN)
        return 0
    chosen = runs[-args.last :] if args.last else runs
    shown = [timed(run, warehouse) for run in chosen]
    if args.format == "json":
        print(json.dumps([run.to_plain() for run in shown], indent=1, allow_nan=False))
    elif args.format == "csv":
        _list_csv(shown)
    else:
        _list_table(shown)
    lock = read_lock(warehouse.location)
    if lock is not None and lock.is_held:
        say(f"the warehouse is in use by {lock.described()}")
    return 0


def _list_csv(runs: Sequence[PastRun]) -> None:
    names = list(PastRun(("",), State.DROPPED).to_plain())
    writer = csv.DictWriter(sys.stdout, names)
    writer.writeheader()
    for run in runs:
        row = run.to_plain()
        writer.writerow(row | {"run_ids": " ".join(row["run_ids"])})


def _list_table(runs: Sequence[PastRun]) -> None:
    heading = (
        *("run", "job", "started (UTC)", "took", "commits", "videos", "failed"),
        *(*map(_word, OUTCOMES), "model", "state"),
    )
    rows = [heading]
    for run in runs:
        row = run.to_plain()
        rows.append(
            (
                run.run_id,
                run.job or UNKNOWN,
                f"{run.started_at:%Y-%m-%d %H:%M}" if run.started_at else UNKNOWN,
                duration(run.wall_s),
                count(len(run.commits)),
                *(count(row[name]) for name in ("videos", "failures", *OUTCOMES)),
                run.model_id or UNKNOWN,
                run.state.value,
            )
        )
    width = terminal_width()
    fit = None
    if width is not None:
        fit = Fit(
            width,
            paths={heading.index("model"): _LEAST_MODEL},
            spare=[heading.index(name) for name in _SPARE],
        )
    for line in columns(rows, "lll" + "r" * (4 + len(OUTCOMES)), fit):
        print(line)


def _word(outcome: str) -> str:
    return outcome.replace("_", " ")


def _show_csv(found: Details) -> None:
    """Print CSV rows of section, name and value, with every video without a score."""
    writer = csv.writer(sys.stdout)
    writer.writerow(("section", "name", "value"))
    for section, value in found.to_plain().items():
        if section == "unjudged":
            for one in value:
                writer.writerow((section, one["path"], f"{one['status']}: {one['error'] or ''}"))
        elif isinstance(value, dict):
            for name, inner in value.items():
                text = json.dumps(inner) if isinstance(inner, dict | list) else inner
                writer.writerow((section, name, text))
        else:
            text = " ".join(value) if isinstance(value, list) else value
            writer.writerow(("run", section, text))


def _show_table(found: Details, most: int | None) -> None:
    """Print sections for people, with at most `most` videos without a score; None: all."""
    for heading, lines in _sections(found, most):
        if lines:
            print(f"\n{heading}" if heading else "", end="\n" if heading else "")
            for line in lines:
                print(printable(line))


def _sections(found: Details, most: int | None) -> Iterator[tuple[str, list[str]]]:
    yield "", _head(found)
    for heading, counts in (
        ("planned", found.planned),
        ("outcomes", found.statuses),
        ("verdicts", {_word(name): number for name, number in found.run.outcomes.items()}),
    ):
        yield heading, pairs({name: count(number) for name, number in counts.items()})
    yield "seconds", pairs({name: f"{seconds:,.1f}" for name, seconds in found.phase_s.items()})
    yield "drift of the scores", _drift_lines(found.drift)
    yield (
        "settings that differ from the defaults",
        pairs({name: json.dumps(value) for name, value in found.settings.items()}),
    )
    yield "tables", _table_lines(found.tables)
    yield "files", pairs(found.places)
    shown = found.unjudged[:most]
    rows = [(one.path, one.status, one.error or "") for one in shown]
    lines = [f"  {line}" for line in columns(rows)]
    if len(shown) < len(found.unjudged):
        lines.append(f"  and {len(found.unjudged) - len(shown):,} more; --all shows them")
    yield f"without a score ({len(found.unjudged):,})", lines


def _head(found: Details) -> list[str]:
    run, plain = found.run, found.run.to_plain()
    others = ", ".join(run.run_ids[1:])
    return pairs(
        {
            "run": run.run_id,
            "further batches": others or None,
            "job": run.job,
            "state": run.state.value,
            "note": _NOTES.get(run.state),
            "exit code": None if found.exit_code is None else str(found.exit_code),
            "started": plain["started_at"],
            "ended": plain["ended_at"],
            "took": None if run.wall_s is None else duration(run.wall_s),
            "archive": found.archive,
            "model": run.model_id,
            "training data": found.training,
            "framejury": found.versions.get("framejury"),
        },
        indent="",
    )


def _drift_lines(drift: dict[str, Any] | None) -> list[str]:
    if drift is None:
        return []
    lines = []
    for of, one in drift.items():
        if one is None:
            lines.append(f"  {of}: too few videos to measure drift")
            continue
        verdict = "beyond chance" if one["is_beyond_chance"] else "within chance"
        lines.append(
            f"  {of}: PSI {one['psi']:.3f} (by chance up to {one['psi_chance']:.3f}), "
            f"KS {one['ks']:.3f} (up to {one['ks_chance']:.3f}): {verdict}; {one['videos']:,} "
            f"videos against {one['reference_videos']:,} of {one['runs']:,} earlier runs"
        )
    return lines


def _table_lines(tables: dict[str, TableFiles]) -> list[str]:
    if not tables:
        return []
    rows = [("", "rows", "files", "MB", "")]
    rows += [
        (
            name,
            count(one.rows),
            count(one.files),
            f"{one.size_bytes / 1e6:,.2f}",
            "in files shared with other runs" if one.is_shared else "",
        )
        for name, one in tables.items()
    ]
    return [f"  {line}" for line in columns(rows, "lrrr")]


if __name__ == "__main__":
    sys.exit(main())
