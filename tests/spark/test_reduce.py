"""The SQL reduction gives what the reference in `framejury.verdict.judge` gives, row for row."""

from __future__ import annotations

import random
import re
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.pandas.types import from_arrow_schema

from framejury.errors import ReconcileError
from framejury.schemas.statuses import Status, Verdict
from framejury.schemas.tables import EXTRACTIONS, FACE_SCORES, SOUNDS, VERDICTS
from framejury.settings import VerdictSettings
from framejury.settings.loading import settings_from
from framejury.tables.reduce import VerdictRules, judge_scored, reconcile, reduce_verdicts
from framejury.tables.sound_columns import with_sound
from framejury.tables.store import conform
from framejury.verdict.calibration import Calibration
from framejury.verdict.judge import FaceScores, judge, unscored
from framejury.verdict.members import MemberRule, member_verdict
from framejury.verdict.rule import Reducer, Rule, rule_facts
from framejury.verdict.with_sound import joined
from framejury.warehouse.commits import CommitFacts
from jobs.reduce_verdicts import say_other_threshold
from tests.builders.warehouse import NOW, pairs, warehouse_of

THRESHOLD = 0.5
MODEL = "model-a"


def face_scores(seed: int) -> list[dict[str, object]]:
    """Faces of 60 made-up videos: 1 to 3 persons, not all in every frame, some at the threshold.

    Several tracks have rank 0 within one second, so a count of frames by track or second is wrong.
    """
    draw = random.Random(seed)
    rows: list[dict[str, object]] = []
    for number in range(60):
        persons = draw.choice([1, 1, 2, 3])
        center, spread = draw.random(), draw.choice([0.0, 0.02, 0.3])
        for frame in range(draw.randint(1, 20)):
            seen = [who for who in range(persons) if who == frame % persons or draw.random() < 0.8]
            draw.shuffle(seen)  # ranks are by place in the picture: any track may have rank 0
            for face_index, person in enumerate(seen):
                score = min(max(draw.gauss(center, spread), 0.0), 1.0)
                rows.append(
                    {
                        "video_id": f"v{number:02d}",
                        "run_id": "r",
                        "model_id": MODEL,
                        "frame_index": 3 * frame,
                        "pts_s": 0.4 * frame,
                        "face_index": face_index,
                        "person": person,
                        "score": 0.5 if number == 7 else score,
                    }
                )
    draw.shuffle(rows)
    return rows


PLATT = Calibration(method="platt", slope=1.7, intercept=-0.4)
STEEP = Calibration(method="platt", slope=90.0, intercept=3.0)
ISOTONIC = Calibration(
    method="isotonic", x=(0.1, 0.3, 0.300001, 0.8, 0.95), y=(0.02, 0.02, 0.4, 0.4, 0.99)
)
LEARNED = Reducer(
    name="learned", quantiles=(0.0, 0.25, 0.5, 1.0), weights=(0.5, 2.0, 3.5, 0.0), intercept=-3.1
)
PER_PERSON = Reducer(name="per_person", shrink_faces=4, company_shift=1.5)
NO_INTERVAL = VerdictSettings(confidence_level=None, min_faces=1)
STUDENT = VerdictSettings(interval="student")


