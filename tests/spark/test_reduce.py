"""The SQL reduction gives what the reference in `framejury.verdict` gives, row for row."""

from __future__ import annotations

import random
import re
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from framejury.errors import ReconcileError
from framejury.schemas import EXTRACTIONS, FACE_SCORES, VERDICTS, Status
from framejury.settings import VerdictSettings
from framejury.tables.reduce import Court, judge_scored, reconcile, reduce_verdicts
from framejury.tables.schema import conform, spark_schema
from framejury.verdict import judge, unscored

THRESHOLD = 0.5
MODEL = "model-a"


def face_scores(seed: int) -> list[dict[str, object]]:
    """Faces of 60 made-up videos: 1 to 3 persons, not all in every frame, some at the threshold."""
    draw = random.Random(seed)
    rows: list[dict[str, object]] = []
    for number in range(60):
        persons = draw.choice([1, 1, 2, 3])
        center, spread = draw.random(), draw.choice([0.0, 0.02, 0.3])
        for frame in range(draw.randint(1, 20)):
            seen = [who for who in range(persons) if who == frame % persons or draw.random() < 0.8]
            for face_index, person in enumerate(seen):
                score = min(max(draw.gauss(center, spread), 0.0), 1.0)
                rows.append(
                    {
                        "video_id": f"v{number:02d}",
                        "run_id": "r",
                        "model_id": MODEL,
                        "frame_index": 3 * frame,
                        "pts_s": frame / 25,
                        "face_index": face_index,
                        "person": person,
                        "p_fake": 0.5 if number == 7 else score,
                    }
                )
    draw.shuffle(rows)
    return rows


@pytest.mark.parametrize(
    "settings",
    [
        VerdictSettings(),
        VerdictSettings(confidence_level=None, min_faces=1),
        VerdictSettings(reducer="median"),
        VerdictSettings(reducer="trimmed_mean", trim_ratio=0.2),
        VerdictSettings(reducer="top_share", top_ratio=0.3, confidence_level=0.8),
        VerdictSettings(reducer="worst_person"),
    ],
    ids=lambda settings: f"{settings.reducer}-{settings.confidence_level}",
)
def test_sql_equals_reference(spark: SparkSession, settings: VerdictSettings) -> None:
    rows = face_scores(seed=3)
    scores = spark.createDataFrame(pa.Table.from_pylist(rows, schema=FACE_SCORES))
    ids = sorted({str(row["video_id"]) for row in rows})
    videos = spark.createDataFrame([(video_id,) for video_id in ids], "video_id string")
    court = Court("run", MODEL, THRESHOLD, settings)
    found = {
        row["video_id"]: row
        for row in reduce_verdicts(videos, _extracted(spark, ids), scores, court)
        .toArrow()
        .to_pylist()
    }
    table = pa.Table.from_pylist(rows, schema=FACE_SCORES).to_pylist()  # float32, as stored
    for video_id in ids:
        faces = [row for row in table if row["video_id"] == video_id]
        expected = asdict(
            judge(
                [row["p_fake"] for row in faces],
                [row["frame_index"] for row in faces],
                [row["person"] for row in faces],
                settings,
                THRESHOLD,
            )
        )
        for name, value in expected.items():
            got = found[video_id][name]
            # Scores to the last bit: one at the threshold must fall on the same side.
            if name in ("p_fake_low", "p_fake_high"):
                assert got == pytest.approx(value, abs=1e-12), (video_id, name)
            else:
                assert got == value, (video_id, name)


def test_every_video_has_one_verdict_whatever_happened(spark: SparkSession) -> None:
    statuses = {
        "gone": Status.MISSING,
        "cut": Status.UNREADABLE,
        "landscape": Status.NO_FACE,
        "waiting": Status.EXTRACTED,
        "scored": Status.EXTRACTED,
    }
    videos = spark.createDataFrame(
        [(video_id,) for video_id in [*statuses, "never opened"]], "video_id string"
    )
    extractions = spark.createDataFrame(
        [(video_id, status.value, "why") for video_id, status in statuses.items()],
        "video_id string, status string, error string",
    )
    scores = spark.createDataFrame(
        pa.Table.from_pylist(
            [
                {
                    "video_id": "scored",
                    "run_id": "r",
                    "model_id": MODEL,
                    "frame_index": frame,
                    "pts_s": 0.0,
                    "face_index": 0,
                    "person": 0,
                    "p_fake": 0.9,
                }
                for frame in range(5)
            ],
            schema=FACE_SCORES,
        )
    )
    court = Court("run", MODEL, THRESHOLD, VerdictSettings())
    verdicts = conform(reduce_verdicts(videos, extractions, scores, court), "verdicts")
    assert verdicts.columns == VERDICTS.names
    rows = {row["video_id"]: row for row in verdicts.toArrow().to_pylist()}
    assert reconcile(videos, verdicts) == 6
    assert {video_id: row["status"] for video_id, row in rows.items()} == {
        "gone": "missing",
        "cut": "unreadable",
        "landscape": "no_face",
        "waiting": "not_scored",
        "scored": "scored",
        "never opened": "not_scored",
    }
    assert rows["scored"]["verdict"] == "fake"
    for video_id, row in rows.items():
        if video_id != "scored":
            assert row["verdict"] == unscored(Status.NO_FACE).verdict == "inconclusive"
            assert (row["p_fake"], row["p_fake_low"], row["faces_scored"]) == (None, None, 0)


