"""Comparison of two sound tracks, regardless of their encoding. Pure functions.

Windows are aligned exactly and compared twice, as waveforms and as spectra. A speech codec may
change the waveform, a low bit rate the spectrum; a different voice changes both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from framejury.audio import RATE_HZ, Samples
from framejury.inspection.align import correlate

WINDOW_S = 0.25
SAME_WAVE, OTHER_WAVE = 0.7, 0.4
"""Windows that correlate at least SAME_WAVE are the same. Of unchanged sound, only radio codecs of
6 kb/s fall below OTHER_WAVE. -1 to 1."""
SAME_SPECTRUM_DB, LIKE_SPECTRUM_DB = 6.0, 3.5
"""Largest spectral distance of unchanged windows below SAME_WAVE and OTHER_WAVE."""
SAME_TRACK = 0.5
"""Whole tracks that correlate less are different, if most windows are too."""
CHANGED_WINDOWS = 2
CHANGED_RATIO = 0.02
"""At least this number and share of compared windows must differ for a change."""
LEAST_WINDOWS = 4

_ALIGNED = 0.3
_SILENT_DB = -55.0
_BAND_HZ = (80.0, 4000.0)
_BANDS = 24
_SLACK = RATE_HZ // 100
"""Most samples by which windows may be displaced, by codec frames or resampling."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SoundDifference:
    """Two tracks, compared.

    Attributes:
        outcome: changed, unchanged, absent (neither has sound), unknown.
        why: the reason.
        offset_s: the original plays at t + offset_s what the fake plays at t; None if unknown.
        correlation: of the whole tracks at that offset, -1 to 1.
        times_s: float64 (k,), centres of the compared windows, on the fake's clock.
        wave: float64 (k,), correlation of each window, -1 to 1.
        spectrum_db: float64 (k,), distance of their spectra.
        changed: bool (k,).
    """

    outcome: Literal["changed", "unchanged", "absent", "unknown"]
    why: str
    offset_s: float | None
    correlation: float | None
    times_s: Floats
    wave: Floats
    spectrum_db: Floats
    changed: npt.NDArray[np.bool_]


def sound_difference(
    fake: Samples, fake_start_s: float, original: Samples, original_start_s: float, offset_s: float
) -> SoundDifference:
    """Compare two tracks.

    Args:
        fake, original: int16 (n,), (m,) at `RATE_HZ`; empty: no sound.
        fake_start_s, original_start_s: when each begins, from the first frame of its video.
        offset_s: of the pictures (`align`), used if the sound has none.
    """
    if len(fake) == 0 or len(original) == 0:
        return _without(len(fake), len(original))
    one, two = _band(fake), _band(original)
    lag, correlation = _lag(one, two)
    expected = round((offset_s + fake_start_s - original_start_s) * RATE_HZ)
    own = correlation >= _ALIGNED
    rows = _windows(one, two, lag if own else expected)
    times_s, wave, spectrum_db = (np.array([row[at] for row in rows]) for at in range(3))
    changed = (wave < SAME_WAVE) & (spectrum_db > SAME_SPECTRUM_DB)
    changed |= (wave < OTHER_WAVE) & (spectrum_db > LIKE_SPECTRUM_DB)
    if len(rows) and correlation < SAME_TRACK and float(np.median(wave)) < SAME_WAVE:
        changed |= wave < SAME_WAVE
    found_s = lag / RATE_HZ - fake_start_s + original_start_s if own else None
    outcome: Literal["changed", "unchanged", "unknown"]
    if len(rows) < LEAST_WINDOWS:
        outcome = "unknown"
        why = f"both have sound together for less than {LEAST_WINDOWS * WINDOW_S:g} s"
    else:
        least = max(CHANGED_WINDOWS, CHANGED_RATIO * len(rows))
        count = int(changed.sum())
        outcome = "changed" if count >= least else "unchanged"
        why = f"{count:,} of {len(rows):,} windows of {WINDOW_S:g} s differ"
    return SoundDifference(
        outcome,
        why,
        found_s,
        correlation,
        times_s + fake_start_s,
        wave,
        spectrum_db,
        changed,
    )


def _without(fake: int, original: int) -> SoundDifference:
    nothing = np.zeros(0)
    outcome: Literal["absent", "unknown"] = "absent" if not fake and not original else "unknown"
    why = "neither video has sound"
    if outcome == "unknown":
        why = f"the {'original' if fake else 'fake'} has no sound"
    return SoundDifference(
        outcome, why, None, None, nothing, nothing, nothing, np.zeros(0, np.bool_)
    )


def _band(samples: Samples) -> Floats:
    """Return samples from -1 to 1, filtered to `_BAND_HZ`."""
    spectrum = np.fft.rfft(samples.astype(np.float64) / 2**15)
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    spectrum[(hertz < _BAND_HZ[0]) | (hertz > _BAND_HZ[1])] = 0
    return np.fft.irfft(spectrum, len(samples))


def _lag(one: Floats, two: Floats) -> tuple[int, float]:
    """Return by how many samples `two` is ahead, and the correlation there."""
    shared = min(len(one), len(two))
    least = min(max(RATE_HZ, shared // 4), shared)
    correlations = correlate(one[:, None], two[:, None], least)
    best = int(np.argmax(correlations))
    return best - (len(one) - 1), float(correlations[best])


def _windows(one: Floats, two: Floats, lag: int) -> list[tuple[float, float, float]]:
    """Return (centre in seconds, wave, spectrum) of each audible window."""
    length = round(WINDOW_S * RATE_HZ)
    rows = []
    first = max(0, -lag)
    for begin in range(first, min(len(one), len(two) - lag) - length + 1, length):
        window = one[begin : begin + length]
        at = begin + lag
        around = two[max(at - _SLACK, 0) : at + length + _SLACK]
        loud = max(_level_db(window), _level_db(around))
        if loud < _SILENT_DB:
            continue
        correlations = correlate(window[:, None], around[:, None], length - _SLACK)
        ahead = int(np.argmax(correlations)) - (length - 1)
        placed = around[max(ahead, 0) : max(ahead, 0) + length]
        rows.append(
            (
                (begin + length / 2) / RATE_HZ,
                float(correlations.max()),
                _spectral_distance_db(window, placed),
            )
        )
    return rows


def _level_db(samples: Floats) -> float:
    return float(10 * np.log10(np.mean(samples**2) + 1e-12))


def _spectral_distance_db(one: Floats, two: Floats) -> float:
    """Return the root mean square difference of two spectra over bands, without loudness."""
    first, second = _bands_db(one), _bands_db(two)
    apart = first - second
    return float(np.sqrt(np.mean((apart - np.median(apart)) ** 2)))


def _bands_db(samples: Floats) -> Floats:
    """Return the power in bands of equal width in octaves, at least the loudest less 40 dB."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    edges = np.geomspace(*_BAND_HZ, _BANDS + 1)
    which = np.digitize(hertz, edges) - 1
    inside = (which >= 0) & (which < _BANDS)
    sums = np.bincount(which[inside], power[inside], _BANDS)
    decibels = 10 * np.log10(sums + 1e-12)
    return np.asarray(np.maximum(decibels, decibels.max() - 40), np.float64)
