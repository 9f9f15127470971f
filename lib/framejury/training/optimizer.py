"""The optimizer, its learning rate, and the initial averages of batch norms."""

from __future__ import annotations

import keras

from framejury.model.schedule import Phase
from framejury.settings import TrainingSettings
from framejury.training.dataset import FaceDatasets
from framejury.training.network import backbone_of

_WARM_UP_SHARE = 0.1
_WARM_UP_FROM = 1 / 25
_SETTLING_BATCHES = 40


def make_optimizer(
    settings: TrainingSettings, phase: Phase, steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """Return Adam, AdamW (with weight decay) or SGD; decay excludes biases and batch norms.

    The schedule counts the steps of the phase. The optimizer stores them in its state, so a
    resumed phase continues with the right rate.

    Source of one_cycle: Smith, "Super-convergence" (2018), with a cosine for the descent.
    """
    rate = settings.head_learning_rate if phase == "head" else settings.finetune_learning_rate
    schedule: float | keras.optimizers.schedules.LearningRateSchedule = rate
    if phase == "finetune" and settings.schedule == "one_cycle":
        steps = settings.finetune_epochs * steps_per_epoch
        rising = max(round(steps * _WARM_UP_SHARE), 1)
        schedule = keras.optimizers.schedules.CosineDecay(
            rate * _WARM_UP_FROM, max(steps - rising, 1), warmup_target=rate, warmup_steps=rising
        )
    elif phase == "finetune" and settings.schedule == "step":
        schedule = keras.optimizers.schedules.ExponentialDecay(
            rate, settings.step_epochs * steps_per_epoch, settings.step_factor, staircase=True
        )
    decay = settings.weight_decay or None
    if settings.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(schedule, settings.momentum, weight_decay=decay)
    elif decay is None:
        return keras.optimizers.Adam(schedule)
    else:
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def settle_averages(model: keras.Model, faces: FaceDatasets) -> int:
    """Re-estimate the averages of the batch norms on the training faces.

    A B0 that starts from Lite0's weights needs it, because its activation differs. Frozen batch
    norms keep their averages.

    Returns:
        number of batch norms that were re-estimated.
    """
    norms = [
        layer
        for layer in backbone_of(model).layers
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    before = [layer.momentum for layer in norms]
    for number, (pixels, _, _) in enumerate(faces.training(0).take(_SETTLING_BATCHES)):
        for layer in norms:
            layer.momentum = number / (number + 1)  # a plain mean over the batches
        model(pixels, training=True)
    for layer, momentum in zip(norms, before, strict=True):
        layer.momentum = momentum
    return len(norms)
