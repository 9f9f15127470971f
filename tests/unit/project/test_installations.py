"""framejury as users install it: the core alone, and with each extra, judges a video."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from framejury.model.bundle import write_bundle
from tests.builders import clips
from tests.builders.bundles import MANIFEST, red_network
from tests.builders.installations import Installation, build_wheel, install
from tests.builders.programs import ROOT, shown
from tests.builders.sounds import sound_model

# What the core must do without; each extra brings some of them.
FOREIGN = ("pandas", "jinja2", "pyspark", "scipy", "matplotlib", "PIL", "onnx", "tensorflow")

Install = Callable[..., Installation]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Installs framejury with some extras."""
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"))
    return lambda *extras: install(tmp_path_factory.mktemp("venv") / "venv", wheel, *extras)


@pytest.fixture(scope="module")
def core(installed: Install) -> Installation:
    return installed()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    return clips.write_clip(folder / "face.mp4", clips.face_frames(25), sound=True)


def judged(there: Installation, clip: Path, *options: str | Path) -> float:
    """The p_fake that `framejury scan` gives the clip with the shipped bundle."""
    result = there.run("framejury", "scan", clip, "--json", *options)
    assert result.returncode == 0, shown(result)
    verdict = json.loads(result.stdout)
    assert (verdict["status"], verdict["error"]) == ("scored", None)
    assert verdict["faces_scored"] > 4
    return float(verdict["p_fake"])


def lacks(there: Installation, *modules: str) -> set[str]:
    """Those of the modules that cannot be imported there."""
    find = "from importlib.util import find_spec; import sys"
    code = f"{find}; print(*[name for name in sys.argv[1:] if find_spec(name) is None])"
    result = there.run("python", "-c", code, *modules)
    assert result.returncode == 0, shown(result)
    return set(result.stdout.split())


def test_the_core_alone_judges_a_video(core: Installation, clip: Path) -> None:
    assert lacks(core, *FOREIGN) == set(FOREIGN)
    result = core.run("framejury", "scan", clip)
    assert result.returncode == 0, shown(result)
    assert re.search(r"face\.mp4: \w+ .*p_fake 0\.\d+", result.stdout), shown(result)


@pytest.mark.parametrize(
    ("extra", "brings"),
    [("spark", "pandas"), ("cloud", "obstore"), ("report", "jinja2"), ("train", "tensorflow")],
)
def test_each_extra_judges_a_video_as_the_core_does(
    extra: str, brings: str, core: Installation, installed: Install, clip: Path
) -> None:
    there = installed(extra)
    assert lacks(there, brings) == set()
    assert lacks(core, brings) == {brings}
    page = there.folder / "page.html"
    shows = extra in ("report", "train")
    options: list[str | Path] = ["--html", page] if shows else []
    assert judged(there, clip, *options) == pytest.approx(judged(core, clip), abs=1e-6)
    assert page.exists() == shows


def test_doctor_has_nothing_to_mend_in_the_core(core: Installation) -> None:
    result = core.run("framejury", "doctor", "--json")
    assert result.returncode == 0, shown(result)
    states = {check["name"]: check["state"] for check in json.loads(result.stdout)["checks"]}
    assert states["a clip judged"] == "ok" and states["model bundle"] == "ok"


def test_the_core_says_what_its_pages_need(core: Installation, clip: Path, tmp_path: Path) -> None:
    result = core.run("framejury", "scan", clip, "--html", tmp_path / "page.html")
    assert result.returncode == 2 and result.stdout == ""
    assert "pip install 'framejury[report]'" in result.stderr


def test_nothing_is_imported_in_the_sandbox(core: Installation, tmp_path: Path) -> None:
    """Neither while videos are judged in any way, nor while they are inspected or compared."""
    bundles = tmp_path / "bundles"
    for signal in ("rgb", "marked", "delta", "flow_fusion"):
        network = red_network(tmp_path / f"{signal}.onnx")
        write_bundle(bundles / signal, replace(MANIFEST, signal=signal), network)
    media = tmp_path / "media"
    media.mkdir()
    faces = clips.face_frames(30)
    clips.write_clip(media / "face.mp4", faces, sound=True)
    clips.write_size_change(media / "size.ts", faces, clips.face_frames(9, clips.Size(120, 160)))
    clips.write_rotated(media / "turned.mp4", faces)
    clips.write_clip(media / "plain.mkv", clips.plain_frames(12))
    clips.write_cut_short(media / "cut.mp4", faces)
    clips.write_garbage(media / "garbage.mp4", faces)
    clips.write_without_moov(media / "headless.mp4", faces)
    clips.write_audio_only(media / "sound.m4a", 3.0)
    clips.write_text(media / "text.mp4")
    model = sound_model(tmp_path / "sound").directory
    probe = ROOT / "tests" / "builders" / "late_imports_probe.py"
    result = core.run("python", probe, bundles, model, media)
    assert result.returncode == 0, shown(result)
    found = json.loads(result.stdout)
    assert found["imported"] == {}
    statuses = {name: set(ended) for name, ended in found["statuses"].items()}
    assert statuses["face.mp4"] == {"extracted", "inspected", "too_short"}
    assert "scored" in statuses["sound.m4a"] and "no_face" in statuses["plain.mkv"]
    assert "unreadable" in statuses["headless.mp4"] and "not_video" in statuses["text.mp4"]
    assert not any("crashed" in ended for ended in statuses.values())
