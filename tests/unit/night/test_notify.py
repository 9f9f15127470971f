"""Webhooks: what is posted, when it is tried again, and that it never breaks a run."""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from framejury.cli.options import TerminatedError
from framejury.errors import ArchiveError, LockError, UsageError
from framejury.night.notify import VARIABLE, notify, notifying, summary, webhooks
from tests.builders.webhooks import TOKEN, Hook, says, served

LINE = {
    "job": "nightly",
    "exit_code": 3,
    "meaning": "the run is complete, but 99.8% of the videos opened failed.",
    "run_ids": ["one", "two"],
    "warehouse": "s3://bucket/w",
    "counts": {
        "statuses": {"scored": 2, "crashed": 1_234, "no_face": 1},
        "verdicts": {"fake": 2, "inconclusive": 1_235},
        "failures": {"crashed": 1_234},
    },
}


def hangs(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(20)


def trickles(handler: BaseHTTPRequestHandler) -> None:
    """A header that never ends, slowly enough for no timeout of a socket."""
    for _ in range(400):
        handler.wfile.write(b"H")
        handler.wfile.flush()
        time.sleep(0.05)


def gushes(code: int) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.end_headers()
        for _ in range(20_000):  # 20 GB
            handler.wfile.write(b"x" * 1_000_000)

    return answer


@pytest.fixture
def warned(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """The lines printed so far; none of them holds the token."""

    def lines() -> list[str]:
        out, err = capsys.readouterr()
        assert out == "" and TOKEN not in err
        return err.splitlines()

    return lines


# ---------------------------------------------------------------- posting


def test_the_line_is_posted_once_with_words(warned: Callable[[], list[str]]) -> None:
    with served(Hook([says(200)])) as hook:
        notify([hook.url], LINE)
    (body,), (headers,) = hook.bodies, hook.headers
    assert {name: body[name] for name in LINE} == LINE and hook.methods == ["POST"]
    assert headers["Content-Type"] == "application/json"
    text = body["text"]
    assert "exit code 3 (the run is complete, but 99.8% of the videos opened failed)." in text
    assert (
        "Judged: 2 fake, 1,235 not scored. Failed: 1,234 crashed. Warehouse: s3://bucket/w Run: two"
        in text
    )
    assert warned() == []


@pytest.mark.parametrize("first", [500, 503, 429])
def test_a_busy_server_is_asked_again(first: int, warned: Callable[[], list[str]]) -> None:
    with served(Hook([says(first), says(204)])) as hook:
        notify([hook.url], LINE)
    assert len(hook.bodies) == 2 and hook.bodies[0] == hook.bodies[1]
    assert 0.9 < hook.times[1] - hook.times[0] < 5
    assert warned() == []


def test_the_server_says_how_long_to_wait(warned: Callable[[], list[str]]) -> None:
    with served(Hook([says(429, Retry_After="3"), says(200)])) as hook:
        notify([hook.url], LINE)
    assert 2.9 < hook.times[1] - hook.times[0] < 8 and warned() == []


@pytest.mark.parametrize("wait", ["3600", "Fri, 31 Dec 2100 23:59:59 GMT", "9" * 30])
def test_a_wait_beyond_the_limit_is_not_waited_for(
    wait: str, warned: Callable[[], list[str]]
) -> None:
    began = time.monotonic()
    with served(Hook([says(429, Retry_After=wait)])) as hook:
        notify([hook.url], LINE)
    assert len(hook.bodies) == 1 and time.monotonic() - began < 5
    assert "it answered 429" in warned()[0]


@pytest.mark.parametrize("wait", ["soon", "-1", "Thu, 01 Jan 1970 00:00:00 GMT", "1.5"])
def test_a_wait_that_is_none(wait: str, warned: Callable[[], list[str]]) -> None:
    with served(Hook([says(503, Retry_After=wait), says(200)])) as hook:
        notify([hook.url], LINE)
    assert len(hook.bodies) == 2 and warned() == []


@pytest.mark.parametrize("code", [400, 401, 404, 410])
def test_a_refusal_is_final_and_quoted(code: int, warned: Callable[[], list[str]]) -> None:
    with served(Hook([says(code, b"no_text\x1b[2J\nmore")])) as hook:
        notify([hook.url], LINE)
    (line,) = warned()
    assert line.startswith("warning: http://localhost:") and "\x1b" not in line
    assert line.endswith(f"was not notified: it answered {code} (no_text\\x1b[2J more)")
    assert len(hook.bodies) == 1


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["http", "file:///etc/passwd", "ftp://localhost/x"])
def test_redirects_are_not_followed(code: int, to: str, warned: Callable[[], list[str]]) -> None:
    with served(Hook([says(200)])) as other:
        target = other.url if to == "http" else to
        with served(Hook([says(code, Location=target)])) as hook:
            notify([hook.url], LINE)
    assert (len(hook.bodies), other.bodies) == (1, [])
    assert "redirects are not followed" in warned()[0]


@pytest.mark.parametrize("answer", [hangs, trickles], ids=lambda one: one.__name__)
def test_a_server_that_hangs_costs_no_more_than_the_limit(
    answer: Callable[[BaseHTTPRequestHandler], None], warned: Callable[[], list[str]]
) -> None:
    began = time.monotonic()
    with served(Hook([answer])) as slow, served(Hook([says(200)])) as quick:
        notify([slow.url, quick.url], LINE, limit_s=2)
        assert time.monotonic() - began < 4
    assert len(quick.bodies) == 1
    (line,) = warned()
    assert "was not notified: " in line


@pytest.mark.parametrize("code", [200, 500])
def test_a_huge_answer_is_not_read(code: int, warned: Callable[[], list[str]]) -> None:
    began = time.monotonic()
    with served(Hook([gushes(code), says(200)])) as hook:
        notify([hook.url], LINE)
    assert len(hook.bodies) == (1 if code == 200 else 2)
    assert time.monotonic() - began < 10 and warned() == []


def test_nobody_listens(warned: Callable[[], list[str]]) -> None:
    with served(Hook([])) as gone:
        pass
    began = time.monotonic()
    notify([gone.url, f"http://no-such-host.invalid/{TOKEN}"], LINE, limit_s=4)
    assert time.monotonic() - began < 6
    first, second = warned()
    assert "Connection refused" in first
    assert second.startswith("warning: http://no-such-host.invalid was not notified: ")


def test_a_connection_that_breaks_is_tried_again(warned: Callable[[], list[str]]) -> None:
    def breaks(handler: BaseHTTPRequestHandler) -> None:
        handler.connection.close()

    with served(Hook([breaks, says(200)])) as hook:
        notify([hook.url], LINE)
    assert len(hook.bodies) == 2 and warned() == []


def test_certificates_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warned: Callable[[], list[str]]
) -> None:
    both = tmp_path / "both.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(both), "-out", str(tmp_path / "certificate.pem")),
        ],
        check=True,
        capture_output=True,
    )
    certificate = tmp_path / "certificate.pem"
    both.write_text(both.read_text() + certificate.read_text())
    with served(Hook([says(200)]), both) as hook:
        notify([hook.url], LINE, limit_s=2)
        assert hook.bodies == [] and "CERTIFICATE_VERIFY_FAILED" in warned()[0]
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        notify([hook.url], LINE)
    assert len(hook.bodies) == 1 and warned() == []


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://host/x", "file:///etc/passwd", "host/x", "", "http://", "https:///x"),
        *("http://ho st/", "http://host/a b", "http://host/\nx", "http://host/ü", "http://[::1"),
        *("http://host:99999/", "http://host:x/", f"http://user:{TOKEN}@host/", "//host/x"),
    ],
)
def test_what_is_no_webhook_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        webhooks([url])
    assert "--notify" in str(refused.value) and TOKEN not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_addresses_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert webhooks(None) == []
    monkeypatch.setenv(VARIABLE, " https://a/x?y=1  http://[::1]:80/z\nhttps://a/x?y=1 ")
    assert webhooks(None) == ["https://a/x?y=1", "http://[::1]:80/z"]
    assert webhooks(["https://b/"]) == ["https://b/"]  # the option wins
    monkeypatch.setenv(VARIABLE, "nonsense")
    with pytest.raises(UsageError, match=rf"\${VARIABLE}"):
        webhooks(None)


