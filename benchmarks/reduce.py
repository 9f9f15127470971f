"""The reduce of many face scores: framejury's in Spark, and its rivals, on the same Parquet files.

    python benchmarks/reduce.py --rows 20000000 [--output DIR] [--repeat 3]

Each contender reads `face_scores` from Parquet and computes every row of its answer on two
threads; nothing is written. They take turns after a warm-up; a time is the median of its
repeats. Before anything is timed the answers are compared: sums, counts and persons to the
last digit, scores within 1e-12. Sessions and connections are open before the clock starts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

if __name__ == "__main__":  # as a script, only its own folder is searched
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from framejury.schemas.tables import FACE_SCORES
from framejury.settings import VerdictSettings
from framejury.verdict.rule import Rule

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

THREADS = 2
THRESHOLD = 0.5
PYTHON_ROWS = 2_000_000
"""As many rows the pure-Python contender gets; its time grows with them."""

_FILE_ROWS = 1_000_000
_SAMPLES = 11
_LONG_SHARE = 3e-4
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_EXACT = (
    "video_id",
    "faces_scored",
    "frames_scored",
    "persons",
    "total",
    "squares",
    "worst_person",
    "verdict",
)
_CLOSE = ("p_fake", "p_fake_low", "p_fake_high", "worst_person_score")


def measure(rows: int, out_dir: Path, repeat: int = 3) -> dict[str, float]:
    """Time every contender on `rows` face scores.

    Args:
        rows: how many, count.
        out_dir: the Parquet files are made below it once, and used again.
        repeat: timed runs of each, count.

    Returns:
        seconds of each contender (`framejury_spark`, `duckdb`, `polars`, `python_reducebykey`),
        their medians, and under `NAME_rows` the face scores it read: fewer for
        `python_reducebykey`.

    Raises:
        ValueError: two contenders disagree; the message names them and the column.
    """
    os.environ["POLARS_MAX_THREADS"] = str(THREADS)
    from benchmarks.rivals.reduce_duckdb import DuckDbReduce
    from benchmarks.rivals.reduce_polars import PolarsReduce
    from benchmarks.rivals.reduce_python import PythonReduce

    folder = make_scores(rows, out_dir.resolve() / f"face_scores_{rows}")
    python_rows = min(rows, PYTHON_ROWS)
    few = make_scores(python_rows, out_dir.resolve() / f"face_scores_{python_rows}")
    settings = VerdictSettings(interval="student")  # what the rivals compute
    rules: dict[str, Any] = {
        "level": settings.confidence_level,
        "min_faces": settings.min_faces,
        "threshold": THRESHOLD,
    }
    with _session(out_dir) as spark:
        duckdb = DuckDbReduce(folder, threads=THREADS, **rules)
        polars = PolarsReduce(folder, **rules)
        python = PythonReduce(spark, few)
        for rival in (duckdb, polars):
            rival.run()
        answer = _sorted(_judged(spark, folder, settings).toArrow())
        check_equal("duckdb", answer, _sorted(duckdb.result()))
        check_equal("polars", answer, _sorted(polars.result()))
        _check_means(python.result(), _sorted(_judged(spark, few, settings).toArrow()))
        contenders: dict[str, Callable[[], None]] = {
            "framejury_spark": lambda: _compute(_judged(spark, folder, settings)),
            "duckdb": duckdb.run,
            "polars": polars.run,
            "python_reducebykey": python.run,
        }
        seconds = _take_turns(contenders, repeat)
    counts = {f"{name}_rows": float(rows) for name in contenders}
    return seconds | counts | {"python_reducebykey_rows": float(python_rows)}


def make_scores(rows: int, folder: Path, seed: int = 3) -> Path:
    """Parquet files of `rows` rows of `face_scores` below `folder`, unless they are there.

    Videos have 11 sampled frames, 3 in 10,000 of them 1,000 to 5,000; 70% show one person,
    25% two and 5% three; a face is missed in 7% of its frames. Scores scatter by 0.1 around
    a mean drawn for each video. The rows of a video lie together, as workers write them.
    """
    done = folder / "_SUCCESS"
    if done.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    for part, first in enumerate(range(0, rows, _FILE_ROWS)):
        table = _scores(draw, min(_FILE_ROWS, rows - first))
        pq.write_table(
            table,
            folder / f"part-{part:05d}.parquet",
            compression="zstd",
            # As parquet-mr: scores hardly repeat, so a dictionary of them is given up.
            use_dictionary=[name for name in FACE_SCORES.names if name != "score"],
        )
    done.touch()
    return folder


def check_equal(name: str, ours: pa.Table, theirs: pa.Table) -> None:
    """Both tables sorted by video.

    Raises:
        ValueError: they differ; the message names the rival, the column and the first video.
    """
    if ours.num_rows != theirs.num_rows:
        raise ValueError(f"framejury judged {ours.num_rows} videos, {name} {theirs.num_rows}")
    for column in (*_EXACT, *_CLOSE):
        left, right = (table[column].to_numpy(zero_copy_only=False) for table in (ours, theirs))
        differ = left != right if column in _EXACT else ~(np.abs(left - right) <= 1e-12)
        if differ.any():
            at = int(np.flatnonzero(differ)[0])
            raise ValueError(
                f"{column} of {ours['video_id'][at]}: framejury {left[at]}, {name} {right[at]}; "
                f"{differ.sum()} of {len(left)} videos differ"
            )


def _scores(draw: np.random.Generator, rows: int) -> pa.Table:
    """`rows` rows of videos of their own, in the order a worker writes them."""
    videos = rows // 10 + 1  # more than enough: a video has at least 11 faces before misses
    persons = draw.choice([1, 2, 3], videos, p=[0.70, 0.25, 0.05])
    long = draw.random(videos) < _LONG_SHARE
    faces = np.where(long, draw.integers(1000, 5000, videos), _SAMPLES) * persons
    video = np.repeat(np.arange(videos), faces)
    rank = np.arange(len(video)) - np.repeat(np.cumsum(faces) - faces, faces)
    seen = np.flatnonzero(draw.random(len(video)) >= 0.07)[:rows]
    if len(seen) < rows:
        raise ValueError(f"{videos} videos gave {len(seen)} faces, not {rows}")
    video, rank = video[seen], rank[seen]
    frame, person = np.divmod(rank, persons[video])
    first = np.flatnonzero(np.r_[True, (np.diff(video) != 0) | (np.diff(frame) != 0)])
    face_index = np.arange(rows) - np.repeat(first, np.diff(np.r_[first, rows]))
    scatter = draw.normal(0.0, 0.1, rows) + 0.05 * person
    ids = _HEX[draw.integers(0, 16, (videos, 20), dtype=np.uint8)]
    return pa.table(
        {
            "video_id": _strings(ids[video]),
            "run_id": pa.repeat("20260101T000000Z-bench", rows),
            "model_id": pa.repeat("efficientnet-b0-0123456789ab", rows),
            "frame_index": (25 * frame).astype(np.int32),
            "pts_s": frame.astype(np.float64),
            "face_index": face_index.astype(np.int16),
            "person": person.astype(np.int32),
            "score": np.clip(draw.random(videos)[video] + scatter, 0, 1).astype(np.float32),
        },
        schema=FACE_SCORES,
    )


def _strings(letters: npt.NDArray[np.uint8]) -> pa.Array:
    """Strings from (n, width) bytes."""
    count, width = letters.shape
    ends = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(letters.tobytes()))


@contextmanager
def _session(out_dir: Path) -> Iterator[SparkSession]:
    """As the jobs have it on one machine, on two cores."""
    from framejury.tables.session import spark_session

    conf = Path(__file__).resolve().parents[1] / "conf" / "spark" / "local.conf"
    os.environ["PYSPARK_SUBMIT_ARGS"] = (
        f"--properties-file {conf} --master local[{THREADS}] "
        f"{os.environ.get('BENCH_SPARK_OPTIONS', '')} pyspark-shell"
    )
    with spark_session("bench-reduce") as spark:
        yield spark


def _judged(spark: SparkSession, folder: Path, settings: VerdictSettings) -> DataFrame:
    from pyspark.sql.pandas.types import from_arrow_schema

    from framejury.tables.reduce import VerdictRules, judge_scored

    scores = spark.read.schema(from_arrow_schema(FACE_SCORES)).parquet(folder.as_uri())
    return judge_scored(scores, VerdictRules("bench", "bench", Rule(threshold=THRESHOLD), settings))


def _compute(frame: DataFrame) -> None:
    """Every row and column, kept nowhere."""
    frame.write.format("noop").mode("overwrite").save()


def _check_means(means: dict[str, float], judged: pa.Table) -> None:
    ids = judged["video_id"].to_pylist()
    if len(means) != len(ids):
        raise ValueError(f"framejury judged {len(ids)} videos, reduceByKey {len(means)}")
    theirs = np.array([means[video_id] for video_id in ids])
    apart = np.abs(theirs - judged["p_fake"].to_numpy())
    if apart.max() > 1e-6:  # half a unit of rounding for each score, and their sums in floats
        raise ValueError(f"means of reduceByKey are up to {apart.max()} apart from framejury's")


def _sorted(table: pa.Table) -> pa.Table:
    return table.sort_by("video_id")


def _take_turns(contenders: dict[str, Callable[[], None]], repeat: int) -> dict[str, float]:
    """Medians in seconds after one run of each that is not timed."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(repeat + 1):
        for name, run in contenders.items():
            started_s = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - started_s)
    return {name: statistics.median(taken) for name, taken in times.items()}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--rows", type=int, default=20_000_000, help="face scores, count (default: 20000000)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("out/bench/reduce"), help="(default: out/bench/reduce)"
    )
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, count (default: 3)")
    args = parser.parse_args(argv)
    measured = measure(args.rows, args.output, args.repeat)
    ours_s = measured["framejury_spark"]
    print(f"{'contender':<20}{'rows':>12}{'seconds':>9}{'for all rows':>14}{'framejury takes':>17}")
    for name in (name for name in measured if not name.endswith("_rows")):
        rows = measured[f"{name}_rows"]
        all_s = measured[name] * args.rows / rows  # the time of reduceByKey grows with its rows
        print(
            f"{name:<20}{rows:>12,.0f}{measured[name]:>9.2f}{all_s:>14.2f}"
            f"{ours_s / all_s:>11.3f} times"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
