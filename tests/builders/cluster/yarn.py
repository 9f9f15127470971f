"""Hadoop on loopback: HDFS and YARN, each daemon of each machine a process of its own.

The daemons are Hadoop's own, from the jar of its mini cluster (`jars.py`) and PySpark's jars. They
are started one by one, not by the mini cluster's classes, so that to kill one is to kill a process.
Node managers know nothing of this project: what containers import must come with the job.
"""

from __future__ import annotations

import functools
import getpass
import os
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import pyspark
from pyarrow import fs

from framejury.storage import locate
from tests.builders.cluster.jars import hadoop_jars
from tests.builders.cluster.keeper import MARK, end_all, is_dead, marked, start_keeper
from tests.builders.cluster.standalone import (
    SYSTEM_PATH,
    Daemon,
    Executor,
    java_home,
    kill,
    wait_until,
)

_FROM_SPARK = (
    "hadoop-client-api",
    "hadoop-client-runtime",
    "slf4j-api",
    "log4j-1.2-api",
    "log4j-api",
    "log4j-core",
    "log4j-slf4j2-impl",
    "jcl-over-slf4j",
    "javax.servlet-api",
)
_HDFS = "org.apache.hadoop.hdfs.server"
_YARN = "org.apache.hadoop.yarn.server"
_EXECUTOR = "org.apache.spark.executor.YarnCoarseGrainedExecutorBackend"
MASTERS = (
    "org.apache.spark.deploy.yarn.ApplicationMaster",
    "org.apache.spark.deploy.yarn.ExecutorLauncher",
)
"""Main classes of application masters, with the driver inside (cluster mode) and without."""


@dataclass(frozen=True)
class Container:
    """A running application master's Java process, and the machine it runs on."""

    pid: int
    machine: int


