"""The log of a training while it runs: event files for TensorBoard, and one CSV line per epoch.

The folder holds `curves.csv`, and `train/` and `validation/` with the tags that Keras' TensorBoard
callback writes. Each epoch has event files of its own, so those of an epoch that was killed can be
removed when the training resumes. TensorFlow writes them without the package `tensorboard`.
"""

from __future__ import annotations

import csv
import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import keras
import tensorflow as tf

from framejury.errors import UsageError
from framejury.model.curves import CURVE_COLUMNS, curves_csv
from framejury.model.manifest import CURVES_NAME
from framejury.model.schedule import EpochRecord

Part = Literal["train", "validation"]
PARTS: tuple[Part, ...] = ("train", "validation")
_EVENTS = "events.out.tfevents.framejury"
_OF_EPOCH = re.compile(re.escape(_EVENTS) + r"\.(\d{6})\.(batch|epoch)")
_POINTS_PER_EPOCH = 100
"""Most points of an epoch in the curves by step."""

_PLAIN = ("epoch", "phase", "seconds", "learning_rate")
"""Fields of an epoch that are no figures of training or validation faces."""


class TrainingLog:
    """The log of one training: each finished epoch is in it once, even if its process was killed.

    Attributes:
        folder: where it is.
    """

    def __init__(self, folder: Path, history: Sequence[EpochRecord]) -> None:
        """Open the log of a new or a resumed training.

        Args:
            folder: created when missing.
            history: finished epochs, in order; later ones are removed from the log.

        Raises:
            UsageError: the folder cannot be written.
        """
        self.folder = folder
        with _writing():
            for part in PARTS:
                (folder / part).mkdir(parents=True, exist_ok=True)
            for file in self._files():
                named = _OF_EPOCH.fullmatch(file.name)
                if named is not None and int(named[1]) >= len(history):
                    file.unlink()
            for record in history:
                # A kill may have come between the epoch and its last line here.
                is_last = record.epoch == len(history) - 1
                if is_last or not self._place("train", record.epoch, "epoch").exists():
                    self._write_figures(record)
            (folder / CURVES_NAME).write_text(curves_csv(history), encoding="utf-8")

    @property
    def command(self) -> str:
        """The command that shows the curves."""
        return f"tensorboard --logdir {shlex.quote(str(self.folder))}"

    @contextmanager
    def by_step(self, epoch: int, steps: int) -> Iterator[keras.callbacks.Callback]:
        """Give a callback that writes loss and learning rate at up to 100 steps of an epoch.

        Args:
            epoch: from 0, over both phases.
            steps: of each epoch, count.

        Raises:
            UsageError: its file cannot be written, now or at a step.
        """
        with _opened(self._place("train", epoch, "batch")) as events:
            yield _StepCurves(events, epoch, steps)

    def finish_epoch(self, record: EpochRecord) -> None:
        """Write the figures of a finished epoch.

        Raises:
            UsageError: a file cannot be written.
        """
        self._write_figures(record)
        place = self.folder / CURVES_NAME
        with _writing(), place.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, CURVE_COLUMNS, lineterminator="\n").writerow(asdict(record))

    def kept(self) -> dict[str, bytes]:
        """Return the files to keep by path, with one event file each of train and validation."""
        # A file of events is a sequence of records, so files in a row are one file.
        events = {
            f"{part}/{_EVENTS}": b"".join(
                file.read_bytes() for file in self._files() if file.parent.name == part
            )
            for part in PARTS
        }
        return {CURVES_NAME: (self.folder / CURVES_NAME).read_bytes(), **events}

    def _files(self) -> list[Path]:
        return sorted(file for part in PARTS for file in (self.folder / part).glob(f"{_EVENTS}.*"))

    def _place(self, part: Part, epoch: int, kind: Literal["batch", "epoch"]) -> Path:
        # TensorBoard reads files by name and does not return to earlier ones: batch, then epoch.
        return self.folder / part / f"{_EVENTS}.{epoch:06d}.{kind}"

    def _write_figures(self, record: EpochRecord) -> None:
        values = {key: value for key, value in asdict(record).items() if value is not None}
        figures = {key for key in values if key not in _PLAIN and not key.startswith("val_")}
        named: dict[Part, dict[str, float]] = {
            "train": {f"epoch_{key}": values[key] for key in (*sorted(figures), "learning_rate")},
            "validation": {
                f"epoch_{key.removeprefix('val_')}": value
                for key, value in values.items()
                if key.startswith("val_")
            },
        }
        for part, scalars in named.items():
            with _opened(self._place(part, record.epoch, "epoch")) as events:
                events.write(scalars, record.epoch)