@pytest.mark.parametrize(
    ("reducer", "calibration", "settings"),
    [
        (Reducer(name="mean"), None, VerdictSettings()),
        (Reducer(name="mean"), None, STUDENT),
        (Reducer(name="mean"), None, NO_INTERVAL),
        (Reducer(name="mean"), PLATT, VerdictSettings(confidence_level=0.8)),
        (Reducer(name="mean"), ISOTONIC, STUDENT),
        (Reducer(name="median"), None, VerdictSettings()),
        (Reducer(name="trimmed_mean", trim_ratio=0.2), STEEP, VerdictSettings()),
        (Reducer(name="top_share", top_ratio=0.3), None, STUDENT),
        (Reducer(name="top_share", top_ratio=0.3), ISOTONIC, NO_INTERVAL),
        (Reducer(name="worst_person"), None, VerdictSettings()),
        (Reducer(name="worst_person"), PLATT, STUDENT),
        (PER_PERSON, None, VerdictSettings()),
        (PER_PERSON, PLATT, STUDENT),
        (Reducer(name="per_person", shrink_faces=0, company_shift=0.0), None, VerdictSettings()),
        (
            Reducer(name="per_person", shrink_faces=9, company_shift=0.7),
            ISOTONIC,
            VerdictSettings(),
        ),
        (Reducer(name="top_share", top_ratio=0.3), None, VerdictSettings()),
        (Reducer(name="confidence_weighted"), None, VerdictSettings()),
        (LEARNED, None, VerdictSettings()),
        (LEARNED, PLATT, STUDENT),
        (LEARNED, ISOTONIC, VerdictSettings()),
    ],
    ids=lambda part: getattr(part, "name", getattr(part, "method", getattr(part, "interval", "-"))),
)
def test_sql_equals_reference(
    spark: SparkSession,
    reducer: Reducer,
    calibration: Calibration | None,
    settings: VerdictSettings,
) -> None:
    rule = Rule(reducer=reducer, calibration=calibration, threshold=THRESHOLD)
    rows = face_scores(seed=3)
    scores = spark.createDataFrame(pa.Table.from_pylist(rows, schema=FACE_SCORES))
    ids = sorted({str(row["video_id"]) for row in rows})
    videos = there(spark, ids)
    rules = VerdictRules("run", MODEL, rule, settings)
    found = {
        row["video_id"]: row
        for row in reduce_verdicts(videos, _extracted(spark, ids), scores, rules)
        .toArrow()
        .to_pylist()
    }
    table = pa.Table.from_pylist(rows, schema=FACE_SCORES).to_pylist()  # float32, as stored
    for video_id in ids:
        faces = [row for row in table if row["video_id"] == video_id]
        expected = asdict(judge(as_columns(faces), rule, settings))
        for name, value in expected.items():
            got = found[video_id][name]
            # Scores to the last bit: one at the threshold must fall on the same side.
            if name in ("p_fake_low", "p_fake_high"):
                assert got == pytest.approx(value, abs=1e-12), (video_id, name)
            else:
                assert got == value, (video_id, name)
    if reducer.name != "learned" and calibration is None:
        assert sum(bool(row["stretches"]) for row in found.values()) > 5


def test_members_say_what_the_reference_says(spark: SparkSession) -> None:
    """And the ensemble's own verdict comes from its own scores only."""
    members = (
        MemberRule("m1", Rule(reducer=PER_PERSON, calibration=PLATT, threshold=0.4)),
        MemberRule("m2", Rule(reducer=Reducer(name="median"), calibration=ISOTONIC, threshold=0.4)),
        MemberRule("m3", Rule(threshold=0.5)),
    )
    rows = face_scores(seed=3)
    draw = random.Random(1)
    by_member = [
        row | {"model_id": member.model_id, "score": min(max(draw.gauss(0.5, 0.3), 0.0), 1.0)}
        for member in members
        for row in rows
    ]
    table = pa.Table.from_pylist([*rows, *by_member], schema=FACE_SCORES)
    own = spark.createDataFrame(pa.Table.from_pylist(rows, schema=FACE_SCORES))
    ids = sorted({str(row["video_id"]) for row in rows})
    videos, extracted = there(spark, ids), _extracted(spark, ids)
    rules = VerdictRules("run", MODEL, Rule(), VerdictSettings(), members)
    rows_of = reduce_verdicts(videos, extracted, spark.createDataFrame(table), rules)
    found = {row["video_id"]: row for row in conform(rows_of, "verdicts").toArrow().to_pylist()}
    alone = reduce_verdicts(videos, extracted, own, replace(rules, members=()))
    scored = table.to_pylist()  # float32, as stored
    for row in conform(alone, "verdicts").toArrow().to_pylist():
        expected = [
            asdict(
                member_verdict(
                    member,
                    as_columns(
                        [
                            face
                            for face in scored
                            if face["video_id"] == row["video_id"]
                            and face["model_id"] == member.model_id
                        ]
                    ),
                )
            )
            for member in members
        ]
        assert row["members"] is None
        assert found[row["video_id"]] == row | {"members": expected}
    fakes = [[one["fake"] for one in row["members"]] for row in found.values()]
    assert any(any(said) and not all(said) for said in fakes)


def test_every_video_has_one_verdict_whatever_happened(spark: SparkSession) -> None:
    statuses = {
        "gone": Status.MISSING,
        "cut": Status.UNREADABLE,
        "landscape": Status.NO_FACE,
        "waiting": Status.EXTRACTED,
        "scored": Status.EXTRACTED,
    }
    videos = there(spark, [*statuses, "never opened"])
    extractions = spark.createDataFrame(
        [
            (video_id, status.value, "why", f"of {video_id}")
            for video_id, status in statuses.items()
        ],
        "video_id string, status string, error string, notes string",
    )
    scores = spark.createDataFrame(
        pa.Table.from_pylist(
            [
                {
                    "video_id": "scored",
                    "run_id": "r",
                    "model_id": MODEL,
                    "frame_index": frame,
                    "pts_s": 1.0 * frame,
                    "face_index": 0,
                    "person": 0,
                    "score": 0.9,
                }
                for frame in range(5)
            ],
            schema=FACE_SCORES,
        )
    )
    rules = VerdictRules("run", MODEL, Rule(), VerdictSettings())
    verdicts = conform(reduce_verdicts(videos, extractions, scores, rules), "verdicts")
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
    notes = {video_id: f"of {video_id}" for video_id in statuses} | {"never opened": None}
    assert {video_id: row["notes"] for video_id, row in rows.items()} == notes
    for video_id, row in rows.items():
        if video_id != "scored":
            assert row["verdict"] == unscored(Status.NO_FACE).verdict == "inconclusive"
            assert (row["p_fake"], row["p_fake_low"], row["faces_scored"]) == (None, None, 0)


