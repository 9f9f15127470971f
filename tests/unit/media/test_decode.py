"""The frame returned is the frame it claims to be, and broken files end with the right status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from framejury.errors import MediaError
from framejury.media.decode import VideoFile
from framejury.media.probe import VideoFacts
from framejury.media.sample import Walk
from framejury.records import Image, Region, SampledFrame, Size
from framejury.schemas.statuses import Status
from framejury.settings import LimitSettings, SamplingSettings
from tests.builders import clips

SIZE = Size(96, 128)
FRAMES = clips.plain_frames(36, SIZE)
EVERY = SamplingSettings(mode="all")


@dataclass(frozen=True)
class Decoded:
    facts: VideoFacts
    frames: list[SampledFrame]
    frames_decoded: int
    damage: str | None


def decode(
    path: Path, sampling: SamplingSettings = EVERY, limits: LimitSettings | None = None
) -> Decoded:
    with VideoFile(path, limits or LimitSettings()) as video:
        frames = list(video.frames(video.choose(sampling, "key")))
        return Decoded(video.facts, frames, video.frames_decoded, video.damage)


def status_of(path: Path, limits: LimitSettings | None = None) -> tuple[Status, str]:
    with pytest.raises(MediaError) as caught:
        decode(path, limits=limits)
    return caught.value.status, str(caught.value)


def numbers(frames: Sequence[SampledFrame]) -> list[int]:
    return [clips.read_frame_number(whole(frame)) for frame in frames]


def whole(frame: SampledFrame) -> Image:
    size = frame.picture.size
    return frame.picture.part(Region(0, 0, size.width, size.height))


def write_with_b_frames(path: Path, codec: str, frames: Sequence[Image] = FRAMES) -> Path:
    """Codecs for which `clips.write_clip` makes no B-frames, such as XviD's in AVI."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        context: Any = stream.codec_context
        context.max_b_frames, context.gop_size, context.bit_rate = 2, 12, 2_000_000
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def overwrite(path: Path, start_ratio: float, length_ratio: float) -> Path:
    """Replace a stretch of the file by noise."""
    content = bytearray(path.read_bytes())
    start, length = round(len(content) * start_ratio), round(len(content) * length_ratio)
    content[start : start + length] = np.random.default_rng(1).bytes(length)
    path.write_bytes(content)
    return path


# ---------------------------------------------------------------- the right frame


def good_clip(name: str, folder: Path) -> Path:
    path = folder / name.partition(" ")[0]
    if name.endswith("B-frames"):
        return clips.write_clip(path, FRAMES, bframes=3)
    if name.endswith("mpeg1"):
        return clips.write_clip(path, FRAMES, codec="mpeg1video")
    if name.endswith("vp8"):
        return clips.write_clip(path, FRAMES, codec="libvpx")
    if name.endswith("xvid"):
        return write_with_b_frames(path, "mpeg4")
    if name.endswith("h264"):
        return clips.write_clip(path, FRAMES, container=name.partition(" ")[2])
    return clips.write_variant(path, FRAMES)


@pytest.mark.parametrize(
    "name",
    [
        *("a.mp4 B-frames", "a.avi B-frames", "a.mkv B-frames", "a.ts", "a.mov", "a.webm", "a.avi"),
        *("a.mpg", "a.mpg mpeg1", "a.webm vp8", "a.avi xvid", "a.mkv xvid", "a.h264 h264"),
    ],
)
def test_every_frame_is_the_one_it_claims_to_be(tmp_path: Path, name: str) -> None:
    found = decode(good_clip(name, tmp_path))
    assert numbers(found.frames) == [frame.frame_index for frame in found.frames]
    assert [frame.frame_index for frame in found.frames] == list(range(36))
    assert [frame.pts_s for frame in found.frames] == pytest.approx(np.arange(36) / 25, abs=2e-3)
    assert found.facts.duration_s == pytest.approx(36 / 25, abs=0.05)
    assert found.frames_decoded == 36
    assert found.damage is None