class Hadoop:
    """HDFS and YARN on two machines; use as a context manager.

    Machine `i` is a data node, and a node manager at 127.0.0.(i+1), so that YARN takes them for
    different machines. (Data nodes share an address: the name node knows them by where they
    call from.)
    """

    workers = 2

    def __enter__(self) -> Hadoop:
        self._jars = _class_path()
        self.name = f"framejury-{secrets.token_hex(6)}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self._keeper = start_keeper(self.name, self.folder)
        self.daemons: dict[str, Daemon] = {}
        self.conf = self.folder / "conf"
        self.conf.mkdir()
        (self.folder / "home").mkdir()
        try:
            self._write_settings()
            self._run("format", f"{_HDFS}.namenode.NameNode", "-format", "-nonInteractive")
            self._start("namenode", f"{_HDFS}.namenode.NameNode")
            self._start("resourcemanager", f"{_YARN}.resourcemanager.ResourceManager")
            for machine in range(self.workers):
                self.start_node_manager(machine)
            self._wait_for_name_node()
            for machine in range(self.workers):
                self.start_data_node(machine)
            self.wait_until_whole()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill every process, and remove every file."""
        end_all(self.name)
        for daemon in self.daemons.values():
            daemon.process.wait(timeout=10)
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait(timeout=600)

    def driver_environment(self) -> dict[str, str]:
        """What `bin/submit.sh` is started with: ours, Hadoop's configuration, and the mark."""
        scratch = self.folder / "driver"
        scratch.mkdir(exist_ok=True)
        own = {"SPARK_LOCAL_DIRS": str(scratch), "TMPDIR": str(scratch)}
        own |= {"HADOOP_CONF_DIR": str(self.conf), "SPARK_LOCAL_IP": "127.0.0.1"}
        return os.environ | own | {MARK: self.name}

    # ------------------------------------------------------------ what is there

    def put(self, source: Path, uri: str) -> None:
        """Copy a folder of this machine into HDFS."""
        place = locate(uri)
        fs.copy_files(str(source), place.path, fs.LocalFileSystem(), place.filesystem)

    def executors(self) -> list[Executor]:
        """Executors that run now; `worker` is the machine."""
        found = []
        for pid, words in self._java():
            if _EXECUTOR in words:
                with suppress(OSError, ValueError):
                    number = words[words.index("--executor-id") + 1]
                    folder = Path(f"/proc/{pid}/cwd").readlink()
                    found.append(Executor(pid, number, self._machine_of(folder), folder))
        return found

    def masters(self) -> list[Container]:
        """Application masters that run now."""
        found = []
        for pid, words in self._java():
            if set(MASTERS) & set(words):
                with suppress(OSError, ValueError):
                    folder = Path(f"/proc/{pid}/cwd").readlink()
                    found.append(Container(pid, self._machine_of(folder)))
        return found

    def _java(self) -> list[tuple[int, list[str]]]:
        found = []
        for pid in marked(self.name):
            with suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_text("utf-8").split("\0")
                # The shells that start containers have the class in one word.
                found.append((pid, words))
        return found

    def _machine_of(self, folder: Path) -> int:
        return int(folder.relative_to(self.folder).parts[0].removeprefix("machine"))

    def logs(self, count: int = 3000) -> str:
        """The ends of the daemons' and the containers' logs."""
        places = [*self.folder.glob("*.log"), *self.folder.glob("machine*/logs/*/*/std*")]
        return "\n".join(
            f"--- {log.relative_to(self.folder)}\n{_end(log, count)}" for log in sorted(places)
        )

    # ------------------------------------------------------------ harm

    def kill_node_manager(self, machine: int) -> None:
        """SIGKILL a node manager and the containers it started, as when a machine loses power."""
        self._kill(f"nodemanager{machine}")
        containers = [*(e.pid for e in self.executors() if e.worker == machine)]
        containers += [master.pid for master in self.masters() if master.machine == machine]
        for pid in containers:
            kill(pid)

    def kill_data_node(self, machine: int) -> None:
        """SIGKILL a data node."""
        self._kill(f"datanode{machine}")

    def start_node_manager(self, machine: int) -> None:
        folder = self.folder / f"machine{machine}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        host = f"127.0.0.{machine + 1}"
        self._start(
            f"nodemanager{machine}",
            f"{_YARN}.nodemanager.NodeManager",
            {
                "yarn.nodemanager.hostname": host,
                "yarn.nodemanager.address": f"{host}:0",
                "yarn.nodemanager.bind-host": host,
                "yarn.nodemanager.localizer.address": f"{host}:{_free_port(host)}",
                "yarn.nodemanager.webapp.address": f"{host}:0",
                "yarn.nodemanager.local-dirs": f"{folder}/local",
                "yarn.nodemanager.log-dirs": f"{folder}/logs",
            },
        )

    def start_data_node(self, machine: int) -> None:
        self._start(
            f"datanode{machine}",
            f"{_HDFS}.datanode.DataNode",
            {
                "dfs.datanode.data.dir": f"{self.folder}/data{machine}",
                "dfs.datanode.address": "127.0.0.1:0",
                "dfs.datanode.ipc.address": "127.0.0.1:0",
                "dfs.datanode.http.address": "127.0.0.1:0",
            },
        )

    def settle(self) -> None:
        """Start again what was killed, and wait until all are there."""
        for machine in range(self.workers):
            if self._is_dead(f"nodemanager{machine}"):
                self.start_node_manager(machine)
            if self._is_dead(f"datanode{machine}"):
                self.start_data_node(machine)
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        """Until node managers and data nodes have reported to their masters."""
        ready = {"nodemanager": "Registered with ResourceManager", "datanode": "sent block report"}
        for kind, words in ready.items():
            for machine in range(self.workers):
                daemon = self.daemons[f"{kind}{machine}"]
                self._wait_for(daemon, words)

    def _is_dead(self, name: str) -> bool:
        return name not in self.daemons or is_dead(self.daemons[name].pid)

    def _kill(self, name: str) -> None:
        kill(self.daemons[name].pid)
        self.daemons[name].process.wait(timeout=10)

    # ------------------------------------------------------------ starting

    def _write_settings(self) -> None:
        master, port = "127.0.0.1", functools.partial(_free_port, "127.0.0.1")
        manager = "yarn.resourcemanager"
        files = {
            "core-site.xml": {
                "fs.defaultFS": f"hdfs://{master}:{port()}",
                "hadoop.tmp.dir": f"{self.folder}/hadoop",
            },
            "hdfs-site.xml": {
                "dfs.namenode.name.dir": f"{self.folder}/names",
                "dfs.namenode.http-address": f"{master}:0",
                "dfs.replication": str(self.workers),
                # A silent data node counts as dead after 2 * 2 + 10 * 1 seconds.
                "dfs.heartbeat.interval": "1",
                "dfs.namenode.heartbeat.recheck-interval": "2000",
                "dfs.namenode.safemode.extension": "0",
            },
            "yarn-site.xml": {
                f"{manager}.hostname": master,
                **{
                    f"{manager}.{part}address": f"{master}:{port()}"
                    for part in ("", "scheduler.", "resource-tracker.", "admin.", "webapp.")
                },
                "yarn.scheduler.minimum-allocation-mb": "128",
                "yarn.nodemanager.resource.memory-mb": "4096",
                "yarn.nodemanager.resource.cpu-vcores": "4",
                "yarn.nodemanager.vmem-check-enabled": "false",
                # A silent node manager counts as lost after this.
                "yarn.nm.liveness-monitor.expiry-interval-ms": "15000",
                # The machine that runs the tests may have a fairly full disk.
                "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": (
                    "100"
                ),
                # Both executors' containers at once, not one in a heartbeat.
                "yarn.resourcemanager.nodemanagers.heartbeat-interval-ms": "250",
            },
            "capacity-scheduler.xml": {
                "yarn.scheduler.capacity.root.queues": "default",
                "yarn.scheduler.capacity.root.default.capacity": "100",
                # Without this an application master of a small cluster waits for ever.
                "yarn.scheduler.capacity.maximum-am-resource-percent": "1",
            },
        }
        for name, settings in files.items():
            rows = "".join(
                f"<property><name>{escape(key)}</name><value>{escape(value)}</value></property>\n"
                for key, value in settings.items()
            )
            (self.conf / name).write_text(f"<configuration>\n{rows}</configuration>\n")
        self.hdfs = files["core-site.xml"]["fs.defaultFS"]

    def _command(self, main: str, settings: Mapping[str, str], conf: Path) -> list[str]:
        java = f"{java_home()}/bin/java"
        # They live for minutes: compile quickly rather than well.
        options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-Dlog4j2.level=info"]
        return [java, *options, "-cp", f"{conf}:{self._jars}", main]

    def _environment(self) -> dict[str, str]:
        return {
            MARK: self.name,
            "PATH": SYSTEM_PATH,
            "HOME": str(self.folder / "home"),
            "USER": getpass.getuser(),
            "LANG": "C.UTF-8",
            "JAVA_HOME": java_home(),
        }

    def _run(self, name: str, main: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            subprocess.run(
                [*self._command(main, {}, self.conf), *arguments],
                cwd=self.folder / "home",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                check=True,
                timeout=120,
            )

    def _start(self, name: str, main: str, settings: Mapping[str, str] | None = None) -> None:
        conf = self.conf
        if settings:
            # The daemon's own settings, beside those of all.
            conf = self.folder / f"conf-{name}"
            shutil.copytree(self.conf, conf, dirs_exist_ok=True)
            site = conf / ("yarn-site.xml" if main.startswith(_YARN) else "hdfs-site.xml")
            rows = "".join(
                f"<property><name>{key}</name><value>{escape(value)}</value></property>\n"
                for key, value in settings.items()
            )
            text = site.read_text().replace("</configuration>", f"{rows}</configuration>")
            site.write_text(text)
        log = self.folder / f"{name}.log"
        log.unlink(missing_ok=True)  # what an earlier one said does not tell of this one
        with log.open("ab") as stream:
            process = subprocess.Popen(
                self._command(main, settings or {}, conf),
                cwd=self.folder / "home",
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                env=self._environment(),
            )
        self.daemons[name] = Daemon(name, log, process)

    def _wait_for_name_node(self) -> None:
        self._wait_for(self.daemons["namenode"], "NameNode RPC up at")

    def _wait_for(self, daemon: Daemon, words: str) -> None:
        def has_said() -> bool:
            assert all(one.process.poll() is None for one in self.daemons.values()), self.logs()
            return daemon.find(words) is not None

        wait_until(has_said, f"`{words}` of {daemon.name}", self.logs)


def strike_container(rng: random.Random, hadoop: Hadoop) -> str | None:
    """SIGKILL an executor's container; which one, None when there is none."""
    executors = sorted(hadoop.executors(), key=lambda executor: executor.number)
    if not executors:
        return None
    chosen = rng.choice(executors)
    return f"container of executor {chosen.number}" if kill(chosen.pid) else None


def _class_path() -> str:
    jars = Path(pyspark.__file__).parent / "jars"
    found = [next(jars.glob(f"{name}-[0-9]*.jar")) for name in _FROM_SPARK]
    return ":".join(map(str, [*hadoop_jars(), *found]))


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _end(log: Path, count: int) -> str:
    return log.read_text("utf-8", errors="replace")[-count:]
