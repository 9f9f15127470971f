"""Bring high dynamic range and wide colour to BT.709, what detector and network know.

Sources: SMPTE ST 2084 (PQ), ITU-R BT.2100-2 (HLG and its OOTF), BT.2020-2 and BT.709-6 (primaries),
BT.1886 (display gamma), BT.2408-7 (203 cd/m2 is the white of ordinary film). Highlights above that
white are compressed with Reinhard's extended operator, which leaves a frame without any unchanged:
E. Reinhard et al.: Photographic tone reproduction for digital images. ACM TOG 21 (3), 2002.
"""

from __future__ import annotations

from enum import Enum
from functools import cache, lru_cache

import av
import cv2
import numpy as np
import numpy.typing as npt

_PQ, _HLG, _BT2020 = 16, 18, 9
"""Transfer characteristics and primaries of ISO/IEC 23091-2."""
_SDR_IN_BT2020 = (1, 6, 14, 15)

_WHITE_NITS = 203.0
_HLG_PEAK_NITS, _HLG_GAMMA = 1000.0, 1.2
_GAMMA = 2.4
_KNEE = 0.8
"""Encoded values up to here stay as they are."""
_HIGHLIGHT = 1.2
"""Brightest encoded value that is no highlight yet: sharpened edges of ordinary film reach it."""
_LEVELS = 2**16
_LARGEST_ROOT = 3.0
"""Fourth root of more than the brightest PQ, 49 times white, in any colour."""

_TO_BT709 = np.array(
    [
        [1.660491, -0.587641, -0.072850],
        [-0.124550, 1.132900, -0.008349],
        [-0.018151, -0.100579, 1.118730],
    ],
    np.float32,
)
"""Linear RGB in BT.2020 to BT.709 primaries (BT.2087-0)."""
_LUMA_BT2020 = np.array([[0.2627, 0.6780, 0.0593]], np.float32)

Linear = npt.NDArray[np.float32]


class Light(Enum):
    """How a frame encodes light, if not as BT.709 does."""

    PQ = "PQ"
    HLG = "HLG"
    BT2020 = "BT.2020"


def light_of(frame: av.VideoFrame) -> Light | None:
    """Return how a frame encodes light; None: as BT.709 does, or nothing is said."""
    if frame.color_trc == _PQ:
        return Light.PQ
    if frame.color_trc == _HLG:
        return Light.HLG
    if frame.color_primaries == _BT2020 and frame.color_trc in _SDR_IN_BT2020:
        return Light.BT2020
    return None


def in_bt709(frame: av.VideoFrame, light: Light) -> av.VideoFrame:
    """Return the frame in BT.709, with 8 bits and half the colour resolution.

    That is the form of ordinary film. Networks notice how colour was sampled: with colours in
    full resolution, real faces scored 0.4 higher.
    """
    coded = np.asarray(frame.reformat(format="rgb48le", threads=1).to_ndarray(), np.uint16)
    linear = _linear(coded, light)
    peak = float(linear.max(initial=0.0)) ** (1 / _GAMMA)
    peak = peak if peak > _HIGHLIGHT else 1.0
    root = np.sqrt(np.sqrt(np.maximum(linear, 0)))
    at = np.minimum(root * np.float32((_LEVELS - 1) / _LARGEST_ROOT), _LEVELS - 1)
    # Rounded up a little, so that few tables are made.
    shown = _display_table(float(np.ceil(peak * 64) / 64))[at.astype(np.uint16)]
    result = av.VideoFrame.from_ndarray(shown, format="rgb48le")
    return result.reformat(format="yuv420p", dst_colorspace="itu709", threads=1)


def _linear(pixels: npt.NDArray[np.uint16], light: Light) -> Linear:
    """Return linear light in BT.709 primaries; white is 1, colours it lacks are below 0."""
    linear = np.ascontiguousarray(_table(light)[pixels])
    if light is Light.HLG:  # the OOTF depends on the luminance of each pixel
        luma = np.maximum(cv2.transform(linear, _LUMA_BT2020), 1e-6)
        gain = np.float32(_HLG_PEAK_NITS / _WHITE_NITS) * luma ** np.float32(_HLG_GAMMA - 1)
        linear = linear * gain.reshape(*linear.shape[:2], 1)
    return np.asarray(cv2.transform(linear, _TO_BT709), np.float32)


@lru_cache(maxsize=64)
def _display_table(peak: float) -> npt.NDArray[np.uint16]:
    """Return the 16-bit value for the fourth root of linear light, up to `_LARGEST_ROOT`."""
    value = np.linspace(0, _LARGEST_ROOT, _LEVELS) ** (4 / _GAMMA)
    above = np.maximum(value - _KNEE, 0) / (1 - _KNEE)
    most = (peak - _KNEE) / (1 - _KNEE)
    compressed = _KNEE + (1 - _KNEE) * above * (1 + above / most**2) / (1 + above)
    value = np.where(value > _KNEE, compressed, value)
    return np.asarray(np.clip(value * (_LEVELS - 1) + 0.5, 0, _LEVELS - 1), np.uint16)


@cache
def _table(light: Light) -> Linear:
    """Return linear light for each 16-bit value: white is 1; with HLG, light of the scene."""
    value = np.arange(_LEVELS) / (_LEVELS - 1)
    if light is Light.PQ:
        m1, m2 = 2610 / 16384, 2523 / 4096 * 128
        c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
        root = value ** (1 / m2)
        nits = 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
        return np.asarray(nits / _WHITE_NITS, np.float32)
    if light is Light.HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        low, high = value**2 / 3, (np.exp((value - c) / a) + b) / 12
        return np.asarray(np.where(value <= 0.5, low, high), np.float32)
    return np.asarray(value**_GAMMA, np.float32)
