"""(g) Keras on faces of the network's size, 32 a batch: `predict`, and a compiled function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

BATCH_SIZE = 32


def predict(setup: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """`setup`: `keras`, the model's file; `inputs`, files of `benchmarks.inputs`."""
    model = _model(setup["keras"])
    faces_of = {path: np.load(path)["faces"] for path in setup["inputs"]}

    def run(request: Mapping[str, Any]) -> dict[str, Any]:
        pixels = faces_of[request["inputs"]].astype(np.float32)
        scores = model.predict(pixels, batch_size=BATCH_SIZE, verbose=0)
        return {"scores": scores.reshape(-1).tolist()}

    return run


def function(setup: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """The same through `tf.function`."""
    import tensorflow as tf

    model = _model(setup["keras"])
    faces_of = {path: np.load(path)["faces"] for path in setup["inputs"]}
    side = model.input_shape[1]
    signature = [tf.TensorSpec((None, side, side, 3), tf.float32)]
    call = tf.function(lambda pixels: model(pixels, training=False), input_signature=signature)

    def run(request: Mapping[str, Any]) -> dict[str, Any]:
        pixels = faces_of[request["inputs"]].astype(np.float32)
        scores: list[float] = []
        for start in range(0, len(pixels), BATCH_SIZE):
            scores += call(pixels[start : start + BATCH_SIZE]).numpy().reshape(-1).tolist()
        return {"scores": scores}

    return run


def _model(path: str) -> Any:
    import efficientnet.tfkeras  # noqa: F401 - registers the network's layers
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf.keras.models.load_model(path, compile=False)