@pytest.mark.parametrize("name", ["a.mp4 B-frames", "a.avi B-frames", "a.mpg mpeg1", "a.webm"])
def test_samples_are_exact_too(tmp_path: Path, name: str) -> None:
    found = decode(good_clip(name, tmp_path), SamplingSettings(frames=5, tolerance_s=0))
    assert numbers(found.frames) == [frame.frame_index for frame in found.frames]
    # Middles of five stretches of 0.288 s, in frames of 0.04 s.
    assert numbers(found.frames) == [4, 11, 18, 25, 32]
    assert found.damage is None


def test_decoding_stops_after_the_last_chosen_frame(tmp_path: Path) -> None:
    exact = SamplingSettings(frames=1, tolerance_s=0)
    found = decode(clips.write_clip(tmp_path / "a.mp4", FRAMES), exact)
    assert numbers(found.frames) == [18]
    assert found.frames_decoded <= 7  # from the key frame at 12


# ---------------------------------------------------------------- only what is needed


STREAMS = {
    "h264.mp4": "libx264",
    "h264.mkv": "libx264",
    "h264.ts": "libx264",
    "hevc.mp4": "libx265",
    "hevc.ts": "libx265",
    "mpeg2.ts": "mpeg2video",
    "mpeg2.mpg": "mpeg2video",
    "mpeg4.mp4": "mpeg4",
}


def write_stream(name: str, folder: Path, frames: Sequence[Image] = FRAMES) -> Path:
    """A clip of several groups of pictures with B-frames."""
    path, codec = folder / name, STREAMS[name]
    if codec in ("libx264", "libx265"):
        return clips.write_clip(path, frames, codec=codec, bframes=3)
    return write_with_b_frames(path, codec, frames)


@pytest.mark.parametrize("name", STREAMS)
def test_frames_decoded_sparingly_are_the_same_to_the_last_bit(tmp_path: Path, name: str) -> None:
    path = write_stream(name, tmp_path)
    every = decode(path)
    for sampling in (
        SamplingSettings(frames=4),
        SamplingSettings(frames=5, tolerance_s=0),
        SamplingSettings(mode="random", frames=6),
        SamplingSettings(mode="every_s", every_s=0.3),
        SamplingSettings(mode="keyframes"),
    ):
        found = decode(path, sampling)
        assert found.damage is None
        assert found.frames_decoded < 30
        for frame in found.frames:
            assert np.array_equal(whole(frame), whole(every.frames[frame.frame_index]))
            assert frame.pts_s == every.frames[frame.frame_index].pts_s


@pytest.mark.parametrize("name", STREAMS)
def test_pictures_that_none_depends_on_are_found(tmp_path: Path, name: str) -> None:
    """By what is decoded for the last frame of the clip; key frames come every twelve."""
    path = write_stream(name, tmp_path)
    with VideoFile(path, LimitSettings()) as video:
        (last,) = video.frames(np.array([34]))
        assert clips.read_frame_number(whole(last)) == 34
        assert video.frames_decoded <= 8


def test_without_such_pictures_all_of_a_group_up_to_the_sample_is_decoded(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES, bframes=0)
    with VideoFile(path, LimitSettings()) as video:
        (frame,) = video.frames(np.array([18]))
        assert clips.read_frame_number(whole(frame)) == 18
        assert video.frames_decoded == 7  # from the key frame at 12


def test_samples_move_to_key_frames_within_the_tolerance(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES, gop=9)
    exact = decode(path, SamplingSettings(frames=3, tolerance_s=0))
    assert numbers(exact.frames) == [6, 18, 30]
    found = decode(path, SamplingSettings(frames=3, tolerance_s=0.13))
    assert numbers(found.frames) == [9, 18, 30]  # not worth it to 27
    assert [frame.pts_s for frame in found.frames] == pytest.approx([0.36, 0.72, 1.2])
    assert found.frames_decoded < exact.frames_decoded


def test_keyframes_decode_alone(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES)
    found = decode(path, SamplingSettings(mode="keyframes"))
    assert numbers(found.frames) == [0, 12, 24]
    assert found.frames_decoded == 3
    few = decode(path, SamplingSettings(mode="keyframes", frames=2))
    assert len(few.frames) == 2 and set(numbers(few.frames)) < {0, 12, 24}


