"""The next epoch: a pure function of the settings and the finished epochs.

Resuming calls it again, so the history is the only state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from framejury.settings import TrainingSettings

Phase = Literal["head", "finetune"]
PHASES: tuple[Phase, ...] = ("head", "finetune")


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One finished epoch.

    Attributes:
        epoch: from 0, over both phases.
        phase: head: the backbone is frozen; finetune: everything except `frozen_layers` is trained.
        loss, val_loss: binary cross entropy, weighted as in training.
        accuracy, val_accuracy: share of correct faces at a threshold of 0.5, 0 to 1.
        p_true, val_p_true: mean probability of the true class, which some recipes call accuracy, 0
            to 1; None in trainings from before it was measured.
        p_true_fake, p_true_real, val_p_true_fake, val_p_true_real: the same over the faces of one
            class.
        auc, val_auc: area under the ROC curve of the faces, 0 to 1; `auc` is None in trainings from
            before it was kept.
        learning_rate: rate at the first step.
        seconds: wall-clock time including validation.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)

    epoch: Annotated[int, Field(ge=0)]
    phase: Phase
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    val_auc: Annotated[float, Field(ge=0, le=1)]
    learning_rate: float
    seconds: float
    p_true: float | None = None
    p_true_fake: float | None = None
    p_true_real: float | None = None
    val_p_true: float | None = None
    val_p_true_fake: float | None = None
    val_p_true_real: float | None = None
    auc: Annotated[float, Field(ge=0, le=1)] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """The next epoch.

    Attributes:
        epoch: from 0, over both phases.
        epoch_in_phase: from 0.
        epochs_in_phase: maximum.
    """

    phase: Phase
    epoch: int
    epoch_in_phase: int
    epochs_in_phase: int


def next_step(settings: TrainingSettings, history: Sequence[EpochRecord]) -> Step | None:
    """Return the epoch after `history`; None when training is finished.

    A phase ends after its epochs, or after `patience` of its epochs without an improvement by
    `choose_by`. Later phases start only when earlier ones have ended.
    """
    planned = {"head": settings.head_epochs, "finetune": settings.finetune_epochs}
    last_phase = PHASES.index(history[-1].phase) if history else 0
    for phase in PHASES[last_phase:]:
        done = [record for record in history if record.phase == phase]
        if len(done) < planned[phase] and not _has_stalled(done, settings):
            return Step(phase, len(history), len(done), planned[phase])
    return None


def best_epoch(history: Sequence[EpochRecord], settings: TrainingSettings) -> int:
    """Return the best epoch by `choose_by` over both phases; ties keep the earlier one.

    The last epoch is the best where `choose_by` is last.
    """
    return min(history, key=lambda record: _badness(record, settings)).epoch


def _badness(record: EpochRecord, settings: TrainingSettings) -> float:
    if settings.choose_by == "last":
        return -record.epoch
    if settings.choose_by == "val_loss":
        return record.val_loss
    return -(record.val_auc if settings.choose_by == "val_auc" else record.val_accuracy)


def _has_stalled(done: Sequence[EpochRecord], settings: TrainingSettings) -> bool:
    if not done:
        return False
    best = min(range(len(done)), key=lambda i: _badness(done[i], settings))
    return len(done) - 1 - best >= settings.patience
