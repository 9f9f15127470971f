"""A real standalone Spark cluster on loopback: a master and workers, each a process.

Workers know Java and the system's Python and nothing of this project: their environment is
made from scratch, their working directory lies outside, and Spark is a folder of links to the
jars of the installed pyspark. What executors import must come with the job.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyspark

from tests.builders.cluster.keeper import MARK, end_all, is_dead, marked, start_keeper

ROOT = Path(__file__).resolve().parents[3]
START_LIMIT_S = 90.0
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
SECRET = "not-a-word-that-is-printed-anywhere"


@dataclass
class Daemon:
    """One process of the cluster, and where it writes."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def find(self, pattern: str) -> re.Match[str] | None:
        """The first match in what it printed so far."""
        return re.search(pattern, self.log.read_text(encoding="utf-8", errors="replace"))


@dataclass(frozen=True)
class Executor:
    """A running executor's Java process.

    Attributes:
        number: Spark's id of it within its application.
        worker: index of the worker it runs on.
        folder: its working directory, where archives are unpacked.
    """

    pid: int
    number: str
    worker: int
    folder: Path


@dataclass
class Cluster:
    """One master and some workers; use as a context manager.

    Args:
        workers: how many, one core each, on addresses 127.0.0.1, 127.0.0.2 and so on, so
            that Spark takes them for different machines.
        settings: of every daemon, as in spark-defaults.conf (`spark.authenticate` and so on).
        environment: of every daemon beside what it needs anyway.
        scratch: each worker's SPARK_LOCAL_DIRS; below the cluster's own folder when None.
    """

    workers: int = 2
    settings: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    scratch: list[Path] | None = None

    def __enter__(self) -> Cluster:
        self.name = f"framejury-{secrets.token_hex(6)}"
        # Not below pytest's folder: the keeper removes it when pytest is gone.
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self._keeper = start_keeper(self.name, self.folder)
        self.daemons: list[Daemon | None] = [None] * self.workers
        try:
            self._home = self._spark_home()
            self.master = self._start_master()
            for index in range(self.workers):
                self.start_worker(index)
            self.wait_for_workers(self.workers)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill every process, and remove every file of the cluster."""
        end_all(self.name)
        for daemon in [getattr(self, "master", None), *self.daemons]:
            if daemon is not None:
                daemon.process.wait(timeout=10)
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait(timeout=600)  # it removes files, slowly on a busy machine

    @property
    def url(self) -> str:
        """`spark://127.0.0.1:PORT`."""
        return self._url

    def driver_environment(self) -> dict[str, str]:
        """What a driver on this cluster is started with: ours, and the mark to find it by."""
        scratch = self.folder / "driver"
        scratch.mkdir(exist_ok=True)
        # A killed driver tidies nothing up: what it leaves goes with the cluster.
        own = {"SPARK_LOCAL_DIRS": str(scratch), "TMPDIR": str(scratch)}
        return os.environ | own | {MARK: self.name, "SPARK_LOCAL_IP": "127.0.0.1"}

    # ------------------------------------------------------------ what is there

    def state(self) -> dict[str, Any]:
        """The master's own account of workers and applications."""
        with urllib.request.urlopen(f"{self._page}/json/", timeout=10) as answer:
            state: dict[str, Any] = json.load(answer)
        return state

    def alive(self) -> int:
        """Workers that the master takes for alive."""
        return sum(worker["state"] == "ALIVE" for worker in self.state()["workers"])

    def wait_for_workers(self, count: int) -> None:
        wait_until(lambda: self.alive() == count, f"{count} workers at {self.url}", self._logs)

    def executors(self) -> list[Executor]:
        """Executors that run now, whoever's application they are."""
        found = []
        for pid in marked(self.name):
            with suppress(OSError, ValueError):  # ended meanwhile
                words = Path(f"/proc/{pid}/cmdline").read_text("utf-8").split("\0")
                if "org.apache.spark.executor.CoarseGrainedExecutorBackend" in words:
                    folder = Path(f"/proc/{pid}/cwd").readlink()
                    worker = int(folder.relative_to(self.folder).parts[0].removeprefix("worker"))
                    number = words[words.index("--executor-id") + 1]
                    found.append(Executor(pid, number, worker, folder))
        return found

    # ------------------------------------------------------------ harm

    def kill_worker(self, index: int) -> None:
        """SIGKILL a worker and its executors, as when a machine loses power."""
        daemon = self.daemons[index]
        assert daemon is not None, f"worker {index} was killed before"
        victims = [e.pid for e in self.executors() if e.worker == index]
        for pid in [daemon.pid, *victims]:
            kill(pid)
        daemon.process.wait(timeout=10)
        self.daemons[index] = None

    def start_worker(self, index: int) -> None:
        """Start a worker, or start it again with an empty working directory."""
        assert self.daemons[index] is None, f"worker {index} runs"
        shutil.rmtree(self.folder / f"worker{index}", ignore_errors=True)
        host = f"127.0.0.{index + 1}"
        arguments = ["--host", host, "--port", "0", "--webui-port", "0", "--cores", "1"]
        arguments += ["--memory", "2g", "--work-dir", str(self.folder / f"worker{index}" / "work")]
        scratch = self.scratch[index] if self.scratch else self.folder / f"worker{index}" / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        self.daemons[index] = self._start(
            f"worker{index}",
            ["org.apache.spark.deploy.worker.Worker", *arguments, self.url],
            # TMPDIR: Python's scratch, too, goes where this machine's disk is.
            {"SPARK_LOCAL_IP": host, "SPARK_LOCAL_DIRS": str(scratch), "TMPDIR": str(scratch)},
        )

    # ------------------------------------------------------------ starting

    def _spark_home(self) -> Path:
        """Spark as a cluster has it: jars, scripts, and pyspark as the zip that Spark ships."""
        installed = Path(pyspark.__file__).parent
        home = self.folder / "spark"
        (home / "python").mkdir(parents=True)
        (home / "conf").mkdir()
        for name in ("bin", "sbin", "jars", "python/lib"):
            (home / name).symlink_to(installed / name, target_is_directory=True)
        defaults = home / "conf" / "spark-defaults.conf"
        defaults.touch(mode=0o600)  # it may hold a secret
        # No second door beside the master's own port.
        settings = {"spark.master.rest.enabled": "false", **self.settings}
        defaults.write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
        return home

    def _start_master(self) -> Daemon:
        arguments = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
        daemon = self._start(
            "master",
            ["org.apache.spark.deploy.master.Master", *arguments],
            {"SPARK_LOCAL_IP": "127.0.0.1"},
        )
        url = r"Starting Spark master at (spark://\S+)"
        page = r"Bound MasterWebUI to \S+, and started at (http://\S+)"
        wait_until(
            lambda: daemon.find(url) and daemon.find(page) and daemon.find("New state: ALIVE"),
            "the master",
            daemon.log.read_text,
        )
        self._url, self._page = (
            match[1] for match in (daemon.find(url), daemon.find(page)) if match
        )
        return daemon

    def _start(self, name: str, command: list[str], environment: Mapping[str, str]) -> Daemon:
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        log = self.folder / f"{name}.log"
        with log.open("ab") as stream:
            process = subprocess.Popen(
                [str(self._home / "bin" / "spark-class"), *command],
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                env={
                    MARK: self.name,
                    "PATH": SYSTEM_PATH,
                    "HOME": str(home),
                    "LANG": "C.UTF-8",
                    "JAVA_HOME": java_home(),
                    "SPARK_HOME": str(self._home),
                    "SPARK_CONF_DIR": str(self._home / "conf"),
                    "SPARK_DAEMON_MEMORY": "256m",
                    "SPARK_PUBLIC_DNS": "127.0.0.1",
                    **environment,
                    **self.environment,
                },
            )
        return Daemon(name, log, process)

    def _logs(self) -> str:
        return "\n".join(
            f"--- {log.name}\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}"
            for log in sorted(self.folder.glob("*.log"))
        )


def kill(pid: int) -> bool:
    """SIGKILL; whether the process was there to be killed."""
    if is_dead(pid):
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def wait_until(
    true: Callable[[], object],
    what: str,
    explain: Callable[[], str] = lambda: "",
    limit_s: float = START_LIMIT_S,
) -> None:
    """Ask until the answer is true.

    Raises:
        TimeoutError: it was not within `limit_s`; the message ends with `explain()`.
    """
    deadline_s = time.monotonic() + limit_s
    while not true():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"no {what} within {limit_s:g} s\n{explain()}")
        time.sleep(0.1)


def java_home() -> str:
    """The Java that `make setup` found."""
    return subprocess.run(
        [str(ROOT / "bin" / "find-java.sh")], capture_output=True, text=True, check=True
    ).stdout.strip()


if __name__ == "__main__":
    with Cluster() as cluster:
        print(cluster.url, cluster.folder, flush=True)
        sys.stdin.read()
