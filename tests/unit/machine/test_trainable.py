"""The first weights of a new network."""

from __future__ import annotations

from pathlib import Path

import pytest

from framejury.machine import trainable
from framejury.settings import TrainingSettings
from framejury.training.pretrained import weights_file


@pytest.mark.parametrize(
    ("weights", "backbone", "words"),
    [
        ("noisy-student", "efficientnet_b0", "`make lite0` fetches"),
        ("imagenet", "resnet18", "--set training.backbone=efficientnet_b0"),
        ("lite0", "efficientnet_lite0", "run: make lite0"),
        ("/no/such.h5", "efficientnet_b0", "names another file"),
    ],
)
def test_first_weights_that_are_missing(
    weights: str, backbone: str, words: str, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("efficientnet", reason="not installed (extra train)")
    monkeypatch.setenv("KERAS_HOME", str(machine))
    settings = TrainingSettings(weights=weights, backbone=backbone)
    check = trainable.check_weights(settings)
    assert (check.state, words in check.to_do) == ("warning", True)
    path = machine / "there.h5" if weights.startswith("/") else weights_file(settings)
    path.parent.mkdir(exist_ok=True)
    path.touch()
    if weights.startswith("/"):
        settings = TrainingSettings(weights=str(path), backbone=backbone)
    assert trainable.check_weights(settings).state == "ok"


def test_random_weights_are_always_there() -> None:
    assert trainable.check_weights(TrainingSettings(weights="none")).state == "ok"
