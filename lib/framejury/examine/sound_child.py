"""The decoding process's side of judging sound: a process of its own, without detectors.

A hostile sound can thus end this process only: the picture of its video keeps its verdict.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from framejury.audio import RATE_HZ
from framejury.audio.hearing import Heard, hear, nothing_heard
from framejury.audio.log_mel import BANDS, FRAMES, WINDOW, windows
from framejury.audio.sound_model import load_sound_model
from framejury.audio.sound_scorer import SoundScorer
from framejury.media.container import import_lazy_modules
from framejury.media.small_clip import small_clip
from framejury.schemas.statuses import SoundOutcome
from framejury.settings import LimitSettings
from framejury.settings.loading import settings_from


def serve(setup: Mapping[str, Any]) -> Callable[[dict[str, Any]], bytes]:
    """Make the handler of requests.

    Args:
        setup: `settings`, all of them as plain values; `model_dir`, the sound model, or None for
            windows without scores, to train on.

    A request has `file`, a descriptor, only. The answer is one line of JSON (`outcome`, `heard_s`,
    `window_s`, `window_p_fake`) and, without a model, the windows as float32.
    """
    settings = settings_from(setup["settings"])
    directory = setup["model_dir"]
    scorer = None
    if directory is not None:
        scorer = SoundScorer(load_sound_model(directory), settings.scoring.threads)
    _load_the_rest(scorer)

    def handle(request: dict[str, Any]) -> bytes:
        try:
            heard = hear(request["file"], settings.limits, settings.audio.seconds)
            return _answer(heard, scorer)
        except MemoryError:
            return _answer(nothing_heard(SoundOutcome.CRASHED), scorer)

    return handle


def _answer(heard: Heard, scorer: SoundScorer | None) -> bytes:
    scores = [] if scorer is None else scorer.score(heard.windows).tolist()
    head = {
        "outcome": heard.outcome.value,
        "heard_s": heard.heard_s,
        "window_s": heard.starts_s.tolist(),
        "window_p_fake": scores,
    }
    content = heard.windows.tobytes() if scorer is None else b""
    return json.dumps(head).encode() + b"\n" + content


def _load_the_rest(scorer: SoundScorer | None) -> None:
    """Make libraries load what they load on first use: afterwards the process opens no file."""
    import_lazy_modules()
    with small_clip() as clip:
        hear(clip, LimitSettings(), 2.0)
    hiss = np.random.default_rng(0).integers(-RATE_HZ, RATE_HZ, WINDOW).astype(np.int16)
    found, _ = windows(hiss)
    assert found.shape == (1, FRAMES, BANDS)
    if scorer is not None:
        scorer.score(found)
