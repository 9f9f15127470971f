"""The epochs of a small training."""

from __future__ import annotations

from framejury.model.schedule import EpochRecord

EPOCHS = (
    EpochRecord(
        epoch=0,
        phase="head",
        loss=0.1 + 0.6,
        accuracy=0.5,
        val_loss=0.69,
        val_accuracy=0.55,
        val_auc=0.6,
        learning_rate=1e-3,
        seconds=12.5,
    ),
    EpochRecord(
        epoch=1,
        phase="finetune",
        loss=0.4,
        accuracy=0.8,
        val_loss=0.5,
        val_accuracy=0.75,
        val_auc=0.85,
        learning_rate=1 / 3000,
        seconds=30.0,
        p_true=0.7,
        auc=0.9,
    ),
)
"""The first as an older framejury wrote it, without `auc` and probabilities of the true class."""