@pytest.mark.parametrize(
    ("sampling", "threshold", "noted"),
    [({}, 0.7, True), ({}, 0.5, False), ({"frames": 11}, 0.7, False)],
)
def test_frames_chosen_under_another_threshold_are_noted(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    sampling: dict[str, object],
    threshold: float,
    noted: bool,
) -> None:
    warehouse = warehouse_of(tmp_path / "w", pairs("w", 1))
    settings = settings_from({"sampling": sampling}).model_dump(mode="json")
    with warehouse.running("nightly", NOW) as run:
        earlier = warehouse.read_run(warehouse.with_table("extractions")[-1].run_id, "extractions")
        rows = [row | {"run_id": run.run_id} for row in earlier.to_pylist()]
        warehouse.write(run, "extractions", pa.Table.from_pylist(rows, schema=EXTRACTIONS))
        facts = CommitFacts(rule=rule_facts(Rule()))
        warehouse.commit(run, NOW, settings=settings, facts=facts)
    capsys.readouterr()
    say_other_threshold(warehouse, threshold)
    said = capsys.readouterr().err
    assert ("under threshold 0.5, not 0.7" in said) is noted


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


@pytest.mark.parametrize("reducer", [Reducer(name="mean"), LEARNED, Reducer(name="worst_person")])
def test_result_does_not_depend_on_partitions(spark: SparkSession, reducer: Reducer) -> None:
    rows = face_scores(seed=5)
    scores = spark.createDataFrame(pa.Table.from_pylist(rows, schema=FACE_SCORES))
    ids = sorted({str(row["video_id"]) for row in rows})
    videos = there(spark, ids)
    rules = VerdictRules("run", MODEL, Rule(reducer=reducer, calibration=PLATT), VerdictSettings())
    tables = [
        reduce_verdicts(videos, _extracted(spark, ids), scores.repartition(parts), rules)
        .orderBy("video_id")
        .toArrow()
        for parts in (1, 7)
    ]
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize("reducer", ["mean", "median"])
@pytest.mark.parametrize("interval", ["bootstrap", "student"])
def test_only_sums_are_shuffled(
    spark: SparkSession,
    tmp_path: Path,
    reducer: Literal["mean", "median"],
    interval: Literal["bootstrap", "student"],
) -> None:
    table = pa.Table.from_pylist(face_scores(seed=6), schema=FACE_SCORES)
    pq.write_table(table, tmp_path / "part-0.parquet")
    scores = spark.read.schema(from_arrow_schema(FACE_SCORES)).parquet(str(tmp_path))
    rule = Rule(reducer=Reducer(name=reducer))
    rules = VerdictRules("run", MODEL, rule, VerdictSettings(interval=interval))
    plan = _plan(judge_scored(scores, rules))
    exchanges = [at for at, node in enumerate(plan) if node.startswith("Exchange")]
    assert [plan[at].split("(")[1].split(", 2")[0] for at in exchanges] == [
        "video_id",
        "video_id, person, second",
    ]
    # Read from the leaf up: the first shuffle carries sums of what one task has read.
    assert "partial_sum" in plan[exchanges[-1] + 1]
    columns = "video_id:string,pts_s:double,face_index:smallint,person:int,score:float"
    assert f"ReadSchema: struct<{columns}>" in plan[-1]
    before = plan[exchanges[-1] :]  # on the way into the first shuffle
    assert any("collect_list" in node for node in before) == (reducer == "median"), before
    # Python is asked once per video, for the stretches and, with them, the bootstrap.
    assert sum("EvalPython" in node for node in plan) == 1, plan


@pytest.mark.parametrize("interval", ["student", "bootstrap"])
def test_the_join_with_videos_shuffles_no_scores_again(
    spark: SparkSession, interval: Literal["bootstrap", "student"]
) -> None:
    rows = face_scores(seed=7)
    scores = spark.createDataFrame(pa.Table.from_pylist(rows, schema=FACE_SCORES))
    ids = sorted({str(row["video_id"]) for row in rows})
    videos = there(spark, ids)
    rules = VerdictRules("run", MODEL, Rule(), VerdictSettings(interval=interval))
    verdicts = reduce_verdicts(
        videos.hint("merge"), _extracted(spark, ids).hint("merge"), scores.hint("merge"), rules
    )
    exchanges = [node for node in _plan(verdicts) if node.startswith("Exchange")]
    # Two of the sums, one of videos, one of extractions. Python forgets how rows were placed, so
    # after the stretches its one row per video is placed once more.
    assert len(exchanges) == 5, exchanges


