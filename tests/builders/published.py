"""Published tables as other programs read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from framejury.schemas.published_tables import PUBLISHED
from tests.builders.postgres import Server

Reader = Callable[[str], list[dict[str, Any]]]
"""Returns the rows of a table by its name, in the order of all their columns."""


def delta_rows(place: Path, name: str) -> list[dict[str, Any]]:
    rows = DeltaTable(str(place / name)).to_pyarrow_table().to_pylist()
    return _ordered(rows)


def postgres_rows(server: Server, database: str, name: str) -> list[dict[str, Any]]:
    names = PUBLISHED[name].names
    listed = ", ".join(f'"{one}"' for one in names)
    rows = server.query(database, f"select {listed} from framejury.{name}")
    return _ordered([dict(zip(names, row, strict=True)) for row in rows])


def _ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: [(value is None, str(value)) for value in row.values()])