def test_one_frame_every_so_many_seconds(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES)
    found = decode(path, SamplingSettings(mode="every_s", every_s=0.4, tolerance_s=0))
    assert numbers(found.frames) == [5, 15, 25]
    shorter = decode(path, SamplingSettings(mode="every_s", every_s=60))
    assert len(shorter.frames) == 1


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_the_container_jumps_where_much_lies_between(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framejury.media.decoders._SEEK_BYTES", 0)
    path = clips.write_clip(tmp_path / f"a.{ending}", clips.plain_frames(120, SIZE))
    found = decode(path, SamplingSettings(frames=5, tolerance_s=0.08))
    assert numbers(found.frames) == [frame.frame_index for frame in found.frames]
    assert len(found.frames) == 5
    assert found.frames_decoded < 60
    assert found.damage is None


def test_segments_together_are_the_whole(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES)
    with VideoFile(path, LimitSettings()) as video:
        ranks = video.choose(EVERY, "key")
        segments = video.segments(ranks, most_s=1e-6, each_s=0.02)
    assert [window for window, _ in segments] == [(0, 12), (12, 24), (24, 36)]
    assert all(cost_s > 12 * 0.02 for _, cost_s in segments)
    shown = []
    for (first, stop), _ in segments:
        with VideoFile(path, LimitSettings()) as video:
            frames = list(video.frames(ranks[(ranks >= first) & (ranks < stop)]))
            assert video.frames_decoded == 12
            shown += numbers(frames)
    assert shown == list(range(36))


def test_damage_between_samples_does_not_reach_them(tmp_path: Path) -> None:
    """Found in the middle of a plan: what follows is decoded in order, the bad left out."""
    path = overwrite(clips.write_clip(tmp_path / "a.mp4", FRAMES, bframes=0), 0.35, 0.06)
    sound = set(numbers(decode(path).frames))
    found = decode(path, SamplingSettings(frames=9, tolerance_s=0))
    assert set(numbers(found.frames)) <= sound
    assert numbers(found.frames) == [frame.frame_index for frame in found.frames]
    assert len(found.frames) >= 7
    assert found.damage is not None


def test_a_variable_frame_rate_is_sampled_by_time(tmp_path: Path) -> None:
    gaps = np.random.default_rng(0).uniform(0.01, 0.4, 35)
    times_s = np.round(np.concatenate([[0.0], np.cumsum(gaps)]), 3)
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES, pts_s=[float(t) for t in times_s])
    found = decode(path, SamplingSettings(frames=6, tolerance_s=0))
    assert numbers(found.frames) == [frame.frame_index for frame in found.frames]
    chosen_s = np.array([frame.pts_s for frame in found.frames])
    assert chosen_s == pytest.approx(times_s[numbers(found.frames)], abs=1e-6)
    ideal_s = (np.arange(6) + 0.5) * found.facts.duration_s / 6
    assert np.abs(chosen_s - ideal_s).max() <= gaps.max() / 2


def test_less_than_a_frame_a_second(tmp_path: Path) -> None:
    found = decode(clips.write_clip(tmp_path / "a.mp4", FRAMES[:6], fps=0.5))
    assert numbers(found.frames) == list(range(6))
    assert [frame.pts_s for frame in found.frames] == [0, 2, 4, 6, 8, 10]
    assert found.facts.duration_s == pytest.approx(12)


def test_more_frames_asked_for_than_there_are(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES[:7])
    assert numbers(decode(path, SamplingSettings(frames=32)).frames) == list(range(7))


@pytest.mark.parametrize("ending", ["ts", "h264"])
def test_the_size_changes_half_way(tmp_path: Path, ending: str) -> None:
    large = clips.plain_frames(24, Size(144, 192))[12:]
    path = clips.write_size_change(tmp_path / f"a.{ending}", FRAMES[:12], large)
    found = decode(path)
    shown = numbers(found.frames)
    # Joining two MPEG-TS files breaks a packet counter, which libav takes for damage.
    assert shown == list(range(24)) if ending == "h264" else set(range(24)) - {10, 11} <= set(shown)
    assert shown == [frame.frame_index for frame in found.frames]
    shapes = [whole(frame).shape for frame in found.frames]
    assert shapes == [(96, 128, 3) if number < 12 else (144, 192, 3) for number in shown]


