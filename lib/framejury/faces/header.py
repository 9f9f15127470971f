"""The size of a stored crop, read from its first bytes without decoding."""

from __future__ import annotations

import struct

from framejury.records import Size

JPEG_START = b"\xff\xd8"
PNG_START = b"\x89PNG\r\n\x1a\n"
PICTURE_STARTS = (JPEG_START, PNG_START)
"""First bytes of the two formats of a stored crop."""

_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def crop_size(data: bytes) -> Size:
    """Read the size of a JPEG or PNG crop from its header.

    Raises:
        ValueError: the bytes are neither JPEG nor PNG, or end within the header.
    """
    if data.startswith(PNG_START) and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return Size(height, width)
    if data.startswith(JPEG_START):
        return _jpeg_size(data)
    raise ValueError(f"a crop of {len(data)} bytes is neither JPEG nor PNG")


def _jpeg_size(data: bytes) -> Size:
    """Read the frame header (SOF), which every JPEG has once before its scans."""
    at = len(JPEG_START)
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes before a marker are allowed
            at += 1
        elif marker in _FRAME_HEADERS:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return Size(height, width)
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise ValueError(f"a JPEG crop of {len(data)} bytes has no frame header")