@pytest.mark.parametrize(
    ("judged", "named"),
    [(["a"], "b: 1 in videos, 0 in verdicts"), (["a", "b", "b"], "b: 1 in videos, 2")],
)
def test_reconcile_names_what_does_not_fit(
    spark: SparkSession, judged: list[str], named: str
) -> None:
    videos = spark.createDataFrame([("a",), ("b",)], "video_id string")
    verdicts = spark.createDataFrame([(video_id,) for video_id in judged], "video_id string")
    with pytest.raises(ReconcileError, match=named):
        reconcile(videos, verdicts)


def test_result_does_not_depend_on_partitions(spark: SparkSession) -> None:
    rows = face_scores(seed=5)
    scores = spark.createDataFrame(pa.Table.from_pylist(rows, schema=FACE_SCORES))
    ids = sorted({str(row["video_id"]) for row in rows})
    videos = spark.createDataFrame([(video_id,) for video_id in ids], "video_id string")
    court = Court("run", MODEL, THRESHOLD, VerdictSettings())
    tables = [
        reduce_verdicts(videos, _extracted(spark, ids), scores.repartition(parts), court)
        .orderBy("video_id")
        .toArrow()
        for parts in (1, 7)
    ]
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize("reducer", ["mean", "median"])
def test_only_sums_are_shuffled(spark: SparkSession, tmp_path: Path, reducer: str) -> None:
    table = pa.Table.from_pylist(face_scores(seed=6), schema=FACE_SCORES)
    pq.write_table(table, tmp_path / "part-0.parquet")
    scores = spark.read.schema(spark_schema(FACE_SCORES)).parquet(str(tmp_path))
    court = Court("run", MODEL, THRESHOLD, VerdictSettings(reducer=reducer))
    plan = _plan(judge_scored(scores, court))
    exchanges = [at for at, node in enumerate(plan) if node.startswith("Exchange")]
    assert [plan[at].split("(")[1].split(", 2")[0] for at in exchanges] == [
        "video_id",
        "video_id, person",
    ]
    # Read from the leaf up: the first shuffle carries sums of what one task has read.
    assert "partial_sum" in plan[exchanges[-1] + 1]
    assert (
        "ReadSchema: struct<video_id:string,face_index:smallint,person:int,p_fake:float>"
        in (plan[-1])
    )
    lists = [node for node in plan if "collect_list" in node]
    assert bool(lists) == (reducer == "median"), lists


def test_the_join_with_videos_shuffles_no_scores_again(spark: SparkSession) -> None:
    rows = face_scores(seed=7)
    scores = spark.createDataFrame(pa.Table.from_pylist(rows, schema=FACE_SCORES))
    ids = sorted({str(row["video_id"]) for row in rows})
    videos = spark.createDataFrame([(video_id,) for video_id in ids], "video_id string")
    court = Court("run", MODEL, THRESHOLD, VerdictSettings())
    verdicts = reduce_verdicts(
        videos.hint("merge"), _extracted(spark, ids).hint("merge"), scores.hint("merge"), court
    )
    exchanges = [node for node in _plan(verdicts) if node.startswith("Exchange")]
    assert len(exchanges) == 4, exchanges  # two of the sums, one of videos, one of extractions


def _plan(frame: DataFrame) -> list[str]:
    """Nodes of the physical plan, root first, without ids of columns and codegen stages."""
    text = frame._jdf.queryExecution().executedPlan().toString()
    nodes = [re.sub(r"^[ :+*()\d-]+", "", line) for line in text.splitlines()]
    return [re.sub(r"#\d+L?", "", node) for node in nodes if node]


def _extracted(spark: SparkSession, ids: list[str]) -> DataFrame:
    return spark.createDataFrame(
        [(video_id, Status.EXTRACTED.value, None) for video_id in ids],
        "video_id string, status string, error string",
    )


def test_spark_schema_keeps_every_column() -> None:
    assert spark_schema(EXTRACTIONS).names == EXTRACTIONS.names
