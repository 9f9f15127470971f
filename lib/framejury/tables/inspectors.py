"""The pass of `inspect` and `modality` over an archive: one row per unit, on executors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from framejury import logs
from framejury.settings import Settings
from framejury.tables.task_progress import Done

if TYPE_CHECKING:
    from framejury.inspection.inspect_client import InspectClient


def rows_of(
    units: DataFrame,
    work: Callable[[InspectClient, dict[str, Any]], dict[str, Any]],
    schema: pa.Schema,
    settings: Settings,
    done: Done,
    *,
    job: str,
    detectors: bool,
) -> pa.Table:
    """Return the row that `work` makes of each unit, in any order.

    Args:
        units: from `dealt`, with `video_id`.
        work: called on executors.
        schema: of the rows.
        settings: all of them.
        done: counts finished units.
        job: name in the log.
        detectors: whether the decoding process loads face detectors.
    """

    def partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        logs.start(job)
        client = _client_for(settings, detectors=detectors)
        done.add_lockdown(client.lockdown())
        for batch in batches:
            for unit in batch.to_pylist():
                with logs.bound(video_id=unit["video_id"]):
                    row = work(client, unit)
                yield pa.RecordBatch.from_pylist([row], schema=schema)
                done.add(unit)

    return units.mapInArrow(partition, from_arrow_schema(schema)).toArrow().cast(schema)


_clients: dict[tuple[str, bool], InspectClient] = {}


def _client_for(settings: Settings, *, detectors: bool) -> InspectClient:
    """Return this worker's client for these settings, so that models load once."""
    # Imported on the executor, never before the worker forks.
    from framejury.inspection.inspect_client import InspectClient

    key = settings.digest(), detectors
    if key not in _clients:
        for other in _clients.values():
            other.close()
        _clients.clear()
        _clients[key] = InspectClient(settings, detectors=detectors)
    return _clients[key]
