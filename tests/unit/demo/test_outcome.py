"""What `make demo` says about its own verdicts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from framejury.demo.outcome import Judged, main, outcome
from framejury.warehouse import Warehouse
from tests.builders.judged import night

ROOT = Path(__file__).resolve().parents[3]
VIDEOS = [
    Judged("good.mp4", "REAL", "real", "scored"),
    Judged("accused.mp4", "REAL", "fake", "scored"),
    Judged("accused too.mp4", "REAL", "fake", "scored"),
    Judged("nobody.mp4", "REAL", "inconclusive", "no_face", is_scored=False),
    Judged("found.mp4", "FAKE", "fake", "scored"),
    Judged("missed.mp4", "FAKE", "real", "scored"),
    Judged("cut.mp4", "FAKE", "inconclusive", "unreadable", is_scored=False),
    Judged("unsure.mp4", "FAKE", "inconclusive", "scored"),
]


def test_errors_are_named() -> None:
    real, fake, meaning = outcome(VIDEOS, generated=True)
    assert real == (
        "Of 4 real clips, 2 were called fake, wrongly: accused.mp4, accused too.mp4. 1 was called "
        "real. 1 was not scored: nobody.mp4 (no face)."
    )
    assert fake == (
        "Of 4 manipulated clips, 1 was found: found.mp4. 1 was called real, wrongly: missed.mp4. "
        "1 was inconclusive: unsure.mp4. 1 was not scored: cut.mp4 (unreadable)."
    )
    assert "tell nothing about other videos" in meaning and "never proof" in meaning


def test_without_errors_none_is_claimed() -> None:
    real, fake, _ = outcome([VIDEOS[0], VIDEOS[4]], generated=True)
    assert real == "Of 1 real clip, 0 were called fake. 1 was called real."
    assert fake == "Of 1 manipulated clip, 1 was found: found.mp4. None was called real."


def test_an_archive_of_the_users_own() -> None:
    labelled = outcome(VIDEOS, generated=False)
    assert labelled[0].startswith("Of 4 real videos, 2 were called fake")
    assert "three people" not in " ".join(labelled)
    plain = [Judged(one.path, None, one.verdict, one.status) for one in VIDEOS]
    called, unknown = outcome(plain, generated=False)
    assert called == ("3 of 8 videos were called fake: accused.mp4, accused too.mp4, found.mp4.")
    assert "nobody can say how many of these verdicts are right" in unknown


def test_many_names_are_capped() -> None:
    many = [Judged(f"{number}.mp4", None, "fake", "scored") for number in range(40)]
    assert outcome(many, generated=False)[0].endswith("11.mp4 and 28 more.")


def test_it_reads_the_warehouse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    warehouse = Warehouse.open_or_plan(str(tmp_path / "warehouse"))
    # The builder labels every video FAKE.
    night(warehouse, {"a.mp4": [0.9], "b.mp4": [0.1], "gone.mp4": [0.9]})
    night(warehouse, {}, gone=["gone.mp4"], listed=["a.mp4", "b.mp4"])
    assert main([str(tmp_path / "warehouse")]) == 0
    said = capsys.readouterr().out
    assert "Of 2 manipulated videos, 1 was found: a.mp4. 1 was called real, wrongly: b.mp4." in said
    assert max(map(len, said.splitlines())) <= 92
    assert main([str(tmp_path / "nothing")]) == 2
    assert "no warehouse at" in capsys.readouterr().err


def test_no_script_opens_anything() -> None:
    """A demo on a server must not look for a browser."""
    openers = r"xdg-open|sensible-browser|webbrowser|gnome-open|open -a"
    places = ["bin", "lib", "jobs", "Makefile"]
    found = subprocess.run(
        [
            "grep",
            "-rnE",
            "--include=*.sh",
            "--include=*.py",
            "--include=Makefile",
            openers,
            *places,
        ],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (1, "")


def test_the_module_runs_by_itself(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "framejury.demo.outcome", str(tmp_path)]
    done = subprocess.run(words, text=True, capture_output=True, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