@pytest.mark.parametrize("rotation_deg", [90, 180, 270])
def test_rotated_as_shown(tmp_path: Path, rotation_deg: int) -> None:
    found = decode(clips.write_rotated(tmp_path / "a.mp4", FRAMES[:4], rotation_deg))
    # The numbers are read from the bottom strip, so the picture stands upright.
    assert numbers(found.frames) == [0, 1, 2, 3]
    assert {whole(frame).shape for frame in found.frames} == {(96, 128, 3)}
    stored = (128, 96) if rotation_deg != 180 else (96, 128)
    assert (found.facts.coded_size.height, found.facts.coded_size.width) == stored


@pytest.mark.parametrize("name", ["a.mp4", "a.mpg", "a.webm", "a.avi"])
@pytest.mark.parametrize("color", [(220, 30, 20), (25, 30, 210)], ids=["red", "blue"])
def test_red_is_red(tmp_path: Path, name: str, color: tuple[int, int, int]) -> None:
    plain = np.full((96, 128, 3), color, np.uint8)
    (frame,) = decode(clips.write_variant(tmp_path / name, [plain])).frames
    assert whole(frame).dtype == np.uint8
    assert np.abs(whole(frame).mean(axis=(0, 1)) - color).max() < 12


def test_an_odd_size(tmp_path: Path) -> None:
    odd = [np.full((95, 127, 3), 99, np.uint8)] * 3
    found = decode(clips.write_clip(tmp_path / "a.mp4", odd, pixel_format="yuv444p"))
    assert {whole(frame).shape for frame in found.frames} == {(95, 127, 3)}


def test_names_that_libav_could_misread(tmp_path: Path) -> None:
    for name in ("a b%20c.mp4", "frame%03d.mp4", "pipe:0.mp4", "ü\n✓.mp4", "a?b#c.mp4", "-i.mp4"):
        path = clips.write_clip(tmp_path / name, FRAMES[:2])
        assert numbers(decode(path).frames) == [0, 1]


@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_each_pass_gives_the_frames_that_one_pass_gives(tmp_path: Path, name: str) -> None:
    path = clips.write_clip(tmp_path / name, FRAMES[:24])
    whole = decode(path).frames
    with VideoFile(path, LimitSettings()) as video:
        decoded = 0
        for ranks in ([3, 20], [1, 9, 22], [0, 23]):
            found = list(video.frames(np.array(ranks)))
            assert [frame.frame_index for frame in found] == ranks
            assert video.frames_decoded > decoded
            decoded = video.frames_decoded
            for frame in found:
                pixels = whole[frame.frame_index].picture.reduced(SIZE)
                assert np.array_equal(frame.picture.reduced(SIZE), pixels)
        assert video.damage is None and not video.notes()


def test_samples_of_a_further_round_do_not_move_to_those_of_an_earlier_one(tmp_path: Path) -> None:
    """All would move to the key frames 0, 12 and 24, which the first round has."""
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES, gop=12)
    settings = SamplingSettings(rounds=(3, 6, 12), tolerance_s=60)
    with VideoFile(path, LimitSettings()) as video:
        known = video.choose(settings, "key")
        assert set(known.tolist()) & {0, 12, 24}
        for count in (6, 12):
            more = video.choose_more(settings, known, count)
            assert not set(more.tolist()) & set(known.tolist())
            known = np.union1d(known, more)
            assert len(known) == count


def test_damage_is_counted_once_and_samples_of_all_passes(tmp_path: Path) -> None:
    path = overwrite(clips.write_clip(tmp_path / "a.mp4", FRAMES, bframes=0), 0.35, 0.06)
    earlier, later = np.array_split(np.arange(len(FRAMES)), 2)
    with VideoFile(path, LimitSettings()) as video:
        list(video.frames(np.arange(len(FRAMES))))
        whole, notes = video.damage, video.notes()
        assert whole is not None
    with VideoFile(path, LimitSettings()) as video:
        found = sum(len(list(video.frames(ranks))) for ranks in (earlier, later))
        damage = video.damage
        assert damage is not None
        assert damage.split("; ")[:2] == whole.split("; ")[:2]
        assert damage.endswith(f"{found} of {len(FRAMES)} planned frames could be decoded")
        assert video.notes() == notes


