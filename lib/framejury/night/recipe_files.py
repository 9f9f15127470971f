"""Files of `report.outputs` on verdicts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from framejury.logs import say
from framejury.storage import Location, write_whole
from framejury.tables.store import Store
from framejury.verdict.rule import Rule
from framejury.warehouse import OUTPUTS

if TYPE_CHECKING:
    from framejury.report.published_files import FacePrediction


def write_face_frames(
    store: Store, verdicts: DataFrame, table: pa.Table, rule: Rule, root: Location
) -> None:
    """Write the files that recipe face_frames publishes on verdicts, below `root`.

    Args:
        store: of the warehouse.
        verdicts: rows of `latest("verdicts")`.
        table: the verdicts joined with their videos (`tables.tallies.described`).
        rule: the rule of the latest verdicts.
        root: the warehouse, or another folder.
    """
    from framejury.report import published_files

    truth = verdicts.sparkSession.createDataFrame(table.select(["video_id", "path", "label"]))
    scores = store.scores_behind(verdicts).join(truth, on="video_id", how="inner")
    called = F.col("p_fake") >= published_files.FACE_THRESHOLD
    counts = scores.groupBy("label", called.alias("called")).count().collect()
    confusion = published_files.confusion_of({(row[0], row[1]): row[2] for row in counts})
    folder = root.child(OUTPUTS)
    for name, content in published_files.verdict_outputs(table, confusion, rule).items():
        write_whole(folder.child(name), content)
    # All faces of an archive may not fit into the driver's memory, so they go through a file.
    with tempfile.TemporaryFile() as file:
        file.writelines(published_files.predictions_json(_predictions(scores)))
        file.seek(0)
        write_whole(folder.child(published_files.PREDICTIONS), file)
    say(f"  published files: {folder.uri}")


def _predictions(scores: DataFrame) -> Iterator[FacePrediction]:
    """Yield predictions by path, frame and face; the driver holds one partition at a time."""
    from framejury.report.published_files import FacePrediction

    columns = ("path", "frame_index", "face_index")
    rows = scores.select(*columns, F.col("p_fake").cast("double")).orderBy(*columns)
    for row in rows.toLocalIterator():
        yield FacePrediction(row[0], row[1], row[2], row[3])
