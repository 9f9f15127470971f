"""The faces of one epoch in order, how many they are, and their weights in the loss.

Knows no TensorFlow; `dataset` makes batches of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from framejury.schemas.statuses import Side
from framejury.settings import PAIR_SIGNALS, TrainingSettings
from framejury.training.mixture import FacePool
from framejury.training.source import FaceRow
from framejury.training.source_counts import FaceCounts


@dataclass(frozen=True, slots=True)
class ShownFace:
    """A face as one training step sees it.

    Attributes:
        made: whether it is a fake made from this real face.
        pair: rank of its pair in an epoch of a mixture; both of a pair are augmented alike.
    """

    face: FaceRow
    made: bool = False
    pair: int | None = None

    @property
    def label(self) -> int:
        """1 for FAKE, 0 for REAL."""
        return 1 if self.made else self.face.label


def shown_faces(counts: FaceCounts, settings: TrainingSettings) -> tuple[int, int]:
    """Return the number of REAL and FAKE faces per epoch, with repeats, blends and stills."""
    if settings.mixture:
        return settings.epoch_faces // 2, settings.epoch_faces // 2
    real, fake = (counts.faces(Side.TRAIN, label) for label in (0, 1))
    if settings.balance == "sampling":
        real = fake = max(real, fake)
    blends = _blends_of(counts.blendable, settings.self_blend_ratio)
    stills = 0 if settings.signal in PAIR_SIGNALS else counts.stills
    return real + stills, fake + blends + stills


def class_weights(
    counts: FaceCounts, side: Side, settings: TrainingSettings
) -> tuple[float, float]:
    """Return the weight of a REAL and a FAKE face in the loss: n / (2 n_class), mean 1 per split.

    The split val is weighted whenever training is balanced, in either way; otherwise the best
    epoch would be the one that favours the more frequent class. With a mixture both are 1: pairs
    are even, and val has the weights of `mixture_weights`.

    Args:
        counts: counts of the source; the split holds both classes.
    """
    if settings.balance == "none" or settings.mixture:
        return 1.0, 1.0
    if side is Side.TRAIN:
        real, fake = shown_faces(counts, settings)
    else:
        real, fake = counts.faces(side, 0), counts.faces(side, 1)
    total = real + fake
    return total / (2 * real), total / (2 * fake)


def mixture_weights(
    counts: FaceCounts, mixture: Mapping[str, float]
) -> dict[tuple[str, int], float]:
    """Return the weights of val faces with which val is like a draw from the mixture.

    Half of the weight is on each class, divided among data sets by their odds, and within a data
    set evenly among its faces of the class; the mean over val is 1. Data sets without odds have no
    weight, unless no set with odds has a val face of the class: then each face counts the same.

    Args:
        counts: counts of the source; split val holds both classes.
        mixture: data set -> odds, as `training.mixture`.

    Returns:
        data set and label (1 for FAKE) -> weight of each such face in split val.
    """
    weights: dict[tuple[str, int], float] = {}
    for label in (0, 1):
        faces = {name: count for (name, of), count in counts.val_sets.items() if of == label}
        odds: Mapping[str, float] = {name: mixture.get(name, 0.0) for name in faces}
        if not any(odds.values()):
            odds = faces
        half = counts.faces(Side.VAL) / 2 / sum(odds.values())
        weights |= {(name, label): half * odds[name] / faces[name] for name in faces}
    return weights


def _blends_of(faces: int, ratio: float) -> int:
    return math.floor(faces * ratio + 1e-9)


def paired(pool: FacePool, epoch: int) -> Iterator[ShownFace]:
    """Yield the faces of an epoch of a mixture: real and fake in turn."""
    for pair, (real, fake) in enumerate(pool.pairs(epoch)):
        yield ShownFace(real, pair=pair)
        yield ShownFace(real if fake is None else fake, made=fake is None, pair=pair)


def with_blends(faces: Iterator[FaceRow], settings: TrainingSettings) -> Iterator[ShownFace]:
    """Yield each face, and after an even share of the real ones (and each still) its blend."""
    ratio, pairs = settings.self_blend_ratio, settings.signal in PAIR_SIGNALS
    seen = 0
    for face in faces:
        if face.still:
            if face.label == 0 and face.landmarks is not None and not pairs:
                yield ShownFace(face)
                yield ShownFace(face, made=True)
            continue
        yield ShownFace(face)
        if face.label == 0 and face.landmarks is not None and face.repeat == 0:
            seen += 1
            if _blends_of(seen, ratio) > _blends_of(seen - 1, ratio):
                yield ShownFace(face, made=True)


def evened_out(faces: Iterator[FaceRow], counts: FaceCounts) -> Iterator[FaceRow]:
    """Repeat faces of the rarer class in one pass, so that both classes have the same number."""
    in_class = [counts.faces(Side.TRAIN, label) for label in (0, 1)]
    target = max(in_class)
    seen = [0, 0]
    for face in faces:
        if face.still:
            yield face
            continue
        of_class = in_class[face.label]
        before = seen[face.label] * target // of_class
        seen[face.label] += 1
        for repeat in range(seen[face.label] * target // of_class - before):
            yield replace(face, repeat=repeat)
