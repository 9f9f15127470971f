"""The mean probability that a network gives to the true class: what some recipes call accuracy.

A share of correct faces only counts on which side of 0.5 a score lies; this measure also counts how
far. For a softmax over REAL and FAKE it is the mean of the true class's output.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

FIGURES = {"p_true": None, "p_true_fake": 1, "p_true_real": 0}
"""Names, and the class that counts: 1 for FAKE, 0 for REAL, None for both."""


class TrueClassProbability(keras.metrics.Mean):  # type: ignore[misc]
    """Mean probability of the true class over all faces, or over those of one class.

    Args:
        name: of the figure.
        label: 1: only FAKE faces, 0: only REAL faces; None: all.
    """

    def __init__(self, name: str, label: int | None) -> None:
        super().__init__(name=name)
        self._label = label

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch; weights of the loss do not count.

        Args:
            y_true: float32 (n, 1), 1 for FAKE.
            y_pred: float32 (n, 1), `p_fake`.
            sample_weight: ignored.
        """
        fake = ops.cast(y_true, "float32")
        score = ops.cast(y_pred, "float32")
        counts = None if self._label is None else ops.cast(ops.equal(fake, self._label), "float32")
        super().update_state(fake * score + (1 - fake) * (1 - score), sample_weight=counts)


def true_class_metrics() -> list[TrueClassProbability]:
    """Return one fresh metric per entry of `FIGURES`."""
    return [TrueClassProbability(name, label) for name, label in FIGURES.items()]
