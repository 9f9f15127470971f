"""What becomes of the sound of a file, whatever the file is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from framejury.audio import RATE_HZ
from framejury.audio.hearing import hear
from framejury.audio.sound_track import read_sound
from framejury.schemas.statuses import SoundOutcome
from framejury.settings import LimitSettings
from tests.builders.clips import mp4_boxes, plain_frames, write_clip, write_text
from tests.builders.sounds import tone
from tests.builders.talkies import Samples, voice, write_talkie

LIMITS = LimitSettings()
SAID = voice(6, seed=3)


def talkie(path: Path, sound: Samples | None) -> Path:
    return write_talkie(path, plain_frames(4), sound)


def spoil(path: Path, share: float) -> Path:
    """Overwrite this share of the media in the file with noise, evenly."""
    content, noise = bytearray(path.read_bytes()), np.random.default_rng(0)
    media = mp4_boxes(content)["mdat"]
    for at in range(media.start + 64, media.stop - 64, round(64 / share)):
        content[at : at + 64] = noise.bytes(64)
    path.write_bytes(content)
    return path


def test_speech_is_heard(tmp_path: Path) -> None:
    heard = hear(talkie(tmp_path / "a.mp4", SAID), LIMITS, 60)
    assert heard.outcome is SoundOutcome.SCORED
    assert heard.heard_s == pytest.approx(6, abs=0.2)
    assert heard.starts_s.tolist() == [0, 1, 2, 3, 4] and len(heard.windows) == 5


def test_no_more_is_decoded_than_the_setting_says(tmp_path: Path) -> None:
    heard = hear(talkie(tmp_path / "a.mp4", SAID), LIMITS, 3)
    assert (heard.heard_s, len(heard.windows)) == (3, 2)


@pytest.mark.parametrize(
    ("sound", "outcome"),
    [
        (None, SoundOutcome.NO_SOUND),
        (np.zeros(4 * RATE_HZ, np.int16), SoundOutcome.SILENT),
        (SAID[: RATE_HZ // 2], SoundOutcome.TOO_SHORT),
    ],
    ids=["no_sound", "silent", "too_short"],
)
def test_what_is_no_voice_has_no_window(
    tmp_path: Path, sound: Samples | None, outcome: SoundOutcome
) -> None:
    heard = hear(talkie(tmp_path / "a.mp4", sound), LIMITS, 60)
    assert (heard.outcome, len(heard.windows)) == (outcome, 0)


@pytest.mark.parametrize(
    ("share", "outcome"), [(0.005, SoundOutcome.SCORED), (0.1, SoundOutcome.UNREADABLE)]
)
def test_a_sound_with_many_damaged_packets_is_not_judged(
    tmp_path: Path, share: float, outcome: SoundOutcome
) -> None:
    """Although most of it can be decoded: gaps are no voice."""
    place = spoil(talkie(tmp_path / "a.mp4", tone(500, 12)), share)
    track = read_sound(place, LIMITS, 60)
    assert track is not None and len(track.samples) > 10 * RATE_HZ
    assert hear(place, LIMITS, 60).outcome is outcome


def test_a_file_that_ends_early_is_heard_up_to_there(tmp_path: Path) -> None:
    whole = talkie(tmp_path / "a.mkv", SAID).read_bytes()
    (tmp_path / "b.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    heard = hear(tmp_path / "b.mkv", LIMITS, 60)
    assert heard.outcome is SoundOutcome.SCORED
    assert 2 < heard.heard_s < 5.5


def test_no_media_at_all(tmp_path: Path) -> None:
    assert hear(write_text(tmp_path / "a.mp4"), LIMITS, 60).outcome is SoundOutcome.UNREADABLE


def test_a_clip_without_sound(tmp_path: Path) -> None:
    place = write_clip(tmp_path / "a.mp4", plain_frames(5))
    assert hear(place, LIMITS, 60).outcome is SoundOutcome.NO_SOUND


def test_a_gap_of_years_is_no_memory(tmp_path: Path) -> None:
    """Time stamps are the file's own: what they leap over is silence, up to the limit."""
    content = bytearray(talkie(tmp_path / "a.mkv", tone(500, 3)).read_bytes())
    cluster = content.rindex(b"\x1f\x43\xb6\x75")
    stamp = content.index(b"\xe7", cluster)
    size = content[stamp + 1] & 0x7F
    content[stamp + 2 : stamp + 2 + size] = b"\x7f" * size
    (tmp_path / "b.mkv").write_bytes(content)
    heard = hear(tmp_path / "b.mkv", LIMITS, 30)
    assert heard.heard_s <= 30
    assert len(heard.windows) <= 30
