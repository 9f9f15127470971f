"""The features against plain formulas, and what a model may rely on."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest

from framejury.audio import RATE_HZ, Samples
from framejury.audio.log_mel import (
    BANDS,
    FRAME,
    FRAMES,
    HOP,
    band_edges_hz,
    log_mel,
    mel,
    windows,
)
from tests.builders.sounds import tone
from tests.builders.talkies import voice


def plain(samples: Samples, at: int, band: int) -> float:
    """One value, by the formulas of the docstring and nothing else."""
    low, high = 2595 * math.log10(1 + 60 / 700), 2595 * math.log10(1 + 7600 / 700)
    step = (high - low) / (BANDS + 1)
    edges = [700 * (10 ** ((low + step * (band + k)) / 2595) - 1) for k in range(3)]
    tapered = [
        int(samples[160 * at + n]) / 32768 * (0.5 - 0.5 * math.cos(2 * math.pi * n / 400))
        for n in range(400)
    ]
    energy = 0.0
    for k in range(257):
        hertz = k * 16000 / 512
        rising = (hertz - edges[0]) / (edges[1] - edges[0])
        falling = (edges[2] - hertz) / (edges[2] - edges[1])
        height = max(0.0, min(rising, falling))
        if height:
            turn = -2j * math.pi * k / 512
            energy += height * abs(sum(x * cmath.exp(turn * n) for n, x in enumerate(tapered))) ** 2
    return math.log(energy + 1e-6)


@pytest.mark.parametrize(("at", "band"), [(0, 0), (3, 17), (11, 40), (14, 63)])
def test_values_are_those_of_the_formula(at: int, band: int) -> None:
    said = voice(0.2, seed=4)
    assert log_mel(said)[at, band] == pytest.approx(plain(said, at, band), abs=2e-3)


def test_frames_are_spectra_of_numpy() -> None:
    """Every value of a stretch of noise: 25 ms every 10 ms."""
    noise = np.random.default_rng(3).integers(-(2**14), 2**14, FRAME + 9 * HOP).astype(np.int16)
    edges, hertz = band_edges_hz(), np.fft.rfftfreq(512, 1 / RATE_HZ)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    rows = []
    for at in range(10):
        power = np.abs(np.fft.rfft(noise[at * HOP : at * HOP + FRAME] / 2**15 * taper, 512)) ** 2
        rows.append([power @ np.interp(hertz, edges[m : m + 3], [0, 1, 0]) for m in range(BANDS)])
    assert log_mel(noise) == pytest.approx(np.log(np.array(rows) + 1e-6), abs=1e-3)


@pytest.mark.parametrize("hertz", [250.0, 440.0, 1000.0, 3000.0, 6800.0])
def test_a_sine_is_in_its_band(hertz: float) -> None:
    seen = log_mel(tone(hertz, 1.0)).mean(axis=0)
    middles = band_edges_hz()[1:-1]
    assert int(seen.argmax()) == int(np.abs(mel(middles) - mel(hertz)).argmin())
    assert np.sort(seen)[-4] < seen.max() - 3  # and in few others


def test_loudness_does_not_matter() -> None:
    loud = voice(2.0, seed=1)
    (one,), _ = windows(loud)
    (other,), _ = windows((loud // 4).astype(np.int16))
    assert one.shape == (FRAMES, BANDS) and one.dtype == np.float32
    assert (one.mean(), one.std()) == pytest.approx((0, 1), abs=1e-4)
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.98


def test_windows_of_two_seconds_every_second_without_silence() -> None:
    said = voice(7.4, seed=2)
    said[2 * RATE_HZ : 5 * RATE_HZ] = 0
    found, starts_s = windows(said)
    assert starts_s.tolist() == [0, 1, 4, 5]  # 2 and 3 are silent throughout
    assert len(found) == 4
    assert len(windows(said[: 2 * RATE_HZ - 1])[0]) == 0
