"""Spark's view of the tables declared in `framejury.schemas.tables`."""

from __future__ import annotations

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name everybody knows
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import ArrayType, DataType, StructField, StructType

from framejury.schemas.tables import TABLES


def spark_schema(schema: pa.Schema) -> StructType:
    """Return the same columns as a Spark `StructType`."""
    return from_arrow_schema(schema)


def conform(frame: DataFrame, table: str) -> DataFrame:
    """Return the table's columns in the table's order and types.

    Raises:
        ValueError: a column is missing.
    """
    wanted = spark_schema(TABLES[table])
    missing = [field.name for field in wanted if field.name not in frame.columns]
    if missing:
        raise ValueError(
            f"table {table} lacks {', '.join(missing)}; it got {', '.join(frame.columns)}"
        )
    return frame.select(*[F.col(field.name).cast(_loose(field.dataType)) for field in wanted])


def _loose(kind: DataType) -> DataType:
    """Return the type with nulls allowed inside, as rows read from Parquet declare it."""
    if isinstance(kind, ArrayType):
        return ArrayType(_loose(kind.elementType), containsNull=True)
    if isinstance(kind, StructType):
        return StructType([StructField(one.name, _loose(one.dataType)) for one in kind])
    return kind
