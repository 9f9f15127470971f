"""`framejury verdicts --verdict --status --since --run --sort --limit`, in every format."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from wcwidth import wcswidth

from framejury.clock import now
from framejury.commands import verdicts
from framejury.errors import UsageError
from framejury.runs.chosen_verdicts import Choice, chosen_verdicts, latest_statuses
from framejury.schemas.tables import TABLES
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts
from tests.builders import judged
from tests.builders.terminal import on_terminal

LONG = "2026/11/30/camera-7/a long recording.mp4"
WIDE = "日本/映像.mp4"
PATHS = ["a/fake.mp4", "a/real.mp4", "a/unsure.mp4", "b/none.mp4", WIDE, LONG, "gone.mp4"]
NOW = now()


def publish(
    warehouse: Warehouse,
    at: datetime,
    rows: Sequence[dict[str, Any]],
    *,
    listed: Sequence[str] = (),
    gone: Sequence[str] = (),
    batch_of: str | None = None,
) -> str:
    """Commit verdicts as a nightly run does; returns the id of the run."""
    with warehouse.running("nightly", at) as run:
        if listed:
            videos = [judged.video_row(path) for path in listed]
            videos += [judged.video_row(path, at) for path in gone]
            judged.write(warehouse, run, "videos", videos)
        judged.write(warehouse, run, "verdicts", rows)
        batch = {"night": batch_of or run.run_id, "number": 2 if batch_of else 1, "of": 2}
        warehouse.commit(
            run, at, archive="/archive", facts=CommitFacts.model_validate({"batch": batch})
        )
        return run.run_id


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Warehouse, list[str]]:
    """A warehouse of three nights, the last one in two batches; the ids of the four runs."""
    warehouse = Warehouse.open_or_plan(str(tmp_path_factory.mktemp("filters") / "w"))
    unsure = judged.verdict_of("a/unsure.mp4", [0.5]) | {"verdict": "inconclusive"}
    first = [
        *(judged.verdict_of("a/fake.mp4", [0.1]), judged.verdict_of("a/real.mp4", [0.2])),
        *(unsure, judged.verdict_of("gone.mp4", [0.99]), judged.verdict_of("b/none.mp4", [0.9])),
    ]
    runs = [publish(warehouse, NOW - timedelta(days=9), first, listed=PATHS)]
    second = [judged.verdict_of("b/none.mp4", []), judged.verdict_of(LONG, [], "crashed")]
    second[1]["error"] = "the decoder died " + "x" * 200
    runs.append(publish(warehouse, NOW - timedelta(days=2), second))
    third = [judged.verdict_of("a/fake.mp4", [0.8])]
    runs.append(
        publish(warehouse, NOW - timedelta(hours=5), third, listed=PATHS[:-1], gone=PATHS[-1:])
    )
    fourth = [judged.verdict_of("日本/映像.mp4", [0.7])]
    runs.append(publish(warehouse, NOW - timedelta(hours=4), fourth, batch_of=runs[2]))
    return warehouse, runs


Shown = Callable[..., list[str]]


@pytest.fixture
def shown(place: tuple[Warehouse, list[str]], capsys: pytest.CaptureFixture[str]) -> Shown:
    """Runs the command and returns the paths in the order of its JSON Lines."""

    def run(*options: str) -> list[str]:
        uri = place[0].location.uri
        assert verdicts.main(["--warehouse", uri, "--format", "jsonl", *options]) == 0
        lines = capsys.readouterr().out.splitlines()
        return [json.loads(line)["uri"].removeprefix("/archive/") for line in lines]

    return run


def test_without_options_all_that_are_there_by_path(shown: Shown) -> None:
    assert shown() == sorted(PATHS[:-1])


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        (["--verdict", "fake"], ["a/fake.mp4", "日本/映像.mp4"]),
        (["--verdict", "real"], ["a/real.mp4"]),
        (["--verdict", "real,fake", "--verdict", "real"], [*PATHS[:2], PATHS[4]]),
        (["--status", "no_face, crashed"], [LONG, "b/none.mp4"]),
        (["--status", "no_face", "--status", "crashed"], [LONG, "b/none.mp4"]),
        (["--status", "timeout"], []),
        (["--since", "1d"], ["a/fake.mp4", "日本/映像.mp4"]),
        (["--since", "270m"], None),
        (["--since", "4.5h"], ["日本/映像.mp4"]),
        (["--since", "1w"], ["a/fake.mp4", LONG, "b/none.mp4", "日本/映像.mp4"]),
        (["--since", "2w"], PATHS[:-1]),
        (["--since", (NOW - timedelta(days=3)).isoformat(), "--verdict", "fake"], PATHS[:5:4]),
        (["--since", "2999-01-01"], []),
        (["--run", "latest"], ["a/fake.mp4", "日本/映像.mp4"]),
        (["--run", "latest", "--since", "4.5h"], ["日本/映像.mp4"]),
        (["--run", "latest", "--since", "1d", "--verdict", "real"], []),
    ],
)
def test_filters_combine(
    shown: Shown,
    place: tuple[Warehouse, list[str]],
    options: list[str],
    paths: list[str] | None,
) -> None:
    if paths is None:
        assert verdicts.main(["--warehouse", place[0].location.uri, *options]) == 2
    else:
        assert shown(*options) == sorted(paths)


def test_runs_by_their_beginning(shown: Shown, place: tuple[Warehouse, list[str]]) -> None:
    _, runs = place
    # What a later run judged again no longer belongs to the first run.
    assert shown("--run", runs[0]) == ["a/real.mp4", "a/unsure.mp4"]
    assert shown("--run", runs[1][:-2]) == [LONG, "b/none.mp4"]
    assert shown("--run", runs[3]) == shown("--run", runs[2]) == shown("--run", "latest")


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        (["--sort", "p_fake"], ["a/real", "a/unsure", "日本/映像", "a/fake", LONG[:-4], "b/none"]),
        (["--sort=-p_fake"], ["a/fake", "日本/映像", "a/unsure", "a/real", LONG[:-4], "b/none"]),
        (["--sort=-p_fake", "--limit", "2"], ["a/fake", "日本/映像"]),
        (["--sort", "p_fake", "--reverse", "--limit", "1"], ["a/fake"]),
        (["--sort=-p_fake", "--reverse", "--limit", "1"], ["a/real"]),
        (["--reverse", "--limit", "1"], ["日本/映像"]),
        (["--sort=-path", "--limit", "1"], ["日本/映像"]),
        (["--sort", "verdict,-p_fake", "--limit", "3"], ["a/fake", "日本/映像", "a/unsure"]),
        (["--sort", "verdict", "--sort", "p_fake", "--limit", "2"], ["日本/映像", "a/fake"]),
        (["--limit", "1", "--verdict", "fake", "--sort", "p_fake"], ["日本/映像"]),
        (["--limit", "99", "--verdict", "real"], ["a/real"]),
    ],
    ids=lambda value: " ".join(value) if value[0].startswith("--") else None,
)
def test_order_and_limit(shown: Shown, options: list[str], paths: list[str]) -> None:
    assert shown(*options) == [f"{path}.mp4" for path in paths]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "json"])
def test_every_format_has_the_same_rows(
    place: tuple[Warehouse, list[str]], tmp_path: Path, ending: str
) -> None:
    target = tmp_path / f"v.{ending}"
    options = ["--sort=-p_fake", "--status", "scored", "--limit", "2"]
    uri = place[0].location.uri
    assert verdicts.main(["--warehouse", uri, *options, "--output", str(target)]) == 0
    rows: list[dict[str, Any]]
    if ending == "parquet":
        rows = parquet.read_table(target).to_pylist()
    elif ending == "csv":
        rows = list(csv.DictReader(io.StringIO(target.read_text("utf-8-sig"), newline="")))
    elif ending == "json":
        rows = json.loads(target.read_text())
    else:
        rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [row["uri"] for row in rows] == ["/archive/a/fake.mp4", "/archive/日本/映像.mp4"]
    assert [list(row) for row in rows] == [list(verdicts.COLUMNS)] * 2


def test_nothing_found_is_said_and_no_file_lacks_its_columns(
    place: tuple[Warehouse, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--warehouse", place[0].location.uri, "--status", "timeout"]
    assert verdicts.main(options) == 0
    out, err = capsys.readouterr()
    assert out.split() == ["path", *out.split()[1:]] and len(out.splitlines()) == 1
    assert "no verdict matches these filters" in err
    target = tmp_path / "v.parquet"
    assert verdicts.main([*options, "--output", str(target)]) == 0
    assert parquet.read_table(target).column_names == list(verdicts.COLUMNS)


def test_faces_of_the_chosen_videos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    warehouse = Warehouse.open_or_plan(str(tmp_path / "w"))
    judged.night(warehouse, {"a.mp4": [0.9, 0.8], "b.mp4": [0.1], "c.mp4": [0.7]})
    options = ["--warehouse", warehouse.location.uri, "--frames", "--verdict", "fake"]
    assert verdicts.main([*options, "--format", "jsonl"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["uri"] for row in rows] == ["/archive/a.mp4"] * 2 + ["/archive/c.mp4"]
    assert verdicts.main([*options, "--limit", "1", "--sort", "p_fake"]) == 0
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["c.mp4"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--verdict", "fak"], "unknown value 'fak'; choose from fake, real, inconclusive"),
        (["--verdict", "fake,"], "unknown value ''"),
        (["--status", "no-face"], "scored, no_face, empty, not_video"),
        (["--sort", "score"], "choose from path, uri, label, video_id"),
        (["--sort", "stretches"], "'stretches' is not a column"),
        (["--since", "soon"], "'soon' is not a time"),
        (["--limit", "0"], "'0' is not a whole number of 1 or more"),
        (["--limit", "-5"], "--limit"),
        (["--run", "1999"], "no run begins with '1999'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_unknown_values_are_answered_with_the_known_ones(
    place: tuple[Warehouse, list[str]],
    options: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert verdicts.main(["--warehouse", place[0].location.uri, *options]) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err and err.count("\n") == 1


# ---------------------------------------------------------------- reading


def test_files_of_earlier_runs_are_not_read(tmp_path: Path) -> None:
    warehouse = Warehouse.open_or_plan(str(tmp_path / "w"))
    old = publish(warehouse, NOW, [judged.verdict_of("a.mp4", [0.9])], listed=["a.mp4", "b.mp4"])
    new = publish(warehouse, NOW + timedelta(days=1), [judged.verdict_of("b.mp4", [0.9])])
    for part in Path(warehouse.table_location(old, "verdicts").path).glob("*.parquet"):
        part.write_bytes(b"not Parquet")
    assert chosen_verdicts(warehouse, Choice(run=new))["path"].to_pylist() == ["b.mp4"]
    since = Choice(since=NOW + timedelta(hours=1))
    assert chosen_verdicts(warehouse, since)["path"].to_pylist() == ["b.mp4"]
    with pytest.raises(pa.ArrowInvalid):
        chosen_verdicts(warehouse, Choice(run=old))


def test_files_of_merged_runs_are_told_apart(tmp_path: Path) -> None:
    warehouse = Warehouse.open_or_plan(str(tmp_path / "w"))
    scores = {"a.mp4": [0.9], "b.mp4": [0.9]}
    one = judged.night(warehouse, scores).run_id
    two = judged.night(warehouse, {"b.mp4": [0.8]}, listed=["a.mp4", "b.mp4"]).run_id
    judged.merge(warehouse, "verdicts")
    for run, path in ((one, "a.mp4"), (two, "b.mp4"), ("latest", "b.mp4")):
        assert chosen_verdicts(warehouse, Choice(run=run))["path"].to_pylist() == [path]


def test_memory_holds_the_chosen_rows_only(tmp_path: Path) -> None:
    """200,000 verdicts with an error of 300 letters each, of which two are wanted."""
    warehouse = Warehouse.open_or_plan(str(tmp_path / "w"))
    count = 200_000
    publish(warehouse, NOW, [judged.verdict_of("a.mp4", [0.9])], listed=["a.mp4", "b.mp4"])
    with warehouse.running("nightly", NOW) as run:
        row = judged.verdict_of("b.mp4", [], "crashed") | {"run_id": run.run_id}
        rows = pa.Table.from_pylist([row], schema=TABLES["verdicts"]).take([0] * count)
        ids = pa.array([f"{at:020x}" for at in range(count - 1)] + [row["video_id"]])
        rows = rows.set_column(0, TABLES["verdicts"].field(0), ids)
        at = rows.column_names.index("error")
        errors = pa.array([f"{at:0300d}" for at in range(count)])
        warehouse.write(run, "verdicts", rows.set_column(at, TABLES["verdicts"].field(at), errors))
        warehouse.commit(run, NOW)
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    found = warehouse.read_latest("verdicts", where=pa.compute.field("status") == "scored")
    assert found.num_rows == 1 and pool.bytes_allocated() - before < 1_000_000
    assert latest_statuses(warehouse) == {"crashed": 1, "scored": 1}


def test_a_warehouse_without_verdicts_says_what_to_do(tmp_path: Path) -> None:
    warehouse = Warehouse.open_or_plan(str(tmp_path / "w"))
    with warehouse.running("index", NOW) as run:
        judged.write(warehouse, run, "videos", [judged.video_row("a.mp4")])
        warehouse.commit(run, NOW)
    with pytest.raises(UsageError, match="has no verdicts yet; run: framejury reduce"):
        chosen_verdicts(warehouse)


# ---------------------------------------------------------------- for people


def table(place: tuple[Warehouse, list[str]], columns: int, *options: str) -> list[str]:
    command = [sys.executable, "-m", "framejury.commands.verdicts"]
    code, lines = on_terminal(
        [*command, "--warehouse", place[0].location.uri, *options], columns, PYTHONUTF8="1"
    )
    assert code == 0, lines
    return lines


@pytest.mark.parametrize("columns", [40, 80, 130, 400])
def test_a_terminal_gets_lines_of_its_width(
    place: tuple[Warehouse, list[str]], columns: int
) -> None:
    *lines, deleted = table(place, columns)
    assert "1 video was deleted" in deleted
    assert len(lines) == 1 + 6 and max(map(wcswidth, lines)) <= columns
    assert all("/archive" not in line for line in lines)
    (long,) = [line for line in lines if "ing.mp4" in line]
    assert (LONG in long) == (columns >= 80)
    assert ("the decoder" in long) == (columns >= 130)
    assert long.endswith("x" * 200) == (columns == 400)
    names = [line[: line.index("  ")] for line in lines]
    assert WIDE in names and "a/fake.mp4" in names
    # The verdicts stand below each other, though some paths are of wide characters.
    found = [
        re.search(r"  (verdict|fake|real|inconclusive|not scored)( |$)", line) for line in lines
    ]
    places = {wcswidth(one.string[: one.start(1)]) for one in found if one is not None}
    assert len(places) == 1 and None not in found


def test_a_table_tells_not_scored_from_inconclusive(
    place: tuple[Warehouse, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    uri = place[0].location.uri
    assert verdicts.main(["--warehouse", uri, "--verdict", "inconclusive"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (unsure,) = [line for line in lines if "a/unsure.mp4" in line]
    (none,) = [line for line in lines if "b/none.mp4" in line]
    assert " inconclusive " in unsure and " not scored " in none and "inconclusive" not in none
    for form in ("csv", "jsonl"):
        assert verdicts.main(["--warehouse", uri, "--format", form]) == 0
        assert "not scored" not in capsys.readouterr().out, "the published values"


def test_a_pipe_gets_all_of_it(
    place: tuple[Warehouse, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert verdicts.main(["--warehouse", place[0].location.uri]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["path", "label", "verdict", "decision"]
    (long,) = [line for line in lines if LONG in line]
    assert long.endswith("the decoder died " + "x" * 200)
    ends = {wcswidth(line[: line.index(" FAKE ")]) for line in lines if " FAKE " in line}
    assert len(ends) == 1  # wide characters do not move the columns


def test_times_are_those_of_the_commit(place: tuple[Warehouse, list[str]]) -> None:
    warehouse, runs = place
    (commit,) = [one for one in warehouse.commits() if one.run_id == runs[3]]
    at = datetime.fromisoformat(commit.created_at).astimezone(UTC)
    for since, count in ((at, 1), (at + timedelta(seconds=1), 0)):
        assert chosen_verdicts(warehouse, Choice(since=since)).num_rows == count
