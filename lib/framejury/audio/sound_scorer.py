"""Running a sound model, by ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnxruntime

from framejury.audio.log_mel import BANDS, FRAMES, Floats
from framejury.audio.sound_model import ONNX_NAME, OUTPUT_NAME, SoundModel
from framejury.errors import BundleError, FramejuryError

_BATCH = 16
_ROUNDING = 1e-6
"""A float32 sigmoid may leave 0 to 1 by this much; more means a broken network."""


class SoundScorer:
    """A loaded sound model. It holds native memory: create one per process, after any fork.

    Args:
        model: checked by `load_sound_model`.
        threads: threads of the network, count.

    Raises:
        BundleError: the network does not take windows of sound.
    """

    def __init__(self, model: SoundModel, threads: int = 1) -> None:
        self.model = model
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                str(model.directory / ONNX_NAME), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has no common class of errors
            text = str(error).partition("\n")[0]
            raise BundleError(f"{model.directory / ONNX_NAME} cannot be loaded: {text}") from None
        (taken,) = self._session.get_inputs()
        names = [output.name for output in self._session.get_outputs()]
        if list(taken.shape[1:]) != [FRAMES, BANDS] or OUTPUT_NAME not in names:
            raise BundleError(
                f"{model.directory / ONNX_NAME} takes {taken.shape}, not windows of {FRAMES} x "
                f"{BANDS}; train it again"
            )
        self._input = taken.name

    def score(self, windows: Floats) -> Floats:
        """Score each window: near 1 means fake.

        Args:
            windows: float32 (n, FRAMES, BANDS) of `log_mel.windows`.

        Returns:
            float32 (n,), 0 to 1.

        Raises:
            FramejuryError: the network returned an invalid score.
        """
        parts = [np.zeros(0, np.float32)]
        for start in range(0, len(windows), _BATCH):
            part = windows[start : start + _BATCH]
            (found,) = self._session.run([OUTPUT_NAME], {self._input: part})
            parts.append(np.asarray(found, np.float32).reshape(-1))
        scores = np.concatenate(parts)
        if not ((scores >= -_ROUNDING) & (scores <= 1 + _ROUNDING)).all():  # catches NaN too
            raise FramejuryError(
                f"sound model {self.model.model_id} returned a score outside 0 to 1; it is damaged"
            )
        return np.clip(scores, 0.0, 1.0)
