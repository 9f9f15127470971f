"""What a run says of itself: one JSON line and one Prometheus file."""

from __future__ import annotations

import json
import os
import stat
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from framejury import __version__
from framejury.errors import UsageError
from framejury.runs.drift import Drift, RunDrift
from framejury.runs.prometheus import check_textfile, samples_of, write_textfile
from framejury.runs.run_metrics import NewFake, RunCounts, RunMetrics
from framejury.schemas.statuses import FAILURE_STATUSES, VERDICT_STATUSES, Reason

STARTED = datetime(2024, 5, 17, 4, 30, tzinfo=timezone(timedelta(hours=2)))
DRIFT = Drift(3, 60, 600, 0.3, 0.1, 0.2, 0.15, 0.25)
COUNTS = RunCounts(
    videos_in_archive=1_000,
    planned={"new": 14, "retried": 2, "missing": 4},
    statuses={"scored": 12, "no_face": 1, "timeout": 2, "missing": 5},
    failed_again=1,
    verdicts={"fake": 5, "real": 4, "inconclusive": 11},
    faces_found=130,
    faces_scored=120,
    videos_cpu_s=90.5,
    videos_wall_s=100.25,
    read_bytes=5_000_000_000,
    drift=RunDrift(videos=DRIFT),
)
METRICS = RunMetrics(
    job="nightly",
    exit_code=3,
    started_at=STARTED,
    ended_at=STARTED + timedelta(seconds=60),
    warehouse="/data/warehouse",
    archive="s3://AKIA0123456789ABCDEF:Secret/1@bucket/videos",
    run_ids=("20240517T023000Z-abcdef",),
    model_id="b0-1",
    phase_s={"index": 1.5, "extract and score": 50.0},
    counts=COUNTS,
    meaning="many videos failed.",
    new_fakes=(NewFake("a.mp4", 0.9), NewFake("b.mp4", None)),
    archive_verdicts={"fake": 7, "real": 993},
    report="s3://AKIA0123456789ABCDEF:Secret/1@bucket/report.html",
)


# ---------------------------------------------------------------- figures


def test_a_deleted_file_is_no_failure_but_a_vanished_one_is() -> None:
    # Five ended as missing; four of them were known to be deleted.
    assert COUNTS.failures == {"timeout": 2, "missing": 1}
    # Of the three, one had failed before.
    assert COUNTS.failure_share == 2 / 14
    unmounted = RunCounts(planned={"new": 9}, statuses={"missing": 9})
    assert (unmounted.failures, unmounted.failure_share) == ({"missing": 9}, 1.0)
    deleted = RunCounts(planned={"missing": 9}, statuses={"missing": 9})
    assert (deleted.failures, deleted.failure_share) == ({}, None)
    # A file that was planned as deleted and came back is no negative failure.
    back = RunCounts(planned={"missing": 2}, statuses={"missing": 1, "scored": 1})
    assert (back.failures, back.failure_share) == ({}, 0.0)


def test_a_night_with_nothing_but_what_failed_before_is_no_alarm() -> None:
    again = RunCounts(planned={"retried": 2}, statuses={"unreadable": 2}, failed_again=2)
    assert (again.failures, again.failure_share) == ({"unreadable": 2}, None)
    worse = RunCounts(
        planned={"retried": 2, "new": 2},
        statuses={"unreadable": 2, "crashed": 1, "scored": 1},
        failed_again=2,
    )
    assert worse.failure_share == 0.5


def test_every_status_is_a_failure_or_not() -> None:
    # A file that is empty, no video or beyond a limit is judged as well as it can be.
    fine = {"scored", "no_face", "not_scored", "empty", "not_video", "too_large"}
    assert {status.value for status in VERDICT_STATUSES} == fine | set(FAILURE_STATUSES)
    for status in FAILURE_STATUSES:
        assert RunCounts(statuses={status.value: 1}).failure_share == 1.0
    for name in fine:
        assert RunCounts(statuses={name: 1}).failure_share == 0.0


