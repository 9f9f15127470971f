"""What a night works on, and why; rows without files."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from framejury.night.idle import videos_to_judge
from framejury.night.plan import (
    REASON,
    PlanRules,
    make_plan,
    plan_night,
    plan_selected,
    videos_to_extract,
)
from framejury.schemas.statuses import Reason
from framejury.schemas.tables import VIDEOS
from framejury.settings import Settings
from framejury.warehouse.commits import Commit, CommitFacts, CostFacts
from framejury.warehouse.reader import SEQUENCE

T0 = datetime(2026, 11, 1, tzinfo=UTC)
RULES = PlanRules(tries=3, model_id="A", settings_id="S")


def videos(spark: SparkSession, *rows: dict[str, Any]) -> DataFrame:
    """Rows of `videos`; what is not given is that of a plain file of 100 bytes."""
    base = {"run_id": "r", "layout": "plain", "group_keys": [], "group": "g", "missing_since": None}
    full = [
        base
        | {"path": row["video_id"], "uri": "/" + row["video_id"], "bytes": 100, "modified_at": T0}
        | dict.fromkeys(("label", "original", "donor", "method", "subject"))
        | row
        for row in rows
    ]
    schema = from_arrow_schema(VIDEOS)
    return spark.createDataFrame(
        [tuple(row[name] for name in VIDEOS.names) for row in full], schema
    )


def history(
    spark: SparkSession, *outcomes: tuple[str, int, str] | tuple[str, int, str, dict[str, Any]]
) -> tuple[DataFrame, DataFrame]:
    """Extractions and verdicts: (video_id, sequence, status[, other columns])."""
    rows = []
    for video_id, sequence, status, *more in outcomes:
        base = {"bytes": 100, "modified_at": T0, "settings_id": "S", "model_id": "A"}
        base |= {"sound_model_id": None} | (more[0] if more else {})
        rows.append((video_id, sequence, status, *base.values()))
    all_rows = spark.createDataFrame(
        rows,
        f"video_id string, {SEQUENCE} long, status string, bytes long, modified_at timestamp, "
        "settings_id string, model_id string, sound_model_id string",
    )
    models = ("model_id", "sound_model_id")
    return all_rows.drop(*models), all_rows.select("video_id", SEQUENCE, "status", *models)


def reasons(planned: DataFrame) -> dict[str, str]:
    return {row["video_id"]: row[REASON] for row in planned.collect()}


def plan(spark: SparkSession, known: DataFrame, *outcomes: Any, **rules: Any) -> dict[str, str]:
    return planned(known, *history(spark, *outcomes), **rules)


def planned(
    known: DataFrame, extractions: DataFrame, verdicts: DataFrame, **rules: Any
) -> dict[str, str]:
    """Plan with Spark, and check that without Spark the same videos are found."""
    used = replace(RULES, **rules)
    found = reasons(plan_night(known, extractions, verdicts, used))
    if not rules:
        tables = (one.toArrow() for one in (known, extractions, verdicts))
        assert set(videos_to_judge(*tables, used.tries).to_pylist()) == set(found)
    return found


def test_each_reason(spark: SparkSession) -> None:
    known = videos(
        spark,
        {"video_id": "new"},
        {"video_id": "done"},
        {"video_id": "no face"},
        {"video_id": "longer", "bytes": 101},
        {"video_id": "touched", "modified_at": T0 + timedelta(seconds=1)},
        {"video_id": "timed out"},
        {"video_id": "gone", "missing_since": T0},
        {"video_id": "never judged and gone", "missing_since": T0},
        {"video_id": "gone and told", "missing_since": T0},
        {"video_id": "back"},
        {"video_id": "was missing when opened"},
    )
    outcomes = [
        ("done", 1, "scored"),
        ("no face", 1, "no_face"),
        ("longer", 1, "scored"),
        ("touched", 1, "scored"),
        ("timed out", 1, "timeout"),
        ("gone", 1, "scored"),
        ("gone and told", 1, "missing"),
        ("back", 1, "missing"),
        ("was missing when opened", 1, "missing"),
    ]
    assert plan(spark, known, *outcomes) == {
        "new": Reason.NEW,
        "longer": Reason.CHANGED,
        "touched": Reason.CHANGED,
        "timed out": Reason.RETRIED,
        "gone": Reason.MISSING,
        "never judged and gone": Reason.MISSING,
        "back": Reason.RETURNED,
        "was missing when opened": Reason.RETURNED,
    }


def test_a_deleted_file_that_is_back_is_judged_again(spark: SparkSession) -> None:
    """Its verdict was `missing` without an extraction of that night; the older one stands."""
    known = videos(spark, {"video_id": "a"})
    extractions, _ = history(spark, ("a", 1, "scored"))
    _, verdicts = history(spark, ("a", 1, "scored"), ("a", 2, "missing"))
    assert planned(known, extractions, verdicts) == {"a": Reason.RETURNED}
    _, again = history(spark, ("a", 1, "scored"), ("a", 2, "missing"), ("a", 3, "scored"))
    extractions, _ = history(spark, ("a", 1, "scored"), ("a", 3, "scored"))
    assert planned(known, extractions, again) == {}
    # Deleted before any run could open it, and back.
    assert planned(known, extractions.limit(0), verdicts) == {"a": Reason.RETURNED}


@pytest.mark.parametrize(("failures", "tried"), [(1, True), (2, True), (3, False), (4, False)])
def test_tries_are_counted_on_the_same_file(
    spark: SparkSession, failures: int, tried: bool
) -> None:
    outcomes = [("a", 1, "timeout", {"bytes": 99})] * 5  # an older file of that name
    outcomes += [("a", 1 + number, "crashed") for number in range(1, failures + 1)]
    found = plan(spark, videos(spark, {"video_id": "a"}), *outcomes)
    assert found == ({"a": Reason.RETRIED} if tried else {})


def test_what_no_verdict_answers_for_is_new(spark: SparkSession) -> None:
    known = videos(spark, {"video_id": "a"})
    extractions, verdicts = history(spark, ("a", 5, "scored"))
    assert planned(known, extractions, verdicts.limit(0)) == {"a": Reason.NEW}
    _, waiting = history(spark, ("a", 5, "not_scored"))
    assert planned(known, extractions, waiting) == {"a": Reason.NEW}
    _, older = history(spark, ("a", 4, "scored"))
    assert planned(known, extractions, older) == {"a": Reason.NEW}


def test_without_spark_the_same_videos_are_found(spark: SparkSession) -> None:
    """Random archives and histories: an idle night must not overlook anything."""
    rng = np.random.default_rng(5)
    statuses = ["scored", "no_face", "missing", "timeout", "crashed", "not_scored", "too_large"]
    names = [f"v{number}" for number in range(400)]
    known = videos(
        spark,
        *(
            {
                "video_id": name,
                "bytes": int(rng.choice([100, 101])),
                "modified_at": T0 + timedelta(seconds=int(rng.random() < 0.1)),
                "missing_since": T0 if rng.random() < 0.2 else None,
            }
            for name in names
        ),
    )
    outcomes = [
        (name, sequence, str(rng.choice(statuses)), {"bytes": int(rng.choice([100, 101]))})
        for name in [*names, "long gone"]
        for sequence in range(1, 8)
    ]
    extracted = [one for one in outcomes if rng.random() < 0.5]
    judged = [one for one in outcomes if rng.random() < 0.4]
    extractions, verdicts = history(spark, *extracted)[0], history(spark, *judged)[1]
    found = planned(known, extractions, verdicts)
    assert 50 < len(found) < 390
    assert len(set(found.values())) == 5  # every reason without an option


def test_rescore_takes_other_models_and_settings_and_can_go_on(spark: SparkSession) -> None:
    known = videos(spark, *({"video_id": name} for name in "abc"))
    outcomes = [
        ("a", 1, "scored"),
        ("b", 1, "scored", {"model_id": "B"}),
        ("c", 1, "scored", {"settings_id": "T"}),
    ]
    assert plan(spark, known, *outcomes) == {}
    found = plan(spark, known, *outcomes, rescore=True)
    assert found == {"b": Reason.RESCORED, "c": Reason.RESCORED}
    # A part of it was committed before the driver was killed.
    outcomes.append(("b", 2, "scored"))
    assert plan(spark, known, *outcomes, rescore=True) == {"c": Reason.RESCORED}


def test_rescore_takes_videos_of_another_sound_model(spark: SparkSession) -> None:
    """Not those that cannot be opened, which no run listens to."""
    known = videos(spark, *({"video_id": name} for name in "abcd"))
    outcomes = [
        ("a", 1, "scored", {"sound_model_id": "s"}),
        ("b", 1, "no_face"),
        ("c", 1, "not_video"),
        ("d", 1, "scored", {"sound_model_id": "t"}),
    ]
    found = plan(spark, known, *outcomes, rescore=True, sound_model_id="s")
    assert found == {"b": Reason.RESCORED, "d": Reason.RESCORED}
    silent = plan(spark, known, *outcomes, rescore=True)
    assert silent == {"a": Reason.RESCORED, "d": Reason.RESCORED}


def test_since_and_all(spark: SparkSession) -> None:
    known = videos(
        spark,
        {"video_id": "old"},
        {"video_id": "late", "modified_at": T0 + timedelta(days=2)},
        {"video_id": "done"},
        {"video_id": "gone", "missing_since": T0},
    )
    since = T0 + timedelta(days=1)
    done = ("done", 1, "scored")
    assert plan(spark, known, done, since=since) == {"late": Reason.NEW, "gone": Reason.MISSING}
    assert plan(spark, known, done, since=since - timedelta(days=1)) == {
        **dict.fromkeys(("old", "late"), Reason.NEW),
        "gone": Reason.MISSING,
    }
    assert plan(spark, known, done, everything=True) == {
        **dict.fromkeys(("old", "late", "done"), Reason.SELECTED),
        "gone": Reason.MISSING,
    }


def test_selected_by_status(spark: SparkSession) -> None:
    known = videos(
        spark,
        *({"video_id": name} for name in "abc"),
        {"video_id": "d", "missing_since": T0},
    )
    _, verdicts = history(
        spark, ("a", 1, "timeout"), ("b", 1, "scored"), ("c", 1, "crashed"), ("d", 1, "timeout")
    )
    assert reasons(plan_selected(known, verdicts, ["timeout"])) == {"a": Reason.SELECTED}
    assert set(reasons(plan_selected(known, verdicts, ["timeout", "crashed"]))) == {"a", "c"}


def test_extracting_follows_the_same_rules(spark: SparkSession) -> None:
    known = videos(
        spark,
        *({"video_id": name} for name in ("new", "done", "cut", "tired", "vanished")),
        {"video_id": "gone", "missing_since": T0},
    )
    extractions, _ = history(
        spark,
        ("done", 1, "extracted"),
        ("cut", 1, "unreadable"),
        ("tired", 1, "crashed"),
        ("tired", 2, "crashed"),
        ("vanished", 1, "missing"),
        ("vanished", 2, "missing"),
        ("gone", 1, "unreadable"),
    )
    planned = videos_to_extract(known, extractions, "S", 2)
    assert {row["video_id"] for row in planned.collect()} == {"new", "cut", "vanished"}
    assert videos_to_extract(known, extractions, "T", 2).count() == 5
    assert videos_to_extract(known, extractions, "S", 2, everything=True).count() == 5


def test_the_plan_in_batches_and_words(spark: SparkSession) -> None:
    known = videos(
        spark,
        *({"video_id": f"v{number}", "bytes": 10**6} for number in range(20)),
        {"video_id": "gone", "bytes": 10**9, "missing_since": T0},
    )
    planned = plan_night(known, *history(spark), RULES)
    settings = Settings()
    whole = make_plan(planned, settings, [])
    assert whole.scale is None
    assert whole.videos["path"].to_pylist() == sorted(whole.videos["path"].to_pylist())
    assert whole.batches.tolist() == [0] * 21
    assert whole.costs_s[whole.videos["path"].to_pylist().index("gone")] == 0
    text = "\n".join(whole.lines(25))
    assert "21 of 25 videos" in text
    assert "20 new" in text
    assert "1 missing" in text
    assert "0.02 GB" in text
    assert "1 commit\n" in text and "(rough: no earlier run)" in text
    assert all(len(line) < 80 for line in text.splitlines())
    share_s = float(whole.costs_s.sum()) / whole.slots / 4
    finer = settings.model_copy(
        update={"run": settings.run.model_copy(update={"commit_s": share_s})}
    )
    dealt = make_plan(planned, finer, [])
    assert np.unique(dealt.batches).tolist() == [0, 1, 2, 3]
    assert (np.diff(dealt.batches) >= 0).all()
    # Earlier runs took twice as long as estimated: so will this one, and batches hold half.
    past = Commit(
        1, "r", "nightly", "", {}, facts=CommitFacts(cost=CostFacts(estimated_s=50, measured_s=100))
    )
    slower = make_plan(planned, finer, [past], besides_s=7200.0)
    assert "  about 2.0 h in all, of which 2.0 h to start, list, reduce and report" in "\n".join(
        slower.lines(25)
    )
    assert slower.core_s == pytest.approx(2 * dealt.core_s)
    assert np.unique(slower.batches).tolist() == list(range(8))
    assert "no earlier run" not in "\n".join(slower.lines(25))
