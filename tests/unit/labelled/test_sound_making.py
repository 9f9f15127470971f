"""How labelled sounds are split, and where the threshold lies; the training itself is elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from framejury.audio.log_mel import BANDS, FRAMES
from framejury.errors import LeakageError, UsageError
from framejury.labelled import sound_making
from framejury.labelled.sound_making import Sound, best_threshold, placed
from framejury.schemas.statuses import Label, Side, SoundOutcome
from framejury.settings.loading import settings_from
from tests.builders.warehouse import pairs

WINDOWS = np.zeros((1, FRAMES, BANDS), np.float32)
SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}


def sounds(count: int = 10) -> list[Sound]:
    """Of `count` sources, each with a real and a fake sound."""
    return [
        Sound(row, Label(row["label"]), WINDOWS, SoundOutcome.SCORED, f"sha{row['path']}")
        for row in pairs("a", count)
    ]


def sides_of(found: list[Any]) -> dict[str, set[Side]]:
    sides: dict[str, set[Side]] = {}
    for row in found:
        sides.setdefault(row.group, set()).add(row.side)
    return sides


def test_a_source_is_in_one_split() -> None:
    found, leak = placed(sounds(), settings_from({"split": SHARES}))
    assert leak is None
    assert all(len(sides) == 1 for sides in sides_of(found).values())
    assert {row.side for row in found} == {Side.TRAIN, Side.VAL, Side.TEST}


def test_a_split_that_leaks_says_so() -> None:
    found, leak = placed(sounds(), settings_from({"split": SHARES | {"unit": "video"}}))
    assert leak is not None and leak.startswith("Split by video")
    assert any(len(sides) > 1 for sides in sides_of(found).values())


def test_the_gate_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A split that is wrong, wherever it comes from, trains nothing."""
    split = sound_making.split_videos

    def wrong(*args: Any) -> Any:
        rows = split(*args)
        return [replace(rows[0], side=Side.TEST), *rows[1:]]

    monkeypatch.setattr(sound_making, "split_videos", wrong)
    with pytest.raises(LeakageError):
        placed(sounds(), settings_from({"split": SHARES}))


def test_a_sound_that_was_not_heard_is_excluded_with_its_reason() -> None:
    some = sounds()
    some[0] = Sound(some[0].row, some[0].label, WINDOWS[:0], SoundOutcome.NO_SOUND, None)
    found, _ = placed(some, settings_from({"split": SHARES | {"balance": "none"}}))
    (row,) = [row for row in found if row.side is Side.EXCLUDED]
    assert (row.video_id, row.reason) == (some[0].row["video_id"], "its sound: no_sound")


def test_faces_are_not_split_here() -> None:
    with pytest.raises(UsageError, match=r"split\.unit=group"):
        placed(sounds(), settings_from({"split": {"unit": "face"}}))


@pytest.mark.parametrize(
    ("truth", "scores", "threshold"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9], 0.4),
        ([1, 0, 1, 0], [0.9, 0.2, 0.6, 0.1], 0.4),
        ([0, 1], [0.9, 0.1], 0.95),  # learned the wrong way: accuse nobody
        ([0, 0, 0, 1], [0.1, 0.2, 0.8, 0.7], 0.45),  # one real is given up for the fake
    ],
)
def test_the_threshold_separates_best(
    truth: list[int], scores: list[float], threshold: float
) -> None:
    assert best_threshold(np.array(truth), np.array(scores)) == pytest.approx(threshold)
