"""Training: first the head on the frozen backbone, then the whole network.

The same code runs on a CPU, one GPU or several. Every epoch is stored when it ends, so a training
that was killed resumes after the last finished epoch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from framejury.errors import ConfigError, FramejuryError, UsageError
from framejury.model.manifest import CURVES_NAME
from framejury.model.schedule import EpochRecord, Phase, Step, best_epoch, next_step
from framejury.settings import TrainingSettings
from framejury.training.checkpoint import WorkDir
from framejury.training.dataset import FaceDatasets
from framejury.training.needs import require_signal
from framejury.training.network import Precision, backbone_of, build_network, freeze
from framejury.training.optimizer import make_optimizer, settle_averages
from framejury.training.resynthesis import Resynthesizer
from framejury.training.source import FaceSource
from framejury.training.source_counts import FaceCounts, count_faces
from framejury.training.training_log import TrainingLog
from framejury.training.true_class import FIGURES, true_class_metrics
from framejury.training.weights import average_with_start, start_of

Progress = Callable[[str], None]
_PHASE_NAMES: Mapping[Phase, str] = {"head": "head", "finetune": "fine-tune"}
_SECONDS_BETWEEN_LINES = 10.0


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


@dataclass(frozen=True)
class TrainedNetwork:
    """The result of a training.

    Attributes:
        model: weights of the best epoch, float32 arithmetic, not compiled.
        history: every epoch, in order.
        best_epoch: index into `history` of the best epoch by `training.choose_by`.
        settings: settings of the training.
        counts: counts of the training data.
        source: the training data.
        log: files of its log by path, as `TrainingLog.kept`; empty: it has none.
    """

    model: keras.Model
    history: tuple[EpochRecord, ...]
    best_epoch: int
    settings: TrainingSettings
    counts: FaceCounts
    source: FaceSource
    log: Mapping[str, bytes] = field(default_factory=dict)


def train(
    settings: TrainingSettings,
    source: FaceSource,
    work_dir: Path,
    progress: Progress,
    log_dir: Path | None = None,
) -> TrainedNetwork:
    """Train a network, or resume a training that was started in `work_dir`.

    With the same seed and data a training is repeatable on the same CPU, also after a resume. With
    a GPU or XLA the order, augmentation and initial weights repeat, but the last digits of the
    arithmetic may differ.

    Args:
        settings: section `training`.
        source: labelled faces in the splits train and val.
        work_dir: where epochs are stored; may be deleted once a bundle is packed.
        progress: called with one readable line at a time.
        log_dir: folder of its log, whose name gets a digest of settings and data, so that no two
            trainings share one; None: `log` in `work_dir`.

    Raises:
        SplitError: train or val has no face, or faces of one class only.
        ConfigError: `training.xla` is on but not possible, a name in `frozen_layers` matches no
            layer, or weights do not fit.
        UsageError: `work_dir` holds a training with other settings or data, the log cannot be
            written, or a step does not fit into the memory of the device.
        WarehouseError: faces cannot be read, lack what the signal needs, or a crop is damaged.
        FramejuryError: the loss is not finite.
    """
    counts = count_faces(source, mixed=bool(settings.mixture))
    counts.require_both_classes()
    require_signal(source, settings.signal)
    kept = WorkDir(work_dir, settings, counts.fingerprint)
    log = TrainingLog(kept.log_dir(log_dir), kept.history)
    machine = _prepare_machine(settings)
    faces = FaceDatasets(
        settings,
        source,
        counts,
        settings.batch_size * machine.strategy.num_replicas_in_sync,
        work_dir,
    )
    progress(_opening_line(faces, machine, len(kept.history)))
    progress(f"curves while it runs: {log.folder / CURVES_NAME}, or {log.command}")
    if settings.weights == "none" and settings.head_epochs:
        progress(
            "the backbone starts from random weights, and a head on random features learns almost "
            "nothing; --set training.head_epochs=0 saves that time"
        )
    if next_step(settings, kept.history) is not None:
        faces.prepare()
        if faces.needs_resynthesis:
            faces.resynthesis = Resynthesizer.trained(
                source, settings, kept.resynthesis_dir, progress
            )
            # Its training has used up random numbers; a resumed one may not have trained it.
            keras.utils.set_random_seed(settings.seed)
        with machine.strategy.scope():
            model = build_network(settings, machine.precision, pretrained=not kept.history)
            from_lite0 = (settings.backbone, settings.weights) == ("efficientnet_b0", "lite0")
            if not kept.history and from_lite0:
                norms = settle_averages(model, faces)
                progress(f"averages of {norms} batch norms re-estimated for the initial weights")
        if settings.start_share:
            start_of(model, settings.weights)  # refused now, not after hours of training
        _learn(model, faces, kept, machine, progress, log=log)
    best = build_network(settings, "float32", pretrained=False)
    best.load_weights(kept.best_weights)
    if settings.start_share:
        average_with_start(best, settings.weights, settings.start_share)
    return TrainedNetwork(
        best,
        kept.history,
        best_epoch(kept.history, settings),
        settings,
        counts,
        source,
        log.kept(),
    )


def _prepare_machine(settings: TrainingSettings) -> Machine:
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


def _learn(
    model: keras.Model,
    faces: FaceDatasets,
    kept: WorkDir,
    machine: Machine,
    progress: Progress,
    *,
    log: TrainingLog,
) -> None:
    settings = faces.settings
    running: Phase | None = None
    while (step := next_step(settings, kept.history)) is not None:
        if step.phase != running:
            _enter_phase(model, step, faces, kept, machine)
            running = step.phase
        record = _run_epoch(model, faces, step, log, progress)
        kept.finish_epoch(model, record)
        log.finish_epoch(record)
        is_best = best_epoch(kept.history, settings) == record.epoch
        progress(_epoch_line(record, step, is_best=is_best and settings.choose_by != "last"))


def _enter_phase(
    model: keras.Model, step: Step, faces: FaceDatasets, kept: WorkDir, machine: Machine
) -> None:
    """Load the last weights and optimizer of a resumed phase; start a new one from the best."""
    settings = faces.settings
    resumes = step.epoch_in_phase > 0
    if kept.history and not resumes:
        model.load_weights(kept.best_weights)
    # A frozen batch norm uses its stored averages (Keras: trainable = False).
    backbone_of(model).trainable = step.phase == "finetune"
    freeze(backbone_of(model), settings)
    metrics = [
        keras.metrics.BinaryAccuracy(name="accuracy"),
        keras.metrics.AUC(num_thresholds=1000, name="auc"),
    ]
    # Weights of a mixture say how much a data set counts; those of classes do not apply to figures.
    weighted = metrics if settings.mixture else []
    with machine.strategy.scope():
        model.compile(
            optimizer=make_optimizer(settings, step.phase, faces.steps_per_epoch),
            loss=keras.losses.BinaryCrossentropy(),
            metrics=[*([] if weighted else metrics), *true_class_metrics()],
            weighted_metrics=weighted,
            jit_compile=machine.jit_compile,
        )
        model.optimizer.build(model.trainable_variables)
    if settings.xla == "on" and not model.jit_compile:
        raise ConfigError(
            "training.xla is on, but Keras cannot compile this training here (op determinism "
            "forbids it in a process that trained before). Set training.xla=auto"
        )
    if resumes:
        model.load_weights(kept.last_weights)
        if int(model.optimizer.iterations) == 0:
            raise FramejuryError(f"{kept.last_weights} has no optimizer state")


def _run_epoch(
    model: keras.Model, faces: FaceDatasets, step: Step, log: TrainingLog, progress: Progress
) -> EpochRecord:
    _seed_dropout(model, faces.settings.seed, step.epoch)
    lines = _StepLines(step, faces, progress)
    learning_rate = float(model.optimizer.learning_rate)
    began_s = time.monotonic()
    try:
        with log.by_step(step.epoch, faces.steps_per_epoch) as curves:
            fitted = model.fit(
                faces.training(step.epoch),
                validation_data=faces.validation(),
                initial_epoch=step.epoch,
                epochs=step.epoch + 1,
                callbacks=[lines, curves],
                shuffle=False,  # the data are shuffled already
                verbose=0,
            )
    except tf.errors.ResourceExhaustedError as error:
        raise UsageError(
            f"a step of {faces.global_batch_size} faces at {faces.settings.input_px} pixels does "
            "not fit into the memory of the device. Lower training.batch_size or training.input_px"
        ) from error
    except tf.errors.OpError:
        faces.raise_fault()
        raise
    figures = {name: float(values[-1]) for name, values in fitted.history.items()}
    for name in ("loss", "val_loss"):
        if not math.isfinite(figures[name]):
            raise FramejuryError(
                f"{name} is {figures[name]} in epoch {step.epoch + 1}: the training diverged. "
                f"Lower training.{step.phase}_learning_rate, or set training.mixed_precision=off"
            )
    return EpochRecord(
        epoch=step.epoch,
        phase=step.phase,
        loss=figures["loss"],
        accuracy=figures["accuracy"],
        val_loss=figures["val_loss"],
        val_accuracy=figures["val_accuracy"],
        auc=figures["auc"],
        val_auc=figures["val_auc"],
        learning_rate=learning_rate,
        seconds=time.monotonic() - began_s,
        **{f"{part}{name}": figures[f"{part}{name}"] for part in ("", "val_") for name in FIGURES},
    )


def _seed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Seed the dropout of an epoch from seed and epoch only, so that a resumed epoch repeats."""
    layers = [*model.layers, *backbone_of(model).layers]
    for number, layer in enumerate(layers):
        if isinstance(layer, keras.layers.Dropout) and layer.rate > 0:
            state = np.random.default_rng([seed, epoch, number]).integers(2**31, size=2)
            layer.seed_generator.state.assign(state)


