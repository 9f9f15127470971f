"""Which epoch comes next, and what a work directory keeps. No TensorFlow."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from framejury.errors import UsageError
from framejury.model.schedule import EpochRecord, Phase, best_epoch, next_step
from framejury.settings import TrainingSettings
from framejury.training.checkpoint import WorkDir

SETTINGS = TrainingSettings(head_epochs=2, finetune_epochs=4, patience=2)


def history(*epochs: tuple[Phase, float]) -> list[EpochRecord]:
    return [
        EpochRecord(n, phase, 0.5, 0.8, val_loss, 0.7, 0.6, 1e-3, 1.0)
        for n, (phase, val_loss) in enumerate(epochs)
    ]


class Weights:
    """Stands for a model: writes a text as its weights."""

    def save_weights(self, path: Path) -> None:
        path.write_text("weights")


def test_head_comes_first_then_finetuning() -> None:
    first = next_step(SETTINGS, [])
    assert first is not None
    assert (first.phase, first.epoch, first.epochs_in_phase) == ("head", 0, 2)
    third = next_step(SETTINGS, history(("head", 0.7), ("head", 0.6)))
    assert third is not None
    assert (third.phase, third.epoch, third.epoch_in_phase) == ("finetune", 2, 0)


def test_all_epochs_done_is_the_end() -> None:
    done = history(("head", 9), ("head", 8), *[("finetune", 7 - n) for n in range(4)])
    assert next_step(SETTINGS, done[:-1]) is not None
    assert next_step(SETTINGS, done) is None


def test_a_phase_without_epochs_is_skipped() -> None:
    no_head = TrainingSettings(head_epochs=0, finetune_epochs=1)
    step = next_step(no_head, [])
    assert step is not None
    assert step.phase == "finetune"
    no_finetune = TrainingSettings(head_epochs=1, finetune_epochs=0)
    assert next_step(no_finetune, history(("head", 0.5))) is None


def test_patience_ends_a_phase() -> None:
    start = [("head", 0.6), ("head", 0.5)]
    patient = history(*start, ("finetune", 0.7), ("finetune", 0.8))
    assert next_step(SETTINGS, patient) is not None
    stalled = history(*start, ("finetune", 0.7), ("finetune", 0.8), ("finetune", 0.7))
    assert next_step(SETTINGS, stalled) is None


def test_a_stalled_head_goes_over_to_finetuning() -> None:
    settings = TrainingSettings(head_epochs=9, finetune_epochs=1, patience=1)
    step = next_step(settings, history(("head", 0.5), ("head", 0.6)))
    assert step is not None
    assert step.phase == "finetune"


def test_best_is_over_both_phases_and_the_first_of_equals() -> None:
    assert best_epoch(history(("head", 0.4), ("finetune", 0.6), ("finetune", 0.4)), SETTINGS) == 0
    assert best_epoch(history(("head", 0.4), ("finetune", 0.3)), SETTINGS) == 1


def test_an_epoch_may_be_best_by_auc_though_its_loss_is_not() -> None:
    aucs = (0.7, 0.9, 0.8, 0.85)
    records = [
        replace(record, val_auc=auc)
        for record, auc in zip(
            history(*[("finetune", 0.4 + n / 10) for n in range(4)]), aucs, strict=True
        )
    ]
    by_auc = SETTINGS.model_copy(update={"choose_by": "val_auc", "finetune_epochs": 9})
    assert best_epoch(records, SETTINGS) == 0
    assert best_epoch(records, by_auc) == 1
    assert next_step(by_auc, records[:3]) is not None
    assert next_step(by_auc, records) is None  # two epochs without a better AUC


def test_an_epoch_may_be_best_by_accuracy_though_its_loss_and_auc_are_not() -> None:
    records = [
        replace(record, val_accuracy=accuracy, val_auc=0.9 - number / 10)
        for number, (record, accuracy) in enumerate(
            zip(history(*[("finetune", 0.4)] * 4), (0.7, 0.8, 0.8, 0.75), strict=True)
        )
    ]
    by_accuracy = SETTINGS.model_copy(update={"choose_by": "val_accuracy", "finetune_epochs": 9})
    assert best_epoch(records, SETTINGS) == 0
    assert best_epoch(records, by_accuracy) == 1  # the first of equals
    assert next_step(by_accuracy, records[:3]) is not None
    assert next_step(by_accuracy, records) is None


def test_the_last_epoch_may_be_kept_whatever_its_figures() -> None:
    last = SETTINGS.model_copy(update={"choose_by": "last", "patience": 1})
    records = history(("head", 0.5), ("head", 0.9), ("finetune", 0.1), ("finetune", 0.8))
    assert [best_epoch(records[:n], last) for n in (1, 2, 3, 4)] == [0, 1, 2, 3]
    assert all(next_step(last, records[:n]) is not None for n in range(4))  # nothing stalls


def fill(path: Path, epochs: list[EpochRecord], fingerprint: str = "f") -> WorkDir:
    kept = WorkDir(path, SETTINGS, fingerprint)
    for record in epochs:
        kept.finish_epoch(Weights(), record)  # type: ignore[arg-type]
    return kept


def test_work_directory_keeps_last_and_best_only(tmp_path: Path) -> None:
    done = history(("head", 0.6), ("head", 0.4), ("finetune", 0.7), ("finetune", 0.5))
    fill(tmp_path / "w", done)
    again = WorkDir(tmp_path / "w", SETTINGS, "f")
    assert list(again.history) == done
    assert again.last_weights.name == "epoch-0003.weights.h5"
    assert again.best_weights.name == "epoch-0001.weights.h5"
    files = {path.name for path in (tmp_path / "w").iterdir()}
    assert files == {"state.json", again.last_weights.name, again.best_weights.name}


def test_a_kill_before_the_state_is_written_loses_one_epoch_only(tmp_path: Path) -> None:
    done = history(("head", 0.6), ("head", 0.4))
    kept = fill(tmp_path / "w", done[:1])
    kept._write_state = lambda: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        kept.finish_epoch(Weights(), done[1])  # type: ignore[arg-type]
    again = WorkDir(tmp_path / "w", SETTINGS, "f")
    assert list(again.history) == done[:1]
    assert again.last_weights.is_file()


def test_other_settings_or_data_are_refused(tmp_path: Path) -> None:
    fill(tmp_path / "w", history(("head", 0.6)))
    other = SETTINGS.model_copy(update={"batch_size": 16})
    with pytest.raises(UsageError, match=r"training\.batch_size was 32 and is now 16"):
        WorkDir(tmp_path / "w", other, "f")
    with pytest.raises(UsageError, match="the faces or the split have changed"):
        WorkDir(tmp_path / "w", SETTINGS, "other")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"history": 3}'])
def test_a_state_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(UsageError, match="not a training state"):
        WorkDir(tmp_path, SETTINGS, "f")


def test_a_history_of_something_else_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, history(("head", 0.6)))
    state = json.loads((tmp_path / "state.json").read_text())
    state["history"][0]["phase"] = "warmup"
    (tmp_path / "state.json").write_text(json.dumps(state))
    with pytest.raises(UsageError, match="not a training state"):
        WorkDir(tmp_path, SETTINGS, "f")


def test_weights_that_are_gone_are_named(tmp_path: Path) -> None:
    fill(tmp_path, history(("head", 0.6))).last_weights.unlink()
    with pytest.raises(UsageError, match=r"epoch-0000\.weights\.h5 is missing"):
        WorkDir(tmp_path, SETTINGS, "f")


def test_a_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "w").write_text("a file")
    with pytest.raises(UsageError, match="cannot create the work directory"):
        WorkDir(tmp_path / "w", SETTINGS, "f")
