"""`framejury runs`: what became of each run, from real warehouses."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from framejury.cli import main as cli
from framejury.commands import runs
from framejury.errors import UsageError
from framejury.runs.details import details
from framejury.runs.drift import ScoreHistograms, histogram
from framejury.runs.history import PastRun, State, find_run, past_runs
from framejury.runs.run_metrics import RunCounts
from framejury.schemas.tables import TABLES
from framejury.settings import Settings
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Commit, CommitFacts, Merged
from framejury.warehouse.lock import hold
from tests.builders.terminal import on_terminal

NOW = datetime(2024, 5, 17, 2, 0, tzinfo=UTC)
MODEL = "b0-1"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse.open_or_plan(str(tmp_path / "warehouse"))


def video(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "video_id": f"v{number:03}",
        "run_id": "",
        "path": f"day/clip{number:03}.mp4",
        "uri": f"/archive/day/clip{number:03}.mp4",
        "bytes": 1_000,
        "layout": "plain",
        "group_keys": [],
        "group": "g",
        **changes,
    }


def verdict(number: int, status: str, **changes: Any) -> dict[str, Any]:
    return {
        "video_id": f"v{number:03}",
        "run_id": "",
        "model_id": MODEL,
        "status": status,
        "verdict": "inconclusive",
        "faces_scored": 0,
        "frames_scored": 0,
        "persons": 0,
        "threshold": 0.5,
        "reducer": "mean",
        **changes,
    }


def publish(
    warehouse: Warehouse,
    at: datetime,
    tables: Mapping[str, list[dict[str, Any]]],
    *,
    job: str = "nightly",
    took_s: float = 90,
    archive: str = "s3://KEY:S3CR3TKEY@bucket/videos",
    settings: Settings | None = None,
    **facts: Any,
) -> Commit:
    with warehouse.running(job, at) as run:
        for name, rows in tables.items():
            stamped = [row | {"run_id": run.run_id} for row in rows]
            warehouse.write(run, name, pa.Table.from_pylist(stamped, schema=TABLES[name]))
        return warehouse.commit(
            run,
            at + timedelta(seconds=took_s),
            archive=archive if job == "nightly" else None,
            model_id=MODEL if job == "nightly" else None,
            settings=(settings or Settings()).model_dump(mode="json"),
            facts=CommitFacts.model_validate(facts),
        )


def night(warehouse: Warehouse, number: int, verdicts: list[dict[str, Any]], **more: Any) -> Commit:
    """One commit of a night, as nightly publishes it."""
    statuses = dict(Counter(row["status"] for row in verdicts))
    judged = dict(Counter(row["verdict"] for row in verdicts))
    counts = RunCounts(
        videos_in_archive=10,
        planned=more.pop("planned", {"new": len(verdicts)}),
        statuses=statuses,
        verdicts=judged,
    )
    tables: dict[str, list[dict[str, Any]]] = {"verdicts": verdicts}
    if videos := more.pop("videos", None):
        tables["videos"] = videos
    return publish(
        warehouse,
        NOW + timedelta(days=number),
        tables,
        counts=counts.to_plain(),
        statuses=statuses,
        **more,
    )


FIRST = [
    verdict(0, "scored", verdict="fake", p_fake=0.9),
    verdict(1, "scored", verdict="real", p_fake=0.1),
    verdict(2, "timeout", error="longer than limits.timeout_s = 300 seconds"),
    verdict(3, "no_face"),
    verdict(4, "not_video", error="no moving picture"),
]


def told(argv: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    assert runs.main(argv) == code
    return capsys.readouterr().out


def lines_of(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


# ---------------------------------------------------------------- the list


def test_the_list(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    index = publish(
        warehouse, NOW - timedelta(days=1), {"videos": [video(0), video(1)]}, job="index"
    )
    one = night(warehouse, 0, FIRST, videos=[video(n) for n in range(5)])
    two = night(warehouse, 1, [verdict(5, "scored", verdict="real", p_fake=0.2)], took_s=3723)
    uri = warehouse.location.uri
    heading, *rows = lines_of(told(["--warehouse", uri], capsys))
    assert heading == [
        *("run", "job", "started", "(UTC)", "took", "commits", "videos", "failed"),
        *("fake", "real", "inconclusive", "not", "scored", "model", "state"),
    ]
    assert rows == [
        [
            index.run_id,
            "index",
            "2024-05-16",
            "02:00",
            "0:01:30",
            "1",
            "2",
            *"-----",
            "-",
            "committed",
        ],
        [one.run_id, "nightly", "2024-05-17", "02:00", "0:01:30", *"1511103", MODEL, "committed"],
        [two.run_id, "nightly", "2024-05-18", "02:00", "1:02:03", *"1100100", MODEL, "committed"],
    ]
    newest = told(["--warehouse", uri, "--last", "1"], capsys)
    assert [row[0] for row in lines_of(newest)[1:]] == [two.run_id]


def test_the_list_for_machines(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    one = night(warehouse, 0, FIRST)
    uri = warehouse.location.uri
    (row,) = json.loads(told(["--warehouse", uri, "--format", "json"], capsys))
    assert row == {
        "run_id": one.run_id,
        "run_ids": [one.run_id],
        "job": "nightly",
        "state": "committed",
        "started_at": "2024-05-17T02:00:00+00:00",
        "ended_at": "2024-05-17T02:01:30+00:00",
        "wall_s": 90.0,
        "videos": 5,
        "failures": 1,
        "fake": 1,
        "real": 1,
        "inconclusive": 0,
        "not_scored": 3,
        "model_id": MODEL,
    }
    text = told(["--warehouse", uri, "--format", "csv"], capsys)
    (same,) = csv.DictReader(io.StringIO(text))
    assert same == {
        name: one.run_id if name == "run_ids" else str(value) for name, value in row.items()
    }


def test_batches_of_a_night_are_one_run(warehouse: Warehouse) -> None:
    lone = night(warehouse, 0, FIRST[:1])
    first = night(warehouse, 1, FIRST[:3], took_s=60)
    batch = {"night": first.run_id, "number": 2, "of": 2}
    second = night(warehouse, 1, FIRST[3:], took_s=600, batch=batch)
    found = past_runs(warehouse)
    assert [run.run_ids for run in found] == [(lone.run_id,), (first.run_id, second.run_id)]
    both = found[1]
    assert (both.videos, both.failures, both.wall_s) == (5, {"timeout": 1}, 600)
    assert both.counted("verdicts") == {"fake": 1, "real": 1, "inconclusive": 3}
    assert find_run(found, second.run_id) is both


def test_deleted_files_are_no_failures(warehouse: Warehouse) -> None:
    night(
        warehouse,
        0,
        [verdict(0, "missing"), verdict(1, "missing")],
        planned={"missing": 1, "new": 1},
    )
    (run,) = past_runs(warehouse)
    assert run.failures == {"missing": 1}


def test_runs_of_older_framejuries_and_of_other_jobs(warehouse: Warehouse) -> None:
    publish(warehouse, NOW, {"verdicts": FIRST}, job="reduce", statuses={"scored": 2, "crashed": 1})
    publish(warehouse, NOW, {"splits": []}, job="split")
    old, split = past_runs(warehouse)
    assert (old.videos, old.failures, old.counted("verdicts")) == (3, {"crashed": 1}, {})
    assert (split.videos, split.failures, split.model_id) == (None, None, None)
    assert old.to_plain()["fake"] is None


def test_runs_that_did_not_end(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    done = night(warehouse, 0, FIRST)
    killed = warehouse.begin("nightly", NOW + timedelta(days=1))
    uri = warehouse.location.uri
    taken = NOW + timedelta(days=2)
    with hold(warehouse.location, "nightly", taken):
        working = warehouse.begin("nightly", taken)
        odd = Path(warehouse.location.path) / "runs" / "zz"  # no run of ours
        odd.mkdir()
        states = [(run.run_id, run.state, run.job) for run in past_runs(warehouse)]
        assert states == [
            (done.run_id, State.COMMITTED, "nightly"),
            (killed.run_id, State.DROPPED, None),
            (working.run_id, State.UNDER_WAY, None),
            ("zz", State.DROPPED, None),
        ]
        odd.rmdir()
        assert runs.main(["--warehouse", uri]) == 0
        assert "in use by framejury nightly" in capsys.readouterr().err
    # Its owner has let go of the lock and committed nothing.
    assert [run.state for run in past_runs(warehouse)][1:] == [State.DROPPED] * 2
    assert runs.main(["--warehouse", uri]) == 0
    assert capsys.readouterr().err == ""
    text = told(["show", killed.run_id, "--warehouse", uri], capsys)
    assert "dropped" in text and "the next run removes them" in text


def test_a_warehouse_without_runs(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), warehouse.running("index", NOW):
        raise ZeroDivisionError
    uri = warehouse.location.uri
    assert json.loads(told(["--warehouse", uri, "--format", "json"], capsys)) == []
    assert len(told(["--warehouse", uri], capsys).splitlines()) == 1
    assert runs.main(["show", "--warehouse", uri]) == 2
    assert "there is no run yet; run: framejury nightly" in capsys.readouterr().err


# ---------------------------------------------------------------- one run


def test_the_beginning_of_an_id_is_enough(warehouse: Warehouse) -> None:
    one, two = night(warehouse, 0, FIRST), night(warehouse, 1, FIRST)
    found = past_runs(warehouse)
    assert find_run(found, "20240517").run_id == one.run_id
    assert find_run(found, two.run_id).run_id == two.run_id
    with pytest.raises(UsageError, match=f"several runs.*{one.run_id}, {two.run_id}.*write more"):
        find_run(found, "202405")
    with pytest.raises(UsageError, match="no run begins with 'x'"):
        find_run(found, "x")
    many = [PastRun((f"2024-{number}",), State.DROPPED) for number in range(8)]
    with pytest.raises(UsageError, match="2024-4 and 3 more"):
        find_run(many, "2024")


def test_show_without_an_id_is_the_latest_run_that_judged(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    show = ["show", "--warehouse", warehouse.location.uri, "--format", "json"]
    index = publish(warehouse, NOW - timedelta(days=1), {"videos": [video(0)]}, job="index")
    assert json.loads(told(show, capsys))["run_id"] == index.run_id
    night(warehouse, 0, FIRST)
    two = night(warehouse, 1, FIRST)
    batch = {"night": two.run_id, "number": 2, "of": 2}
    night(warehouse, 1, FIRST[:1], took_s=600, batch=batch)
    publish(warehouse, NOW + timedelta(days=2), {}, job="merge")
    warehouse.begin("nightly", NOW + timedelta(days=3))
    for argv in (show, [*show[:1], "latest", *show[1:]]):
        assert json.loads(told(argv, capsys))["run_id"] == two.run_id


@pytest.mark.parametrize("columns", [40, 60, 80, 130, 200])
def test_the_list_fits_into_a_terminal(warehouse: Warehouse, columns: int) -> None:
    one = night(warehouse, 0, FIRST)
    command = [sys.executable, "-m", "framejury.commands.runs", "list"]
    code, lines = on_terminal([*command, "--warehouse", warehouse.location.uri], columns)
    assert code == 0 and len(lines) == 2 and max(map(len, lines)) <= columns
    heading = lines[0].replace(" (UTC)", "").replace("not scored", "not_scored")
    shown = dict(zip(heading.split(), lines[1].split(), strict=False))
    assert shown["run"] == one.run_id
    assert lines[1].endswith("committed") == (columns >= 60) == (shown.get("fake") == "1")
    assert ("model" in shown) == (columns >= 130)


def test_everything_about_a_run(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings.model_validate({"sampling": {"frames": 32}, "limits": {"tries": 5}})
    one = night(
        warehouse,
        0,
        FIRST[::-1],
        videos=[video(n) for n in range(5)],
        settings=settings,
        seconds={"index": 1.5, "extract and score": 80.25},
        versions={"framejury": "0.1.0"},
    )
    warehouse.write_report(one.run_id, {"report.html": b"x"})
    uri = warehouse.location.uri
    found = json.loads(told(["show", "2024", "--warehouse", uri, "--format", "json"], capsys))
    files = found.pop("tables")
    assert {name: (table["rows"], table["files"]) for name, table in files.items()} == {
        "videos": (5, 1),
        "verdicts": (5, 1),
    }
    part = Path(warehouse.table_location(one.run_id, "verdicts").path) / "part-0.parquet"
    assert files["verdicts"]["size_bytes"] == part.stat().st_size
    assert not files["verdicts"]["is_shared"]
    assert found["archive"] == "s3://***@bucket/videos"
    assert found["settings"] == {"sampling.frames": 32, "limits.tries": 5}
    assert found["phase_s"] == {"index": 1.5, "extract and score": 80.25}
    assert found["planned"] == {"new": 5}
    assert found["statuses"] == {"scored": 2, "timeout": 1, "no_face": 1, "not_video": 1}
    assert found["places"] == {"report": f"{uri}/reports/{one.run_id}/report.html"}
    assert (found["exit_code"], found["drift"]) == (None, None)
    assert found["unjudged"] == [
        {
            "path": "day/clip002.mp4",
            "status": "timeout",
            "error": "longer than limits.timeout_s = 300 seconds",
            "video_id": "v002",
        },
        {
            "path": "day/clip004.mp4",
            "status": "not_video",
            "error": "no moving picture",
            "video_id": "v004",
        },
    ]
    text = told(["show", "2024", "--warehouse", uri], capsys)
    for line in (
        f"run        {one.run_id}",
        "  sampling.frames  32",
        "  extract and score  80.2",
        "without a score (2)",
        "  day/clip002.mp4  timeout    longer than limits.timeout_s = 300 seconds",
        f"  report  {uri}/reports/{one.run_id}/report.html",
    ):
        assert line in text.splitlines(), line
    assert "S3CR3TKEY" not in text
    rows = list(
        csv.reader(
            io.StringIO(told(["show", "2024", "--warehouse", uri, "--format", "csv"], capsys))
        )
    )
    assert rows[0] == ["section", "name", "value"]
    for row in (
        ["run", "run_id", one.run_id],
        ["settings", "sampling.frames", "32"],
        ["statuses", "timeout", "1"],
        ["unjudged", "day/clip004.mp4", "not_video: no moving picture"],
    ):
        assert row in rows


def test_a_model_trained_elsewhere_is_said(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    remark = "The training data of X are unknown."
    night(warehouse, 0, FIRST, bundle={"training": remark})
    place = ["show", "2024", "--warehouse", warehouse.location.uri]
    assert f"training data  {remark}" in told(place, capsys).splitlines()
    assert json.loads(told([*place, "--format", "json"], capsys))["training"] == remark


def test_metrics_and_log_of_a_night(warehouse: Warehouse) -> None:
    first = night(warehouse, 0, FIRST)
    batch = {"night": first.run_id, "number": 2, "of": 2}
    second = night(warehouse, 0, FIRST, seconds={"index": 1}, batch=batch)
    said = {
        "exit_code": 3,
        "phase_s": {"index": 1, "report": 2},
        "counts": {"drift": {"videos": None}},
    }
    place = warehouse.write_report(second.run_id, {"metrics.json": json.dumps(said).encode()})
    logs = Path(warehouse.location.path) / "logs"
    logs.mkdir()
    (logs / f"{first.run_id}.jsonl").write_text("{}\n")
    (run,) = past_runs(warehouse)
    found = details(run, warehouse)
    assert (found.exit_code, found.phase_s) == (3, {"index": 1, "report": 2})
    assert found.drift == {"videos": None}
    assert found.places == {
        "log": f"{warehouse.location.uri}/logs/{first.run_id}.jsonl",
        "metrics": place.child("metrics.json").uri,
    }
    assert found.tables["verdicts"].files == 2


def test_drift_of_a_run_without_metrics(warehouse: Warehouse) -> None:
    rule = {"reducer": {"name": "mean"}}
    low, high = histogram([0.1] * 60), histogram([0.9] * 60)
    for number, counts in enumerate((low, low, high)):
        scores = ScoreHistograms(counts, counts).to_facts()
        night(warehouse, number, FIRST, rule=rule, scores=scores)
    first, second, third = (details(run, warehouse).drift for run in past_runs(warehouse))
    assert first == {"videos": None, "faces": None}
    assert second is not None and not second["videos"]["is_beyond_chance"]
    # Only what came before counts: the third night is no reference of the second.
    assert second["videos"]["runs"] == 1
    assert third is not None and third["videos"]["is_beyond_chance"]
    assert third["videos"]["reference_videos"] == 120


def test_the_first_fifty_and_all(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    night(warehouse, 0, [verdict(n, "crashed", error="x") for n in range(60)])
    show = ["show", "2024", "--warehouse", warehouse.location.uri]
    text = told(show, capsys)
    assert text.count("crashed    x") == 0 and text.count("crashed  x") == 50
    assert "without a score (60)" in text and "and 10 more; --all shows them" in text
    assert told([*show, "--all"], capsys).count("crashed  x") == 60
    assert len(json.loads(told([*show, "--format", "json"], capsys))["unjudged"]) == 60


def test_a_deleted_file_is_not_listed_but_a_vanished_one_is(warehouse: Warehouse) -> None:
    listed = [video(0, missing_since=NOW), video(1)]
    night(warehouse, 0, [verdict(0, "missing"), verdict(1, "missing")], videos=listed)
    # Known to be deleted since: that changes nothing about the night before.
    night(warehouse, 1, [verdict(1, "missing")], videos=[video(0), video(1, missing_since=NOW)])
    first, second = past_runs(warehouse)
    assert [one.path for one in details(first, warehouse).unjudged] == ["day/clip001.mp4"]
    assert details(second, warehouse).unjudged == []


def test_of_an_extraction_its_outcomes(warehouse: Warehouse) -> None:
    row = {"settings_id": "s", "frames_decoded": 0, "frames_sampled": 0, "faces_found": 0}
    rows = [
        {"video_id": f"v{n:03}", "status": status, "faces_kept": 0, **row}
        for n, status in enumerate(("extracted", "crashed"))
    ]
    publish(
        warehouse,
        NOW,
        {"extractions": rows},
        job="extract",
        statuses={"extracted": 1, "crashed": 1},
    )
    (run,) = past_runs(warehouse)
    found = details(run, warehouse).unjudged
    assert [(one.path, one.status) for one in found] == [("v001", "crashed")]  # never listed


def test_merged_rows_are_told_where_they_lie_now(warehouse: Warehouse) -> None:
    one, two = night(warehouse, 0, FIRST), night(warehouse, 1, FIRST)
    with warehouse.running("merge", NOW + timedelta(days=1)) as run:
        ids = (one.run_id, two.run_id)
        place = run.location.child("merged", "table=verdicts")
        place.filesystem.create_dir(place.path, recursive=True)
        rows = pa.concat_tables([warehouse.read_run(run_id, "verdicts") for run_id in ids])
        parquet.write_table(rows, place.child("part-0.parquet").path)
        run.merged["verdicts"] = Merged(f"runs/{run.run_id}/merged/table=verdicts", ids)
        warehouse.commit(run, NOW)
    first, second, merge = past_runs(warehouse)
    for run_ in (first, second):
        found = details(run_, warehouse)
        files = found.tables["verdicts"]
        assert (files.rows, files.files, files.is_shared) == (5, 1, True)
        assert len(found.unjudged) == 2
    assert (merge.job, merge.videos, details(merge, warehouse).unjudged) == ("merge", None, [])


def test_hostile_names_stay_on_their_line(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "a\n  0 failed\x1b[2J\u202e.mp4"
    night(
        warehouse,
        0,
        [verdict(0, "crashed", error="bad\x1b[31m\nrun  all fine"), verdict(1, "crashed")],
        videos=[video(0, path=name), video(1)],
        archive="/videos\x1b[2J",
    )
    show = ["show", "2024", "--warehouse", warehouse.location.uri]
    text = told(show, capsys)
    assert "\x1b" not in text and "\u202e" not in text
    assert r"archive  /videos\x1b[2J" in text.splitlines()
    assert r"a\n  0 failed\x1b[2J\u202e.mp4" in text
    listed = text.splitlines()[-2:]
    assert listed[0].index("  crashed") == listed[1].index("  crashed") == len(listed[1]) - 9
    assert not any(line.startswith(("  0 failed", "run  all")) for line in text.splitlines())
    assert json.loads(told([*show, "--format", "json"], capsys))["unjudged"][0]["path"] == name


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["list", "x"], "runs list takes no ID; run: framejury runs show x"),
        (["show", "x"], "no run begins with 'x'"),
        (["--last", "0"], "must be 1 or more"),
        (["lst"], "invalid choice"),
    ],
    ids=str,
)
def test_wrong_use(
    warehouse: Warehouse, argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    night(warehouse, 0, FIRST)
    assert cli.main(["runs", *argv, "--warehouse", warehouse.location.uri]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1) and message in err
