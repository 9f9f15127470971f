"""The optimizer and the averages a training starts from."""

from __future__ import annotations

import os
from itertools import pairwise

import numpy as np
import pytest

from framejury.settings import TrainingSettings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")

import keras
import tensorflow as tf

from framejury.training.network import BACKBONE_LAYERS
from framejury.training.optimizer import make_optimizer, settle_averages

STEPS = 50


def settings_of(**changes: object) -> TrainingSettings:
    base = {"finetune_epochs": 4, "finetune_learning_rate": 0.01, "head_learning_rate": 0.5}
    return TrainingSettings.model_validate({**base, **changes})


def rates_of(settings: TrainingSettings) -> list[float]:
    optimizer = make_optimizer(settings, "finetune", STEPS)
    optimizer.build([keras.Variable(np.zeros(1, np.float32))])
    rates = []
    for step in range(4 * STEPS + 1):
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    return rates


def test_one_cycle_rises_over_a_tenth_and_ends_at_nothing() -> None:
    rates = rates_of(settings_of(schedule="one_cycle"))
    assert rates[0] == pytest.approx(0.01 / 25)
    assert int(np.argmax(rates)) == 20
    assert max(rates) == pytest.approx(0.01)
    assert all(now < later for now, later in pairwise(rates[:21]))
    assert all(now > later for now, later in pairwise(rates[20:]))
    assert rates[-1] == pytest.approx(0, abs=1e-8)


def test_a_constant_rate_is_that_of_its_phase() -> None:
    assert rates_of(settings_of()) == pytest.approx([0.01] * (4 * STEPS + 1))
    head = make_optimizer(settings_of(schedule="one_cycle"), "head", STEPS)
    assert float(head.learning_rate) == pytest.approx(0.5)


def test_weight_decay_shrinks_kernels_and_leaves_biases_and_norms() -> None:
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization()]
    )
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape, np.float32))
    optimizer = make_optimizer(settings_of(weight_decay=0.5), "finetune", STEPS)
    optimizer.build(model.trainable_variables)
    optimizer.apply([np.zeros(v.shape, np.float32) for v in model.trainable_variables])
    after = {v.path.rpartition("/")[2]: np.asarray(v) for v in model.trainable_variables}
    assert np.allclose(after["kernel"], 1 - 0.01 * 0.5)
    for name in ("bias", "gamma", "beta"):
        assert np.array_equal(after[name], np.ones_like(after[name]))
    assert type(make_optimizer(settings_of(), "finetune", STEPS)) is keras.optimizers.Adam


class _Faces:
    """Stands for the data sets: one epoch of random batches."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def training(self, epoch: int) -> tf.data.Dataset:
        assert epoch == 0
        rest = np.zeros((len(self.pixels), 1), np.float32)
        return tf.data.Dataset.from_tensor_slices((self.pixels, rest, rest)).batch(8)


def test_settled_averages_are_those_of_the_data() -> None:
    inner = keras.Input((4, 4, 3))
    normed = keras.layers.BatchNormalization(momentum=0.99, name="norm")(inner)
    backbone = keras.Model(inner, normed, name=BACKBONE_LAYERS["efficientnet_b0"])
    outer = keras.Input((4, 4, 3))
    model = keras.Model(outer, backbone(outer))
    pixels = np.random.default_rng(0).normal(7, 3, (80, 4, 4, 3)).astype(np.float32)
    assert settle_averages(model, _Faces(pixels)) == 1  # type: ignore[arg-type]
    norm = backbone.get_layer("norm")
    assert np.allclose(norm.moving_mean, pixels.mean(axis=(0, 1, 2)), atol=1e-3)
    assert np.allclose(norm.moving_variance, pixels.var(axis=(0, 1, 2)), rtol=0.02)
    assert norm.momentum == 0.99
