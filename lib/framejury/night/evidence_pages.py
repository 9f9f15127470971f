"""Evidence pages of a warehouse: read from its tables, rendered, written.

```
ROOT/evidence/<run_id>/<video_id>.html     ROOT: the warehouse, or another folder
```

A page is about one verdict; `run_id` is the run that gave it. A page is written once.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from framejury.archive.originals import pairs_of
from framejury.cli.progress import progress
from framejury.decisions.decided import VideoDecisions
from framejury.errors import FramejuryError
from framejury.report.evidence.video_evidence import Evidence, evidence_of
from framejury.schemas.statuses import Label
from framejury.schemas.tables import EXTRACTIONS
from framejury.storage import Location, write_whole
from framejury.tables.store import Store
from framejury.warehouse.page_places import page_place, written_pages

if TYPE_CHECKING:
    from framejury.report.evidence.video_page import About

_VIDEOS_AT_ONCE = 100
_FACES_AT_ONCE = 200_000
"""Most videos and faces whose rows are on the driver at the same time, counts."""
_FEW = 24
"""Up to this many pages are rendered without starting other processes, count."""
_MOST_PROCESSES = 8
_HEAD_BYTES = 1024
_READ_TOGETHER = 16


def pages_to_write(
    root: Location, order: pa.Table, decisions: Mapping[str, VideoDecisions]
) -> tuple[set[str], pa.Table]:
    """Return the ids of videos that have a page, and the verdicts whose page is to be written.

    Args:
        root: the folder above `evidence/`.
        order: the verdicts in the order in which they should get a page.
        decisions: of people, by video_id; whoever has just decided looks for that first.
    """
    there = written_pages(root, order)
    is_there = pc.is_in(order["video_id"], pa.array(list(there), pa.string()))
    outdated = outdated_pages(root, order.filter(is_there), decisions)
    is_outdated = pc.is_in(order["video_id"], pa.array(list(outdated), pa.string()))
    return there, pa.concat_tables([order.filter(is_outdated), order.filter(pc.invert(is_there))])


def outdated_pages(
    root: Location, verdicts: pa.Table, decisions: Mapping[str, VideoDecisions]
) -> set[str]:
    """Return the ids of videos with decisions that their page does not show.

    Args:
        root: the folder above `evidence/`.
        verdicts: columns `video_id`, `run_id`, of videos that have a page.
        decisions: of people, by video_id; the beginning of these pages is read.
    """
    from framejury.report.evidence.decision_block import META, page_key

    def is_outdated(video_id: str, run_id: str) -> bool:
        place = page_place(root, run_id, video_id)
        with place.filesystem.open_input_stream(place.path) as page:
            head: bytes = page.read(_HEAD_BYTES)
        key = page_key(decisions[video_id])
        return bool(key) and f'name="{META}" content="{key}"'.encode() not in head

    rows = verdicts.filter(pc.is_in(verdicts["video_id"], pa.array(list(decisions), pa.string())))
    ids, runs = rows["video_id"].to_pylist(), rows["run_id"].to_pylist()
    with ThreadPoolExecutor(_READ_TOGETHER) as pool:
        found = list(pool.map(is_outdated, ids, runs))
    return {video_id for video_id, outdated in zip(ids, found, strict=True) if outdated}


def write_pages(
    store: Store,
    verdicts: DataFrame,
    chosen: pa.Table,
    root: Location,
    about_of: Callable[[str], About],
    *,
    decisions: Mapping[str, VideoDecisions],
) -> None:
    """Write the evidence pages of some verdicts, with progress on the terminal.

    Args:
        store: of the warehouse.
        verdicts: rows of `latest("verdicts")`.
        chosen: the verdicts to write pages on, in order, with columns `rows.REPORT_COLUMNS`.
        root: the folder above `evidence/`.
        about_of: run_id -> what the pages on the run's verdicts share.
        decisions: of people, by video_id.
    """
    from framejury.report.evidence.video_page import evidence_html

    done, originals = 0, _originals(store, chosen)
    with (
        progress("evidence pages", chosen.num_rows, lambda: done),
        _mapping(chosen.num_rows) as mapped,
    ):
        for found in gathered(store, verdicts, chosen):
            some = [_with_people(one, decisions, originals) for one in found]
            made = mapped(evidence_html, some, [about_of(one.verdict["run_id"]) for one in some])
            for evidence, page in zip(some, made, strict=True):
                row = evidence.verdict
                place = page_place(root, row["run_id"], row["video_id"])
                # A page that exists counts as complete.
                write_whole(place, page.encode("utf-8", errors="backslashreplace"))
                done += 1


def _with_people(
    evidence: Evidence, decisions: Mapping[str, VideoDecisions], originals: Mapping[str, str]
) -> Evidence:
    video_id = evidence.verdict["video_id"]
    return replace(evidence, decisions=decisions.get(video_id), original=originals.get(video_id))


def _originals(store: Store, chosen: pa.Table) -> dict[str, str]:
    """Return video_id -> URI of the original in the archive, of the labelled fakes among these."""
    if Label.FAKE.value not in pc.unique(chosen["label"]).to_pylist():
        return {}
    videos = store.warehouse.read_snapshot("videos").to_pylist()
    return {pair.fake["video_id"]: pair.original["uri"] for pair in pairs_of(videos).pairs}


def gathered(store: Store, verdicts: DataFrame, chosen: pa.Table) -> Iterator[list[Evidence]]:
    """Yield the evidence of verdicts, a few videos at a time. Arguments as for `write_pages`."""
    extractions = store.extractions_behind(verdicts).select(EXTRACTIONS.names)
    scores, pictures = store.scores_behind(verdicts), store.pictures_behind(verdicts)
    spark = verdicts.sparkSession
    for rows in _portions(chosen):
        ids = pa.table({"video_id": [row["video_id"] for row in rows]})
        wanted = F.broadcast(spark.createDataFrame(ids))
        extraction_of, scores_of, pictures_of = (
            _by_video(table.join(wanted, on="video_id", how="left_semi"))
            for table in (extractions, scores, pictures)
        )
        yield [
            evidence_of(
                row,
                next(iter(extraction_of[row["video_id"]]), None),
                scores_of[row["video_id"]],
                pictures_of[row["video_id"]],
            )
            for row in rows
        ]


def _by_video(rows: DataFrame) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows.toArrow().to_pylist():
        found[row["video_id"]].append(row)
    return found


def _portions(chosen: pa.Table) -> Iterator[list[dict[str, Any]]]:
    """Yield rows in portions whose faces fit into the driver's memory."""
    portion: list[dict[str, Any]] = []
    held = 0
    for row in chosen.to_pylist():
        count = row["faces_scored"]
        if portion and (len(portion) == _VIDEOS_AT_ONCE or held + count > _FACES_AT_ONCE):
            yield portion
            portion, held = [], 0
        portion.append(row)
        held += count
    if portion:
        yield portion


@contextmanager
def _mapping(count: int) -> Iterator[Any]:
    """Yield `map`, in several processes if worthwhile; spawned, because Spark has threads."""
    processes = min(_MOST_PROCESSES, os.cpu_count() or 1)
    if count <= _FEW or processes == 1:
        yield map
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:

        def mapped(work: Any, *columns: Iterable[Any]) -> Iterator[Any]:
            return pool.map(work, *columns, chunksize=4)

        try:
            yield mapped
        except BrokenProcessPool as error:
            raise FramejuryError(
                "a process that renders evidence pages died, most likely out of memory; all "
                "verdicts are committed, and framejury report writes the missing pages"
            ) from error
