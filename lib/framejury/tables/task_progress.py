"""Units of work dealt to tasks, and by accumulators their progress and gaps of the sandbox."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.accumulators import AccumulatorParam
from pyspark.sql import DataFrame, SparkSession

from framejury.cli.progress import progress
from framejury.examine.costs import Seconds, pack
from framejury.settings import SparkSettings
from framejury.tables.resources import slots

if TYPE_CHECKING:
    from pyspark.accumulators import Accumulator

    from framejury.sandbox.lockdown import Lockdown

COST = "estimated_s"
"""Column with the estimated seconds of a unit on one core."""
_TASK = "task"


def dealt(
    spark: SparkSession, units: pa.Table, costs_s: Seconds, settings: SparkSettings
) -> DataFrame:
    """Distribute units, with their `COST`, to partitions, one per task."""
    tasks = pack(costs_s, slots(spark), settings.task_s, settings.max_tasks)
    numbered = units.append_column(_TASK, pa.array(tasks, pa.int32()))
    numbered = numbered.append_column(COST, pa.array(costs_s, pa.float64()))
    count = int(tasks.max()) + 1 if len(tasks) else 1
    return spark.createDataFrame(numbered).repartitionById(count, _TASK).drop(_TASK)


class _Union(AccumulatorParam[frozenset[str]]):
    def zero(self, value: frozenset[str]) -> frozenset[str]:
        return frozenset()

    def addInPlace(  # noqa: N802
        self, value1: frozenset[str], value2: frozenset[str]
    ) -> frozenset[str]:
        return value1 | value2


@dataclass(frozen=True)
class Done:
    """Work that the tasks of a stage have finished so far, counted on the driver.

    Attributes:
        units: videos and segments, count.
        cost_s: their estimated seconds on one core.
        lacking: parts of the decoders' sandbox that were not in force, by machine, in words.
    """

    units: Accumulator[int]
    cost_s: Accumulator[float]
    lacking: Accumulator[frozenset[str]]

    @classmethod
    def of(cls, spark: SparkSession) -> Done:
        """Start counting from zero."""
        context = spark.sparkContext
        nothing: frozenset[str] = frozenset()
        return cls(
            context.accumulator(0),
            context.accumulator(0.0),
            context.accumulator(nothing, _Union()),
        )

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one finished unit."""
        self.units.add(1)
        self.cost_s.add(row[COST])

    def add_lockdown(self, found: Lockdown) -> None:
        """Note the layers that this machine's sandbox lacks."""
        host = socket.gethostname()
        self.lacking.add(
            frozenset(f"{host}: {name} ({why})" for name, why in found.lacking.items())
        )

    def shown(self, what: str, total: int, total_cost_s: float) -> AbstractContextManager[None]:
        """Show progress on the terminal while the body runs."""
        return progress(
            what,
            total,
            lambda: self.units.value,
            total_cost=total_cost_s,
            done_cost=lambda: self.cost_s.value,
        )
