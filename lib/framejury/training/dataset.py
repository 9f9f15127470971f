"""Face crops from Parquet files as `tf.data`, without image folders.

A Python generator reads and shuffles encoded crops; tf.data's threads decode, resize and augment
them (OpenCV releases the interpreter lock there).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from framejury.augmentation.augment import apply, draw, sample_rng
from framejury.augmentation.fastai_augment import apply_fastai, draw_fastai
from framejury.augmentation.made_fakes import Resynthesis, made_fake
from framejury.errors import FramejuryError
from framejury.records import CroppedFace
from framejury.schemas.statuses import Side
from framejury.settings import TrainingSettings
from framejury.signals.network_input import picture_of, square_face
from framejury.signals.rgb import input_points
from framejury.training.epoch import (
    ShownFace,
    class_weights,
    evened_out,
    mixture_weights,
    paired,
    shown_faces,
    with_blends,
)
from framejury.training.mixture import FacePool
from framejury.training.source import FaceSource, iter_faces, shuffled
from framejury.training.source_counts import FaceCounts

_PREFETCHED_BATCHES = 4
_SIGNATURE = (
    tf.TensorSpec((), tf.int64),  # ticket of the face
    tf.TensorSpec((), tf.float32),  # label
    tf.TensorSpec((), tf.float32),  # weight in the loss
)

_BLEND_STREAM = 1
"""Separates the random numbers for a blend from those for the augmentation of the same face."""


@dataclass
class FaceDatasets:
    """The data of each epoch.

    Attributes:
        settings: `signal`, `resize`, `jpeg_quality`, `input_px`, `batch_size`, `balance`,
            `augment`, `degrade_ratio`, `self_blend_ratio`, `made_fakes`, `mixture`, `epoch_faces`,
            `real_fake_ratio` and `seed` are used.
        source: the labelled faces.
        counts: counts of that source.
        global_batch_size: faces per step on all devices together, count.
        scratch: folder for a temporary file with the faces of a mixture; None: the system's.
        resynthesis: needed if `needs_resynthesis`.
    """

    settings: TrainingSettings
    source: FaceSource
    counts: FaceCounts
    global_batch_size: int
    scratch: Path | None = None
    resynthesis: Resynthesis | None = None
    _fault: FramejuryError | None = field(default=None, init=False)

    @property
    def training_faces(self) -> int:
        """Faces per epoch, with repeats of the rarer class, blends and stills."""
        return sum(shown_faces(self.counts, self.settings))

    @cached_property
    def _pool(self) -> FacePool | None:
        settings = self.settings
        return FacePool.of(self.source, settings, self.scratch) if settings.mixture else None

    def prepare(self) -> None:
        """Read what a mixture draws from, once.

        Raises:
            ConfigError, WarehouseError: as `FacePool.of`.
        """
        _ = self._pool

    @property
    def needs_resynthesis(self) -> bool:
        """Whether fakes are drawn anew by networks."""
        settings = self.settings
        mixed = settings.mixture
        makes = settings.real_fake_ratio < 1 if mixed else settings.self_blend_ratio > 0
        return bool((makes or self.counts.stills) and settings.made_fakes.get("resynthesis"))

    @property
    def steps_per_epoch(self) -> int:
        return self._steps(Side.TRAIN)

    def training(self, epoch: int) -> tf.data.Dataset:
        """Return one epoch of the split train: shuffled, balanced, blended and augmented as set.

        A made fake follows the face it is made from and is augmented in the same way, so that only
        the making separates the two. Stills are shown only together with their blend, and never to
        a network of pairs. With a mixture, faces are drawn in pairs (`mixture`). The same seed and
        epoch give the same faces, in the same order, with the same changes.

        Args:
            epoch: from 0, over all phases.

        Returns:
            batches of float32 (n, input_px, input_px, 3) RGB 0..255, float32 (n, 1) label
            (1 for FAKE), and float32 (n,) weight.
        """
        pool = self._pool

        def faces() -> Iterator[ShownFace]:
            if pool is not None:
                yield from paired(pool, epoch)
                return
            rng = np.random.default_rng([self.settings.seed, epoch])
            rows = iter_faces(self.source, Side.TRAIN, rng)
            if self.settings.balance == "sampling":
                rows = evened_out(rows, self.counts)
            yield from with_blends(shuffled(rows, rng), self.settings)

        return self._batches(faces, Side.TRAIN, epoch)

    def validation(self) -> tf.data.Dataset:
        """Return split val in file order, unchanged and without stills; shaped as `training`.

        With a mixture, the weights are those of `mixture_weights`.
        """

        def faces() -> Iterator[ShownFace]:
            rows = iter_faces(self.source, Side.VAL)
            return (ShownFace(face) for face in rows if not face.still)

        return self._batches(faces, Side.VAL, None)

    def raise_fault(self) -> None:
        """Raise the framejury error that stopped the pipeline, if there was one.

        tf.data converts exceptions of its generator and functions to its own.
        """
        if self._fault is not None:
            raise self._fault

    def _steps(self, side: Side) -> int:
        faces = self.training_faces if side is Side.TRAIN else self.counts.faces(side)
        return math.ceil(faces / self.global_batch_size)

    def _weights(self, side: Side) -> Callable[[ShownFace], float]:
        if side is Side.VAL and self.settings.mixture:
            of_set = mixture_weights(self.counts, self.settings.mixture)
            videos = self.source.videos
            return lambda shown: of_set[videos[shown.face.video_id].dataset, shown.label]
        of_class = class_weights(self.counts, side, self.settings)
        return lambda shown: of_class[shown.label]

    def _batches(
        self, faces: Callable[[], Iterator[ShownFace]], side: Side, epoch: int | None
    ) -> tf.data.Dataset:
        weight_of = self._weights(side)
        # Tensors cannot hold a face: it waits here under a ticket until its picture is made.
        waiting: dict[int, ShownFace] = {}

        def tickets() -> Iterator[tuple[int, float, float]]:
            with self._noting_faults():
                for ticket, face in enumerate(faces()):
                    waiting[ticket] = face
                    yield ticket, float(face.label), weight_of(face)

        def picture(ticket: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
            with self._noting_faults():
                return self._picture(waiting.pop(int(ticket)), epoch)

        side_px = self.settings.input_px

        def make(ticket: tf.Tensor, label: tf.Tensor, weight: tf.Tensor) -> tuple[tf.Tensor, ...]:
            # Declared stateless; otherwise op determinism would run them one at a time.
            pixels = tf.numpy_function(picture, [ticket], tf.uint8, stateful=False)
            pixels = tf.ensure_shape(pixels, (side_px, side_px, 3))
            return tf.cast(pixels, tf.float32), label[tf.newaxis], weight

        data = tf.data.Dataset.from_generator(tickets, output_signature=_SIGNATURE)
        data = data.map(make, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        data = data.batch(self.global_batch_size)
        # Fewer or more faces than were counted are an error, not a short epoch.
        data = data.apply(tf.data.experimental.assert_cardinality(self._steps(side)))
        data = data.prefetch(_PREFETCHED_BATCHES)
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.DATA
        )
        return data.with_options(options)

    def _picture(self, shown: ShownFace, epoch: int | None) -> npt.NDArray[np.uint8]:
        settings, face = self.settings, shown.face.cropped()
        side_px, resize = settings.input_px, settings.resize
        if epoch is None:
            return self._network_input(face)
        identity = _identity(shown)
        if shown.made:
            # Before the signal is made, so that the signal is that of a fake.
            rng = sample_rng(settings.seed, epoch, *identity, _BLEND_STREAM)
            face = made_fake(face, rng, settings.made_fakes, self.resynthesis)
        rng = sample_rng(settings.seed, epoch, *identity)
        if settings.augment == "fastai":
            change = draw_fastai(rng)
            if resize == "crop":
                face = square_face(face, change.place)
            return apply_fastai(self._network_input(face), change)
        pixels = self._network_input(face)
        if settings.augment == "none":
            return pixels
        points = face.landmarks
        if points is not None:
            points = input_points(points, face.crop.shape, side_px, resize)
        return apply(pixels, draw(rng, settings.degrade_ratio, settings.augment), points)

    def _network_input(self, face: CroppedFace) -> npt.NDArray[np.uint8]:
        one = self.settings
        return picture_of(face, one.signal, one.input_px, one.resize, one.jpeg_quality)

    @contextmanager
    def _noting_faults(self) -> Iterator[None]:
        try:
            yield
        except FramejuryError as error:
            self._fault = error
            raise


def _identity(shown: ShownFace) -> tuple[int, ...]:
    """Return what the random numbers of a face are derived from, besides seed and epoch."""
    if shown.pair is not None:
        return (shown.pair,)
    row = shown.face
    return zlib.crc32(row.video_id.encode()), row.frame_index, row.face_index, row.repeat
