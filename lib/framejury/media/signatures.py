"""Tell a damaged video from a file that never was one by its first bytes."""

from __future__ import annotations

import os
from pathlib import Path

VideoSource = Path | int
"""A video: its path, or the descriptor of the open file."""

_MP4_ATOMS = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"moof")
_PREFIXES = (
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


def looks_like_video(source: VideoSource) -> bool:
    """Check whether the first bytes are those of a video container.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(source, int):
        head = os.pread(source, _HEAD_BYTES, 0)
    else:
        with source.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    if head.startswith(_PREFIXES):
        return True
    if head[4:8] in _MP4_ATOMS:
        # The length comes first; a text such as "The free ..." is not a box of 1.4 GB.
        return not all(0x20 <= byte < 0x7F for byte in head[:4])
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return True
    return len(head) > _TS_PACKET_BYTES and head[::_TS_PACKET_BYTES].strip(b"\x47") == b""
