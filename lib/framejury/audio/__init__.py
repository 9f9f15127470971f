"""The sound of a video: decoding, log-mel features, and the score of a sound model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RATE_HZ = 16_000
"""Samples per second of all sound here; speech has little above half of this."""

Samples = npt.NDArray[np.int16]
"""int16 (n,), mono at `RATE_HZ`."""
