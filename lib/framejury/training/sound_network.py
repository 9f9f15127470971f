"""The network of a sound model: a small CNN on log-mel windows. Keras, and its export to ONNX.

Three convolutions with stride 2, batch normalisation and ReLU, the mean over time and frequency,
one sigmoid: 24,000 weights. Spectrograms as pictures for a CNN: Hershey et al., "CNN Architectures
for Large-Scale Audio Classification", ICASSP 2017.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx

from framejury.audio.log_mel import BANDS, FRAMES, Floats
from framejury.audio.sound_model import ONNX_NAME, OUTPUT_NAME
from framejury.errors import FramejuryError, ParityError
from framejury.settings import AudioSettings
from framejury.training.training_log import plain_log

_CHANNELS = (16, 32, 64)
_LEARNING_RATE, _DROPOUT, _BATCH = 1e-3, 0.2, 16
# Batch norms must follow: a small training has few steps.
_MOMENTUM = 0.9
_OPSET = 17
_TOLERANCE = 1e-4

Examples = tuple[Floats, Floats]
"""float32 (n, FRAMES, BANDS) windows, and float32 (n,) 1 for fake."""


@dataclass(frozen=True, slots=True, eq=False)
class SoundNetwork:
    """A trained network; `epoch` from 1 is the one whose weights were kept."""

    model: keras.Model
    epoch: int

    def score(self, windows: Floats) -> Floats:
        """Return float32 (n,), 0 to 1, of float32 (n, FRAMES, BANDS)."""
        return np.asarray(self.model(windows, training=False), np.float32).reshape(-1)


def build_sound_network() -> keras.Model:
    """Return the network: float32 (n, FRAMES, BANDS) to float32 (n, 1), 0 to 1."""
    taken = keras.Input((FRAMES, BANDS), name="windows")
    x = keras.layers.Reshape((FRAMES, BANDS, 1))(taken)
    for channels in _CHANNELS:
        x = keras.layers.Conv2D(channels, 3, strides=2, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=_MOMENTUM)(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(_DROPOUT)(x)
    return keras.Model(taken, keras.layers.Dense(1, activation="sigmoid", name=OUTPUT_NAME)(x))


def train_sound_network(
    train: Examples,
    val: Examples,
    settings: AudioSettings,
    progress: Callable[[str], None],
    log_dir: Path | None = None,
) -> SoundNetwork:
    """Train a network and keep the epoch with the lowest loss on val.

    Both classes weigh the same, however many windows they have.

    Args:
        train, val: windows of both classes.
        settings: `epochs`, `seed`.
        progress: called with one readable line.
        log_dir: folder of its log (`training_log.plain_log`); None: it writes none.

    Raises:
        FramejuryError: the loss is not finite.
        UsageError: the log cannot be written.
    """
    keras.utils.set_random_seed(settings.seed)
    model = build_sound_network()
    model.compile(keras.optimizers.Adam(_LEARNING_RATE), "binary_crossentropy")
    history = _Best()
    windows, truth = train
    with nullcontext() if log_dir is None else plain_log(log_dir) as curves:
        model.fit(
            windows,
            truth,
            sample_weight=_balanced(truth),
            validation_data=(*val, _balanced(val[1])),
            epochs=settings.epochs,
            batch_size=_BATCH,
            verbose=0,
            callbacks=[history, *([] if curves is None else [curves])],
        )
    model.set_weights(history.weights)
    progress(
        f"  sound network: epoch {history.epoch} of {settings.epochs}, loss on val "
        f"{history.loss:.3f}"
    )
    return SoundNetwork(model, history.epoch)


class _Best(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the weights of the epoch with the lowest loss on val."""

    def __init__(self) -> None:
        super().__init__()
        self.loss, self.epoch = float("inf"), 0
        self.weights: list[Floats] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {})["val_loss"]
        if not np.isfinite(loss):
            raise FramejuryError("the loss of the sound network is not finite: it diverged")
        if loss < self.loss:
            self.loss, self.epoch = loss, epoch + 1
            self.weights = self.model.get_weights()


def _balanced(truth: Floats) -> Floats:
    """Return weights of mean 1 that give both classes the same total."""
    share = float(truth.mean())
    return np.asarray(np.where(truth == 1, 0.5 / share, 0.5 / (1 - share)), np.float32)


@contextmanager
def export_sound_network(network: SoundNetwork, samples: Floats) -> Iterator[Path]:
    """Yield the network as a file, once it was checked that both give the same scores.

    Args:
        network: the network.
        samples: float32 (n, FRAMES, BANDS), at least one.

    Raises:
        ParityError: the scores differ by more than 1e-4.
    """
    signature = [tf.TensorSpec((None, FRAMES, BANDS), tf.float32, name="windows")]
    exported, _ = tf2onnx.convert.from_keras(network.model, input_signature=signature, opset=_OPSET)
    onnx.checker.check_model(exported, full_check=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ONNX_NAME
        onnx.save(exported, str(path))
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        (scores,) = session.run([OUTPUT_NAME], {"windows": samples})
        difference = float(np.abs(scores.reshape(-1) - network.score(samples)).max())
        if not difference <= _TOLERANCE:
            raise ParityError(
                f"scores of the exported sound network differ by {difference:.2e}; the limit is "
                f"{_TOLERANCE:.0e}. No model was written"
            )
        yield path
