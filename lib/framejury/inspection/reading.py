"""Reads what `compare` needs of a video. Runs in the sandbox."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from framejury.audio.sound_track import read_sound, sound_streams
from framejury.inspection.answer import PIXELS, SOUND, THUMBNAILS, TRACE_SIZE
from framejury.inspection.inspected import MOST_FRAMES, Facts, Shots, Sound, Trace
from framejury.media.container import VideoSource, open_container
from framejury.media.decode import VideoFile
from framejury.records import Image, Size
from framejury.settings import Settings


def opened(source: VideoSource, settings: Settings) -> VideoFile:
    """Open a video as the settings ask.

    Raises:
        MediaError: as `VideoFile`.
    """
    threads, stream = settings.scoring.threads, settings.sampling.stream
    return VideoFile(source, settings.limits, threads, stream)


def facts_of(video: VideoFile, shown: Size, source: VideoSource, settings: Settings) -> Facts:
    """Return the facts of a video.

    Args:
        video: open.
        shown: size of a frame, after rotation.
        source: the same file, for what `VideoFile` does not provide.
        settings: the limits.

    Raises:
        MediaError: it can no longer be opened.
    """
    with open_container(source, settings.limits) as container:
        pixel_format = container.streams[video.stream_index].codec_context.pix_fmt or "unknown"
        sound = _sound_facts(container)
        size_bytes = container.size
    return Facts(
        container=video.facts.container,
        codec=video.facts.codec,
        pixel_format=pixel_format,
        width_px=shown.width,
        height_px=shown.height,
        duration_s=video.facts.duration_s,
        frames=len(video.facts.times_s),
        key_frames=len(video.key_frames),
        bytes=max(size_bytes, 0),
        sound=sound,
        damage=video.damage,
    )


def trace(source: VideoSource, settings: Settings) -> tuple[Trace, dict[str, Any]]:
    """Read all frames of the first `inspect.compare_s` seconds, small and grey, and the sound.

    Returns:
        the record; `thumbnails` uint8 (n, 36, 64), `sound` int16 (m,) at `framejury.audio.RATE_HZ`.

    Raises:
        MediaError: the video cannot be read.
    """
    seconds = settings.inspect.compare_s
    track = read_sound(source, settings.limits, seconds)
    with opened(source, settings) as video:
        count = int(np.searchsorted(video.facts.times_s, seconds, side="left"))
        ranks = np.arange(min(max(count, 1), MOST_FRAMES), dtype=np.int64)
        times_s, thumbnails, shown = [], [], Size(1, 1)
        for frame in video.frames(ranks):
            shown = frame.picture.size
            times_s.append(frame.pts_s)
            thumbnails.append(_grey(frame.picture.reduced(TRACE_SIZE)))
        facts = facts_of(video, shown, source, settings)
        start_s = None if track is None else track.start_s - video.start_s
    record = Trace(facts=facts, times_s=tuple(times_s), sound_start_s=start_s)
    samples = np.zeros(0, np.int16) if track is None else track.samples
    return record, {THUMBNAILS: np.stack(thumbnails), SOUND: samples}


def shots(
    source: VideoSource, settings: Settings, ranks: list[int], size: Size
) -> tuple[Shots, dict[str, Any]]:
    """Read chosen frames, each reduced to one size.

    Args:
        source, settings: as in `trace`.
        ranks: of the frames, increasing.
        size: of the returned pictures.

    Returns:
        the record; `pixels` uint8 (k, height, width, 3) RGB.

    Raises:
        MediaError: the video cannot be read.
    """
    pictures: list[Image] = []
    indices = []
    with opened(source, settings) as video:
        for frame in video.frames(np.asarray(ranks, np.int64)):
            indices.append(frame.frame_index)
            pictures.append(frame.picture.reduced(size))
    record = Shots(frame_indices=tuple(indices), height_px=size.height, width_px=size.width)
    return record, {PIXELS: np.stack(pictures)}


def _sound_facts(container: Any) -> Sound | None:
    """Return the first sound stream of an open container; None without a decodable one."""
    streams = sound_streams(container)
    if not streams:
        return None
    context = streams[0].codec_context
    return Sound(
        codec=context.name,
        rate_hz=context.sample_rate or 0,
        channels=context.channels or 0,
        streams=len(streams),
    )


def _grey(image: Image) -> Any:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