# ---------------------------------------------------------------- words


def test_an_error_pings_nobody_and_links_nowhere() -> None:
    error = "no file @channel <!here> <https://evil/|click> `x` \u202eabc"
    text = summary({**LINE, "exit_code": 2, "error": error})
    assert not set("<>@`\u202e") & set(text)
    assert "no file (at)channel &lt;!here&gt;" in text


def test_words_need_no_counts() -> None:
    text = summary({"job": "retry", "exit_code": 7, "warehouse": "/w", "counts": None})
    assert text.startswith("framejury retry on ") and "ended with exit code 7. Ware" in text


# ---------------------------------------------------------------- the end of a run


def options(**more: Any) -> argparse.Namespace:
    place = "s3://KEY:S3CR3TKEY@bucket/w"
    return argparse.Namespace(**{"dry_run": False, "warehouse": place, "archive": "/a", **more})


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ArchiveError("no archive at /a"), 2),
        (LockError("in use by another"), 1),
        (ZeroDivisionError("division by zero"), 1),
        (TerminatedError(), 143),
    ],
)
def test_a_run_that_fails_before_any_work_is_told_and_its_error_goes_on(
    error: BaseException, code: int
) -> None:
    with (
        served(Hook([says(200)])) as hook,
        pytest.raises(type(error)),
        notifying("nightly", options(notify=[hook.url])),
    ):
        raise error
    (body,) = hook.bodies
    assert (body["job"], body["exit_code"], body["run_ids"]) == ("nightly", code, [])
    assert body["error"] == (str(error) or "TerminatedError") and body["error"] in body["text"]
    assert body["warehouse"] == "s3://***@bucket/w"


def test_a_failure_adds_to_the_line_that_there_is() -> None:
    with (
        served(Hook([says(200)])) as hook,
        pytest.raises(OSError, match="password"),
        notifying("retry", options(notify=[hook.url])) as notice,
    ):
        notice.line = {**LINE, "exit_code": 0}
        raise OSError(f"password={TOKEN} " + "x" * 9_999)
    (body,) = hook.bodies
    assert (body["exit_code"], body["run_ids"]) == (1, ["one", "two"])
    assert TOKEN not in json.dumps(body) and len(body["error"]) == 500


def test_a_run_that_ends_well_is_told_and_nothing_to_do_is_not() -> None:
    with served(Hook([says(200)])) as hook:
        with notifying("nightly", options(notify=[hook.url])) as notice:
            notice.line = LINE
        with notifying("retry", options(notify=[hook.url])):
            pass
        with notifying("nightly", options(notify=[hook.url], dry_run=True)) as notice:
            notice.line = LINE
        with pytest.raises(KeyboardInterrupt), notifying("nightly", options(notify=[hook.url])):
            raise KeyboardInterrupt
    assert [body["exit_code"] for body in hook.bodies] == [3]


def test_a_wrong_address_ends_a_run_before_its_work() -> None:
    with pytest.raises(UsageError), notifying("nightly", options(notify=["nonsense"])):
        pytest.fail("it went on")
