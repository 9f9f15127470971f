"""Which coded pictures others need, from the bytes of their packets."""

from __future__ import annotations

import pytest

from framejury.media.references import layer_reader

AVCC = bytes([1, 100, 0, 31, 0xFF])
"""H.264 with lengths of four bytes before each unit."""
HVCC = bytes([1, *[0] * 20, 0xFF])


def with_lengths(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def with_start_codes(*units: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in units)


def h264(kind: int, ref_idc: int) -> bytes:
    return bytes([ref_idc << 5 | kind]) + b"slice data"


def hevc(kind: int, temporal_id: int = 0) -> bytes:
    return bytes([kind << 1, temporal_id + 1]) + b"slice data"


@pytest.mark.parametrize("ref_idc", [0, 1, 2, 3])
@pytest.mark.parametrize("framed", [with_lengths, with_start_codes])
def test_h264_says_it_in_nal_ref_idc(framed, ref_idc) -> None:
    read = layer_reader("h264", AVCC if framed is with_lengths else None)
    assert read is not None
    sei, delimiter = h264(6, 0), h264(9, 0)
    assert read(framed(delimiter, sei, h264(1, ref_idc))) == (1 if ref_idc == 0 else 0)
    # A field that others need makes its packet needed.
    assert read(framed(h264(1, 0), h264(1, ref_idc))) == (1 if ref_idc == 0 else 0)


def test_h264_without_a_picture_is_kept() -> None:
    read = layer_reader("h264", AVCC)
    assert read is not None
    assert read(with_lengths(h264(7, 3), h264(8, 3))) == 0
    assert read(b"") == read(b"\0") == read(b"\0\0\0\xff") == 0


@pytest.mark.parametrize(
    ("kind", "temporal_id", "layer"),
    [
        *((0, 0, 1), (1, 0, 0), (0, 2, 3), (1, 2, 0), (8, 1, 2)),
        *((9, 1, 0), (14, 0, 1), (16, 0, 0), (19, 0, 0), (21, 0, 0)),
    ],
)
@pytest.mark.parametrize("framed", [with_lengths, with_start_codes])
def test_hevc_says_it_in_type_and_temporal_layer(framed, kind, temporal_id, layer) -> None:
    read = layer_reader("hevc", HVCC if framed is with_lengths else None)
    assert read is not None
    assert read(framed(hevc(39), hevc(kind, temporal_id))) == layer


@pytest.mark.parametrize(("coding_type", "layer"), [(1, 0), (2, 0), (3, 1)])
def test_mpeg2_b_pictures(coding_type, layer) -> None:
    read = layer_reader("mpeg2video", None)
    assert read is not None
    header = b"\0\0\1\0" + bytes([0, coding_type << 3]) + b"picture data"
    assert read(header) == layer
    assert read(header + b"\0\0\1\0" + bytes([0, 3 << 3]) + b"field") == layer


@pytest.mark.parametrize(("coding_type", "layer"), [(0, 0), (1, 0), (2, 1), (3, 0)])
def test_mpeg4_b_pictures(coding_type, layer) -> None:
    read = layer_reader("mpeg4", None)
    assert read is not None
    assert read(b"\0\0\1\xb6" + bytes([coding_type << 6]) + b"picture data") == layer


def test_other_codecs_keep_it_to_themselves() -> None:
    assert layer_reader("vp9", None) is None
