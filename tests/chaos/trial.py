"""One disturbed night: start it, harm something at a seeded moment, run again until it is done."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from framejury.warehouse import Warehouse
from tests.builders.cluster import nights
from tests.builders.cluster.keeper import is_dead, marked
from tests.builders.cluster.standalone import Cluster, kill

JUDGED = (0, 3)  # all judged; judged, and a share of the files was no good
_WHICH = ("kind", "frame_index", "face_index")
"""Besides the video, what makes a row of any table the only one."""
DONE = ("scored", "no_face", "not_video", "empty")
# What a night says when a phase begins, and the name of the phase.
_PHASES = (
    ("[index]", "index"),
    ("[extract and score]", "survey"),
    ("long videos surveyed (100", "extract"),
    ("[reduce]", "reduce"),
    ("committed to", "commit"),
    ("[report]", "report"),
    ('"exit_code": ', "end"),
)


@dataclass(frozen=True)
class Step:
    """A phase as one undisturbed night went through it.

    Attributes:
        number: how many phases began before it, of any name.
        seconds: how long it took.
    """

    number: int
    name: str
    seconds: float


@dataclass
class Trial:
    """What was done in one trial and what came of it; a line of the table.

    Attributes:
        seed: of all that is random in it.
        victim: what was harmed.
        moment: phase and seconds into it, as it really was.
        runs: exit codes of the runs it took, in order.
        repeated: how often the moment came too late: the victim was gone.
        seconds: how long the trial took.
    """

    seed: str
    victim: str
    moment: str = ""
    runs: list[int] = field(default_factory=list)
    repeated: int = 0
    seconds: float = 0.0
    result: str = "failed"


class Night:
    """A nightly run on the cluster, under way.

    Args:
        cluster: where.
        arguments: of `bin/submit.sh`, the options before the verb included.
        log: what the driver prints goes there.
        environment: of the driver, beside its usual one.
    """

    def __init__(
        self, cluster: Cluster, arguments: Sequence[str], log: Path, **environment: str
    ) -> None:
        self._cluster = cluster
        self._before = set(marked(cluster.name))
        self.log = log
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                arguments,
                env=cluster.driver_environment() | environment,
                cwd=cluster.folder / "home",
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def phases(self) -> list[str]:
        """Phases that have begun, in order."""
        begun = ["start"]
        for line in self.said().splitlines():
            begun += [name for words, name in _PHASES if words in line and name != begun[-1]]
        return begun

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def wait(self) -> int:
        """Its exit code; minus the signal when it was killed."""
        return self.process.wait(timeout=nights.LIMIT_S)

    def wait_for_step(self, step: Step) -> bool:
        """Until the phase has begun; False when the night ended before."""
        while len(self.phases()) <= step.number:
            if self.has_ended():
                return False
            time.sleep(0.05)
        return True

    def driver(self) -> tuple[int, int | None]:
        """Process ids of the driver's Java and of its Python, when that has started."""
        for pid in marked(self._cluster.name):
            with suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_text("utf-8", errors="replace")
                if "/jobs/nightly.py\0" in words and "python" in words.partition("\0")[0]:
                    return self.process.pid, pid
        return self.process.pid, None

    def children(self) -> list[int]:
        """Sandbox children of the executors' Python workers."""
        parents = set(marked(self._cluster.name))
        found = []
        for folder in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                words = (folder / "cmdline").read_text("utf-8", errors="replace")
                if "framejury.sandbox.child_main" in words:
                    status = (folder / "stat").read_text("utf-8", errors="replace")
                    if int(status.rpartition(")")[2].split()[1]) in parents:
                        found.append(int(folder.name))
        return found


def measured(night: Night) -> list[Step]:
    """Go along with an undisturbed night; its phases and how long each took."""
    times: list[float] = []
    while not night.has_ended():
        times += [time.monotonic()] * (len(night.phases()) - len(times))
        time.sleep(0.05)
    names = night.phases()
    times += [time.monotonic()] * (len(names) + 1 - len(times))
    return [Step(i, name, times[i + 1] - times[i]) for i, name in enumerate(names)]


def moments(rng: random.Random, steps: Sequence[Step]) -> tuple[Step, float]:
    """A phase, each as likely, and a time within it, seconds."""
    # After the report there is nothing left to harm, before the first phase nobody to be.
    step = rng.choice([step for step in steps if step.name != "end"])
    return step, rng.uniform(0, step.seconds)


def strike(rng: random.Random, victim: str, cluster: Cluster, night: Night) -> str | None:
    """Harm the victim; what exactly died, None when nothing was there to die."""
    if victim == "executor":
        executors = sorted(cluster.executors(), key=lambda executor: executor.number)
        if not executors:
            return None
        chosen = rng.choice(executors)
        return f"executor {chosen.number}" if kill(chosen.pid) else None
    if victim == "worker":
        index = rng.randrange(cluster.workers)
        cluster.kill_worker(index)
        return f"worker {index}"
    java, python = night.driver()
    which = rng.choice(["Java", "Python", "both"]) if python else "Java"
    # Python first: it would notice that Java is gone, and tidy up.
    dead = [
        kill(pid)
        for name, pid in (("Python", python), ("Java", java))
        if pid is not None and which in (name, "both")
    ]
    return f"driver ({which})" if any(dead) else None


def whole_commits(warehouse: Path) -> int:
    """Committed runs, each of which must be there in full; also after a kill.

    Raises:
        AssertionError: rows of a committed run are missing, or belong to another.
    """
    if not (warehouse / "framejury.json").is_file():
        return 0
    place = Warehouse.open(str(warehouse))
    for commit in place.commits():
        for table, count in commit.tables.items():
            rows = place.read_run(commit.run_id, table).to_pylist()
            assert len(rows) == count, (commit.run_id, table)
            keys = [(row["video_id"], *map(row.get, _WHICH)) for row in rows]
            assert len(set(keys)) == len(keys), (commit.run_id, table)
    return len(place.commits())


def judged_twice(warehouse: Path) -> set[str]:
    """Ids of videos with more than one row in `extractions`, none of which asks for a retry."""
    place = Warehouse.open(str(warehouse))
    seen: set[str] = set()
    twice: set[str] = set()
    for commit in place.with_table("extractions"):
        for row in place.read_run(commit.run_id, "extractions").to_pylist():
            if row["video_id"] in seen and row["status"] in DONE:
                twice.add(row["video_id"])
            seen.add(row["video_id"])
    return twice


def settle(cluster: Cluster) -> None:
    """Wait until the killed are dead and the cluster is whole again."""
    for index, daemon in enumerate(cluster.daemons):
        if daemon is None or is_dead(daemon.pid):
            cluster.daemons[index] = None
            cluster.start_worker(index)
    cluster.wait_for_workers(cluster.workers)
