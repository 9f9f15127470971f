"""Table of compared presets, as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from framejury.labelled.measure import figure_text
from framejury.pages.text_table import grid
from framejury.recipes.preset_outcome import FIGURES, Failure, PresetOutcome

Row = PresetOutcome | Failure

HEADINGS = (
    *("preset", "accuracy", "AUC", "on fakes", "on originals"),
    *("s/video", "peak MiB", "scored"),
)
_MIB = 2**20


def cells_of(row: PresetOutcome) -> list[str]:
    """Return the texts of a row, one per entry of `HEADINGS`."""
    peak = row.peak_memory_bytes
    return [
        row.preset,
        *(figure_text(getattr(row, name)) for name in FIGURES),
        "-" if row.seconds_a_video is None else f"{row.seconds_a_video:.2f}",
        "-" if peak is None else f"{peak / _MIB:,.0f}",
        f"{row.scored} of {row.labelled}",
    ]


def text_table(rows: Sequence[Row]) -> str:
    """Return the table, followed by failures and a remark on each preset."""
    outcomes = [row for row in rows if isinstance(row, PresetOutcome)]
    table = [grid(HEADINGS, [cells_of(row) for row in outcomes], "llllrrr"), ""] if outcomes else []
    return "\n".join([*table, *remarks(rows)]) + "\n"


def remarks(rows: Sequence[Row]) -> list[str]:
    """Return one line per row: why it failed, or what the preset learned and its caveats."""
    found = []
    for row in rows:
        if isinstance(row, Failure):
            found.append(f"{row.preset}: failed in step {row.step}: {row.reason}")
            continue
        learned = (
            f"{row.preset}: {row.backbone} on {row.signal}, {row.faces:,} faces, "
            f"{row.epochs} epoch{'s' * (row.epochs != 1)} in {row.train_s:,.0f} s"
        )
        found.append("; ".join(part for part in (learned, row.remark, row.leak) if part))
    return found


def csv_table(rows: Sequence[Row]) -> str:
    """Return one line per measured preset; interval ends have columns of their own."""
    text = io.StringIO()
    flat = [_flat(row) for row in rows if isinstance(row, PresetOutcome)]
    names = list(flat[0]) if flat else list(HEADINGS)
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def json_table(rows: Sequence[Row], facts: Mapping[str, Any]) -> bytes:
    """Return all rows in full as JSON, after `facts` about the comparison."""
    content = {
        **facts,
        "presets": [asdict(row) for row in rows if isinstance(row, PresetOutcome)],
        "failures": [asdict(row) for row in rows if isinstance(row, Failure)],
    }
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def _flat(row: PresetOutcome) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in asdict(row).items():
        if name in FIGURES:
            ends = value or {"value": None, "low": None, "high": None}
            values |= {
                name: ends["value"],
                f"{name}_low": ends["low"],
                f"{name}_high": ends["high"],
            }
        else:
            values[name] = value
    return values
