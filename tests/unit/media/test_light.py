"""High dynamic range and wide colour, brought to ordinary film."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

from framejury.media.light import Light, in_bt709, light_of


def _pq(nits: Any) -> Any:
    """Encode light by SMPTE ST 2084 (its inverse EOTF)."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = (np.asarray(nits) / 10_000) ** m1
    return ((c1 + c2 * root) / (1 + c3 * root)) ** m2


def _frame(value: Any, size: int = 64) -> av.VideoFrame:
    """Return a grey 10-bit frame of this encoded value, 0 to 1, in the limited range."""
    code = np.full((size, size), round(64 + 876 * float(value)), np.uint16)
    chroma = np.full((size // 2, size // 2), 512, np.uint16)
    frame = av.VideoFrame(size, size, "yuv420p10le")
    for plane, values in zip(frame.planes, (code, chroma, chroma), strict=True):
        rows = np.zeros((values.shape[0], plane.line_size // 2), np.uint16)
        rows[:, : values.shape[1]] = values
        plane.update(rows.tobytes())
    return frame


def _shown(value: Any, light: Light) -> float:
    """Return the grey level, 0 to 255, of such a frame in BT.709."""
    pixels = in_bt709(_frame(value), light).to_ndarray(format="rgb24")
    assert pixels.std() < 1.5  # grey stays grey
    return float(pixels.mean())


@pytest.mark.parametrize("level", [0.1, 0.3, 0.5, 0.7, 1.0])
def test_ordinary_film_stored_as_pq_looks_as_before(level: float) -> None:
    # BT.1886 on a display with 203 cd/m2 as white.
    assert _shown(_pq(203 * level**2.4), Light.PQ) == pytest.approx(255 * level, abs=3)


def test_highlights_are_compressed_and_keep_their_order() -> None:
    shown = [_shown(_pq(nits), Light.PQ) for nits in (100, 203, 400, 1000, 4000)]
    assert shown == sorted(shown)
    assert shown[-1] <= 255
    assert _shown(_pq(0), Light.PQ) <= 1


def test_a_highlight_does_not_darken_the_rest() -> None:
    frame = _frame(_pq(203 * 0.5**2.4))
    (luma, *_) = frame.planes
    rows = np.frombuffer(luma, np.uint16).reshape(luma.height, -1).copy()
    rows[:8] = round(64 + 876 * float(_pq(4000)))
    luma.update(rows.tobytes())
    pixels = in_bt709(frame, Light.PQ).to_ndarray(format="rgb24")
    assert pixels[:4].min() > 240
    assert pixels[-16:].mean() == pytest.approx(255 * 0.5, abs=3)


@pytest.mark.parametrize("level", [0.2, 0.5, 0.75])
def test_hlg_white_is_at_three_quarters(level: float) -> None:
    """BT.2408: reference white, 203 cd/m2 on a display of 1000, is the HLG value 0.75."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = level**2 / 3 if level <= 0.5 else (np.exp((level - c) / a) + b) / 12
    nits = 1000 * scene**1.2
    assert _shown(level, Light.HLG) == pytest.approx(255 * (nits / 203) ** (1 / 2.4), abs=4)


def test_bt2020_grey_is_as_in_bt709() -> None:
    assert _shown(0.5, Light.BT2020) == pytest.approx(255 * 0.5, abs=2)


def test_which_frames_are_mapped() -> None:
    frame = _frame(0.5)
    assert light_of(frame) is None
    for transfer, light in ((16, Light.PQ), (18, Light.HLG)):
        frame.color_trc = transfer
        assert light_of(frame) is light
    frame.color_trc, frame.color_primaries = 14, 9
    assert light_of(frame) is Light.BT2020
    frame.color_primaries = 1
    assert light_of(frame) is None