class _StepLines(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports step, speed and remaining time every few seconds."""

    def __init__(self, step: Step, faces: FaceDatasets, progress: Progress) -> None:
        super().__init__()
        self._step, self._progress = step, progress
        self._steps, self._faces_a_step = faces.steps_per_epoch, faces.global_batch_size
        self._began_s = self._reported_s = math.nan

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        now_s = time.monotonic()
        if batch == 0:  # the first step compiles and does not count for the speed
            self._began_s = self._reported_s = now_s
        if now_s - self._reported_s < _SECONDS_BETWEEN_LINES:
            return
        self._reported_s = now_s
        seconds_a_step = (now_s - self._began_s) / batch
        loss = (logs or {}).get("loss", math.nan)
        self._progress(
            f"{_title(self._step)}: step {batch + 1}/{self._steps}, loss {loss:.4f}, "
            f"{1 / seconds_a_step:.2f} steps/s, {self._faces_a_step / seconds_a_step:.0f} faces/s, "
            f"{_duration((self._steps - batch - 1) * seconds_a_step)} left"
        )


def _opening_line(faces: FaceDatasets, machine: Machine, epochs_done: int) -> str:
    replicas = machine.strategy.num_replicas_in_sync
    has_gpu = bool(tf.config.list_logical_devices("GPU"))
    devices = f"{replicas} GPU{'s' if replicas > 1 else ''}" if has_gpu else "CPU"
    known = ", ".join(f"{c.faces} {c.label} in {c.side}" for c in faces.counts.per_split)
    resumed = f"; resumed after {epochs_done} finished epochs" if epochs_done else ""
    return (
        f"training on {devices}, {machine.precision}, {faces.steps_per_epoch} steps of "
        f"{faces.global_batch_size} faces per epoch; faces: {known}{resumed}"
    )


def _epoch_line(record: EpochRecord, step: Step, is_best: bool) -> str:
    return (
        f"{_title(step)}: loss {record.loss:.4f}, accuracy {record.accuracy:.3f}, validation loss "
        f"{record.val_loss:.4f}, validation accuracy {record.val_accuracy:.3f}, validation AUC "
        f"{record.val_auc:.3f}, mean probability of the true class "
        f"{_of_classes(record.p_true, record.p_true_fake, record.p_true_real)}, in validation "
        f"{_of_classes(record.val_p_true, record.val_p_true_fake, record.val_p_true_real)}, "
        f"{_duration(record.seconds)}{' (best so far)' if is_best else ''}"
    )


def _of_classes(*figures: float | None) -> str:
    """Return a figure with those of fakes and originals."""
    total, fakes, originals = ("-" if one is None else f"{one:.3f}" for one in figures)
    return f"{total} (fakes {fakes}, originals {originals})"


def _title(step: Step) -> str:
    return f"{_PHASE_NAMES[step.phase]} epoch {step.epoch_in_phase + 1}/{step.epochs_in_phase}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
