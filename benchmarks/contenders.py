"""Contenders in processes of their own, timed in turn: A B A B, never A A B B."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")

Request = Mapping[str, Any]


class ContenderError(Exception):
    """A contender could not start or failed; the message is the last it said."""


@dataclass(frozen=True)
class Contender:
    """Who is measured.

    Attributes:
        name: in tables and of the log file.
        factory: `package.module:function`; called with `setup`, returns what is timed.
        setup: plain values.
        cores: it is pinned to these.
        repeats: most timed runs of each request; None: as many as asked for.
        python: the interpreter it runs in.
    """

    name: str
    factory: str
    setup: Mapping[str, Any]
    cores: tuple[int, ...]
    repeats: int | None = None
    python: str = sys.executable


@dataclass(frozen=True)
class Run:
    """One timed run: seconds of wall clock and of its process, and what it says of itself."""

    wall_s: float
    cpu_s: float
    facts: Mapping[str, Any]


@dataclass
class Series:
    """The runs of one contender: `runs[request][repeat]`."""

    runs: list[list[Run]] = field(default_factory=list)

    @property
    def total_s(self) -> float:
        """Sum over the requests of the median seconds."""
        return sum(statistics.median(run.wall_s for run in runs) for runs in self.runs)

    @property
    def totals_s(self) -> list[float]:
        """Sum over the requests in each repeat, seconds."""
        return [sum(run.wall_s for run in repeat) for repeat in zip(*self.runs, strict=True)]

    def facts(self) -> list[Mapping[str, Any]]:
        """Of each request's last run."""
        return [runs[-1].facts for runs in self.runs]


class Child:
    """A contender's process. A context manager."""

    def __init__(self, contender: Contender, log_dir: Path) -> None:
        """Start it and wait until its models are loaded.

        Raises:
            ContenderError: it cannot start.
        """
        self._contender = contender
        log_dir.mkdir(parents=True, exist_ok=True)
        self._log = (log_dir / f"{contender.name.replace(' ', '-')}.log").open("w")
        environment = os.environ | {
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'lib'}",
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "CUDA_VISIBLE_DEVICES": "-1",
        }
        if len(contender.cores) == 1:
            environment |= dict.fromkeys(_ONE_THREAD, "1")
        self._process = subprocess.Popen(
            [contender.python, "-m", "benchmarks.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment,
        )
        hello = {
            "factory": contender.factory,
            "setup": dict(contender.setup),
            "cores": contender.cores,
        }
        try:
            self._exchange(hello)
        except BaseException:
            self.close()
            raise

    def run(self, request: Request) -> Run:
        """One timed run.

        Raises:
            ContenderError: it failed, and its process is gone.
        """
        return Run(**self._exchange(request))

    def close(self) -> None:
        """Let it end; it has nothing to lose."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _exchange(self, message: Request) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        line = ""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(dict(message)) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "its process died"}
        if "error" in answer:
            raise ContenderError(f"{self._contender.name}: {answer['error']}")
        return answer


def alternate(
    contenders: Sequence[Contender],
    requests: Sequence[Request],
    *,
    repeats: int,
    log_dir: Path,
    warm_up: Request | None = None,
) -> dict[str, Series]:
    """Time every contender on every request, in turn.

    Args:
        contenders: names differ; all live at the same time, one works at a time.
        requests: what each is asked.
        repeats: timed rounds over all requests, at least 1.
        log_dir: what they print goes there.
        warm_up: the request each runs once before, untimed; None: the first of `requests`.

    Returns:
        by name.

    Raises:
        ContenderError: one of them cannot start or fails.
    """
    results = {contender.name: Series([[] for _ in requests]) for contender in contenders}
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(Child(each, log_dir)) for each in contenders]
        for child in children:
            child.run(requests[0] if warm_up is None else warm_up)
        for repeat in range(repeats):
            for number, request in enumerate(requests):
                for contender, child in zip(contenders, children, strict=True):
                    if contender.repeats is None or repeat < contender.repeats:
                        results[contender.name].runs[number].append(child.run(request))
    return results


def ratios(slow: Series, fast: Series) -> Iterator[float]:
    """Seconds of `slow` over those of `fast`, repeat by repeat."""
    slow_s, fast_s = slow.totals_s, fast.totals_s
    for repeat in range(max(len(slow_s), len(fast_s))):
        # What was run once stands against every repeat of the other.
        yield slow_s[min(repeat, len(slow_s) - 1)] / fast_s[min(repeat, len(fast_s) - 1)]
