"""Spoken sentences by two kinds of synthesizer, made here: what a sound model can tell apart.

Fake: espeak-ng, which computes formants. Real: flite's voices in ffmpeg, which join pieces of
recordings of people. Neither is a forgery; the two stand for two kinds of sound.
"""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from framejury.audio import RATE_HZ, Samples

SENTENCES = (
    "the harbour lights were green and the boats lay still",
    "please bring seven copies of the letter to the office",
    "nobody had told the gardener about the broken window",
    "a quiet morning is the best time to repair a clock",
    "the train to the coast leaves from the other platform",
    "her answer was short and it surprised the whole table",
    "we counted forty birds before the rain began to fall",
    "the old bridge will be closed until the end of march",
    "he keeps his tools in a box under the kitchen stairs",
    "two large maps were hanging on the wall of the library",
)
FAKE_VOICES = ("en-us", "en-gb+m3", "en-us+f2")
REAL_VOICES = ("rms", "awb", "slt")


def espeak(text: str, voice: str) -> Samples:
    """Return the sentence as espeak-ng speaks it."""
    _need("espeak-ng")
    done = subprocess.run(
        ["espeak-ng", "-v", voice, "--stdout", text], capture_output=True, check=True, timeout=60
    )
    return _resampled(["-i", "pipe:0"], done.stdout)


def flite(text: str, voice: str) -> Samples:
    """Return the sentence as flite speaks it."""
    return _resampled(["-f", "lavfi", "-i", f"flite=text='{text}':voice={voice}"], b"")


def spoken(number: int, *, fake: bool) -> Samples:
    """Return sentence `number` by one of the voices of a kind."""
    text = SENTENCES[number % len(SENTENCES)]
    if fake:
        return espeak(text, FAKE_VOICES[number % len(FAKE_VOICES)])
    return flite(text, REAL_VOICES[number % len(REAL_VOICES)])


def _resampled(source: list[str], content: bytes) -> Samples:
    _need("ffmpeg")
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", *source]
    command += ["-ac", "1", "-ar", str(RATE_HZ), "-f", "s16le", "pipe:1"]
    done = subprocess.run(command, input=content, capture_output=True, check=True, timeout=60)
    return np.frombuffer(done.stdout, np.int16)


def _need(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (a Debian package of that name)")
