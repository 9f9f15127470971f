"""Small real media files for tests, written with PyAV.

Frames carry their number as a strip of black and white blocks at the bottom, so
that a test can prove which frame was decoded (`read_frame_number`). Pictures are
uint8 (height, width, 3) RGB throughout.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import skimage.data
from av.video.stream import VideoStream

from framejury.records import Image, Size

SMALL = Size(240, 320)

STRIP_BITS = 12
# White and black for contrast, the number, and its count of ones modulo 4.
STRIP_CELLS = 2 + STRIP_BITS + 2
STRIP_HEIGHT_RATIO = 1 / 10

# The face of the astronaut and some air around it, in the 512 x 512 photograph.
_FACE_CENTER_X, _FACE_CENTER_Y, _FACE_WINDOW_PX = 222, 130, 230


# ---------------------------------------------------------------- frames


def face_frames(count: int, size: Size = SMALL) -> list[Image]:
    """A real face (NASA portrait) under a moving camera, numbered from 0.

    Args:
        count: frames, at most 4096.
        size: of each frame; both sides even.
    """
    return [number_frame(_camera(_portrait(), index, size), index) for index in range(count)]


def plain_frames(count: int, size: Size = SMALL) -> list[Image]:
    """A moving colour gradient with no face, numbered from 0."""
    rows, columns = np.mgrid[0 : size.height, 0 : size.width]
    frames = []
    for index in range(count):
        red = (columns * 255 // size.width + 3 * index) % 256
        green = rows * 255 // size.height
        blue = np.full_like(red, 96)
        frames.append(number_frame(np.stack([red, green, blue], axis=-1).astype(np.uint8), index))
    return frames


def number_frame(image: Image, number: int) -> Image:
    """A copy of `image` whose bottom strip holds `number` (0 to 4095)."""
    if not 0 <= number < 2**STRIP_BITS:
        raise ValueError(f"frame numbers are 0 to {2**STRIP_BITS - 1}, not {number}")
    marked = image.copy()
    height, width = image.shape[:2]
    top = height - max(8, round(height * STRIP_HEIGHT_RATIO))
    for cell, bit in enumerate(_strip_of(number)):
        left, right = cell * width // STRIP_CELLS, (cell + 1) * width // STRIP_CELLS
        marked[top:, left:right] = 255 * bit
    return marked


def read_frame_number(image: Image) -> int:
    """The number that `number_frame` wrote, after compression or proportional resizing.

    Raises:
        ValueError: there is no strip, or its check does not hold.
    """
    height, width = image.shape[:2]
    strip_height = max(8, round(height * STRIP_HEIGHT_RATIO))
    middle = slice(height - strip_height * 3 // 4, height - strip_height // 4)
    grey = image[middle].mean(axis=(0, 2))
    edges = np.linspace(0, width, STRIP_CELLS + 1)
    inset = width / STRIP_CELLS / 4
    cells = [
        float(grey[int(left + inset) : int(np.ceil(right - inset))].mean())
        for left, right in pairwise(edges)
    ]
    white, black = cells[:2]
    if white - black < 120:
        raise ValueError(f"no frame number: white {white:.0f}, black {black:.0f}")
    bits = [int(cell > (white + black) / 2) for cell in cells]
    number = int("".join(map(str, bits[2 : 2 + STRIP_BITS])), 2)
    if bits != _strip_of(number):
        raise ValueError(f"damaged frame number: {bits}")
    return number


def _strip_of(number: int) -> list[int]:
    bits = [int(bit) for bit in f"{number:0{STRIP_BITS}b}"]
    check = sum(bits) % 4
    return [1, 0, *bits, check >> 1, check & 1]


@cache
def _portrait() -> Image:
    return np.asarray(skimage.data.astronaut(), np.uint8)


def _camera(photo: Image, index: int, size: Size) -> Image:
    """What a slowly swaying camera sees of the face in `photo`."""
    window_height = _FACE_WINDOW_PX * (1 + 0.04 * np.sin(index / 9))
    center_x = _FACE_CENTER_X + 8 * np.sin(index / 5)
    center_y = _FACE_CENTER_Y + 5 * np.sin(index / 7)
    scale = size.height / window_height
    shift_x = size.width / 2 - scale * center_x
    shift_y = size.height / 2 - scale * center_y
    matrix = np.array([[scale, 0, shift_x], [0, scale, shift_y]])
    seen = cv2.warpAffine(
        photo,
        matrix,
        (size.width, size.height),
        flags=cv2.INTER_AREA,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.asarray(seen, np.uint8)


# ---------------------------------------------------------------- good files


def write_clip(
    path: Path,
    frames: Sequence[Image],
    *,
    fps: float | Fraction = 25,
    pts_s: Sequence[float] | None = None,
    gop: int = 12,
    bframes: int = 2,
    rotation_deg: int = 0,
    faststart: bool = False,
    sound: bool = False,
    codec: str = "libx264",
    container: str | None = None,
    pixel_format: str = "yuv420p",
) -> Path:
    """Write `frames` as a video; the ending of `path` chooses the container.

    Args:
        fps: frames a second; ignored when `pts_s` is given.
        pts_s: presentation time of each frame in seconds: a variable frame rate.
        gop: frames from one key frame to the next.
        bframes: most B-frames in a row; H.264, HEVC and MPEG only.
        rotation_deg: counter-clockwise degrees a player turns the picture by.
        faststart: put `moov` before the pictures (mp4 and mov).
        sound: add a 440 Hz tone as long as the picture.
        container: libav's name of the format, where the ending says another.

    Returns:
        `path`.
    """
    options = {"movflags": "+faststart"} if faststart else {}
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path), "w", format=container, options=options) as output:
        stream = output.add_stream(codec, rate=rate)
        assert isinstance(stream, VideoStream)
        _set_up(
            stream,
            frames[0],
            codec=codec,
            gop=gop,
            bframes=bframes,
            pixel_format=pixel_format,
        )
        tick = Fraction(1, 1000) if pts_s is not None else 1 / rate
        stream.codec_context.time_base = tick
        if rotation_deg:
            stream.set_display_rotation(rotation_deg)
        tone = _tone_stream(output) if sound else None
        times = (
            pts_s if pts_s is not None else [index / float(rate) for index in range(len(frames))]
        )
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.time_base = tick
            frame.pts = round(times[index] / float(tick))
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if tone is not None:
            _mux_tone(output, tone, duration_s=times[-1] + 1 / float(rate))
    return path


def write_rotated(path: Path, frames: Sequence[Image], rotation_deg: int = 90) -> Path:
    """A clip stored turned, with metadata so that players show `frames` upright.

    Args:
        rotation_deg: 90, 180 or 270, counter-clockwise, done by the player.
    """
    quarter_turns = rotation_deg // 90
    stored = [np.ascontiguousarray(np.rot90(frame, -quarter_turns)) for frame in frames]
    return write_clip(path, stored, rotation_deg=rotation_deg)


def write_variant(path: Path, frames: Sequence[Image], fps: float = 25) -> Path:
    """The usual codec of the container that the ending of `path` names.

    mp4, mov, mkv: H.264; webm: VP9; avi: MPEG-4 part 2; mpg: MPEG-2; ts: H.264.
    """
    codec = {".webm": "libvpx-vp9", ".avi": "mpeg4", ".mpg": "mpeg2video"}.get(path.suffix)
    return write_clip(path, frames, fps=fps, codec=codec or "libx264")


def write_size_change(path: Path, first: Sequence[Image], second: Sequence[Image]) -> Path:
    """One H.264 stream whose frame size changes half way.

    The ending `.h264` gives a raw stream, `.ts` MPEG-TS; `second` continues `first` in time.
    """
    fps = 25
    with path.open("wb") as joined:
        for part, start in ((first, 0), (second, len(first))):
            piece = path.with_name(f"{path.stem}.part{start}{path.suffix}")
            times = [(start + index) / fps for index in range(len(part))]
            write_clip(
                piece,
                part,
                bframes=0,
                pts_s=None if path.suffix == ".h264" else times,
                container="h264" if path.suffix == ".h264" else "mpegts",
            )
            joined.write(piece.read_bytes())
            piece.unlink()
    return path


def write_audio_only(path: Path, duration_s: float = 1.0) -> Path:
    """A tone and no picture."""
    with av.open(str(path), "w") as output:
        _mux_tone(output, _tone_stream(output), duration_s)
    return path


def write_cover_art(path: Path, cover: Image, duration_s: float = 1.0) -> Path:
    """A song (`.m4a`, `.mp4`): a tone and one attached picture, which libav lists as video."""
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = cover.shape[1], cover.shape[0]  # type: ignore[attr-defined]
    encoder.pix_fmt = "yuvj420p"  # type: ignore[attr-defined]
    encoder.time_base = Fraction(1, 25)
    picture = av.VideoFrame.from_ndarray(cover, format="rgb24").reformat(format="yuvj420p")
    jpeg = b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])  # type: ignore[attr-defined]
    # libav's own m4a muxer refuses mjpeg; the mp4 one writes the same file.
    with av.open(str(path), "w", format="mp4") as output:
        tone = _tone_stream(output)
        art = output.add_mux_stream("mjpeg", width=cover.shape[1], height=cover.shape[0])
        art.disposition = av.stream.Disposition.attached_pic
        output.start_encoding()
        packet = av.Packet(jpeg)
        packet.stream, packet.pts, packet.dts = art, 0, 0
        packet.is_keyframe = True
        output.mux(packet)
        _mux_tone(output, tone, duration_s)
    return path


# ---------------------------------------------------------------- broken files


def write_empty(path: Path) -> Path:
    """A file of no bytes."""
    path.write_bytes(b"")
    return path


def write_text(path: Path) -> Path:
    """Plain text, whatever the ending says."""
    path.write_text("This is not a video.\n" * 200, encoding="utf-8")
    return path


def write_without_moov(path: Path, frames: Sequence[Image]) -> Path:
    """An mp4 whose writing was cut off: pictures, and no index to find them by."""
    whole = write_clip(path, frames).read_bytes()
    path.write_bytes(whole[: mp4_boxes(whole)["moov"].start])
    return path


def write_cut_short(path: Path, frames: Sequence[Image], keep_ratio: float = 0.5) -> Path:
    """An mp4 with its index in front, cut within the pictures.

    Args:
        keep_ratio: share of the picture data that stays, 0 to 1.
    """
    whole = write_clip(path, frames, faststart=True).read_bytes()
    pictures = mp4_boxes(whole)["mdat"]
    path.write_bytes(whole[: pictures.start + round(len(pictures) * keep_ratio)])
    return path


def write_garbage(path: Path, frames: Sequence[Image], seed: int = 0) -> Path:
    """An mp4 with a whole index whose picture data is noise: no frame decodes."""
    whole = bytearray(write_clip(path, frames).read_bytes())
    pictures = mp4_boxes(whole)["mdat"]
    noise = np.random.default_rng(seed).bytes(len(pictures) - 8)
    whole[pictures.start + 8 : pictures.stop] = noise
    path.write_bytes(whole)
    return path


def mp4_boxes(content: bytes | bytearray) -> dict[str, range]:
    """Where each top-level box of an mp4 lies: name to byte range."""
    boxes: dict[str, range] = {}
    at = 0
    while at + 8 <= len(content):
        length, name = struct.unpack_from(">I4s", content, at)
        if length == 1:
            (length,) = struct.unpack_from(">Q", content, at + 8)
        elif length == 0:
            length = len(content) - at
        boxes[name.decode("latin-1")] = range(at, min(at + length, len(content)))
        at += length
    return boxes


def decode_all(path: Path) -> list[Image]:
    """Every frame PyAV gives, in order, not rotated; for checking these helpers."""
    with av.open(str(path)) as source:
        return [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]


def _set_up(
    stream: VideoStream, first: Image, *, codec: str, gop: int, bframes: int, pixel_format: str
) -> None:
    stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = pixel_format
    context: Any = stream.codec_context
    context.gop_size = gop
    # One thread: the same bytes on every machine.
    context.thread_count = 1
    if codec == "libx264":
        context.max_b_frames = bframes
        # x264's macroblock tree reads memory nobody set: the bytes would differ from run to run.
        context.options = {
            "crf": "18",
            "preset": "veryfast",
            "sc_threshold": "0",
            "x264-params": "mbtree=0",
        }
    elif codec == "libx265":
        fixed = "scenecut=0:b-adapt=0:pools=none:frame-threads=1:log-level=error"
        context.options = {
            "preset": "ultrafast",
            "x265-params": f"bframes={bframes}:keyint={gop}:min-keyint={gop}:{fixed}",
        }
    elif codec == "libvpx-vp9":
        context.options = {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "8"}
    else:
        context.max_b_frames = bframes if codec == "mpeg2video" else 0
        context.bit_rate = 4_000_000


def _tone_stream(output: av.container.OutputContainer) -> av.AudioStream:
    codec = {"webm": "libopus", "avi": "mp2", "mpeg": "mp2"}.get(output.format.name, "aac")
    stream = output.add_stream(codec, rate=48_000)
    assert isinstance(stream, av.AudioStream)
    stream.codec_context.layout = "mono"
    return stream


def _mux_tone(
    output: av.container.OutputContainer, stream: av.AudioStream, duration_s: float
) -> None:
    rate = 48_000
    for start in _blocks(round(duration_s * rate), block=1024):
        times_s = (start + np.arange(1024)) / rate
        samples = (8000 * np.sin(2 * np.pi * 440 * times_s)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        frame.pts = start
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _blocks(total: int, block: int) -> Iterable[int]:
    return range(0, max(total, block), block)


ODD_NAMES = [
    "new\nline.mp4",
    "\x1b[2J\x1b[31mred.mp4",
    "<script>alert(1)</script>.mp4".replace("/", "_"),
    "x" * 251 + ".mp4",
    "\U0001f3a5" * 62 + ".mp4",
    "=cmd|'calc'!A1.mp4",
    "turned \u202egpm.exe.mp4",
    "%2e%2e%2f.mp4",
    "a\\..\\b.mp4",
    " .mp4",
    "-rf.mp4",
    "$(id).mp4",
    "~root.mp4",
    "tab\tand\rreturn.mp4",
    "\x7f\x01\x02.mp4",
]
"""File names that break terminals, tables, shells, spreadsheets or browsers."""
