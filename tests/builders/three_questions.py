"""The three questions of docs/tables.md, and a warehouse whose answers are known by hand."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from framejury.decisions.decided import Decided
from framejury.schemas.statuses import Decision
from framejury.warehouse import Warehouse
from framejury.warehouse.deciding import record_decisions
from tests.builders.judged import MODEL, NOW, night, video_row, write

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tables.md"

ANSWERS: list[list[tuple[Any, ...]]] = [
    [
        ("faké 'n' fake.mp4", 0.9, 0.9, 0.9, 0.5, None),
        ("accused.mp4", 0.8, 0.8, 0.8, 0.5, None),
        ("turned.mp4", 0.7, 0.7, 0.7, 0.5, "real"),
    ],
    [
        ("gone.mp4", "real", "inconclusive", None),
        ("new.mp4", None, "real", 0.2),
        ("turned.mp4", "real", "fake", 0.7),
    ],
    [(MODEL, 5, 2, 1, 40.0)],
]
"""Rows that each statement must return, in the order of the page."""


def statements() -> list[str]:
    """Return the SQL of the page, in order."""
    found = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(found) == len(ANSWERS)
    return found


def asked_warehouse(place: Path) -> Warehouse:
    """Judge videos in two nights, with labels and a decision."""
    warehouse = Warehouse.open_or_plan(str(place))
    first = {
        "faké 'n' fake.mp4": [0.9],
        "accused.mp4": [0.8],
        "fine.mp4": [0.1],
        "no face.mp4": [],
        "turned.mp4": [0.3],
        "gone.mp4": [0.1],
    }
    night(warehouse, first)
    there = [path for path in first if path != "gone.mp4"]
    night(
        warehouse,
        {"turned.mp4": [0.7], "new.mp4": [0.2], "fine.mp4": [0.15]},
        listed=[*there, "new.mp4"],
        gone=["gone.mp4"],
    )
    labels = {"faké 'n' fake.mp4": "FAKE", "turned.mp4": None, "gone.mp4": "REAL"}
    with warehouse.running("index", NOW) as run:
        rows = [video_row(path) for path in (*there, "new.mp4")] + [video_row("gone.mp4", NOW)]
        rows = [row | {"label": labels.get(row["path"], "REAL")} for row in rows]
        write(warehouse, run, "videos", rows)
        warehouse.commit(run, NOW)
    (turned,) = [row["video_id"] for row in rows if row["path"] == "turned.mp4"]
    decided = Decided(None, Decision.REAL, "Jane Roe", None, NOW, "command", *[None] * 4)
    record_decisions(warehouse, [(turned, decided)], NOW)
    return warehouse


def plain(rows: list[Any]) -> list[tuple[Any, ...]]:
    """Return rows as tuples, decimals as numbers."""
    return [
        tuple(float(value) if isinstance(value, Decimal) else value for value in row)
        for row in rows
    ]
