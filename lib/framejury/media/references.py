"""Which coded pictures others may be predicted from, read from the bitstream.

A picture that no other depends on can be dropped without changing a bit of the others. Containers
rarely mark such pictures; the first bytes of each coded picture do. Sources: ITU-T H.264
(nal_ref_idc), H.265 (nal_unit_type, TemporalId), ISO/IEC 13818-2 (picture_coding_type) and
14496-2 (vop_coding_type).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

LayerOf = Callable[[bytes], int]
"""From a packet: 0 if others may depend on it, else 1 + its temporal layer. Only pictures of the
highest layer can be dropped."""

_START_CODE = b"\x00\x00\x01"
_H264_SLICES = range(1, 6)
_HEVC_SLICES = range(32)
_HEVC_LAST_UNUSED = 14  # even types up to this one are not referenced within their layer
_MPEG2_PICTURE, _MPEG2_B = b"\x00\x00\x01\x00", 3
_MPEG4_PICTURE, _MPEG4_B = b"\x00\x00\x01\xb6", 2


def layer_reader(codec: str, extradata: bytes | None) -> LayerOf | None:
    """Return how to read a packet of this codec; None: only its decoder can tell.

    Args:
        codec: libav's name, such as `h264`.
        extradata: of the stream; determines whether units carry lengths or start codes.
    """
    if codec == "h264":
        return partial(_h264_layer, length_bytes=_length_bytes(extradata, at=4))
    if codec == "hevc":
        return partial(_hevc_layer, length_bytes=_length_bytes(extradata, at=21))
    if codec in ("mpeg1video", "mpeg2video"):
        return _mpeg2_layer
    if codec == "mpeg4":
        return _mpeg4_layer
    return None


def _length_bytes(extradata: bytes | None, at: int) -> int:
    """Return the size of the length before each unit; 0: start codes instead (Annex B)."""
    if not extradata or extradata[0] != 1 or len(extradata) <= at:
        return 0
    return (extradata[at] & 3) + 1


def _units(data: bytes, length_bytes: int) -> Iterator[int]:
    """Yield where each unit of a packet starts, while at least two bytes of it follow."""
    if length_bytes:
        at = length_bytes
        while at + 1 < len(data):
            yield at
            at += int.from_bytes(data[at - length_bytes : at], "big") + length_bytes
        return
    at = data.find(_START_CODE)
    while 0 <= at < len(data) - 4:
        yield at + 3
        at = data.find(_START_CODE, at + 3)


def _h264_layer(data: bytes, length_bytes: int) -> int:
    found = False
    for at in _units(data, length_bytes):
        head = data[at]
        if head & 31 in _H264_SLICES:
            if head & 0x60:
                return 0
            found = True
    return 1 if found else 0


def _hevc_layer(data: bytes, length_bytes: int) -> int:
    layer = 0
    for at in _units(data, length_bytes):
        kind = data[at] >> 1 & 63
        if kind in _HEVC_SLICES:
            if kind > _HEVC_LAST_UNUSED or kind % 2:
                return 0
            layer = max(layer, data[at + 1] & 7)  # nuh_temporal_id_plus1
    return layer


def _mpeg2_layer(data: bytes) -> int:
    return _all_pictures(data, _MPEG2_PICTURE, lambda at: data[at + 1] >> 3 & 7 == _MPEG2_B)


def _mpeg4_layer(data: bytes) -> int:
    return _all_pictures(data, _MPEG4_PICTURE, lambda at: data[at] >> 6 == _MPEG4_B)


def _all_pictures(data: bytes, start: bytes, unused: Callable[[int], bool]) -> int:
    """Return 1 if no picture of the packet is referenced, else 0."""
    at, found = data.find(start), False
    while 0 <= at < len(data) - 5:
        if not unused(at + 4):
            return 0
        found = True
        at = data.find(start, at + 4)
    return 1 if found else 0
