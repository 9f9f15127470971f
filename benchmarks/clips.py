"""Clips made here: a real face (NASA portrait) before a moving textured background, with noise.

    python -m benchmarks.clips FOLDER

The pictures come from installed packages, nothing is downloaded. The encoder's structure is what
cameras and platforms write: B-frames, a key frame every 250 frames. A clip is made once; its
name holds a digest of how.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.stream import VideoStream

from framejury.demo.people import load_people, load_place
from framejury.records import Image, Size

FPS = 30
KEY_INTERVAL = 250
LONG_S = 1800
SHORT_S = (5, 6, 7, 8, 9, 10)

_VERSION = 1  # a change of how pictures are drawn counts it up
_BITS_A_PIXEL = 0.065  # 4 Mbit/s at 1080p and 30 fps, as the clips of DFDC
_HEVC_SAVING = 0.6
_FACE_CENTER = (222, 130)  # x, y in the photograph, pixels
_FACE_PX = 100
_FACE_RATIO = (0.14, 0.26)  # of the frame's height, farthest and nearest
_NOISE_SD = 2.5


@dataclass(frozen=True)
class ClipPlan:
    """One clip: `codec` is libav's encoder, `seconds` a whole number."""

    name: str
    size: Size
    codec: str
    seconds: int
    seed: int = 0

    @property
    def file_name(self) -> str:
        digest = hashlib.sha256(f"{self!r} {_VERSION}".encode()).hexdigest()[:8]
        return f"{self.name}-{digest}.mp4"


HD, UHD, SMALL = Size(1080, 1920), Size(2160, 3840), Size(360, 640)
FULL_HD = (ClipPlan("1080p-h264", HD, "libx264", 10), ClipPlan("1080p-hevc", HD, "libx265", 10))
FOUR_K = (ClipPlan("4k-h264", UHD, "libx264", 10), ClipPlan("4k-hevc", UHD, "libx265", 10))


