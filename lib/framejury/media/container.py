"""Open a file in libav, and tell a damaged video from a file that never was one."""

from __future__ import annotations

import importlib
import os
import pkgutil
from functools import cache
from pathlib import Path
from typing import Any

import av
import av.error

from framejury.errors import MediaError
from framejury.schemas.statuses import Status
from framejury.settings import LimitSettings

VideoSource = Path | int
"""A video: its path, or the descriptor of the open file."""

_MP4_ATOMS = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"moof")
_VIDEO_PREFIXES = (
    b"\x1a\x45\xdf\xa3",  # EBML: Matroska, WebM
    b"FLV\x01",
    b"OggS",
    b"GIF8",
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x00\x00\x01\xb3",  # MPEG-1/2 video
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMV
    b"\x06\x0e\x2b\x34",  # MXF
)
_TS_PACKET_BYTES = 188
_HEAD_BYTES = 4 * _TS_PACKET_BYTES

_FORMATS_OF_SEVERAL_FILES = frozenset(
    ("concat", "dash", "hls", "image2", "imf", "mlv", "rtsp", "sap", "sdp", "vobsub")
)
"""libav's formats that open other files or hosts named in the file."""


def open_container(source: VideoSource, limits: LimitSettings) -> Any:
    """Open the file in libav (`av.container.InputContainer`).

    A descriptor is read from the start of the file; libav then guesses the format from the bytes
    alone.

    Raises:
        MediaError: `missing`; `not_video`; `too_large` with too many streams; `unreadable` if
            the first bytes are those of a video.
    """
    # Only this file may be read: playlists must not reach other files or hosts.
    options = {"format_whitelist": _single_file_formats()}
    try:
        if isinstance(source, int):
            os.lseek(source, 0, os.SEEK_SET)
            options |= {"protocol_whitelist": "fd", "fd": str(source)}
            container = av.open("fd:", options=options)
        else:
            container = av.open(str(source), options=options | {"protocol_whitelist": "file"})
    except FileNotFoundError:
        raise MediaError(Status.MISSING, "the file no longer exists") from None
    except MemoryError:
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = _reason(error)
    else:
        count = len(container.streams)
        if count > limits.streams:
            container.close()
            raise MediaError(
                Status.TOO_LARGE, f"{count} streams, more than limits.streams = {limits.streams}"
            )
        return container
    try:
        video = looks_like_video(source)
    except OSError as error:
        raise MediaError(Status.UNREADABLE, f"cannot read the file: {_reason(error)}") from None
    if video:
        raise MediaError(Status.UNREADABLE, f"damaged or cut short: {reason}")
    raise MediaError(Status.NOT_VIDEO, f"not a media file: {reason}")


def looks_like_video(source: VideoSource) -> bool:
    """Check whether the first bytes are those of a video container: else it never was a video.

    Raises:
        OSError: the file cannot be read.
    """
    head = _head(source)
    if head.startswith(_VIDEO_PREFIXES):
        return True
    if head[4:8] in _MP4_ATOMS:
        # The length comes first; a text such as "The free ..." is not a box of 1.4 GB.
        return not all(0x20 <= byte < 0x7F for byte in head[:4])
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return True
    return len(head) > _TS_PACKET_BYTES and head[::_TS_PACKET_BYTES].strip(b"\x47") == b""


def is_animated_webp(source: VideoSource) -> bool:
    """Check the flag of an extended WebP file (WebP Container Specification, VP8X)."""
    head = _head(source)
    return head[8:16] == b"WEBPVP8X" and len(head) > 20 and bool(head[20] & 2)


def _head(source: VideoSource) -> bytes:
    if isinstance(source, int):
        return os.pread(source, _HEAD_BYTES, 0)
    with source.open("rb") as file:
        return file.read(_HEAD_BYTES)


@cache
def _single_file_formats() -> str:
    return ",".join(sorted(av.formats_available - _FORMATS_OF_SEVERAL_FILES))


def import_lazy_modules() -> None:
    """Import what PyAV and NumPy import on first use, for processes that lose access to files."""
    modules = {module.name for module in pkgutil.walk_packages(av.__path__, "av.")}
    used = {name for name in modules if not name.startswith(("av.datasets", "av.__main__"))}
    for name in sorted(used | {"numpy.random", "numpy.ma"}):
        importlib.import_module(name)


def _reason(error: BaseException) -> str:
    """Return libav's message without the path."""
    return getattr(error, "strerror", None) or str(error)
