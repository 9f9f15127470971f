"""Nightly runs on a test cluster: the archive, how they are submitted, what they must give."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from framejury.warehouse import Warehouse
from tests.builders import clips
from tests.builders.cluster.standalone import ROOT, Cluster

SMALL = {
    # A machine of two cores and a few gigabytes plays three.
    "spark.executor.cores": "1",
    "spark.executor.memory": "512m",
    "spark.driver.memory": "768m",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    # These live for half a minute: compile quickly rather than well.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    # Both workers at once, whatever there is to do.
    "spark.dynamicAllocation.enabled": "false",
}
"""Settings laid over conf/spark/standalone.conf."""

LIMIT_S = 900
"""Longest that a run may take on a machine that has other work as well, seconds."""

QUICK = ("detection.detector=haar", "sampling.mode=every_s", "sampling.every_s=0.2")
CUT = ("spark.survey_bytes=60000", "spark.segment_s=0.5", "spark.task_s=0.5")
"""Long clips become several segments, and the night several tasks."""


def write_archive(folder: Path) -> Path:
    """Good, faceless, broken and long clips: each status that a night may end with."""
    folder.mkdir(parents=True)
    clips.write_clip(folder / "long.mp4", clips.face_frames(250), gop=25)
    for name, count in (("first", 30), ("second", 45), ("third", 60), ("fourth", 25)):
        clips.write_clip(folder / f"{name}.mp4", clips.face_frames(count))
    clips.write_clip(folder / "nobody.mp4", clips.plain_frames(30))
    clips.write_without_moov(folder / "cut off.mp4", clips.face_frames(20))
    clips.write_empty(folder / "empty.mp4")
    clips.write_text(folder / "text.mp4")
    return folder


def package(*options: str) -> Path:
    """The environment archive; made again when the lock or framejury changed."""
    words = [str(ROOT / "bin" / "package.sh"), *options]
    result = subprocess.run(words, text=True, capture_output=True, timeout=LIMIT_S, check=False)
    assert result.returncode == 0, shown(result)
    said = result.stdout.splitlines()[-1]
    return Path(said.removeprefix("unchanged: ").partition(".tar.gz")[0] + ".tar.gz")


def night(
    archive: Path | str,
    warehouse: Path | str,
    bundle: Path,
    settings: Iterable[str] = (*QUICK, *CUT),
) -> list[str]:
    """The arguments of `framejury nightly`."""
    chosen = [word for setting in settings for word in ("--set", setting)]
    return [
        "nightly",
        str(archive),
        "--warehouse",
        str(warehouse),
        "--bundle",
        str(bundle),
        *chosen,
    ]


def command(
    conf: str, arguments: Sequence[str], options: Mapping[str, str], *more: str
) -> list[str]:
    """`bin/submit.sh` with settings of Spark."""
    spark = [word for key, value in options.items() for word in ("--spark", f"{key}={value}")]
    return [str(ROOT / "bin" / "submit.sh"), "--conf", conf, *more, *spark, *arguments]


def on_cluster(cluster: Cluster, arguments: Sequence[str], *more: str) -> list[str]:
    """`bin/submit.sh` to a test cluster; event logs go where the cluster's other files lie."""
    settings = SMALL | {"spark.eventLog.dir": f"file:{cluster.folder}/events"}
    return command("standalone", arguments, settings, "--master", cluster.url, *more)


def submit(
    cluster: Cluster, arguments: Sequence[str], *more: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a job on the cluster to its end; all that it prints is kept."""
    return subprocess.run(
        on_cluster(cluster, arguments, *more),
        env=cluster.driver_environment() | environment,
        # Away from the project: nothing may be found by lying in the working directory.
        cwd=cluster.folder / "home",
        text=True,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )


def submit_here(arguments: Sequence[str], events: Path) -> subprocess.CompletedProcess[str]:
    """Run a job on this machine alone, on two cores; the event log goes to `events`."""
    options = {
        "spark.master": "local[2]",
        "spark.sql.shuffle.partitions": "2",
        "spark.eventLog.dir": f"file:{events}",
    }
    return subprocess.run(
        command("local", arguments, options),
        text=True,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )


def verdicts(warehouse: Path | str) -> dict[str, dict[str, Any]]:
    """The latest verdict of each video by its path, without what differs from run to run."""
    place = Warehouse.open(str(warehouse))
    videos = place.read_snapshot("videos").to_pylist()
    rows = {row["video_id"]: row for row in place.read_latest("verdicts").to_pylist()}
    assert rows.keys() == {video["video_id"] for video in videos}
    paths = {video["video_id"]: video["path"] for video in videos}
    return {
        paths[video_id]: {key: value for key, value in row.items() if key != "run_id"}
        for video_id, row in rows.items()
    }


def ok(result: subprocess.CompletedProcess[str]) -> str:
    """Return what a process printed; fail unless it exited with 0."""
    assert result.returncode == 0, shown(result)
    return result.stdout


def shown(result: subprocess.CompletedProcess[str]) -> str:
    """Everything of a process, for a failed assertion."""
    return f"{result.args}\nexit {result.returncode}\n{result.stdout}\n{result.stderr[-8000:]}"
