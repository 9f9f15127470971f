"""Every sampled frame against what `ffmpeg` shows, over a matrix of files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from framejury.media.decode import VideoFile
from framejury.records import Region
from framejury.settings import LimitSettings, SamplingSettings
from tests.builders.media_matrix import ENTRIES, Entry, shown_frames, shown_times_s

pytestmark = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="no ffmpeg (package ffmpeg), which makes the files"
)
QUICK = 6
"""Every so many files are in the quick set."""
PARAMETERS = [
    pytest.param(entry, id=entry.name, marks=[] if at % QUICK == 0 else [pytest.mark.long])
    for at, entry in enumerate(ENTRIES)
]


def test_the_matrix_is_large_and_names_are_unique() -> None:
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES) >= 80


@pytest.mark.parametrize("entry", PARAMETERS)
def test_sampled_frames_are_those_that_a_player_shows(entry: Entry, tmp_path: Path) -> None:
    path = tmp_path / entry.name
    parts = entry.make(path)
    with VideoFile(path, LimitSettings()) as video:
        ranks = video.choose(SamplingSettings(), "key")
        sampled = list(video.frames(ranks))
        facts, notes = video.facts, {note.code.value for note in video.notes()}
    sizes = {(one.picture.size.height, one.picture.size.width) for one in sampled}
    assert sizes == entry.sizes
    shown = {
        size: np.concatenate([shown_frames(file, entry, size)[part] for file, part in parts])
        for size in sizes
    }
    assert {len(frames) for frames in shown.values()} == {len(facts.times_s)}
    assert len(sampled) == min(11, len(facts.times_s))
    for one in sampled:
        height, width = one.picture.size.height, one.picture.size.width
        ours = one.picture.part(Region(0, 0, width, height)).astype(np.int16)
        difference = np.abs(ours - shown[height, width][one.frame_index]).mean()
        assert difference <= entry.tolerance, one.frame_index
    times_s, until_s = [], 0.0
    for file, part in parts:  # each goes on where the one before it ends
        own_s = shown_times_s(file, entry)[part]
        times_s.append(own_s - own_s[:1] + until_s)
        until_s = times_s[-1][-1] + entry.frame_s
    assert np.nanmax(np.abs(np.concatenate(times_s) - facts.times_s)) <= entry.frame_s
    assert np.diff(facts.times_s).min() > 0
    assert facts.duration_s == pytest.approx(facts.times_s[-1] + entry.frame_s, abs=entry.frame_s)
    assert notes == set(entry.notes)
