"""A video that hangs, eats memory or lies costs its own process and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from framejury.errors import MediaError
from framejury.inspection.inspect_client import InspectClient
from framejury.schemas.statuses import Status
from framejury.settings import Settings
from tests.builders.clips import face_frames, write_audio_only, write_clip, write_garbage


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "c.mp4", face_frames(40))


def limited(**limits: float) -> Settings:
    settings = Settings()
    return settings.model_copy(update={"limits": settings.limits.model_copy(update=limits)})


def test_the_child_is_locked_up_and_lives_on(clip: Path, tmp_path: Path) -> None:
    bad = write_garbage(tmp_path / "bad.mp4", face_frames(8))
    with InspectClient(Settings(), detectors=True) as client:
        if "seccomp" not in client.lockdown().in_force:
            pytest.skip(f"no seccomp on this machine: {client.lockdown().lacking}")
        for _ in range(2):
            assert len(client.inspect(str(clip), "none")[0].looks) == 11
            with pytest.raises(MediaError) as caught:
                client.inspect(str(bad), "none")
            assert caught.value.status is Status.UNREADABLE


@pytest.mark.parametrize(
    ("limits", "status", "words"),
    [
        ({"timeout_s": 0.02}, Status.TIMEOUT, "limits.timeout_s"),
        ({"bytes": 100}, Status.TOO_LARGE, "limits.bytes"),
        ({"frames": 10}, Status.TOO_LARGE, "limits.frames"),
        ({"frame_px": 1000}, Status.TOO_LARGE, "limits.frame_px"),
        ({"duration_s": 0.5}, Status.TOO_LARGE, "limits.duration_s"),
    ],
    ids=str,
)
def test_limits_hold(clip: Path, limits: dict[str, float], status: Status, words: str) -> None:
    with InspectClient(limited(**limits), detectors=True) as client:
        client.lockdown()
        with pytest.raises(MediaError, match=words) as caught:
            client.inspect(str(clip), "all")
    assert caught.value.status is status


def test_a_child_that_was_killed_is_replaced(clip: Path) -> None:
    settings = limited(timeout_s=0.02)
    with InspectClient(settings, detectors=True) as client:
        client.lockdown()
        for _ in range(2):
            with pytest.raises(MediaError, match="timeout_s"):
                client.inspect(str(clip), "all")


def test_a_missing_file_and_one_without_a_picture(tmp_path: Path) -> None:
    with InspectClient(Settings(), detectors=True) as client:
        with pytest.raises(MediaError) as missing:
            client.inspect(str(tmp_path / "gone.mp4"), "all")
        with pytest.raises(MediaError) as sound:
            client.inspect(str(write_audio_only(tmp_path / "a.m4a")), "all")
    assert (missing.value.status, sound.value.status) == (Status.MISSING, Status.NOT_VIDEO)


def test_a_sheet_is_made_of_what_is_a_picture(clip: Path) -> None:
    with InspectClient(Settings(), detectors=True) as client:
        thumbnail = client.inspect(str(clip), "thumbnail")[1]["thumbnail.jpg"]
        sheet = client.sheet([thumbnail, b"\xff\xd8lies", thumbnail], ["1", "2", "3"])
        assert sheet is not None and sheet.startswith(b"\xff\xd8")
        assert client.sheet([b"\xff\xd8lies"], ["1"]) is None
        assert client.sheet([], []) is None
