"""A training on a mixture: pairs of a real and a fake face, drawn by data set, source and video.

A pair is drawn in four steps: a data set by its odds, one of its families (videos of one source),
one of the family's videos, one of the video's faces. So a set with ten thousand videos, or a
person with a hundred clips, counts no more than its odds allow. The draw depends only on seed,
epoch and the pair's rank, so an epoch can be repeated, and a resumed training continues exactly.
"""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TypeVar

import numpy as np

from framejury.errors import ConfigError, did_you_mean
from framejury.schemas.statuses import Side
from framejury.settings import PAIR_SIGNALS, TrainingSettings
from framejury.training.source import FaceRow, FaceSource, iter_faces

_T = TypeVar("_T")
_DRAW_STREAM = 2
"""Separates the random numbers for the choice of a pair from those for its blend and change."""

_Families = list[list[list[int]]]
"""Families of videos of faces, each a number in the pool."""


def require_mixture(source: FaceSource, mixture: Mapping[str, float]) -> FaceSource:
    """Return the source without training videos of sets that a mixture leaves out.

    Args:
        source: labelled faces.
        mixture: as `training.mixture`; empty: everything stays.

    Raises:
        ConfigError: a name is no data set with training videos.
    """
    if not mixture:
        return source
    known = sorted({one.dataset for one in source.videos.values() if _is_trained_on(one.side)})
    for name, odds in mixture.items():
        if odds and name not in known:
            hint = did_you_mean(name, known)
            raise ConfigError(
                f"training.mixture names {name!r}, which has no training videos{hint or ';'} data "
                f"sets with some: {', '.join(known) or 'none'}. Odds of 0 leave a set out"
            )
    videos = {
        key: truth
        for key, truth in source.videos.items()
        if not _is_trained_on(truth.side) or mixture.get(truth.dataset)
    }
    return replace(source, videos=videos)


@dataclass
class FacePool:
    """The training faces of a mixture, in memory but for their crops.

    Crops lie encoded in a temporary file without a name, which the system removes when the process
    ends; what is drawn often stays in the system's page cache.
    """

    settings: TrainingSettings
    _file: IO[bytes]
    _faces: list[FaceRow] = field(default_factory=list)
    _places: list[tuple[int, int, int]] = field(default_factory=list)
    _reals: dict[str, _Families] = field(default_factory=dict)
    _fakes: dict[str, dict[str, list[list[int]]]] = field(default_factory=dict)
    _family_of: list[str] = field(default_factory=list)
    _dataset_of: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, source: FaceSource, settings: TrainingSettings, scratch: Path | None = None
    ) -> FacePool:
        """Read the training faces of the sets in `settings.mixture` once.

        Args:
            source: labelled faces.
            settings: of the training.
            scratch: folder of the temporary file; None: the system's.

        Raises:
            WarehouseError: faces cannot be read.
            ConfigError: a set has no real face that a fake can follow.
        """
        pool = cls(settings, tempfile.TemporaryFile(dir=scratch))  # noqa: SIM115 - it stays open
        for face in iter_faces(source, Side.TRAIN):
            truth = source.videos[face.video_id]
            if settings.mixture.get(truth.dataset) and pool._is_usable(face):
                pool._add(face, truth.dataset, truth.family or face.video_id)
        pool._file.flush()
        pool._grow()
        return pool

    def pairs(self, epoch: int) -> Iterator[tuple[FaceRow, FaceRow | None]]:
        """Yield the pairs of an epoch: a real face, and a fake of the data or None.

        None: the fake is to be made from the real face. There are `epoch_faces` / 2 pairs.

        Args:
            epoch: from 0.
        """
        for pair in range(self.settings.epoch_faces // 2):
            rng = np.random.default_rng([self.settings.seed, epoch, pair, _DRAW_STREAM])
            real = self._draw_real(rng)
            fake = self._draw_fake(real, rng)
            yield self._read(real), None if fake is None else self._read(fake)

    def _is_usable(self, face: FaceRow) -> bool:
        if not face.still:
            return True
        pairs = self.settings.signal in PAIR_SIGNALS
        return face.label == 0 and face.landmarks is not None and not pairs

    def _add(self, face: FaceRow, dataset: str, family: str) -> None:
        following = b"".join(face.further[:1])  # no network learns from clips
        self._places.append((self._file.tell(), len(face.crop), len(following)))
        self._file.write(face.crop + following)
        self._faces.append(replace(face, crop=b"", further=()))
        self._family_of.append(family)
        self._dataset_of.append(dataset)

    def _grow(self) -> None:
        """Sort the faces by class, set, family and video."""
        trees: tuple[dict[str, dict[str, dict[str, list[int]]]], ...] = ({}, {})
        for number, face in enumerate(self._faces):
            sets = trees[face.label].setdefault(self._dataset_of[number], {})
            sets.setdefault(self._family_of[number], defaultdict(list))[face.video_id].append(
                number
            )
        reals, fakes = (
            {
                name: {family: list(videos.values()) for family, videos in families.items()}
                for name, families in tree.items()
            }
            for tree in trees
        )
        self._fakes = fakes
        self._reals = {name: list(families.values()) for name, families in reals.items()}
        for name, odds in self.settings.mixture.items():
            if odds and name not in self._reals:
                raise ConfigError(
                    f"training.mixture draws real faces of {name}, which has none to learn from "
                    "(photographs are of no use to a network of pairs of frames); give it odds of "
                    "0, or put some of its real videos into split train"
                )
        blendable = all(face.landmarks is not None for face in self._faces if face.label == 0)
        if not fakes and not blendable:
            raise ConfigError(
                "training.mixture draws real faces without landmarks, from which no fake can be "
                "made, and its sets have no fakes; use detection.detector=mtcnn, or add fakes"
            )

    def _draw_real(self, rng: np.random.Generator) -> int:
        name = _by_odds({name: self.settings.mixture[name] for name in self._reals}, rng)
        return _face(_one(self._reals[name], rng), rng)

    def _draw_fake(self, real: int, rng: np.random.Generator) -> int | None:
        """Return a fake of the data to follow a real face; None: one is to be made from it."""
        face, makes = self._faces[real], rng.random() >= self.settings.real_fake_ratio
        if face.still or not self._fakes or (makes and face.landmarks is not None):
            return None
        name, family = self._dataset_of[real], self._family_of[real]
        if name not in self._fakes:
            name = _by_odds({name: self.settings.mixture[name] for name in self._fakes}, rng)
        families = self._fakes[name]
        return _face(families.get(family) or _one(list(families.values()), rng), rng)

    def _read(self, number: int) -> FaceRow:
        start, length, following = self._places[number]
        data = os.pread(self._file.fileno(), length + following, start)
        return replace(
            self._faces[number], crop=data[:length], further=(data[length:],) if following else ()
        )


def _is_trained_on(side: Side) -> bool:
    return side in (Side.TRAIN, Side.MIXED)


def _by_odds(odds: Mapping[str, float], rng: np.random.Generator) -> str:
    names, shares = list(odds), np.array(list(odds.values()))
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]


def _one(items: Sequence[_T], rng: np.random.Generator) -> _T:
    return items[int(rng.integers(len(items)))]


def _face(videos: Sequence[Sequence[int]], rng: np.random.Generator) -> int:
    return _one(_one(videos, rng), rng)
