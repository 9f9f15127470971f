"""Structured logs: whole lines, one an event, without secrets, whatever a file is called."""

from __future__ import annotations

import contextvars
import json
import logging
import os
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framejury import logs
from framejury.errors import ConfigError
from framejury.schemas.statuses import Status

RUN = "20241120T020000Z-1a2b3c"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test starts and ends as a fresh process; `start` changes what a process has one of."""
    monkeypatch.delenv(logs.VARIABLE, raising=False)
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    logger = logging.getLogger("framejury")
    handlers, propagate = list(logger.handlers), logger.propagate
    yield
    logger.handlers[:] = handlers
    logger.propagate = propagate
    logs._CONTEXT.set({})


def lines_of(work: Any) -> list[dict[str, Any]]:
    """What the log file holds after `work()`."""
    with logs.collected() as path:
        work()
        text = path.read_text(encoding="utf-8")
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def one(work: Any) -> dict[str, Any]:
    (line,) = lines_of(work)
    return line


# ---------------------------------------------------------------- lines


def test_a_line() -> None:
    logs.start("nightly", run_id=RUN)
    before = datetime.now(UTC)

    def work() -> None:
        with logs.bound(video_id="0f"):
            logs.event("video_examined", status=Status.TIMEOUT, wall_s=300.25, error="too long")

    line = one(work)
    assert before <= datetime.fromisoformat(line.pop("time")) <= datetime.now(UTC)
    assert line == {
        "level": "info",
        "event": "video_examined",
        "run_id": RUN,
        "job": "nightly",
        "video_id": "0f",
        "host": line["host"],
        "pid": os.getpid(),
        "status": "timeout",
        "wall_s": 300.25,
        "error": "too long",
    }
    assert line["host"]


def test_what_is_bound_ends_with_its_body() -> None:
    def work() -> None:
        logs.start("nightly")
        logs.event("a")
        with logs.bound(run_id=RUN):
            with logs.bound(video_id="v1"):
                logs.event("b")
            with pytest.raises(ZeroDivisionError), logs.bound(video_id="v2"):
                raise ZeroDivisionError
            logs.event("c")
        logs.event("d")
        logs.start("nightly", run_id=RUN)
        logs.start("retry")
        logs.event("e")

    lines = lines_of(work)
    seen = [(x["event"], x.get("job"), x.get("run_id"), x.get("video_id")) for x in lines]
    assert seen == [
        ("a", "nightly", None, None),
        ("b", "nightly", RUN, "v1"),
        ("c", "nightly", RUN, None),
        ("d", "nightly", None, None),
        ("e", "retry", None, None),
    ]


def test_a_thread_has_the_context_it_is_given() -> None:
    def work() -> None:
        with logs.bound(run_id=RUN):
            inside = contextvars.copy_context()
            thread = threading.Thread(target=inside.run, args=(logs.event, "beat"))
            thread.start()
            thread.join()

    assert one(work)["run_id"] == RUN


def test_levels_and_values() -> None:
    def work() -> None:
        logs.event(
            "a", logging.WARNING, none=None, yes=True, many=[1, 2.5], at=datetime(2024, 5, 1)
        )
        logs.event("b", path=Path("/x"), nan=float("nan"), inf=float("-inf"), inner={"x": {"y": 1}})

    first, second = lines_of(work)
    assert first["level"] == "warning"
    assert [first[name] for name in ("none", "yes", "many", "at")] == [
        *(None, True, [1, 2.5], "2024-05-01T00:00:00")
    ]
    assert [second[name] for name in ("path", "nan", "inf", "inner")] == [
        *("/x", "nan", "-inf", {"x": {"y": 1}})
    ]


def test_a_field_does_not_pass_for_another() -> None:
    line = one(lambda: logs.event("a", **{"event_": "x", "level": "y", "pid": 1, "host": "h"}))
    assert (line["event"], line["level"], line["pid"]) == ("a", "info", os.getpid())
    assert (line["level_"], line["pid_"], line["host_"]) == ("y", 1, "h")


def test_a_fault_says_where() -> None:
    def work() -> None:
        try:
            raise RuntimeError("cannot read s3://KEY:S3CR3TKEY@bucket\nsecond line")
        except RuntimeError as error:
            logs.fault("job_failed", error)

    line = one(work)
    assert (line["level"], line["event"]) == ("error", "job_failed")
    text = "\n".join(line["traceback"])
    assert "RuntimeError: cannot read s3://***@bucket" in text and "second line" in text
    assert "test_logs.py" in text and "S3CR3TKEY" not in json.dumps(line)


def test_a_key_in_a_traceback_is_hidden_over_its_lines() -> None:
    def work() -> None:
        try:
            raise RuntimeError(
                "-----BEGIN PRIVATE KEY-----\nMIIEvQ\nABCDEF\n-----END PRIVATE KEY-----"
            )
        except RuntimeError as error:
            logs.fault("job_failed", error)

    assert "MIIEvQ" not in json.dumps(one(work)) and "ABCDEF" not in json.dumps(one(work))


# ---------------------------------------------------------------- hostile text


@given(st.text(max_size=80), st.text(max_size=20))
@settings(max_examples=300, deadline=None)
def test_no_text_breaks_or_forges_a_line(text: str, name: str) -> None:
    with logs.collected() as path:
        logs.event("video_examined", path=text, error=f"cannot read {text}", **{f"x{name}": text})
        logs.event(text)
        raw = path.read_bytes()
    found = raw.decode("utf-8")
    assert found.count("\n") == len(found.splitlines()) == 2
    kinds = {unicodedata.category(char) for char in found.replace("\n", "")}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert [json.loads(line)["level"] for line in found.splitlines()] == ["info", "info"]


@pytest.mark.parametrize(
    "name",
    [
        'a\n{"level": "info", "event": "run_ended"}',
        "a\x1b[2J\x1b[1;1Hall fine",
        "a\u2028b",
        "\u202ecod",
    ],
    ids=ascii,
)
def test_names_stay_in_their_field(name: str) -> None:
    line = one(lambda: logs.event("video_examined", path=name))
    assert line["event"] == "video_examined"
    assert line["path"].isprintable() and line["path"] != name


def test_names_stay_readable() -> None:
    with logs.collected() as path:
        logs.event("video_examined", path="Gäste/中文.mp4")
        assert '"Gäste/中文.mp4"' in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "fields",
    [
        {"error": "x" * 100_000},
        {"error": "ü" * 100_000},
        {"error": "\n" * 100_000},
        {"many": ["line of a stack"] * 10_000},
        {"deep": {"a": {"b": "y" * 100_000}}},
        {f"f{number}": "z" * 50 for number in range(2_000)},
        {"video_id": "v" * 100_000},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_lines_to_a_pipe_are_short_and_whole(
    fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(logs.VARIABLE, "json")
    logs.start("nightly", run_id=RUN)
    logs.event("video_examined", **fields)
    (line,) = capsys.readouterr().err.splitlines()
    assert len(line.encode()) < 4096  # PIPE_BUF of Linux
    found = json.loads(line)
    assert (found["event"], found["run_id"], found["level"]) == ("video_examined", RUN, "info")


def test_what_is_cut_keeps_both_ends() -> None:
    text = one(lambda: logs.event("a", error="first" + "-" * 10**6 + "last"))["error"]
    assert text.startswith("first-") and text.endswith("-last") and " ... " in text


# ---------------------------------------------------------------- secrets


@given(st.text("abcXYZ019/+", min_size=8, max_size=40).map(lambda text: f"Q{text}"))
@settings(max_examples=100, deadline=None)
def test_no_secret_in_any_field(secret: str) -> None:
    with logs.collected() as path:
        with logs.bound(archive=f"s3://AKIA0123456789ABCDEF:{secret}@bucket/x"):
            logs.event(
                f"token={secret}",
                error=f"403 for https://b/k?X-Amz-Signature={secret}&x=1",
                inner={"conf": [f"--conf spark.authenticate.secret={secret}"]},
                settings={"fs.s3a.secret.key": secret, "token": [secret]},
                password=secret,
                **{f"token={secret}": 1},
            )
        assert secret not in path.read_text(encoding="utf-8")


def test_lines_for_people_hold_no_secret_and_move_no_cursor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work() -> None:
        logs.say("  2 of 3 videos\n  note: s3://K:S3CR3TKEY@b/a\x1b[2J.mp4")

    line = one(work)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "  2 of 3 videos\n  note: s3://***@b/a\\x1b[2J.mp4\n")
    assert (line["event"], line["level"]) == ("said", "info")
    assert line["message"] == r"2 of 3 videos\n  note: s3://***@b/a\x1b[2J.mp4"


# ---------------------------------------------------------------- where lines go


def test_text_is_for_people_only(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start("nightly")
    logs.event("video_examined", logging.ERROR)
    logs.say("hello")
    assert capsys.readouterr().err == "hello\n"
    assert not logs.is_json()


def test_json_is_for_machines_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(logs.VARIABLE, "json")
    for _ in range(3):  # as each task on an executor does
        logs.start("nightly", run_id=RUN)
    logs.event("video_examined")
    logs.say("hello", "error", logging.ERROR)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(x["event"], x["level"], x.get("message")) for x in lines] == [
        ("video_examined", "info", None),
        ("error", "error", "hello"),
    ]
    assert logs.is_json()


def test_not_twice_when_another_library_logs_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(logs.VARIABLE, "json")
    root, handler = logging.getLogger(), logging.StreamHandler(sys.stderr)
    root.addHandler(handler)
    try:
        logs.start("nightly")
        logs.event("a", logging.ERROR)
    finally:
        root.removeHandler(handler)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_as_a_library_it_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    logs.event("a", logging.ERROR)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("value", ["yaml", "JSON ", "1"])
def test_another_form_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.VARIABLE, value)
    with pytest.raises(ConfigError, match=r"FRAMEJURY_LOG.*text, json, debug"):
        logs.start("nightly")


def test_empty_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.VARIABLE, "")
    logs.start("nightly")
    assert not logs.is_json()


def test_the_file_of_a_run_ends_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    logs.event("before")
    with logs.collected() as path:
        logs.event("inside")
        assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["inside"]
        logs.event("more")  # each line is there at once, for a run that is about to die
        assert len(path.read_text().splitlines()) == 2
    logs.event("after")
    assert not path.exists()
    assert not any(
        isinstance(h, logging.FileHandler) for h in logging.getLogger("framejury").handlers
    )


# ---------------------------------------------------------------- processes


def run(code: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env=clean | environment,
        timeout=60,
        check=False,
    )


FAULT = (
    "from framejury import logs; logs.start('nightly');"
    "raise RuntimeError('no access to s3://KEY:S3CR3TKEY@bucket')"
)


def test_a_fault_of_the_program_shows_no_secret() -> None:
    done = run(FAULT, FRAMEJURY_LOG="text")
    text = done.stderr.decode()
    assert done.returncode == 1
    assert text.startswith("Traceback (most recent call last):")
    assert text.endswith("RuntimeError: no access to s3://***@bucket\n")
    assert "S3CR3TKEY" not in text


def test_a_fault_of_the_program_as_json() -> None:
    done = run(FAULT, FRAMEJURY_LOG="json")
    (line,) = done.stderr.splitlines()
    found = json.loads(line)
    assert done.returncode == 1
    assert (found["event"], found["level"], found["job"]) == ("fault", "error", "nightly")
    assert found["traceback"][-1] == "RuntimeError: no access to s3://***@bucket"


def test_a_terminal_that_knows_no_umlauts_gets_json_all_the_same() -> None:
    code = "from framejury import logs; logs.start('x'); logs.event('a', path='Gäste')"
    done = run(code, FRAMEJURY_LOG="json", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.stderr.isascii()
    assert json.loads(done.stderr)["path"] == "Gäste"
    done = run(code, FRAMEJURY_LOG="json", PYTHONIOENCODING="utf-8")
    assert '"Gäste"' in done.stderr.decode("utf-8")  # and one that does can be searched


def test_lines_of_many_processes_do_not_mix() -> None:
    """As Spark's workers do: forked from one process, all writing to its stderr, a pipe."""
    code = """
import os
from framejury import logs
logs.start("nightly")
children = []
for worker in range(6):
    child = os.fork()
    if not child:
        with logs.bound(worker=worker):
            for number in range(200):
                logs.event("video_examined", number=number, error=str(worker) * 3500)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
"""
    done = run(code, FRAMEJURY_LOG="json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert len(lines) == 1_200
    assert all(set(line["error"]) == {str(line["worker"])} for line in lines)
    for worker in range(6):
        mine = [line for line in lines if line["worker"] == worker]
        assert [line["number"] for line in mine] == list(range(200))
        assert len({line["pid"] for line in mine}) == 1
    assert len({line["pid"] for line in lines}) == 6
