"""Tables of a warehouse as DataFrames; `framejury.warehouse` decides which rows count."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import ArrayType, DataType, StructField, StructType

from framejury.examine.messages import ROWS, TABLE_COLUMN
from framejury.schemas.statuses import Status
from framejury.schemas.tables import FORMER_NAMES, TABLES, stored_schema
from framejury.storage import Location, is_local, is_taken, local_path
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Commit, Run, Stored
from framejury.warehouse.reader import SEQUENCE


def spark_uri(uri: str) -> str:
    """Return the URI for Spark; a bare path would mean the cluster's default file system."""
    return f"file://{local_path(uri)}" if is_local(uri) else uri


class Store:
    """Reads committed tables of a warehouse and writes those of a run."""

    def __init__(self, spark: SparkSession, warehouse: Warehouse, row_group_bytes: int) -> None:
        self._spark = spark
        self._warehouse = warehouse
        self._row_group_bytes = row_group_bytes

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse whose tables these are."""
        return self._warehouse

    def snapshot(self, table: str) -> DataFrame:
        """Return `videos` or `splits`, as the latest run wrote it.

        Raises:
            WarehouseError: no run wrote it.
        """
        return self._read(table, [self._warehouse.require(table)[-1].run_id])

    def latest(self, table: str, before: int | None = None) -> DataFrame:
        """Return, for each video, the rows of the latest run that has any, with `SEQUENCE`.

        The result is empty if no run wrote the table.

        Args:
            table: the table.
            before: count only commits before this sequence.
        """
        rows = self.history(table)
        if before is not None:
            rows = rows.where(F.col(SEQUENCE) < before)
        newest = rows.groupBy("video_id").agg(F.max(SEQUENCE).alias(SEQUENCE))
        return rows.join(newest, on=["video_id", SEQUENCE], how="left_semi")

    def history(self, table: str) -> DataFrame:
        """Return all committed rows of `table` that count, with `SEQUENCE`.

        Rows from before a video was forgotten do not count.
        """
        return self._of_commits(table, self._warehouse.with_table(table))

    def extractions_with_crops(self) -> DataFrame:
        """Return all committed rows of `extractions` whose crops were kept, with `SEQUENCE`."""
        return self._of_commits("extractions", self._warehouse.with_crops())

    def _of_commits(self, table: str, commits: Sequence[Commit]) -> DataFrame:
        rows = self._read(table, [commit.run_id for commit in commits])
        stones = self._warehouse.tombstones().values()
        order = self._spark.createDataFrame(
            [(commit.run_id, commit.sequence) for commit in commits],
            f"run_id string, {SEQUENCE} long",
        )
        rows = rows.join(F.broadcast(order), on="run_id", how="inner")
        if not stones:
            return rows
        buried = self._spark.createDataFrame(
            [(stone.video_id, stone.sequence) for stone in stones], "video_id string, buried long"
        )
        known = rows.join(F.broadcast(buried), on="video_id", how="left")
        counts = F.col("buried").isNull() | (F.col(SEQUENCE) > F.col("buried"))
        return known.where(counts).drop("buried")

    def without_forgotten(self, videos: DataFrame) -> DataFrame:
        """Return the rows of videos that were not forgotten: only they are judged and reported."""
        ids = [(video_id,) for video_id in self._warehouse.forgotten()]
        if not ids:
            return videos
        gone = self._spark.createDataFrame(ids, "video_id string")
        return videos.join(F.broadcast(gone), on="video_id", how="left_anti")

    def present(self, videos: DataFrame) -> DataFrame:
        """Return the rows of videos that reports count: neither deleted nor forgotten."""
        return self.without_forgotten(videos.where(F.col("missing_since").isNull()))

    def standing_verdicts(self, videos: DataFrame) -> DataFrame:
        """Return each video's latest verdict with `SEQUENCE`; of a deleted one, that from before.

        Args:
            videos: the snapshot.
        """
        rows = self.history("verdicts")
        about = rows.join(videos.select("video_id", "missing_since"), on="video_id", how="inner")
        stands = F.col("missing_since").isNull() | (F.col("status") != Status.MISSING.value)
        rank = F.max(F.struct(stands.alias("stands"), SEQUENCE))
        chosen = about.groupBy("video_id").agg(rank[SEQUENCE].alias(SEQUENCE))
        return rows.join(chosen, on=["video_id", SEQUENCE], how="left_semi")

    def of_run(self, run: Run, table: str) -> DataFrame:
        """Return the rows that a run under way has written to `table` so far."""
        (stored,) = self._warehouse.stored(table, [run.run_id], run)
        return self._read_places(table, [stored] if is_taken(stored.place) else [])

    def faces(self) -> DataFrame:
        """Return `faces` of each video's latest extraction that kept crops."""
        extracted = self.extractions_with_crops()
        current = extracted.groupBy("video_id").agg(F.max(SEQUENCE).alias(SEQUENCE))
        return self.history("faces").join(current, on=["video_id", SEQUENCE], how="left_semi")

    def face_scores(self, model_id: str, members: Sequence[str] = ()) -> DataFrame:
        """Return one model's `face_scores` not older than the video's latest extraction.

        With those of its members by the same runs, if it is an ensemble.
        """
        every = self.history("face_scores").where(F.col("model_id").isin(model_id, *members))
        scores = every.where(F.col("model_id") == model_id)
        newest = scores.groupBy("video_id").agg(F.max(SEQUENCE).alias(SEQUENCE))
        extracted = self.latest("extractions").select(
            "video_id", F.col(SEQUENCE).alias("extracted_in")
        )
        current = (
            newest.join(extracted, on="video_id", how="inner")
            .where(F.col(SEQUENCE) >= F.col("extracted_in"))
            .select("video_id", SEQUENCE)
        )
        return every.join(current, on=["video_id", SEQUENCE], how="left_semi")

    def sounds(self) -> DataFrame | None:
        """Return the latest `sounds`, of the videos' latest extractions; None: none was judged.

        A later extraction by a run that judged no sound leaves a video without a row.
        """
        if not self._warehouse.with_table("sounds"):
            return None
        extracted = self.latest("extractions").select("video_id", SEQUENCE)
        return self.history("sounds").join(extracted, on=["video_id", SEQUENCE], how="left_semi")

    def scores_behind(self, verdicts: DataFrame) -> DataFrame:
        """Return the `face_scores` behind these rows of `latest("verdicts")`."""
        return self._behind(verdicts, "face_scores")

    def pictures_behind(self, verdicts: DataFrame) -> DataFrame:
        """Return the `pictures` of the runs that `scores_behind` reads."""
        return self._behind(verdicts, "pictures")

    def extractions_behind(self, verdicts: DataFrame) -> DataFrame:
        """Return the rows of `extractions` behind rows of `latest("verdicts")`.

        A later extraction without a verdict does not count; a missing video has none. Scores of a
        run that extracted nothing are of crops, so they are those of an extraction that kept them.
        """
        there = verdicts.where(F.col("status") != Status.MISSING.value)
        judged = there.select("video_id", F.col(SEQUENCE).alias("judged_in"))
        rows = self.history("extractions").join(judged, on="video_id", how="inner")
        rows = rows.where(F.col(SEQUENCE) <= F.col("judged_in")).drop("judged_in")
        of_crops = [
            commit.sequence
            for commit in self._warehouse.with_table("face_scores")
            if "extractions" not in commit.tables
        ]
        if of_crops:
            scored = self._scores_used(verdicts).where(F.col(SEQUENCE).isin(of_crops))
            scored = scored.select("video_id", F.col(SEQUENCE).alias("scored_in"))
            kept = [commit.run_id for commit in self._warehouse.with_crops()]
            fits = F.col("run_id").isin(kept) & (F.col(SEQUENCE) < F.col("scored_in"))
            rows = rows.join(scored, on="video_id", how="left")
            rows = rows.where(F.col("scored_in").isNull() | fits).drop("scored_in")
        newest = rows.groupBy("video_id").agg(F.max(SEQUENCE).alias(SEQUENCE))
        return rows.join(newest, on=["video_id", SEQUENCE], how="left_semi")

    def crops_are_older(self) -> DataFrame:
        """Return `video_id` of videos with crops, but none from their latest extraction."""
        kept = self.extractions_with_crops().groupBy("video_id").agg(F.max(SEQUENCE).alias("kept"))
        latest = self.latest("extractions").select("video_id", SEQUENCE)
        both = latest.join(kept, on="video_id", how="inner")
        return both.where(F.col("kept") < F.col(SEQUENCE)).select("video_id")

    def _scores_used(self, verdicts: DataFrame) -> DataFrame:
        """Return `video_id`, `model_id` and `SEQUENCE` of the scores behind these verdicts."""
        # The verdict on a missing video is based on no score, though it may have had one before.
        scored = verdicts.where(F.col("faces_scored") > 0)
        judged = scored.select("video_id", "model_id", F.col(SEQUENCE).alias("judged_in"))
        return (
            self.history("face_scores")
            .select("video_id", "model_id", SEQUENCE)
            .join(judged, on=["video_id", "model_id"], how="inner")
            .where(F.col(SEQUENCE) <= F.col("judged_in"))
            .groupBy("video_id", "model_id")
            .agg(F.max(SEQUENCE).alias(SEQUENCE))
        )

    def _behind(self, verdicts: DataFrame, table: str) -> DataFrame:
        used = self._scores_used(verdicts)
        return self.history(table).join(
            used, on=["video_id", "model_id", SEQUENCE], how="left_semi"
        )

    def write(self, frame: DataFrame, run: Run, table: str) -> None:
        """Write a run's rows of one table."""
        self.write_to(frame, table, run.table_location(table))

    def write_to(self, frame: DataFrame, table: str, place: Location) -> None:
        """Write rows of one table to a folder of a run under way."""
        self._writer(conform(frame, table)).parquet(spark_uri(place.uri))

    def at(self, table: str, places: Sequence[Location]) -> DataFrame:
        """Return all rows of `table` in these folders."""
        return self._read_places(table, [Stored(place, exact=True) for place in places])

    def stage(self, frame: DataFrame, run: Run) -> None:
        """Write rows of several tables (schema `ROWS`) side by side, in one pass."""
        place = spark_uri(run.staging_location().uri)
        self._writer(frame).partitionBy(TABLE_COLUMN).parquet(place)

    def staged(self, run: Run, table: str) -> DataFrame:
        """Read the staged rows addressed to `table`, with the columns of every table."""
        schema = from_arrow_schema(ROWS.remove(ROWS.get_field_index(TABLE_COLUMN)))
        place = run.staging_location(table)
        return self._spark.read.schema(schema).parquet(spark_uri(place.uri))

    def _writer(self, frame: DataFrame) -> DataFrameWriter:
        return frame.write.mode("append").option("parquet.block.size", self._row_group_bytes)

    def _read(self, table: str, run_ids: Sequence[str]) -> DataFrame:
        rows = self._read_places(table, self._warehouse.stored(table, run_ids))
        # Merged files may also hold rows of other runs.
        return rows.where(F.col("run_id").isin(list(run_ids))) if run_ids else rows

    def _read_places(self, table: str, places: Sequence[Stored]) -> DataFrame:
        if not places:
            return self._spark.createDataFrame([], from_arrow_schema(TABLES[table]))
        uris = [spark_uri(stored.place.uri) for stored in places]
        rows = self._spark.read.schema(from_arrow_schema(stored_schema(table))).parquet(*uris)
        for now, then in FORMER_NAMES.get(table, {}).items():
            rows = rows.withColumn(now, F.coalesce(now, then)).drop(then)
        return rows


def conform(frame: DataFrame, table: str) -> DataFrame:
    """Return the table's columns in the table's order and types.

    Raises:
        ValueError: a column is missing.
    """
    wanted = from_arrow_schema(TABLES[table])
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
