"""(f) The reduce in DuckDB: the same sums, interval and verdict from the same Parquet files."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import NormalDist

import duckdb
import pyarrow as pa


class DuckDbReduce:
    """A connection, opened once; `run` fills a table in memory, `result` hands it out.

    Args:
        folder: Parquet files of `face_scores`.
        threads: count.
        level: of the interval, 0 to 1.
        min_faces: with fewer a video is inconclusive.
        threshold: `p_fake` from here on means fake.
    """

    def __init__(
        self, folder: Path, *, threads: int, level: float, min_faces: int, threshold: float
    ) -> None:
        self._connection = duckdb.connect(config={"threads": threads})
        self._sql = f"""
            CREATE OR REPLACE TABLE verdicts AS
            WITH faces AS (
                SELECT video_id, person, face_index,
                       floor(score::DOUBLE * 1000000 + 0.5)::BIGINT AS units
                FROM read_parquet('{folder.as_posix()}/*.parquet')
            ), persons AS (
                SELECT video_id, person, count(*) AS faces, sum(units) AS total,
                       sum(units * units) AS squares, count_if(face_index = 0) AS frames
                FROM faces GROUP BY video_id, person
            ), ranked AS (
                SELECT *, total::DOUBLE / (1000000 * faces) AS mean FROM persons
            ), videos AS (
                SELECT video_id, sum(faces)::BIGINT AS faces_scored,
                       sum(frames)::BIGINT AS frames_scored, count(*) AS persons,
                       sum(total)::BIGINT AS total, sum(squares)::BIGINT AS squares,
                       arg_max(person, (mean, -person)) AS worst_person,
                       max(mean) AS worst_person_score
                FROM ranked GROUP BY video_id
            ), scored AS (
                SELECT *, total::DOUBLE / (1000000 * faces_scored) AS p_fake, {_student_t(level)}
                    * sqrt(greatest(squares::DOUBLE - total::DOUBLE * total / faces_scored, 0)
                           / (faces_scored - 1) / 1e12 / frames_scored) AS half
                FROM videos
            ), framed AS (
                SELECT * EXCLUDE half,
                       if(frames_scored < 2, 0, greatest(p_fake - half, 0)) AS p_fake_low,
                       if(frames_scored < 2, 1, least(p_fake + half, 1)) AS p_fake_high
                FROM scored
            )
            SELECT *, CASE
                WHEN faces_scored < {min_faces}
                     OR (p_fake_low < {threshold} AND {threshold} <= p_fake_high)
                THEN 'inconclusive' WHEN p_fake >= {threshold} THEN 'fake' ELSE 'real' END
                AS verdict
            FROM framed
        """

    def run(self) -> None:
        self._connection.execute(self._sql)

    def result(self) -> pa.Table:
        return self._connection.sql("SELECT * FROM verdicts").to_arrow_table()


def student_terms(level: float) -> tuple[float, float, list[float]]:
    """Student's t for 1 and 2 degrees of freedom; else coefficients of powers of 1/freedom.

    Abramowitz and Stegun, 26.7.5, with the signs as `verdict.interval.student_t` has them.
    """
    p = (1 + level) / 2
    z = NormalDist().inv_cdf(p)
    terms = [
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    ]
    return math.tan(math.pi * (p - 0.5)), 2 * (p - 0.5) * math.sqrt(1 / (2 * p * (1 - p))), terms


def _student_t(level: float) -> str:
    one, two, terms = student_terms(level)
    series = " + ".join(
        f"{term!r}::DOUBLE / pow(frames_scored - 1, {power})" for power, term in enumerate(terms)
    )
    return f"(CASE frames_scored WHEN 2 THEN {one!r} WHEN 3 THEN {two!r} ELSE {series} END)"
