"""Clips with a voice, for comparing a fake with its original. Real media, made here."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.stream import VideoStream

from framejury.records import Image

VOICE_HZ = 16_000

Samples = npt.NDArray[np.int16]


def voice(seconds: float, seed: int) -> Samples:
    """Syllables of one speaker: overtones of a gliding pitch, each syllable of its own timbre."""
    rng = np.random.default_rng(seed)
    sound = np.zeros(round(seconds * VOICE_HZ))
    pitch_hz = rng.uniform(100, 240)
    at = 0
    while at < len(sound):
        length = int(rng.uniform(0.12, 0.28) * VOICE_HZ)
        t = np.arange(min(length, len(sound) - at)) / VOICE_HZ
        glide = pitch_hz * rng.uniform(0.85, 1.2) * (1 + rng.uniform(-0.3, 0.3) * t)
        phase = 2 * np.pi * np.cumsum(glide) / VOICE_HZ
        middle_hz = rng.uniform(300, 2800)
        part = np.zeros(len(t))
        for overtone in range(1, 18):
            near = np.exp(-(((overtone * pitch_hz - middle_hz) / 700) ** 2)) + 0.1 / overtone
            part += near * np.sin(overtone * phase + rng.uniform(0, 6))
        sound[at : at + len(t)] = part * np.sqrt(np.abs(np.sin(np.pi * t / max(t[-1], 1e-3))))
        at += length + int(rng.uniform(0.01, 0.06) * VOICE_HZ)
    noise = rng.normal(0, 0.004, len(sound))
    whole = (sound / np.abs(sound).max() * 0.5 + noise) * 2**15
    return np.asarray(np.clip(whole, -(2**15), 2**15 - 1), np.int16)


def write_talkie(
    path: Path,
    frames: Sequence[Image],
    sound: Samples | None,
    *,
    fps: int = 25,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    sound_codec: str = "aac",
    sound_bits: int = 96_000,
) -> Path:
    """Write frames and a voice; the ending of `path` chooses the container."""
    with av.open(str(path), "w") as output:
        picture = output.add_stream(codec, rate=fps)
        assert isinstance(picture, VideoStream)
        picture.height, picture.width = frames[0].shape[:2]
        picture.pix_fmt = "yuv420p"
        context: Any = picture.codec_context
        context.thread_count = 1
        if codec == "libx264":
            context.options = {"preset": "veryfast", "crf": "20", **(options or {})}
        else:
            picture.bit_rate = 900_000
        voice_stream = None
        if sound is not None:
            added = output.add_stream(sound_codec, rate=48_000)
            assert isinstance(added, av.AudioStream)
            added.bit_rate = sound_bits
            added.codec_context.layout = "mono"
            voice_stream = added
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            output.mux(picture.encode(frame))
        output.mux(picture.encode(None))
        if voice_stream is not None and sound is not None:
            _mux(output, voice_stream, sound)
    return path


def _mux(output: Any, stream: av.AudioStream, sound: Samples) -> None:
    whole = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
    whole.sample_rate, whole.pts, whole.time_base = VOICE_HZ, 0, Fraction(1, VOICE_HZ)
    size = stream.codec_context.frame_size or 1024
    form = stream.codec_context.format.name
    resampler = av.AudioResampler(format=form, layout="mono", rate=48_000, frame_size=size)
    for frame in [*resampler.resample(whole), *resampler.resample(None)]:
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def with_other_face(frame: Image) -> Image:
    """The middle of the frame blended with itself, mirrored and tinted: a crude face swap."""
    height, width = frame.shape[:2]
    mask = np.zeros((height, width), np.float32)
    axes = (int(width * 0.13), int(height * 0.22))
    cv2.ellipse(mask, (width // 2, int(height * 0.5)), axes, 0, 0, 360, 1.0, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), 4)[..., None]
    other = np.clip(frame[:, ::-1].astype(np.float32) * (1.05, 0.97, 0.9) + 6, 0, 255)
    return np.asarray(frame * (1 - soft) + other * soft, np.uint8)
