"""Tell webhooks how a run ended. A run never fails because nobody could be told.

The address of a webhook is its secret: it is kept nowhere, and messages name only its host.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from threading import Thread
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from framejury import __version__, logs
from framejury.cli.options import INTERRUPTED, exit_code_of
from framejury.clock import now, process_started
from framejury.errors import UsageError
from framejury.redaction import printable, redacted
from framejury.runs.run_metrics import RunMetrics
from framejury.schemas.outcomes import outcome_counts

VARIABLE = "FRAMEJURY_NOTIFY"
"""Environment variable: addresses of webhooks, separated by spaces."""

LIMIT_S = 30.0
"""Longest time that notifying may take, retries included."""

_ATTEMPT_S = 10.0
_FIRST_PAUSE_S = 1.0
_LONGEST_ERROR = 500
_ANSWER_BYTES = 200
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_MEANING: Mapping[Any, str] = {
    1: "a fault; run it again",
    2: "something must be fixed first",
    143: "terminated; run it again",
}
"""Of exit codes of runs that failed; the line of a run that was committed has its own words."""


@dataclass
class Notice:
    """What webhooks will be told.

    Attributes:
        line: the run's JSON line (`RunMetrics.to_plain`); empty as long as there is none.
    """

    line: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def notifying(job: str, args: argparse.Namespace) -> Iterator[Notice]:
    """Post the notice that the body fills when it ends, and a message if it fails.

    Nothing is posted for a dry run, a retry without work, and Ctrl-C.

    Args:
        job: such as `nightly`.
        args: with `notify`, `dry_run` and `warehouse`, perhaps `archive`.

    Raises:
        UsageError: an address is not that of a webhook; raised before the body.
    """
    urls = [] if args.dry_run else webhooks(args.notify)
    notice = Notice()
    try:
        yield notice
    except BaseException as error:
        code = exit_code_of(error)
        if code != INTERRUPTED:
            line = notice.line or _early_end(job, args, code)
            notify(urls, {**line, "exit_code": code, "error": _words_of(error)})
        raise
    if notice.line:
        notify(urls, notice.line)


def webhooks(given: Sequence[str] | None) -> list[str]:
    """Return the checked addresses of `--notify`, or of the environment variable.

    Raises:
        UsageError: an address is not that of a webhook.
    """
    where = f"${VARIABLE}" if given is None else "--notify"
    urls = os.environ.get(VARIABLE, "").split() if given is None else given
    for url in urls:
        _check(url, where)
    return list(dict.fromkeys(urls))


def notify(urls: Sequence[str], line: Mapping[str, Any], *, limit_s: float = LIMIT_S) -> None:
    """Post a run's JSON line to webhooks, all at the same time; warn of those that do not take it.

    The body is the line with a key `text`: what happened in words, as Slack and Mattermost show
    it. Connection errors and the status codes 429 and 5xx are tried again. Redirects are not
    followed, and certificates are checked.

    Args:
        urls: addresses from `webhooks`.
        line: JSON values.
        limit_s: longest time for all of this, seconds.
    """
    body = json.dumps({"text": summary(line), **line}, allow_nan=False).encode()
    until = time.monotonic() + limit_s
    posts = [_Post(url, body, until) for url in urls]
    for post in posts:
        post.start()
    for post in posts:
        # The name of a host may take longer to look up than any timeout of a socket.
        post.join(max(0.0, until - time.monotonic()))
        host = _host(urlsplit(post.url))
        if post.failure is None:
            logs.event("notified", host=host)
        else:
            text = f"warning: {host} was not notified: {post.failure}"
            logs.say(text, "not_notified", logging.WARNING)


def summary(line: Mapping[str, Any]) -> str:
    """Return in words how a run ended: no names of videos, and nothing that chats act upon."""
    code = line.get("exit_code")
    ended = f"ended with exit code {code}"
    if meaning := line.get("meaning") or _MEANING.get(code):
        ended += f" ({meaning.rstrip('.')})"
    parts = [f"framejury {line.get('job')} on {socket.gethostname()} {ended}."]
    if line.get("error"):
        parts.append(f"{str(line['error']).rstrip('.')}.")
    counts = line.get("counts") or {}
    outcomes = outcome_counts(counts.get("statuses") or {}, counts.get("verdicts") or {})
    for before, some in (("Judged", outcomes), ("Failed", counts.get("failures") or {})):
        found = [f"{number:,} {key.replace('_', ' ')}" for key, number in some.items() if number]
        if found:
            parts.append(f"{before}: {', '.join(found)}.")
    parts.append(f"Warehouse: {line.get('warehouse')}")
    run_ids = line.get("run_ids")
    if run_ids:
        parts.append(f"Run: {run_ids[-1]}")
    return _harmless(" ".join(parts))


def _harmless(text: str) -> str:
    """Return text in which chats see no markup and no mention, whatever an error quotes."""
    plain = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace("@", "(at)").replace("`", "'")


def _early_end(job: str, args: argparse.Namespace, code: int) -> dict[str, Any]:
    """Return the JSON line of a run that failed before it worked on anything."""
    return RunMetrics(
        job=job,
        exit_code=code,
        started_at=process_started(),
        ended_at=now(),
        warehouse=args.warehouse,
        archive=getattr(args, "archive", None),
    ).to_plain()


def _words_of(error: BaseException) -> str:
    words = redacted(str(error) or type(error).__name__)
    return printable(" ".join(words.split())[:_LONGEST_ERROR])


def _check(url: str, where: str) -> None:
    """Check an address.

    Raises:
        UsageError: it is no address that can be posted to; the message does not quote it.
    """
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(
            f"{where} holds something that is not an http:// or https:// address (not shown here, "
            "as such addresses are secrets)"
        )
    if "@" in parts.netloc:
        raise UsageError(
            f"{where} names a user or a password for {_host(parts)}; use an address with a token"
        )


def _host(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class _NoRedirect(HTTPRedirectHandler):
    """Follows nothing: a POST would become a GET, or go where the operator did not say."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class _Post(Thread):
    """Posts a message to one webhook.

    Attributes:
        failure: why it was not taken, in words; None: it was.
    """

    def __init__(self, url: str, body: bytes, until: float) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.failure: str | None = "no answer in time"
        self._body = body
        self._until = until

    def run(self) -> None:
        """Try until it is taken, refused for good, or the time is up."""
        pause_s = _FIRST_PAUSE_S
        while (left_s := self._until - time.monotonic()) > 0:
            failure, wait_s = self._attempt(min(_ATTEMPT_S, left_s))
            self.failure = failure
            if failure is None or wait_s is None:
                return
            wait_s = max(wait_s, pause_s)
            if time.monotonic() + wait_s >= self._until:
                return
            time.sleep(wait_s)
            pause_s *= 2

    def _attempt(self, timeout_s: float) -> tuple[str | None, float | None]:
        """Return why it failed (None: it did not), and the least wait for a retry (None: none)."""
        request = Request(
            self.url,
            self._body,
            {"Content-Type": "application/json", "User-Agent": f"framejury/{__version__}"},
        )
        try:
            with build_opener(_NoRedirect).open(request, timeout=timeout_s):
                return None, None
        except HTTPError as answer:
            with answer:
                wait = answer.headers.get("Retry-After", "")
                return _words_of_answer(answer), _retry_after_s(answer.code, wait)
        except (OSError, HTTPException, ValueError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            return printable(str(reason) or type(reason).__name__)[:_LONGEST_ERROR], 0.0


def _words_of_answer(answer: HTTPError) -> str:
    words = f"it answered {answer.code}"
    if 300 <= answer.code < 400:
        return f"{words}, a redirect, and redirects are not followed; name the new address"
    try:
        said = answer.read(_ANSWER_BYTES).decode(errors="replace")
    except (OSError, HTTPException):
        said = ""
    said = printable(" ".join(redacted(said).split()))
    return f"{words} ({said})" if said else words


def _retry_after_s(code: int, text: str) -> float | None:
    """Return how long the server wants us to wait, seconds; None: do not try again.

    Args:
        code: status code of its answer.
        text: the header `Retry-After`, seconds or a date; empty if there is none.
    """
    if code != _TOO_MANY_REQUESTS and code < _SERVER_ERROR:
        return None
    if text.isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
