"""(f) The reduce in Polars: the same sums, interval and verdict from the same Parquet files."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa

from benchmarks.rivals.reduce_duckdb import student_terms


class PolarsReduce:
    """A lazy query; `run` collects it, `result` hands out what it gave.

    Threads are Polars' own: set `POLARS_MAX_THREADS` before Polars is imported.

    Args:
        folder: Parquet files of `face_scores`.
        level: of the interval, 0 to 1.
        min_faces: with fewer a video is inconclusive.
        threshold: `p_fake` from here on means fake.
    """

    def __init__(self, folder: Path, *, level: float, min_faces: int, threshold: float) -> None:
        units = (pl.col("score").cast(pl.Float64) * 1e6 + 0.5).floor().cast(pl.Int64)
        persons = (
            pl.scan_parquet(folder / "*.parquet")
            .select("video_id", "person", "face_index", units.alias("units"))
            .group_by("video_id", "person")
            .agg(
                pl.len().cast(pl.Int64).alias("faces"),
                pl.col("units").sum().alias("total"),
                (pl.col("units") * pl.col("units")).sum().alias("squares"),
                (pl.col("face_index") == 0).sum().cast(pl.Int64).alias("frames"),
            )
            .with_columns((pl.col("total") / (pl.col("faces") * 1_000_000)).alias("mean"))
        )
        best = pl.col("mean") == pl.col("mean").max()
        videos = persons.group_by("video_id").agg(
            pl.col("faces").sum().alias("faces_scored"),
            pl.col("frames").sum().alias("frames_scored"),
            pl.len().cast(pl.Int64).alias("persons"),
            pl.col("total").sum(),
            pl.col("squares").sum(),
            pl.col("person").filter(best).min().alias("worst_person"),
            pl.col("mean").max().alias("worst_person_score"),
        )
        faces, frames, total = pl.col("faces_scored"), pl.col("frames_scored"), pl.col("total")
        score, low, high = pl.col("p_fake"), pl.col("p_fake_low"), pl.col("p_fake_high")
        spread = (pl.col("squares") - total.cast(pl.Float64) * total / faces).clip(0)
        half = _student_t(level) * (spread / (faces - 1) / 1e12 / frames).sqrt()
        one_frame = frames < 2
        undecided = (faces < min_faces) | ((low < threshold) & (threshold <= high))
        self._query = (
            videos.with_columns((total / (faces * 1_000_000)).alias("p_fake"))
            .with_columns(
                pl.when(one_frame).then(0.0).otherwise((score - half).clip(0)).alias("p_fake_low"),
                pl.when(one_frame)
                .then(1.0)
                .otherwise((score + half).clip(None, 1))
                .alias("p_fake_high"),
            )
            .with_columns(
                pl.when(undecided)
                .then(pl.lit("inconclusive"))
                .when(score >= threshold)
                .then(pl.lit("fake"))
                .otherwise(pl.lit("real"))
                .alias("verdict")
            )
        )
        self._frame = pl.DataFrame()

    def run(self) -> None:
        self._frame = self._query.collect()

    def result(self) -> pa.Table:
        return self._frame.to_arrow()


def _student_t(level: float) -> pl.Expr:
    one, two, terms = student_terms(level)
    freedom = (pl.col("frames_scored") - 1).cast(pl.Float64)
    series = sum((term / freedom**power for power, term in enumerate(terms)), start=pl.lit(0.0))
    return pl.when(freedom == 1).then(one).when(freedom == 2).then(two).otherwise(series)
