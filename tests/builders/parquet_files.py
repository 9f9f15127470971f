"""What Parquet files of a warehouse hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from framejury.schemas.tables import TABLES
from framejury.warehouse import Warehouse


def assert_files_hold_their_tables_columns(warehouse: Warehouse, tables: Iterable[str]) -> None:
    """Open every Parquet file below `runs` and compare its columns with those of its table.

    Args:
        tables: those that must have a file.
    """
    seen = set()
    for path in sorted(Path(warehouse.location.path, "runs").rglob("*.parquet")):
        table = path.parent.name.removeprefix("table=")
        seen.add(table)
        found = [(field.name, _loose(field.type)) for field in parquet.read_schema(path)]
        assert found == [(field.name, _loose(field.type)) for field in TABLES[table]], path
    assert seen == set(tables)


def _loose(kind: pa.DataType) -> pa.DataType:
    """The type as Spark writes it: parts may be null, and times are INT96 without a zone."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    if pa.types.is_list(kind):
        return pa.list_(_loose(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _loose(field.type)) for field in kind])
    return kind