# ---------------------------------------------------------------- not a video


def test_no_thread_decodes_ahead(tmp_path: Path) -> None:
    """One that speaks could wait forever for whoever closes the file (`decoders._hear_libav`)."""
    path = clips.write_clip(tmp_path / "a.mp4", clips.plain_frames(4))
    with VideoFile(path, LimitSettings(), threads=2) as video:
        assert video._stream.codec_context.thread_type.name == "SLICE"


def test_missing(tmp_path: Path) -> None:
    assert status_of(tmp_path / "gone.mp4")[0] is Status.MISSING


def test_a_folder_is_unreadable(tmp_path: Path) -> None:
    assert status_of(tmp_path)[0] is Status.UNREADABLE


def test_text_is_not_a_video(tmp_path: Path) -> None:
    assert status_of(clips.write_text(tmp_path / "a.mp4"))[0] is Status.NOT_VIDEO


@pytest.mark.parametrize("name", ["a.mp4", "a.m4a", "a.mkv"])
def test_audio_only_is_not_a_video(tmp_path: Path, name: str) -> None:
    status, message = status_of(clips.write_audio_only(tmp_path / name))
    assert status is Status.NOT_VIDEO
    assert "audio" in message


def test_cover_art_is_not_a_video(tmp_path: Path) -> None:
    status, message = status_of(clips.write_cover_art(tmp_path / "a.mp4", FRAMES[0]))
    assert status is Status.NOT_VIDEO
    assert "moving picture" in message


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".webp"])
def test_a_renamed_picture_is_not_a_video(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(cv2.imencode(ending, FRAMES[0])[1].tobytes())
    assert status_of(path)[0] is Status.NOT_VIDEO


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile other.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nother.mp4\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    ],
    ids=["concat", "hls", "sdp"],
)
def test_a_playlist_cannot_borrow_another_files_frames(tmp_path: Path, text: str) -> None:
    clips.write_clip(tmp_path / "other.mp4", FRAMES[:4])
    playlist = tmp_path / "a.mp4"
    playlist.write_text(text)
    assert status_of(playlist)[0] is Status.NOT_VIDEO


# ---------------------------------------------------------------- damaged


def test_without_an_index_it_is_unreadable(tmp_path: Path) -> None:
    status, message = status_of(clips.write_without_moov(tmp_path / "a.mp4", FRAMES))
    assert status is Status.UNREADABLE
    assert "cut short" in message


def test_noise_for_pictures_is_unreadable(tmp_path: Path) -> None:
    status, message = status_of(clips.write_garbage(tmp_path / "a.mp4", FRAMES))
    assert status is Status.UNREADABLE
    assert "damaged packets: 36" in message


def test_a_zeroed_file_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(50_000))
    assert status_of(path)[0] is Status.NOT_VIDEO


def test_cut_short_mp4_gives_its_frames_and_says_so(tmp_path: Path) -> None:
    found = decode(clips.write_cut_short(tmp_path / "a.mp4", FRAMES))
    assert 5 < len(found.frames) < 36
    assert [f.pts_s * 25 for f in found.frames] == pytest.approx(numbers(found.frames))
    assert found.damage is not None and "of 36 frames present" in found.damage


@pytest.mark.parametrize("ending", ["avi", "mkv"])
def test_cut_short_at_a_whole_frame_is_noticed(tmp_path: Path, ending: str) -> None:
    long = clips.plain_frames(60, SIZE)
    path = clips.write_variant(tmp_path / f"a.{ending}", long)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    found = decode(path, SamplingSettings(frames=3))
    assert len(found.frames) == 3
    assert found.damage is not None and "cut short" in found.damage


@pytest.mark.parametrize("ending", ["mp4", "ts"])
def test_no_smeared_frame_passes_for_a_picture(tmp_path: Path, ending: str) -> None:
    """libav patches damaged frames up from others; their numbers are then wrong or unreadable."""
    path = overwrite(clips.write_variant(tmp_path / f"a.{ending}", FRAMES), 0.35, 0.06)
    found = decode(path)
    shown = numbers(found.frames)  # raises where a strip is damaged
    assert shown == sorted(set(shown))
    assert shown[:3] == [0, 1, 2] and shown[-12:] == list(range(24, 36))
    assert len(shown) < 36
    assert found.damage is not None


