"""Devices, precision and compilation of a training on this machine."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import tensorflow as tf

from framejury.model.network import Precision
from framejury.settings import TrainingSettings


@dataclass(frozen=True)
class Machine:
    """How a training runs on this machine.

    Attributes:
        strategy: one device, or a replica on each GPU.
        precision: precision of the arithmetic.
        jit_compile: whether XLA compiles it.
    """

    strategy: tf.distribute.Strategy
    precision: Precision
    jit_compile: bool


def prepare_machine(settings: TrainingSettings) -> Machine:
    """Seed and configure this process; on a CPU without XLA, training is then repeatable."""
    keras.utils.set_random_seed(settings.seed)
    gpus = tf.config.list_logical_devices("GPU")
    # Not on a GPU: depthwise convolutions have no deterministic gradient there. Not with XLA:
    # Keras then refuses to compile.
    if not gpus and settings.xla != "on":
        tf.config.experimental.enable_op_determinism()
    strategy = tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()
    # XLA inside MirroredStrategy is not supported for every collective: auto leaves it off.
    wanted = {"on": True, "off": False, "auto": bool(gpus)}
    xla = {**wanted, "auto": len(gpus) == 1}[settings.xla]
    mixed = wanted[settings.mixed_precision]
    return Machine(strategy, "mixed_float16" if mixed else "float32", xla)
