"""Whether two tracks say the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from framejury.audio import RATE_HZ
from framejury.audio.sound_track import read_sound
from framejury.inspection.sound_difference import Samples, sound_difference
from framejury.settings import LimitSettings
from tests.builders.clips import plain_frames
from tests.builders.talkies import VOICE_HZ, voice, write_talkie

LIMITS = LimitSettings()


def read(path: Path, seconds: float = 60) -> Samples:
    track = read_sound(path, LIMITS, seconds)
    assert track is not None
    return track.samples


@pytest.mark.parametrize(
    ("ending", "codec", "bits"),
    [
        ("mp4", "aac", 128_000),
        ("mp4", "aac", 24_000),
        ("mkv", "libmp3lame", 32_000),
        ("webm", "libopus", 16_000),
    ],
)
def test_a_codec_changes_nothing(tmp_path: Path, ending: str, codec: str, bits: int) -> None:
    said = voice(4, seed=3)
    picture = "libvpx-vp9" if ending == "webm" else "libx264"
    place = tmp_path / f"clip.{ending}"
    write_talkie(place, plain_frames(4), said, codec=picture, sound_codec=codec, sound_bits=bits)
    found = sound_difference(read(place), 0, said, 0, 0)
    assert found.outcome == "unchanged", found.why
    assert found.offset_s == pytest.approx(0, abs=0.05)
    assert len(found.times_s) >= 12


def test_another_voice_is_a_change() -> None:
    found = sound_difference(voice(4, seed=3), 0, voice(4, seed=4), 0, 0)
    assert found.outcome == "changed"
    assert found.offset_s is None
    assert found.changed.mean() > 0.5


def test_half_a_second_of_another_voice_is_a_change() -> None:
    said = voice(6, seed=3)
    part = said.copy()
    part[3 * VOICE_HZ : 4 * VOICE_HZ] = voice(6, seed=4)[3 * VOICE_HZ : 4 * VOICE_HZ]
    found = sound_difference(part, 0, said, 0, 0)
    assert found.outcome == "changed"
    assert found.times_s[found.changed].min() > 2.8
    assert found.times_s[found.changed].max() < 4.2


def test_muted_sound_is_a_change() -> None:
    said = voice(4, seed=3)
    found = sound_difference(np.zeros_like(said), 0, said, 0, 0)
    assert found.outcome == "changed"


def test_loudness_is_no_change() -> None:
    said = voice(4, seed=3)
    assert sound_difference((said * 0.2).astype(np.int16), 0, said, 0, 0).outcome == "unchanged"


@pytest.mark.parametrize("seconds", [-0.7, 0.31, 1.5])
def test_an_offset_is_found(seconds: float) -> None:
    said = voice(6, seed=3)
    cut = round(abs(seconds) * RATE_HZ)
    fake, original = (said[cut:], said) if seconds > 0 else (said, said[cut:])
    found = sound_difference(fake, 0, original, 0, 0)
    assert found.outcome == "unchanged"
    assert found.offset_s == pytest.approx(seconds, abs=1e-3)


def test_starts_are_counted_in() -> None:
    said = voice(6, seed=3)
    found = sound_difference(said[RATE_HZ:], 1.0, said, 0.0, 0)
    assert found.offset_s == pytest.approx(0, abs=1e-3)
    assert found.times_s.min() > 1.0


def test_the_offset_of_the_pictures_places_other_voices() -> None:
    """Nothing tells the sound's own offset; silence of both must still lie together."""
    one, two = voice(4, seed=3), voice(4, seed=4)
    quiet = np.zeros(2 * RATE_HZ, np.int16)
    found = sound_difference(np.concatenate([one, quiet]), 0, np.concatenate([quiet, two]), 0, 2.0)
    assert found.outcome == "changed"
    assert found.times_s.max() < 4.2  # the silence after it lies over nothing


def test_hardly_any_sound_is_unknown() -> None:
    said = voice(4, seed=3)
    said[RATE_HZ // 2 :] = 0
    found = sound_difference(said, 0, said, 0, 0)
    assert found.outcome == "unknown" and "sound together for less than 1 s" in found.why


def test_no_sound_at_all() -> None:
    nothing, said = np.zeros(0, np.int16), voice(2, seed=1)
    assert sound_difference(nothing, 0, nothing, 0, 0).outcome == "absent"
    one = sound_difference(said, 0, nothing, 0, 0)
    assert (one.outcome, one.why) == ("unknown", "the original has no sound")
    assert sound_difference(nothing, 0, said, 0, 0).why == "the fake has no sound"