def test_a_sample_that_fell_on_damage_is_replaced(tmp_path: Path) -> None:
    path = overwrite(clips.write_clip(tmp_path / "a.mp4", FRAMES, bframes=0), 0.35, 0.06)
    whole = numbers(decode(path).frames)
    lost = next(number for number in range(36) if number not in whole)
    with VideoFile(path, LimitSettings()) as video:
        # One frame, the one in the middle of the file, would be 17 or 18: ask around it.
        found = list(video.frames(video.choose(SamplingSettings(frames=12), "key")))
    assert 12 <= lost < 24
    assert set(numbers(found)) <= set(whole)
    assert video.damage is not None and "damaged" in video.damage


def test_frames_decoded_but_none_of_those_planned(tmp_path: Path) -> None:
    """No frame was looked at, so this must not end as a video without a face."""
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES, gop=100, bframes=0)
    content = bytearray(path.read_bytes())
    pictures = clips.mp4_boxes(content)["mdat"]
    start = pictures.start + len(pictures) // 2
    content[start : pictures.stop] = bytes(pictures.stop - start)
    path.write_bytes(content)
    decodable = decode(path)
    assert 0 < len(decodable.frames) < 18
    with VideoFile(path, LimitSettings()) as video, pytest.raises(MediaError) as caught:
        list(video.frames(np.array([17])))
    assert caught.value.status is Status.UNREADABLE
    assert video.frames_decoded > 0


def test_a_damaged_video_ends_with_a_status_whatever_the_noise(tmp_path: Path) -> None:
    good = clips.write_clip(tmp_path / "good.mp4", FRAMES[:12], faststart=True).read_bytes()
    generator = np.random.default_rng(7)
    path = tmp_path / "a.mp4"
    for _ in range(60):
        content = bytearray(good)
        for at in generator.integers(0, len(content), 12):
            content[at] = generator.integers(256)
        path.write_bytes(content)
        try:
            assert all(whole(f).ndim == 3 for f in decode(path).frames)
        except MediaError as error:
            assert error.status in (Status.UNREADABLE, Status.NOT_VIDEO, Status.TOO_LARGE)


# ---------------------------------------------------------------- limits


def test_frames_beyond_the_limit(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES[:3])
    assert status_of(path, LimitSettings(frame_px=96 * 128 - 1))[0] is Status.TOO_LARGE
    assert len(decode(path, limits=LimitSettings(frame_px=96 * 128)).frames) == 3


def test_frames_that_grow_beyond_the_limit(tmp_path: Path) -> None:
    large = clips.plain_frames(24, Size(144, 192))[12:]
    path = clips.write_size_change(tmp_path / "a.ts", FRAMES[:12], large)
    status, message = status_of(path, LimitSettings(frame_px=100 * 130))
    assert status is Status.TOO_LARGE
    assert "192 x 144" in message


def test_longer_than_the_limit(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES[:6], fps=0.5)
    status, message = status_of(path, LimitSettings(duration_s=11))
    assert status is Status.TOO_LARGE
    assert "12 s" in message and "limits.duration_s = 11" in message


# ---------------------------------------------------------------- limits, and open files


def test_an_open_file_is_read_as_its_path_is(tmp_path: Path) -> None:
    """From its start, whatever was read of it before, and twice: to list and to decode."""
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES)
    expected = numbers(decode(path).frames)
    with path.open("rb") as file:
        path.unlink()
        file.seek(1000)
        for _ in range(2):
            with VideoFile(file.fileno(), LimitSettings()) as video:
                found = list(video.frames(video.choose(EVERY, "key")))
            assert numbers(found) == expected


def test_an_open_file_that_is_no_video(tmp_path: Path) -> None:
    for name, status in (("text", Status.NOT_VIDEO), ("no moov", Status.UNREADABLE)):
        path = tmp_path / name
        if name == "text":
            clips.write_text(path)
        else:
            clips.write_clip(tmp_path / "a.mp4", FRAMES)
            whole = (tmp_path / "a.mp4").read_bytes()
            path.write_bytes(whole[: clips.mp4_boxes(whole)["moov"].start])
        with path.open("rb") as file:
            file.read()
            with pytest.raises(MediaError) as caught:
                VideoFile(file.fileno(), LimitSettings())
        assert caught.value.status is status


