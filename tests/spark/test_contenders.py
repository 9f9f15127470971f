"""The benchmarks' own side: every contender of framejury does its work, and they do the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import available_cores
from benchmarks.contenders import Child, Contender
from tests.builders.bundles import brightness_bundle
from tests.builders.clips import face_frames, write_clip

pytestmark = pytest.mark.long

SETTINGS = {"sampling": {"frames": 4}, "detection": {"min_face_px": 20}}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("clips")
    return [str(write_clip(folder / f"{n}.mp4", face_frames(8 + n))) for n in range(3)]


def facts_of(factory: str, request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What a contender says of one request, in a process of its own."""
    cores = available_cores()[:2]
    setup = {
        "settings": SETTINGS,
        "bundle_dir": str(brightness_bundle(folder / "bundle").directory),
        "cores": len(cores),
    }
    with Child(Contender(factory, f"benchmarks.{factory}", setup, cores), folder) as child:
        return dict(child.run(request).facts)


@pytest.mark.parametrize("name", ["spark", "loop", "serial", "busy"])
def test_each_way_over_many_videos_judges_all_of_them(
    name: str, videos: list[str], tmp_path: Path
) -> None:
    facts = facts_of(f"on_spark:{name}", {"videos": videos}, tmp_path)
    assert facts == {"videos": 3, "faces": 12}


def test_one_video_from_file_to_scores(videos: list[str], tmp_path: Path) -> None:
    facts = facts_of("ours:examine", {"clip": videos[0]}, tmp_path)
    assert (facts["frames_sampled"], facts["faces_kept"]) == (4, 4)


def test_the_memory_of_worker_and_child(videos: list[str], tmp_path: Path) -> None:
    facts = facts_of("ours:resident", {"clip": videos[0]}, tmp_path)
    assert min(facts["worker_bytes"], facts["child_bytes"]) > 50 * 2**20