def available(codec: str) -> bool:
    """Whether PyAV's libav can encode with `codec`."""
    try:
        av.codec.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def made(plan: ClipPlan, folder: Path) -> Path:
    """The clip of `plan` below `folder`, made now when it is not there."""
    path = folder / plan.file_name
    if not path.is_file():
        print(f"making {path.name}", file=sys.stderr, flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part.mp4")
        _encode(plan, unfinished)
        unfinished.rename(path)
    return path


def short_clips(folder: Path, count: int) -> list[Path]:
    """`count` files of 640 x 360, 5 to 10 seconds: copies of six that differ."""
    sources = [
        made(ClipPlan(f"short-{seconds}s", SMALL, "libx264", seconds, seed=seconds), folder)
        for seconds in SHORT_S
    ]
    return copies(sources, folder / "short", count)


def copies(sources: list[Path], folder: Path, count: int) -> list[Path]:
    """`count` files of their own below `folder`, the sources in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        source = sources[number % len(sources)]
        path = folder / f"{number:03d}-{source.name}"
        if not path.is_file() or path.stat().st_size != source.stat().st_size:
            shutil.copyfile(source, path)
        paths.append(path)
    return paths


def long_clip(folder: Path, seconds: int = LONG_S) -> Path:
    """A clip of 640 x 360 and half an hour: the packets of a short one again and again."""
    source = made(ClipPlan("short-10s", SMALL, "libx264", 10, seed=10), folder)
    path = folder / f"long-{seconds}s-{source.stem.rpartition('-')[2]}.mp4"
    if not path.is_file():
        unfinished = path.with_suffix(".part.mp4")
        repeat_packets(source, unfinished, seconds // 10)
        unfinished.rename(path)
    return path


def repeat_packets(source: Path, path: Path, times: int) -> None:
    """Write the video of `source` `times` times in a row without decoding it."""
    with av.open(str(path), "w") as output:
        target = None
        start = 0
        for _ in range(times):
            with av.open(str(source)) as opened:
                stream = opened.streams.video[0]
                if target is None:
                    target = output.add_stream_from_template(stream)
                assert stream.duration is not None
                for packet in opened.demux(stream):
                    if packet.dts is None or packet.pts is None:
                        continue  # the end
                    packet.dts += start
                    packet.pts += start
                    packet.stream = target
                    output.mux(packet)
                start += stream.duration


def pictures(plan: ClipPlan) -> Iterator[Image]:
    """The frames of a clip: uint8 (height, width, 3) RGB, `FPS` a second.

    The portrait comes nearer and goes away while it sways over the background; camera and
    portrait move by fractions of a pixel, and each frame has noise of its own.
    """
    rng = np.random.default_rng([plan.seed, plan.size.height])
    phase = float(rng.uniform(0, 2 * np.pi))
    place = _textured(load_place().images[0], plan.size, rng)
    portrait = load_people()["collins"].images[0]
    mask = _soft_mask(portrait)
    spread = rng.standard_normal((plan.size.height + 64, plan.size.width + 64, 3), np.float32)
    noise = (_NOISE_SD * spread).round().astype(np.int16)
    for index in range(plan.seconds * FPS):
        moment = 2 * np.pi * index / FPS
        frame = _seen(place, _background_at(place, plan.size, moment, phase), plan.size)
        view = _portrait_at(plan.size, moment, phase)
        person = _seen(portrait, view, plan.size)
        opacity = _seen(mask, view, plan.size)
        frame = _laid_over(frame, person, opacity)
        top, left = (int(value) for value in rng.integers(64, size=2))
        grain = noise[top : top + plan.size.height, left : left + plan.size.width]
        yield np.asarray(cv2.add(frame, grain, dtype=cv2.CV_8U), np.uint8)


def _textured(photo: Image, size: Size, rng: np.random.Generator) -> Image:
    """The photograph a fifth larger than the frame, with fine structure it does not have."""
    width, height = round(size.width * 1.2), round(size.height * 1.2)
    large = cv2.resize(photo, (width, height), interpolation=cv2.INTER_CUBIC)
    grain = cv2.GaussianBlur(rng.standard_normal((height, width, 1), np.float32), (0, 0), 1.5)
    texture = np.repeat((60 * grain).round().astype(np.int16)[..., None], 3, axis=2)
    return np.asarray(cv2.add(large, texture, dtype=cv2.CV_8U), np.uint8)


def _soft_mask(portrait: Image) -> Image:
    mask = np.zeros(portrait.shape[:2], np.uint8)
    cv2.ellipse(mask, _FACE_CENTER, (120, 170), 0, 0, 360, 255, -1)
    cv2.rectangle(mask, (40, 230), (420, portrait.shape[0]), 255, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 6), np.uint8)


def _background_at(place: Image, size: Size, moment: float, phase: float) -> np.ndarray:
    """float64 (2, 3): a slow pan over the background, which never leaves it."""
    spare_x, spare_y = place.shape[1] - size.width, place.shape[0] - size.height
    left = spare_x * (0.5 + 0.45 * np.sin(moment / 11 + phase))
    top = spare_y * (0.5 + 0.45 * np.sin(moment / 7 + phase))
    return np.array([[1.0, 0.0, -left], [0.0, 1.0, -top]])


def _portrait_at(size: Size, moment: float, phase: float) -> np.ndarray:
    """float64 (2, 3): from the photograph to the frame."""
    ratio = np.interp(np.sin(moment / 8 + phase), (-1, 1), _FACE_RATIO)
    scale = ratio * size.height / _FACE_PX
    x = size.width * (0.5 + 0.12 * np.sin(moment / 5))
    y = size.height * (0.4 + 0.04 * np.sin(moment / 3))
    return np.array(
        [[scale, 0.0, x - scale * _FACE_CENTER[0]], [0.0, scale, y - scale * _FACE_CENTER[1]]]
    )


def _seen(image: Image, view: np.ndarray, size: Size) -> Image:
    return np.asarray(cv2.warpAffine(image, view, (size.width, size.height)), np.uint8)


def _laid_over(below: Image, above: Image, opacity: Image) -> Image:
    share = opacity.astype(np.float32) / 255
    return np.asarray(cv2.blendLinear(above, below, share, 1 - share), np.uint8)


def _encode(plan: ClipPlan, path: Path) -> None:
    bits = plan.size.height * plan.size.width * FPS * _BITS_A_PIXEL
    with av.open(str(path), "w") as output:
        stream = output.add_stream(plan.codec, rate=Fraction(FPS))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = plan.size.width, plan.size.height
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = KEY_INTERVAL
        stream.codec_context.bit_rate = round(bits)
        stream.options = {"preset": "medium"}
        if plan.codec == "libx265":  # its default effort takes minutes at 4K
            stream.codec_context.bit_rate = round(bits * _HEVC_SAVING)
            stream.codec_context.codec_tag = "hvc1"
            stream.options = {
                "preset": "superfast",
                "x265-params": f"keyint={KEY_INTERVAL}:bframes=3:log-level=error",
            }
        for picture in pictures(plan):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode(None))


def main() -> int:
    folder = Path(sys.argv[1])
    for plan in (*FULL_HD, *FOUR_K):
        if available(plan.codec):
            print(made(plan, folder))
        else:
            print(f"{plan.name}: PyAV's libav has no {plan.codec}", file=sys.stderr)
    print(long_clip(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