def write_streams(path: Path, count: int) -> Path:
    """A clip with `count` streams: one of pictures, the others of sound."""
    with av.open(str(path), "w") as output:
        picture = output.add_stream("mpeg4", rate=25)
        assert isinstance(picture, av.VideoStream)
        picture.height, picture.width, picture.pix_fmt = 96, 128, "yuv420p"
        for _ in range(count - 1):
            output.add_stream("pcm_s16le", rate=8000)
        for number, image in enumerate(FRAMES[:3]):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(picture.encode(frame))
        output.mux(picture.encode(None))
    return path


def test_more_streams_than_allowed_are_too_large(tmp_path: Path) -> None:
    path = write_streams(tmp_path / "a.mkv", 6)
    status, words = status_of(path, LimitSettings(streams=5))
    assert status is Status.TOO_LARGE and "6 streams, more than limits.streams = 5" in words
    assert len(decode(path, limits=LimitSettings(streams=6)).frames) == 3
    assert status_of(write_streams(tmp_path / "b.mkv", 200))[0] is Status.TOO_LARGE


def test_more_frames_than_allowed_are_too_large(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES)
    status, words = status_of(path, LimitSettings(frames=35))
    assert status is Status.TOO_LARGE and "limits.frames = 35" in words
    assert len(decode(path, limits=LimitSettings(frames=36)).frames) == 36


def test_a_header_that_lies_about_the_size_is_not_believed(tmp_path: Path) -> None:
    """Neither a large one, nor a small one before pictures that are beyond the limit."""
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES[:6])
    whole = bytearray(path.read_bytes())
    at = whole.index(b"avc1", whole.index(b"stsd")) + 28
    for height, width in ((65535, 65535), (0, 0), (2, 2)):
        whole[at : at + 4] = width.to_bytes(2, "big") + height.to_bytes(2, "big")
        path.write_bytes(whole)
        assert decode(path).facts.coded_size == SIZE
        status, words = status_of(path, LimitSettings(frame_px=96 * 128 - 1))
        assert status is Status.TOO_LARGE and "128 x 96" in words


# ---------------------------------------------------------------- pairs


def pairs_of(
    path: Path, ranks: Sequence[int], stop: int | None = None
) -> tuple[list[tuple[int, ...]], str | None]:
    """Frame numbers read off the pictures of each pair, which must be the ranks they claim."""
    with VideoFile(path, LimitSettings()) as video:
        looks = list(video.samples(np.array(ranks, np.int64), stop, (0, 1)))
        shown = [tuple(numbers(look)) for look in looks]
        assert shown == [tuple(frame.frame_index for frame in look) for look in looks]
        return shown, video.damage


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.avi", "a.ts", "a.mpg"])
def test_pairs_follow_each_other(tmp_path: Path, name: str) -> None:
    """Over the end of a group of pictures (11 and 12) too."""
    path = clips.write_variant(tmp_path / name, FRAMES)
    assert pairs_of(path, [0, 11, 23, 34]) == ([(0, 1), (11, 12), (23, 24), (34, 35)], None)


def test_a_pair_may_reach_one_frame_beyond_its_stretch(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES)
    assert pairs_of(path, [5, 11], stop=12)[0] == [(5, 6), (11, 12)]


def test_a_damaged_pair_is_replaced_by_one_that_is_whole(tmp_path: Path) -> None:
    path = overwrite(clips.write_clip(tmp_path / "a.mp4", FRAMES, bframes=0), 0.35, 0.06)
    readable = numbers(decode(path).frames)
    lost = [rank for rank in range(36) if rank not in readable]
    edge = lost[0] - 1  # its second frame is lost
    assert edge > 0 and lost[-1] < 34
    after = lost[-1] + 1
    found, damage = pairs_of(path, [0, edge, 32])
    assert found == [(0, 1), (after, after + 1), (32, 33)]
    assert damage is not None and "damaged" in damage
    # In a stretch that ends before, the next one gives it.
    assert pairs_of(path, [0, edge], stop=after)[0] == [(0, 1)]
    assert "1 of 2 planned pairs could be decoded" in (
        pairs_of(path, [0, edge], stop=after)[1] or ""
    )


