"""What the settings of a training mean on this machine: devices, precision, compilation."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import tensorflow as tf

from framejury.model.network import Precision
from framejury.settings import TrainingSettings


@dataclass(frozen=True)
class Machine:
    """What the settings mean here.

    Attributes:
        strategy: one device, or a replica on each GPU.
        precision: of the arithmetic.
        jit_compile: by XLA.
    """

    strategy: tf.distribute.Strategy
    precision: Precision
    jit_compile: bool


def prepare_machine(settings: TrainingSettings) -> Machine:
    """Seeds and switches of this process; on a CPU without XLA a training then repeats."""
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
