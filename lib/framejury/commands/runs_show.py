"""Output of `framejury runs show`."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from typing import Any

from framejury.pages.text_table import columns, count, duration, pairs
from framejury.redaction import printable
from framejury.runs.details import Details, TableFiles
from framejury.runs.history import State

_NOTES = {
    State.DROPPED: "it ended before its commit; its files are not read, the next run removes them",
    State.UNDER_WAY: "its files are not read before its commit",
}


def show_json(found: Details) -> None:
    """Print one JSON object, with every video without a score."""
    print(json.dumps(found.to_plain(), indent=1, allow_nan=False))


def show_csv(found: Details) -> None:
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


def show_table(found: Details, most: int | None) -> None:
    """Print sections for people.

    Args:
        found: details of the run.
        most: how many videos without a score to list; None: all.
    """
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
        ("verdicts", found.run.counted("verdicts")),
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
            "last commit": plain["ended_at"],
            "took": None if run.wall_s is None else duration(run.wall_s),
            "archive": found.archive,
            "model": run.model_id,
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
