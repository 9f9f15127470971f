"""Ask a process of its own about the sound of a video; its answers are checked."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framejury.audio.log_mel import BANDS, FRAMES, Floats
from framejury.audio.sound_model import SoundModel, load_sound_model
from framejury.errors import MediaError
from framejury.examine.checks import DistrustError
from framejury.examine.client import DecodingClient
from framejury.examine.messages import TABLE_COLUMN
from framejury.schemas.statuses import SoundOutcome, Status
from framejury.settings import Settings

_CHILD = "framejury.examine.sound_child:serve"
_OUTCOME_OF = {
    Status.TIMEOUT: SoundOutcome.TIMEOUT,
    Status.CRASHED: SoundOutcome.CRASHED,
}


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The checked answer about one video.

    Attributes:
        window_s: where each window begins, seconds; increasing.
        window_p_fake: score of each window, 0 to 1; empty without a model.
        windows: float32 (n, FRAMES, BANDS); empty with a model.
    """

    outcome: SoundOutcome
    heard_s: float
    window_s: tuple[float, ...]
    window_p_fake: tuple[float, ...]
    windows: Floats


class Listener(DecodingClient):
    """Has the sound of videos decoded in a child process, one at a time.

    Args:
        settings: `audio`, `limits`, `scoring.threads`.
        model_dir: the sound model that scores; None: return windows, to train on.

    Raises (besides those of `DecodingClient`):
        BundleError: there is no such sound model, or it is damaged.
    """

    def __init__(self, settings: Settings, model_dir: str | Path | None = None) -> None:
        self._model: SoundModel | None = None
        if model_dir is not None:
            self._model = load_sound_model(model_dir)
        setup = {
            "settings": settings.model_dump(mode="json"),
            "model_dir": None if model_dir is None else str(model_dir),
        }
        super().__init__(_CHILD, setup, settings)

    def listen(self, file: int, timeout_s: float) -> Answer:
        """Return what is in the sound of an open file; a failure is an outcome.

        Args:
            file: descriptor.
            timeout_s: seconds it may take.
        """
        try:
            return self.ask({}, file, self._read, timeout_s)
        except MediaError as error:
            outcome = _OUTCOME_OF.get(error.status, SoundOutcome.UNREADABLE)
            return Answer(outcome, 0.0, (), (), _no_windows())

    def row(self, file: int, timeout_s: float) -> dict[str, Any]:
        """Return the row of `sounds` of an open file, without its ids of video and run."""
        assert self._model is not None
        found = self.listen(file, timeout_s)
        scores = np.asarray(found.window_p_fake, np.float32)
        return {
            TABLE_COLUMN: "sounds",
            "model_id": self._model.model_id,
            "outcome": found.outcome.value,
            "heard_s": found.heard_s,
            "p_fake": sound_score(scores),
            "threshold": self._model.threshold,
            "window_s": list(found.window_s),
            "window_p_fake": scores.tolist(),
        }

    def _read(self, answer: bytes) -> Answer:
        return answer_of(answer, scored=self._model is not None)


def sound_score(window_p_fake: Floats) -> float | None:
    """Return the score of a video's sound: the mean of its windows; None without any."""
    return float(np.mean(window_p_fake, dtype=np.float64)) if len(window_p_fake) else None


def answer_of(answer: bytes, *, scored: bool) -> Answer:
    """Parse and check an answer of `sound_child`.

    Args:
        scored: whether it has scores; otherwise it has windows.

    Raises:
        DistrustError: it contains anything else.
    """
    head, _, content = answer.partition(b"\n")
    try:
        raw = json.loads(head)
        outcome = SoundOutcome(raw["outcome"])
        heard_s = float(raw["heard_s"])
        window_s = tuple(map(float, raw["window_s"]))
        scores = tuple(map(float, raw["window_p_fake"]))
        windows = np.frombuffer(content, np.float32).reshape(-1, FRAMES, BANDS)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise DistrustError(f"about its sound: {error}"[:200]) from None
    if not (math.isfinite(heard_s) and heard_s >= 0):
        raise DistrustError("a sound of invalid length")
    rising = all(0 <= one <= heard_s for one in window_s) and window_s == tuple(sorted(window_s))
    if not rising or (len(window_s) > 0) != (outcome is SoundOutcome.SCORED):
        raise DistrustError("windows of sound at invalid times")
    if len(scores if scored else windows) != len(window_s) or len(windows if scored else scores):
        raise DistrustError("another number of windows of sound than of their times")
    if not (all(0 <= one <= 1 for one in scores) and np.isfinite(windows).all()):
        raise DistrustError("invalid windows of sound")
    return Answer(outcome, heard_s, window_s, scores, windows)


def _no_windows() -> Floats:
    return np.zeros((0, FRAMES, BANDS), np.float32)