def test_frames_that_can_be_read(tmp_path: Path) -> None:
    path = overwrite(clips.write_clip(tmp_path / "a.mp4", FRAMES, bframes=0), 0.35, 0.06)
    with VideoFile(path, LimitSettings()) as video:
        assert video.readable().tolist() == numbers(decode(path).frames)
        assert 0 < video.frames_decoded <= 36


def test_a_cheaper_neighbour_stays_in_the_range_and_pairs_stay(tmp_path: Path) -> None:
    """Frames 0, 12 and 24 decode alone; nothing else does."""
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES, bframes=0)

    def chosen(**values: Any) -> list[int]:
        sampling = SamplingSettings(frames=1, tolerance_s=60, **values)
        with VideoFile(path, LimitSettings()) as video:
            return list(video.choose(sampling, "key"))

    assert chosen()[0] in (0, 12, 24)
    assert chosen(first_frame=13, last_frame=23) == [13]  # the cheapest there
    assert chosen(first_frame=13, last_frame=23, pairs=True) == [19]


@pytest.mark.parametrize("codec", ["mpeg4", "mpeg2video"])
def test_what_the_decoder_covers_up_is_not_shown(codec: str, tmp_path: Path) -> None:
    """A few wrong bytes within a picture: every frame that is given is as it was filmed."""
    path = write_with_b_frames(tmp_path / "sound.mkv", codec)
    sound = {frame.frame_index: whole(frame) for frame in decode(path).frames}
    with av.open(str(path)) as container:
        packets = [(one.pos, one.size) for one in container.demux(video=0) if one.size > 60]
    left_out = 0
    for number, (place, size) in enumerate(packets[2::5]):
        content = bytearray(path.read_bytes())
        at = place + 40 + 7 * number % (size - 44)
        content[at : at + 4] = b"\xa5\x5a\xff\x00"
        damaged = tmp_path / "damaged.mkv"
        damaged.write_bytes(content)
        given = decode(damaged).frames
        left_out += len(sound) - len(given)
        for frame in given:
            difference = np.abs(whole(frame).astype(int) - sound[frame.frame_index]).mean()
            assert difference < 1, (number, frame.frame_index)
    assert left_out > 0


# ---------------------------------------------------------------- a walk


def walked(path: Path, faceless: set[int], **sampling: Any) -> tuple[list[list[int]], VideoFile]:
    """Numbers of the frames of each sample, as drawn into the pictures."""
    settings = SamplingSettings(mode="strided_retry", pairs=True, **sampling)
    found = []
    with VideoFile(path, LimitSettings()) as video:
        walk = Walk(len(video.facts.times_s), settings)
        for frames in video.walk(walk):
            found.append(numbers(frames))
            first = frames[0].frame_index
            walk.go_on(first, found=first not in faceless)
    return found, video


def test_a_walk_goes_on_from_what_was_found(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES, bframes=3)
    found, video = walked(path, {0, 8, 10}, frames=3, skip_frames_short=4)
    assert found == [[0, 1], [2, 3], [8, 9], [10, 11], [12, 13], [18, 19]]
    assert video.damage is None and video.frames_decoded < len(FRAMES)
    found, _ = walked(path, set(range(36)), frames=3, first_frame=5, last_frame=9)
    assert found == [[5, 6], [7, 8]]


def test_a_walk_passes_over_damage(tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", FRAMES, bframes=0, gop=6)
    overwrite(path, 0.4, 0.1)
    found, video = walked(path, set(), frames=40, skip_frames_short=0)
    assert video.damage is not None and 4 < len(found) < 18
    assert all(second == first + 1 for first, second in found)
    firsts = [first for first, _ in found]
    assert np.diff(firsts).max() > 2  # the damaged frames


def test_a_walk_without_a_sample_is_unreadable(tmp_path: Path) -> None:
    one = clips.write_clip(tmp_path / "one.mp4", FRAMES[:1])
    with pytest.raises(MediaError) as caught:
        walked(one, set(), frames=1)
    assert caught.value.status is Status.UNREADABLE
