"""Sound is decoded in a process of its own, whose answers are checked."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framejury.audio.log_mel import BANDS, FRAMES
from framejury.examine.checks import DistrustError
from framejury.examine.listener import Listener, answer_of
from framejury.examine.messages import ExaminePlan, Segment, VideoJob
from framejury.examine.worker import Examiner
from framejury.schemas.statuses import SoundOutcome
from framejury.settings.loading import settings_from
from tests.builders.clips import plain_frames, write_text
from tests.builders.sounds import HIGH_HZ, LOW_HZ, sound_model, tone
from tests.builders.talkies import write_talkie

SETTINGS = settings_from({"detection": {"detector": "haar"}, "sampling": {"frames": 2}})
GOOD = {"outcome": "scored", "heard_s": 4.0, "window_s": [0.0, 1.0], "window_p_fake": [0.2, 0.9]}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_model(tmp_path_factory.mktemp("sound") / "model").directory


@pytest.fixture(scope="module")
def listener(model: Path) -> Iterator[Listener]:
    with Listener(SETTINGS, model) as one:
        yield one


@pytest.fixture(scope="module")
def talkies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("talkies")
    frames = plain_frames(4)
    write_talkie(folder / "high.mp4", frames, tone(HIGH_HZ, 4))
    write_talkie(folder / "low.mp4", frames, tone(LOW_HZ, 4))
    write_text(folder / "text.mp4")
    return folder


def row(listener: Listener, path: Path, timeout_s: float = 60) -> dict[str, Any]:
    file = os.open(path, os.O_RDONLY)
    try:
        return listener.row(file, timeout_s)
    finally:
        os.close(file)


@pytest.mark.parametrize(("name", "fake"), [("high", True), ("low", False)])
def test_a_sound_becomes_a_row(listener: Listener, talkies: Path, name: str, fake: bool) -> None:
    found = row(listener, talkies / f"{name}.mp4")
    assert (found["table"], found["outcome"], found["threshold"]) == ("sounds", "scored", 0.6)
    assert found["window_s"] == [0, 1, 2]
    assert (found["p_fake"] >= 0.6) == fake
    assert found["p_fake"] == pytest.approx(np.mean(found["window_p_fake"]))
    assert found["heard_s"] == pytest.approx(4, abs=0.1)


def test_the_process_is_as_locked_down_as_that_of_the_picture(listener: Listener) -> None:
    with Examiner(ExaminePlan("r", SETTINGS.model_dump(mode="json"), None, True)) as examiner:
        assert listener.lockdown() == examiner.lockdown()


def test_too_little_time_is_an_outcome_and_the_next_sound_is_heard(
    listener: Listener, talkies: Path
) -> None:
    late = row(listener, talkies / "high.mp4", timeout_s=1e-4)
    assert (late["outcome"], late["p_fake"], late["window_p_fake"]) == ("timeout", None, [])
    assert row(listener, talkies / "text.mp4")["outcome"] == "unreadable"
    assert row(listener, talkies / "high.mp4")["outcome"] == "scored"


def test_windows_to_train_on(talkies: Path) -> None:
    with Listener(SETTINGS) as listener, listener.fetched(str(talkies / "high.mp4")) as (copy, s):
        found = listener.listen(copy.file, s)
    assert found.outcome is SoundOutcome.SCORED and found.window_p_fake == ()
    assert found.windows.shape == (3, FRAMES, BANDS)


def test_a_video_has_a_row_of_its_sound_beside_the_others(model: Path, talkies: Path) -> None:
    plan = ExaminePlan(
        "run", SETTINGS.model_dump(mode="json"), None, keep_crops=True, sound_dir=str(model)
    )
    with Examiner(plan) as examiner:
        rows = examiner.examine(VideoJob("v", str(talkies / "high.mp4"))).to_pylist()
        assert [one["table"] for one in rows] == ["extractions", "sounds"]
        assert (rows[1]["video_id"], rows[1]["run_id"]) == ("v", "run")
        # A file that is no video has no verdict, whatever it sounds like.
        failed = examiner.examine(VideoJob("t", str(talkies / "text.mp4"))).to_pylist()
        assert [one["table"] for one in failed] == ["extractions"]
        # The first segment of a long video answers for its whole sound.
        tables = []
        for number in range(2):
            segment = Segment(number, 2 * number, 2 * number + 2)
            job = VideoJob("v", str(talkies / "high.mp4"), segment=segment)
            tables += [one["segment_table"] for one in examiner.examine(job).to_pylist()]
        assert tables == ["extractions", "sounds", "extractions"]


def test_without_a_sound_model_nothing_listens(talkies: Path) -> None:
    plan = ExaminePlan("run", SETTINGS.model_dump(mode="json"), None, keep_crops=True)
    with Examiner(plan) as examiner:
        rows = examiner.examine(VideoJob("v", str(talkies / "high.mp4"))).to_pylist()
    assert [one["table"] for one in rows] == ["extractions"]


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "fine"},
        {"outcome": "silent"},
        {"window_s": [1.0, 0.0]},
        {"window_s": [0.0, 9.0]},
        {"window_s": []},
        {"window_p_fake": [0.2]},
        {"window_p_fake": [0.2, 1.5]},
        {"window_p_fake": [0.2, float("nan")]},
        {"heard_s": float("inf")},
        {"heard_s": None},
    ],
)
def test_an_answer_that_cannot_be_is_not_believed(changes: dict[str, Any]) -> None:
    assert answer_of(json.dumps(GOOD).encode(), scored=True).window_p_fake == (0.2, 0.9)
    with pytest.raises(DistrustError):
        answer_of(json.dumps(GOOD | changes).encode(), scored=True)


def test_windows_that_cannot_be_are_not_believed() -> None:
    head = json.dumps(GOOD | {"window_p_fake": []}).encode() + b"\n"
    windows = np.zeros((2, FRAMES, BANDS), np.float32)
    assert len(answer_of(head + windows.tobytes(), scored=False).windows) == 2
    for content in (b"", windows[:1].tobytes(), windows.tobytes()[:-4], b"x"):
        with pytest.raises(DistrustError):
            answer_of(head + content, scored=False)
    windows[1, 5, 5] = np.nan
    with pytest.raises(DistrustError):
        answer_of(head + windows.tobytes(), scored=False)
