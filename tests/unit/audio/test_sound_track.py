"""How sound is read from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from framejury.audio import RATE_HZ
from framejury.audio.sound_track import read_sound
from framejury.settings import LimitSettings
from tests.builders.clips import plain_frames, write_audio_only, write_clip

LIMITS = LimitSettings()


def test_a_tone_is_read_as_it_was(tmp_path: Path) -> None:
    track = read_sound(write_audio_only(tmp_path / "tone.m4a", 2.0), LIMITS, 60)
    assert track is not None
    spectrum = np.abs(np.fft.rfft(track.samples.astype(float)))
    hertz = np.fft.rfftfreq(len(track.samples), 1 / RATE_HZ)
    assert hertz[spectrum.argmax()] == pytest.approx(440, abs=2)
    assert len(track.samples) / RATE_HZ == pytest.approx(2.0, abs=0.1)
    middle = track.samples[RATE_HZ // 2 : RATE_HZ].astype(float)
    assert middle.std() * np.sqrt(2) == pytest.approx(8000, rel=0.05)


def test_no_more_is_read_than_asked_for(tmp_path: Path) -> None:
    track = read_sound(write_audio_only(tmp_path / "tone.m4a", 3.0), LIMITS, 0.5)
    assert track is not None and len(track.samples) == RATE_HZ // 2


def test_a_film_without_sound_has_none(tmp_path: Path) -> None:
    assert read_sound(write_clip(tmp_path / "a.mp4", plain_frames(5)), LIMITS, 60) is None
