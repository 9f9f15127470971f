"""The weights of a training as one file that can be read back without its bundle.

Keras' `.weights.h5` with one more attribute: the settings of the network and the fingerprint of
its training data, because weights alone do not say at which size and scale pictures go in.
"""

from __future__ import annotations

import json
from pathlib import Path

import h5py  # type: ignore[import-untyped]
import keras
from pydantic import ValidationError

from framejury.errors import UsageError
from framejury.settings import TrainingSettings
from framejury.training.network import build_network
from framejury.training.train import TrainedNetwork

ENDING = ".weights.h5"
_ATTRIBUTE = "framejury"


def save_best_weights(trained: TrainedNetwork, path: Path) -> None:
    """Write the weights of the best epoch.

    Args:
        trained: the network.
        path: of the file, which must end with `.weights.h5`; replaced when it exists.
    """
    trained.model.save_weights(path)
    about = {
        "training": trained.settings.model_dump(mode="json"),
        "fingerprint": trained.counts.fingerprint,
    }
    with h5py.File(path, "a") as file:
        file.attrs[_ATTRIBUTE] = json.dumps(about)


def load_best_weights(path: Path) -> tuple[keras.Model, TrainingSettings, str]:
    """Return the network with its weights, its settings, and the fingerprint of its data.

    Args:
        path: a file from `save_best_weights`.

    Raises:
        UsageError: it is not such a file, or its weights do not fit its settings.
    """
    advice = "give a best_weights.weights.h5 that `framejury train` wrote, or a bundle (--bundle)"
    if not path.name.endswith(ENDING):
        raise UsageError(f"{path} does not end with {ENDING}; {advice}")
    try:
        with h5py.File(path) as file:
            about = json.loads(file.attrs[_ATTRIBUTE])
        settings = TrainingSettings.model_validate(about["training"])
        fingerprint = str(about["fingerprint"])
    except (OSError, KeyError, TypeError, ValueError, ValidationError) as error:
        raise UsageError(f"{path} holds no settings of its training ({error}); {advice}") from error
    model = build_network(settings, pretrained=False)
    try:
        model.load_weights(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} does not fit its own settings ({error}); {advice}") from error
    return model, settings, fingerprint
