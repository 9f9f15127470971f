"""Which epoch comes next: a pure function of the settings and the epochs done.

Resuming is nothing else than asking again, so no state is kept but the history.
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
        phase: head: the backbone frozen; finetune: everything learns but `frozen_layers`.
        loss, val_loss: binary cross entropy, weighed as training is.
        accuracy, val_accuracy: share of faces right at 0.5, 0 to 1.
        val_auc: area under the ROC curve on the validation faces, 0 to 1.
        learning_rate: of the epoch's first step.
        seconds: wall-clock time, validation included.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    epoch: Annotated[int, Field(ge=0)]
    phase: Phase
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    val_auc: Annotated[float, Field(ge=0, le=1)]
    learning_rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Step:
    """The epoch to do.

    Attributes:
        epoch: from 0, over both phases.
        epoch_in_phase: from 0.
        epochs_in_phase: at most.
    """

    phase: Phase
    epoch: int
    epoch_in_phase: int
    epochs_in_phase: int


def next_step(settings: TrainingSettings, history: Sequence[EpochRecord]) -> Step | None:
    """The epoch after `history`; None when training is over.

    A phase ends after its epochs, or after `patience` epochs of it that are no better by
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
    """The best epoch by `choose_by` over both phases; the first of equals."""
    return min(history, key=lambda record: _badness(record, settings)).epoch


def _badness(record: EpochRecord, settings: TrainingSettings) -> float:
    if settings.choose_by == "val_loss":
        return record.val_loss
    return -(record.val_auc if settings.choose_by == "val_auc" else record.val_accuracy)


def _has_stalled(done: Sequence[EpochRecord], settings: TrainingSettings) -> bool:
    if not done:
        return False
    best = min(range(len(done)), key=lambda i: _badness(done[i], settings))
    return len(done) - 1 - best >= settings.patience