def there(spark: SparkSession, ids: list[str]) -> DataFrame:
    """Rows of `videos` whose files are there."""
    return spark.createDataFrame(
        [(video_id, None) for video_id in ids], "video_id string, missing_since timestamp"
    )


def test_a_deleted_video_is_missing_whatever_was_found_before(spark: SparkSession) -> None:
    """Its old scores are still in the warehouse when `reduce` runs."""
    rows = face_scores(seed=4)
    scores = spark.createDataFrame(pa.Table.from_pylist(rows, schema=FACE_SCORES))
    ids = sorted({str(row["video_id"]) for row in rows})[:3]
    gone = datetime(2026, 11, 20, 2, tzinfo=UTC)
    videos = there(spark, ids[1:]).union(
        spark.createDataFrame([(ids[0], gone)], "video_id string, missing_since timestamp")
    )
    rules = VerdictRules("run", MODEL, Rule(), VerdictSettings())
    scores = scores.where(F.col("video_id").isin(ids))
    verdicts = conform(reduce_verdicts(videos, _extracted(spark, ids), scores, rules), "verdicts")
    found = {row["video_id"]: row for row in verdicts.toArrow().to_pylist()}
    assert {found[video_id]["status"] for video_id in ids[1:]} == {"scored"}
    row = found[ids[0]]
    assert (row["status"], row["verdict"], row["p_fake"]) == ("missing", "inconclusive", None)
    assert row["error"] == "not in the archive since 2026-11-20 02:00 UTC"
    assert (row["faces_scored"], row["persons"], row["worst_person"]) == (0, 0, None)


def test_the_surer_fake_of_picture_and_sound_decides_as_in_the_reference(
    spark: SparkSession,
) -> None:
    """On every combination of a score, none included, below, at and above its threshold."""
    scores = (None, 0.0, 0.3, 0.5, 0.6, 0.75, 0.8, 0.9, 1.0)
    cases, pictures, sounds = {}, [], []
    for number, (picture, heard, limit) in enumerate(product(scores, scores, (0.6, 1.0))):
        verdict = Verdict.INCONCLUSIVE if picture in (None, 0.5) else Verdict.REAL
        verdict = Verdict.FAKE if picture is not None and picture > 0.5 else verdict
        sound = None
        if number % 5:
            outcome = "no_sound" if heard is None else "scored"
            p_fake = None if heard is None else float(np.float32(heard))
            sound = {"outcome": outcome, "p_fake": p_fake, "threshold": limit, "model_id": "s"}
            row = sound | {"video_id": str(number), "run_id": "r", "heard_s": 3.0}
            sounds.append(row)
        cases[str(number)] = joined(verdict, picture, THRESHOLD, sound)
        pictures.append((str(number), verdict.value, picture, THRESHOLD))
    kinds = "video_id string, verdict string, p_fake double, threshold double"
    table = pa.Table.from_pylist(sounds, schema=SOUNDS)
    rows = with_sound(spark.createDataFrame(pictures, kinds), spark.createDataFrame(table))
    found = {row["video_id"]: row.asDict() for row in rows.collect()}
    assert found.keys() == cases.keys()
    for video_id, (verdict, columns) in cases.items():
        expected = columns | {"verdict": verdict.value}
        assert {name: found[video_id][name] for name in expected} == expected, video_id
    assert {columns["decided_by"] for _, columns in cases.values()} == {None, "picture", "sound"}


def as_columns(faces: list[dict[str, Any]]) -> FaceScores:
    """One video's rows of `face_scores` as the reference takes them."""
    names = [part.name for part in fields(FaceScores)]
    return FaceScores(**{name: [row[name] for row in faces] for name in names})


def _plan(frame: DataFrame) -> list[str]:
    """Nodes of the physical plan, root first, without ids of columns and codegen stages."""
    text = frame._jdf.queryExecution().executedPlan().toString()
    nodes = [re.sub(r"^[ :+*()\d-]+", "", line) for line in text.splitlines()]
    return [re.sub(r"#\d+L?", "", node) for node in nodes if node]


def _extracted(spark: SparkSession, ids: list[str]) -> DataFrame:
    return spark.createDataFrame(
        [(video_id, Status.EXTRACTED.value, None, None) for video_id in ids],
        "video_id string, status string, error string, notes string",
    )


def test_spark_schema_keeps_every_column() -> None:
    assert from_arrow_schema(EXTRACTIONS).names == EXTRACTIONS.names
