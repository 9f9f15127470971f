"""Log-mel features of sound: the input of a sound model. Pure NumPy.

Sources: the short-time Fourier transform and frames of 25 ms every 10 ms as in Davis and
Mermelstein, "Comparison of Parametric Representations for Monosyllabic Word Recognition", IEEE
TASSP 28 (1980), whose triangular filters these are too; the mel scale of O'Shaughnessy, "Speech
Communication" (1987), as HTK uses it.

    X_t[k] = sum_n w[n] x[160 t + n] exp(-2 pi i k n / 512),    w[n] = 0.5 - 0.5 cos(2 pi n / 400)
    mel(f) = 2595 log10(1 + f / 700),    E_t[m] = sum_k F_m[k] |X_t[k]|^2,    L = ln(E + 1e-6)
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from framejury.audio import RATE_HZ, Samples

FRAME, HOP, FFT = 400, 160, 512
"""Samples per frame (25 ms), from frame to frame (10 ms), and of the transform."""
BANDS, LOW_HZ, HIGH_HZ = 64, 60.0, 7600.0
WINDOW, WINDOW_HOP = 2 * RATE_HZ, RATE_HZ
"""Samples of a window that is scored (2 s), and from window to window (1 s)."""
FRAMES = 1 + (WINDOW - FRAME) // HOP
"""Frames per window."""
LEAST_RMS = 1e-3
"""Quieter windows (-60 dB of full scale) are silence, which belongs to no voice."""
CONTRACT = {
    "rate_hz": RATE_HZ,
    "frame": FRAME,
    "hop": HOP,
    "fft": FFT,
    "bands": BANDS,
    "low_hz": LOW_HZ,
    "high_hz": HIGH_HZ,
    "window": WINDOW,
    "window_hop": WINDOW_HOP,
    "scale": "each window: mean 0, deviation 1",
}
"""What a sound model was trained on, as its `sound.json` states it."""

_FLOOR = 1e-6
_FULL_SCALE = 2**15

Floats = npt.NDArray[np.float32]


def mel(hertz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return frequencies on the mel scale: 2595 log10(1 + f / 700)."""
    return 2595.0 * np.log10(1.0 + np.asarray(hertz, np.float64) / 700.0)


def band_edges_hz() -> npt.NDArray[np.float64]:
    """Return float64 (BANDS + 2,): band m rises from edge m, peaks at m + 1, and ends at m + 2."""
    mels = np.linspace(mel(LOW_HZ), mel(HIGH_HZ), BANDS + 2)
    return np.asarray(700.0 * (10.0 ** (mels / 2595.0) - 1.0))


def log_mel(samples: Samples) -> Floats:
    """Return the log-mel spectrogram of a stretch of sound.

    Args:
        samples: int16 (n,), mono at `RATE_HZ`, n >= FRAME.

    Returns:
        float32 (1 + (n - FRAME) // HOP, BANDS), natural logarithms.
    """
    sound = samples.astype(np.float32) / _FULL_SCALE
    frames = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::HOP]
    power = np.abs(np.fft.rfft(frames * _taper(), FFT)) ** 2
    return np.asarray(np.log(power @ _filters() + _FLOOR), np.float32)


def windows(samples: Samples) -> tuple[Floats, npt.NDArray[np.float64]]:
    """Return the input of a sound model: every window that is not silent.

    Args:
        samples: int16 (n,), mono at `RATE_HZ`.

    Returns:
        float32 (windows, FRAMES, BANDS), each window of mean 0 and deviation 1, so that loudness
        does not matter; and float64 (windows,), where each begins, seconds after the first sample.
    """
    found, starts_s = [np.zeros((0, FRAMES, BANDS), np.float32)], []
    for start in range(0, len(samples) - WINDOW + 1, WINDOW_HOP):
        part = samples[start : start + WINDOW]
        if np.sqrt(np.mean((part / _FULL_SCALE) ** 2)) < LEAST_RMS:
            continue
        seen = log_mel(part)
        found.append(((seen - seen.mean()) / max(float(seen.std()), _FLOOR))[None])
        starts_s.append(start / RATE_HZ)
    return np.concatenate(found), np.array(starts_s, np.float64)


@cache
def _taper() -> Floats:
    """Return the periodic Hann window, float32 (FRAME,)."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME), np.float32)


@cache
def _filters() -> Floats:
    """Return triangles of height 1, float32 (FFT // 2 + 1, BANDS)."""
    low, middle, high = (band_edges_hz()[at : at + BANDS] for at in range(3))
    hertz = np.fft.rfftfreq(FFT, 1 / RATE_HZ)[:, None]
    rising, falling = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)), np.float32)
