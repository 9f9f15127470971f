"""What training needs: TensorFlow and a network's first weights."""

from __future__ import annotations

import shutil

from framejury.errors import SetupError
from framejury.machine.check import Check
from framejury.settings import TrainingSettings
from framejury.settings.learning import NAMED_WEIGHTS


def check_tensorflow() -> Check:
    """Report the GPUs that TensorFlow can use."""
    try:
        import tensorflow as tf
    except ImportError as error:
        return Check("TensorFlow", "warning", str(error), "pip install 'framejury[train]'")
    gpus = tf.config.list_physical_devices("GPU")
    if gpus or shutil.which("nvidia-smi") is None:
        return Check("TensorFlow", "ok", f"{tf.__version__}, {len(gpus)} GPUs")
    cuda = f"pip install 'tensorflow[and-cuda]=={tf.__version__}'"
    return Check("TensorFlow", "warning", f"{tf.__version__} sees no GPU", cuda)


def check_weights(settings: TrainingSettings) -> Check:
    """Check that the file with a new network's first weights is on this machine."""
    from framejury.training.pretrained import instead_of_download, weights_file

    name, wanted = "first weights", f"{settings.weights} for {settings.backbone}"
    if settings.weights == "none":
        return Check(name, "ok", "random (training.weights=none)")
    try:
        path = weights_file(settings)
    except SetupError as error:
        return Check(name, "warning", str(error), "pip install 'framejury[train]'")
    if path.is_file():
        return Check(name, "ok", f"{wanted} in {path}")
    if settings.weights == "lite0":
        to_do = "run: make lite0"
    elif settings.weights in NAMED_WEIGHTS:
        to_do = f"training downloads them; if it cannot, {instead_of_download(settings)}"
    else:
        to_do = "--set training.weights=PATH names another file"
    return Check(name, "warning", f"{wanted}: not at {path}", to_do)
