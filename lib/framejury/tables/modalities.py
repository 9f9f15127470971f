"""Compare fakes with their originals on executors, which return one row per pair."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from framejury import logs
from framejury.archive.originals import Pair, Row
from framejury.errors import MediaError
from framejury.examine.costs import OPEN_S, READ_S_A_BYTE, Seconds
from framejury.logs import say
from framejury.media.decode_plan import SECONDS_A_BYTE
from framejury.redaction import printable
from framejury.schemas.statuses import Modality
from framejury.schemas.tables import MODALITIES
from framejury.settings import Settings
from framejury.tables.inspectors import rows_of
from framejury.tables.task_progress import Done, dealt

if TYPE_CHECKING:
    from framejury.inspection.inspect_client import InspectClient
    from framejury.inspection.inspected import Stream

_ASKED = pa.schema(
    [
        ("video_id", pa.string()),
        ("uri", pa.string()),
        ("original_id", pa.string()),
        ("original_uri", pa.string()),
    ]
)
_READ_TIMES = 3
"""How often a file is read: to hash it, to list its packets, and to decode frames."""


def compare_pairs(
    spark: SparkSession, pairs: Sequence[Pair], settings: Settings, run_id: str
) -> pa.Table:
    """Compare each fake with its original, with progress on the terminal.

    Args:
        spark: the session.
        pairs: from `archive.originals.pairs_of`.
        settings: `inspect.pairs`, `inspect.compare_s`, `limits`, `spark`.
        run_id: written into the rows.

    Returns:
        rows of `modalities`, one per pair, by `video_id`; a pair that cannot be read or compared
        is `unknown`, with the reason.
    """
    if not pairs:
        return MODALITIES.empty_table()
    asked = pa.Table.from_pylist([_asked(pair) for pair in pairs], schema=_ASKED)
    costs_s = _costs_s([pair.fake["bytes"] + pair.original["bytes"] for pair in pairs])
    done = Done.of(spark)
    units = dealt(spark, asked, costs_s, settings.spark)

    def compared(client: InspectClient, unit: dict[str, Any]) -> dict[str, Any]:
        return _compared(client, unit, settings) | {"run_id": run_id}

    with done.shown("fakes", asked.num_rows, float(costs_s.sum())):
        found = rows_of(
            units, compared, MODALITIES, settings, done, job="modality", detectors=False
        )
    for line in sorted(done.lacking.value):
        say(f"  warning: the sandbox of the decoder is incomplete on {line}", level=logging.WARNING)
    return found.sort_by("video_id")


def unchanged(pairs: Sequence[Pair], before: pa.Table, videos_before: pa.Table) -> list[Row]:
    """Return rows of `modalities` that still hold: neither file of the pair has changed since.

    Args:
        pairs: the pairs of today.
        before: rows of `modalities` of an earlier run.
        videos_before: rows of `videos` that the earlier run used.
    """
    was = {row["video_id"]: row for row in videos_before.to_pylist()}
    known = {row["video_id"]: row for row in before.to_pylist()}

    def same(video: Row) -> bool:
        old = was.get(video["video_id"])
        return old is not None and all(old[name] == video[name] for name in _FILE_IDENTITY)

    kept = []
    for pair in pairs:
        row = known.get(pair.fake["video_id"])
        if row is None or row["original_id"] != pair.original["video_id"]:
            continue
        if same(pair.fake) and same(pair.original):
            kept.append(row)
    return kept


_FILE_IDENTITY = ("bytes", "modified_at", "missing_since")


def _asked(pair: Pair) -> dict[str, Any]:
    return {
        "video_id": pair.fake["video_id"],
        "uri": pair.fake["uri"],
        "original_id": pair.original["video_id"],
        "original_uri": pair.original["uri"],
    }


def _costs_s(size_bytes: Sequence[int]) -> Seconds:
    size = np.asarray(size_bytes, np.float64)
    return 2 * OPEN_S + (_READ_TIMES * READ_S_A_BYTE + SECONDS_A_BYTE) * size


def _compared(
    client: InspectClient, asked: Mapping[str, Any], settings: Settings
) -> dict[str, Any]:
    """Return the row of a pair, also if a file cannot be read."""
    from framejury.inspection.compare import compare_streams

    whose = "fake"
    try:
        with ExitStack() as stack:
            fake = _read(client, stack, asked["uri"])
            whose = "original"
            original = _read(client, stack, asked["original_uri"])
            whose = "pair"
            found = compare_streams(fake, original, settings.inspect.pairs)
        modality, reason = Modality(found.modality), "; ".join(found.why)
    except MediaError as error:
        modality = Modality.UNKNOWN
        reason = f"the {whose} cannot be read ({error.status.value}): {error}"
    logs.event("pair_compared", uri=asked["uri"], modality=modality.value)
    return {
        "video_id": asked["video_id"],
        "original_id": asked["original_id"],
        "modality": modality.value,
        "reason": printable(reason),
    }


def _read(client: InspectClient, stack: ExitStack, uri: str) -> Stream:
    copy, _ = stack.enter_context(client.fetched(uri))
    return client.read(copy)