class _StepCurves(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, events: _EventFile, epoch: int, steps: int) -> None:
        super().__init__()
        self._events, self._first_step = events, epoch * steps
        self._every = max(1, steps // _POINTS_PER_EPOCH)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        if batch % self._every == 0 and logs is not None:
            rate = float(self.model.optimizer.learning_rate)
            scalars = {"batch_loss": float(logs["loss"]), "batch_learning_rate": rate}
            self._events.write(scalars, self._first_step + batch)


@contextmanager
def plain_log(folder: Path) -> Iterator[keras.callbacks.Callback]:
    """Give a callback that logs a training of one call of `fit`: `curves.csv` and event files.

    Args:
        folder: created when missing; an earlier log in it is replaced.

    Raises:
        UsageError: a file cannot be written, now or at an epoch.
    """
    with ExitStack() as opened:
        with _writing():
            for part in PARTS:
                (folder / part).mkdir(parents=True, exist_ok=True)
        events = {part: opened.enter_context(_opened(folder / part / _EVENTS)) for part in PARTS}
        yield _EpochCurves(folder / CURVES_NAME, events)


class _EpochCurves(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, curves: Path, events: Mapping[Part, _EventFile]) -> None:
        super().__init__()
        self._curves, self._events = curves, events

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        figures = logs or {}
        for name, value in figures.items():
            part: Part = "validation" if name.startswith("val_") else "train"
            self._events[part].write({f"epoch_{name.removeprefix('val_')}": float(value)}, epoch)
        mode = "a" if epoch else "w"
        with _writing(), self._curves.open(mode, encoding="utf-8", newline="") as file:
            lines = csv.DictWriter(file, ["epoch", *sorted(figures)], lineterminator="\n")
            if not epoch:
                lines.writeheader()
            lines.writerow({"epoch": epoch, **figures})


@contextmanager
def _writing() -> Iterator[None]:
    """Raise what keeps a file from being written as a UsageError.

    TensorFlow reports a full disk as a `ResourceExhaustedError`, like too little device memory.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        said = error.message if isinstance(error, tf.errors.OpError) else error
        raise UsageError(
            f"cannot write the log of the training: {said}. Free some space or give another "
            "folder, and start the same command again"
        ) from error


@contextmanager
def _opened(place: Path) -> Iterator[_EventFile]:
    with _writing():
        events = _EventFile(place)
    try:
        yield events
    finally:
        with _writing():
            events.close()


class _EventFile:
    """Scalars in the format of TensorBoard, flushed at each step."""

    def __init__(self, place: Path) -> None:
        self._writer = tf.io.TFRecordWriter(str(place))
        self._add(file_version="brain.Event:2")

    def write(self, scalars: Mapping[str, float], step: int) -> None:
        value = tf.compat.v1.Summary.Value
        values = [value(tag=tag, simple_value=number) for tag, number in scalars.items()]
        with _writing():
            self._add(step=step, summary=tf.compat.v1.Summary(value=values))
            self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def _add(self, **content: object) -> None:
        event = tf.compat.v1.Event(wall_time=time.time(), **content)
        self._writer.write(event.SerializeToString())