def test_nothing_done_has_no_share() -> None:
    assert (RunCounts().videos, RunCounts().failures, RunCounts().failure_share) == (0, {}, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"planned": {"news": 1}},
        {"statuses": {"fine": 1}},
        {"verdicts": {"guilty": 1}},
        {"statuses": {"scored": -1}},
    ],
    ids=str,
)
def test_names_are_closed_sets(wrong: dict[str, dict[str, int]]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RunCounts(**wrong)  # type: ignore[arg-type]


def test_a_clock_set_back_gives_no_rate() -> None:
    back = replace(METRICS, ended_at=STARTED - timedelta(seconds=1))
    assert (back.wall_s, back.videos_per_s, back.faces_per_s) == (0, None, None)
    assert (METRICS.wall_s, METRICS.videos_per_s, METRICS.faces_per_s) == (60, 20 / 60, 2)


# ---------------------------------------------------------------- JSON


def test_the_json_line() -> None:
    line = METRICS.to_json_line()
    assert "\n" not in line and line.isascii()
    found = json.loads(line)
    counts = found.pop("counts")
    assert found == {
        "format_version": 1,
        "job": "nightly",
        "exit_code": 3,
        "meaning": "many videos failed.",
        "is_idle": False,
        "run_ids": ["20240517T023000Z-abcdef"],
        "warehouse": "/data/warehouse",
        "archive": "s3://***@bucket/videos",
        "model_id": "b0-1",
        "started_at": "2024-05-17T02:30:00.000+00:00",
        "ended_at": "2024-05-17T02:31:00.000+00:00",
        "wall_s": 60.0,
        "phase_s": {"index": 1.5, "extract and score": 50.0},
        "videos_per_s": 20 / 60,
        "faces_per_s": 2.0,
        "new_fakes": 2,
        "new_fake_videos": [{"path": "a.mp4", "p_fake": 0.9}, {"path": "b.mp4", "p_fake": None}],
        "not_scored": None,
        "not_scored_videos": [],
        "archive_verdicts": {"fake": 7, "real": 993},
        "waiting": None,
        "decisions_recorded": None,
        "decision_problems": [],
        "report": "s3://***@bucket/report.html",
        "published": [],
    }
    assert counts["failures"] == {"timeout": 2, "missing": 1}
    assert counts["failure_share"] == 2 / 14
    assert counts["planned"] == {"new": 14, "retried": 2, "missing": 4}
    assert counts["drift"]["videos"] == DRIFT.to_plain()
    assert counts["drift"]["faces"] is None
    assert (counts["read_bytes"], counts["videos_cpu_s"]) == (5_000_000_000, 90.5)
    assert counts == COUNTS.to_plain()


def test_the_line_has_a_limit() -> None:
    many = tuple(NewFake(f"{number}.mp4", 0.9) for number in range(100_000))
    found = json.loads(replace(METRICS, new_fakes=many).to_json_line())
    assert found["new_fakes"] == 100_000
    assert len(found["new_fake_videos"]) == 100


def test_a_run_that_failed_at_once_has_a_line_too() -> None:
    failed = RunMetrics("nightly", 2, STARTED, STARTED, "/no\nwhere")
    found = json.loads(failed.to_json_line())
    assert (found["counts"], found["run_ids"], found["videos_per_s"]) == (None, [], None)
    assert "\n" not in failed.to_json_line()


def test_no_figure_that_json_cannot_hold() -> None:
    with pytest.raises(ValueError, match="JSON"):
        replace(METRICS, phase_s={"index": float("nan")}).to_json_line()


# ---------------------------------------------------------------- Prometheus


def read(path: Path) -> dict[tuple[str, ...], float]:
    """Series as (name, label values but the common ones) -> value, with the format's own parser."""
    found = {}
    for family in text_string_to_metric_families(path.read_text(encoding="utf-8")):
        assert family.type == "gauge" and family.documentation.endswith(".")
        for sample in family.samples:
            labels = {k: v for k, v in sample.labels.items() if k not in ("warehouse", "verb")}
            assert {"warehouse", "verb"} <= set(sample.labels)
            values = [labels[name] for name in sorted(labels)]
            assert (sample.name, *values) not in found
            found[sample.name, *values] = sample.value
    return found


def test_the_file_says_what_the_line_says(tmp_path: Path) -> None:
    path = tmp_path / "framejury.prom"
    write_textfile(METRICS, path)
    found = read(path)
    expected = {
        ("framejury_run_exit_code",): 3,
        ("framejury_run_start_timestamp_seconds",): STARTED.timestamp(),
        ("framejury_run_end_timestamp_seconds",): STARTED.timestamp() + 60,
        ("framejury_run_wall_seconds",): 60,
        ("framejury_run_phase_seconds", "index"): 1.5,
        ("framejury_run_phase_seconds", "extract and score"): 50,
        ("framejury_run_videos_per_second",): 20 / 60,
        ("framejury_run_faces_per_second",): 2,
        ("framejury_archive_videos",): 1_000,
        ("framejury_run_planned_videos", "new"): 14,
        ("framejury_run_planned_videos", "changed"): 0,
        ("framejury_run_videos", "scored"): 12,
        ("framejury_run_videos", "crashed"): 0,
        ("framejury_run_failed_videos", "timeout"): 2,
        ("framejury_run_failed_videos", "missing"): 1,
        ("framejury_run_failed_ratio",): 2 / 14,
        ("framejury_run_verdicts", "fake"): 5,
        ("framejury_run_found_faces",): 130,
        ("framejury_run_scored_faces",): 120,
        ("framejury_run_read_bytes",): 5e9,
        ("framejury_run_video_cpu_seconds",): 90.5,
        ("framejury_run_video_wall_seconds",): 100.25,
        ("framejury_score_drift_psi", "videos"): 0.3,
        ("framejury_score_drift_psi_chance", "videos"): 0.2,
        ("framejury_score_drift_ks", "videos"): 0.15,
        ("framejury_score_drift_ks_chance", "videos"): 0.25,
        ("framejury_run_info", "b0-1", "20240517T023000Z-abcdef", __version__): 1,
    }
    assert {key: found.get(key) for key in expected} == expected
    # Nothing that occurs or not: each reason, status and verdict has its series.
    assert len(found) == len(expected) + (
        len(Reason) - 2 + len(VERDICT_STATUSES) - 2 + len(FAILURE_STATUSES) - 2 + 2
    )
    text = path.read_text(encoding="utf-8")
    assert 'warehouse="/data/warehouse"' in text and 'verb="nightly"' in text
    assert "Secret" not in text


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "framejury.prom"
    write_textfile(RunMetrics("nightly", 1, STARTED, STARTED, "/w"), path)
    found = read(path)
    assert found.pop(("framejury_run_exit_code",)) == 1
    assert {name for name, *_ in found} == {
        "framejury_run_start_timestamp_seconds",
        "framejury_run_end_timestamp_seconds",
        "framejury_run_wall_seconds",
        "framejury_run_info",
    }


def test_a_night_without_videos_has_no_share_of_failures(tmp_path: Path) -> None:
    write_textfile(replace(METRICS, counts=RunCounts()), tmp_path / "x.prom")
    found = read(tmp_path / "x.prom")
    assert ("framejury_run_failed_ratio",) not in found
    assert ("framejury_archive_videos",) not in found
    assert found["framejury_run_videos", "scored"] == 0


@given(st.text(max_size=40))
@example("a\r\nb\u2028")
@settings(max_examples=60, deadline=None)
def test_no_path_breaks_the_file(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    path = tmp_path_factory.mktemp("prom") / "framejury.prom"
    write_textfile(replace(METRICS, warehouse=f"/data/{name}", model_id=name), path)
    assert read(path)["framejury_run_exit_code",] == 3


def test_no_secret_in_the_file(tmp_path: Path) -> None:
    write_textfile(replace(METRICS, warehouse="s3://K:S3CR3TKEY@b/w"), tmp_path / "x.prom")
    text = (tmp_path / "x.prom").read_text(encoding="utf-8")
    assert 'warehouse="s3://***@b/w"' in text and "S3CR3TKEY" not in text


def test_a_file_name_that_is_no_text(tmp_path: Path) -> None:
    write_textfile(replace(METRICS, warehouse="/data/\udcff\n"), tmp_path / "x.prom")
    assert r"\udcff" in (tmp_path / "x.prom").read_text(encoding="utf-8")


def test_seconds_per_network_are_written() -> None:
    counts = RunCounts(scoring_s={"a": 2.0, "b": 0.5})
    found = {one.name: one for one in samples_of(replace(METRICS, counts=counts))}
    assert found["run_scoring_seconds"].values == counts.scoring_s
    assert found["run_scoring_seconds"].label == "model_id"
    names = {one.name for one in samples_of(replace(METRICS, counts=RunCounts()))}
    assert "run_scoring_seconds" not in names


def test_what_was_published_is_written() -> None:
    done = {"target": "Delta Lake", "place": "/d", "runs": 3, "seconds": 1.5, "error": None}
    down = {"target": "PostgreSQL", "place": "db", "runs": 0, "seconds": 9.0, "error": "no route"}
    metrics = replace(METRICS, published=(done, down))
    assert json.loads(metrics.to_json_line())["published"] == [done, down]
    found = {one.name: dict(one.values) for one in samples_of(metrics)}
    assert found["run_publish_failed"] == {"Delta Lake": 0, "PostgreSQL": 1}
    assert found["run_published_runs"] == {"Delta Lake": 3, "PostgreSQL": 0}
    assert found["run_publish_seconds"] == {"Delta Lake": 1.5, "PostgreSQL": 9.0}
    assert not any("publish" in one.name for one in samples_of(METRICS))


def test_names_follow_the_rules() -> None:
    for sample in samples_of(METRICS):
        assert sample.name == sample.name.lower()
        assert not sample.name.endswith(("_total", "_count", "_sum", "_bucket"))  # have a meaning
        assert sample.help.endswith(".") and sample.label not in ("job", "instance")


def test_the_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    """A reader sees whole files only, whatever the moment."""
    path = tmp_path / "framejury.prom"
    write_textfile(METRICS, path)
    whole = {write(METRICS, tmp_path), write(replace(METRICS, exit_code=0), tmp_path)}
    seen: set[str] = set()
    stop = threading.Event()

    def scrape() -> None:
        while not stop.is_set():
            seen.add(path.read_text(encoding="utf-8"))

    reader = threading.Thread(target=scrape)
    reader.start()
    for number in range(150):
        write_textfile(replace(METRICS, exit_code=3 * (number % 2)), path)
    stop.set()
    reader.join()
    assert seen == whole
    assert names_in(tmp_path) == [path.name]


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def write(metrics: RunMetrics, folder: Path) -> str:
    place = folder / "one"
    write_textfile(metrics, place)
    text = place.read_text(encoding="utf-8")
    place.unlink()
    return text


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "framejury.prom"
    write_textfile(METRICS, path)
    before = path.read_bytes()

    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.rename", full)
    with pytest.raises(OSError, match="No space left"):
        write_textfile(replace(METRICS, exit_code=0), path)
    assert path.read_bytes() == before
    assert names_in(tmp_path) == [path.name]


def test_where_it_cannot_go_is_said_before_the_work(tmp_path: Path) -> None:
    check_textfile(tmp_path / "framejury.prom")
    assert names_in(tmp_path) == []
    with pytest.raises(UsageError, match=r"must end in \.prom"):
        check_textfile(tmp_path / "framejury.txt")
    with pytest.raises(UsageError, match="not a folder"):
        check_textfile(tmp_path / "nosuch" / "framejury.prom")
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0o755)
    with pytest.raises(UsageError, match="not a folder"):
        check_textfile(tmp_path / "file" / "framejury.prom")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_we_may_not_write(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(UsageError, match="may write"):
        check_textfile(tmp_path / "framejury.prom")


def test_times_are_utc() -> None:
    assert METRICS.to_plain()["started_at"] == STARTED.astimezone(UTC).isoformat(
        timespec="milliseconds"
    )
