"""A night as a person at a terminal sees it: real commands in pseudo-terminals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.builders import clips
from tests.builders.bundles import brightness_bundle
from tests.builders.programs import PROGRAMS, ROOT, shown
from tests.builders.terminal import Session, in_terminal

MOST_LINES = 20
FAKES = 7
NOISY = {"JAVA_TOOL_OPTIONS": "-Dnothing=1"}
"""Makes each Java say that it picked them up."""


@dataclass(frozen=True)
class Place:
    """An archive of clips that the bundle calls fake, its warehouse, and the first night there."""

    words: list[str | Path]
    warehouse: Path
    first: Session


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    root = tmp_path_factory.mktemp("terminal")
    archive = root / "archive"
    archive.mkdir()
    for number in range(FAKES):
        clips.write_clip(archive / f"clip {number}.mp4", clips.face_frames(12), fps=1)
    bundle = brightness_bundle(root / "bundle", 1.5 / 255).directory
    words = ["nightly", archive, "--warehouse", root / "warehouse", "--bundle", bundle]
    words += ["--set", "sampling.frames=12", "--set", "detection.detector=haar"]
    first = in_terminal([sys.executable, "-m", "framejury.cli.main", *words], environment=NOISY)
    return Place(words, root / "warehouse", first)


def framejury(place: Place, *more: str, **environment: str) -> Session:
    command = [sys.executable, "-m", "framejury.cli.main", *place.words, *more]
    return in_terminal(command, environment=environment)


def without_java(tmp_path: Path) -> dict[str, str]:
    """An environment in which Spark cannot start."""
    return {"PATH": str(tmp_path), "JAVA_HOME": str(tmp_path / "no java here")}


def json_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def test_the_first_night(place: Place) -> None:
    first = place.first
    assert first.code == 0, first.raw
    text = "\n".join(first.screen)
    assert len(first.screen) <= MOST_LINES
    assert f"{FAKES} new of {FAKES} videos" in text
    assert f"New fakes: {FAKES}, highest score first." in text
    assert "clip 0.mp4" in text and f"and {FAKES - 4} more; the report lists them." in text
    report = next(line for line in first.screen if line.startswith("Report: "))
    assert report.startswith(f"Report: {place.warehouse}"[:70])
    assert text.endswith("Exit code 0: the run is complete.")
    assert "{" not in text
    # What only mattered while it ran was shown, and has gone.
    for passing in ("[index]", "[extract and score]", f"of {FAKES} videos (", "[report]"):
        assert passing in first.raw
        assert passing not in text
    for noise in ("incubator", "Picked up", "log4j", "SLF4J"):
        assert noise not in first.raw
    (log,) = (place.warehouse / "logs").iterdir()
    assert "Using incubator modules" in log.read_text()


def test_an_idle_night_needs_no_java(place: Place, tmp_path: Path) -> None:
    commits = len(list((place.warehouse / "commits").iterdir()))
    done = framejury(place, **without_java(tmp_path))
    assert done.code == 0, done.raw
    text = "\n".join(done.screen)
    assert f"0 of {FAKES} videos to judge" in text
    assert "(the last one; nothing changed)" in text.replace("\n", "")
    assert done.screen[-1] == "Exit code 0: there was nothing to judge."
    assert len(list((place.warehouse / "commits").iterdir())) == commits + 1
    # Spark is what the environment lacks, and what any work needs.
    assert framejury(place, "--all", **without_java(tmp_path)).code == 2


def test_json_on_a_terminal_and_in_a_pipe(place: Place, tmp_path: Path) -> None:
    done = framejury(place, "--json", **without_java(tmp_path))
    (line,) = (line for line in done.raw.splitlines() if line.startswith("{"))
    asked = json_of(line)
    assert asked["is_idle"] and asked["exit_code"] == 0 and asked["meaning"]
    assert asked["report"].endswith("/report.html") and asked["new_fakes"] == 0
    assert asked["archive_verdicts"]["fake"] == FAKES

    read, write = os.pipe()
    with os.fdopen(read) as pipe:
        command = [sys.executable, "-m", "framejury.cli.main", *place.words]
        done = in_terminal(command, environment=without_java(tmp_path), stdout=write)
        os.close(write)
        assert json_of(pipe.read())["is_idle"]
    # Whoever watches still sees the summary.
    assert done.screen[-1] == "Exit code 0: there was nothing to judge."


def test_the_line_of_the_first_night_is_kept_beside_its_report(place: Place) -> None:
    first, *_ = sorted((place.warehouse / "reports").iterdir())
    found = json_of((first / "metrics.json").read_text())
    assert found["new_fakes"] == len(found["new_fake_videos"]) == FAKES
    assert found["new_fake_videos"][0]["path"].startswith("clip ")
    assert found["counts"]["verdicts"]["fake"] == FAKES and not found["is_idle"]


@pytest.mark.long
def test_under_spark_submit(place: Place) -> None:
    """There both streams end in the stdout of the JVM, which is the terminal."""
    properties = ["--properties-file", ROOT / "conf" / "spark" / "local.conf"]
    command = [
        PROGRAMS / "spark-submit",
        *properties,
        ROOT / "jobs" / "nightly.py",
        *place.words[1:],
    ]
    conf = {"SPARK_CONF_DIR": str(ROOT / "conf" / "spark"), "SPARK_LOCAL_IP": "127.0.0.1"}
    done = in_terminal([*command, "--all"], environment=NOISY | conf)
    assert done.code == 0, done.raw
    text = "\n".join(done.screen)
    assert len(done.screen) <= MOST_LINES
    assert "New fakes: none." in text  # the same videos are fake as before
    assert "{" not in text
    assert "[index]" in done.raw and "[index]" not in text
    for noise in ("incubator", "Picked up", "log4j", "SLF4J"):
        assert noise not in done.raw


@pytest.mark.long
def test_a_jvm_that_cannot_start_is_heard(place: Place) -> None:
    command = [sys.executable, "-m", "framejury.cli.main", *place.words, "--all"]
    done = in_terminal(
        command, environment={"PYSPARK_SUBMIT_ARGS": "--driver-memory nonsense pyspark-shell"}
    )
    assert done.code == 2, done.raw
    assert "nonsense" in done.raw
    assert "framejury nightly: error: Spark did not start" in "\n".join(done.screen)


@pytest.mark.long
def test_debug_shows_everything(place: Place) -> None:
    environment = os.environ | NOISY | {"FRAMEJURY_LOG": "debug"}
    command = [sys.executable, "-m", "framejury.cli.main", *place.words, "--dry-run", "--all"]
    done = subprocess.run(
        [str(word) for word in command],
        env=environment,
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert "Picked up JAVA_TOOL_OPTIONS" in done.stderr, shown(done)
    assert "Using incubator modules" in done.stderr
