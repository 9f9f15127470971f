"""Scoring of faces with all members of an ensemble, and the choice of the scorer for a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from framejury.errors import BundleError
from framejury.model.ensemble import centres_of, combined
from framejury.model.input_contract import Framing
from framejury.model.manifest import Bundle
from framejury.model.runtime import BATCH_SIZES, Floats, Scorer
from framejury.records import CroppedFace, Image


def scorer_for(
    bundle: Bundle,
    threads: int = 1,
    batch_size: int | None = None,
    device: Literal["cpu", "cuda"] = "cpu",
) -> Scorer:
    """Return the scorer of a bundle or an ensemble; arguments and errors as for `Scorer`."""
    made = EnsembleScorer if bundle.members else Scorer
    return made(bundle, threads, batch_size, device)


def framings_of(bundle: Bundle) -> tuple[Framing, ...]:
    """Return the crop geometries that its networks need, each once, the bundle's own first.

    A face is cut once for each of them.
    """
    return tuple(dict.fromkeys([bundle.framing, *(part.framing for part in bundle.parts)]))


def require_one_framing(bundle: Bundle) -> None:
    """Check that crops of one geometry are enough, since kept crops have one.

    Raises:
        BundleError: members of the ensemble need several.
    """
    count = len(framings_of(bundle))
    if count > 1:
        raise BundleError(
            f"the members of {bundle.model_id} need crops of {count} geometries, and a warehouse "
            "keeps one. Judge the videos themselves: framejury nightly, or framejury evaluate "
            "--archive; framejury ensemble --warehouse fits weights and rule on its scores"
        )


class EnsembleScorer(Scorer):
    """The loaded networks of an ensemble.

    Faces are as for `Scorer`; where members need several crop geometries, `CroppedFace.others` has
    the crops for `framings_of(bundle)[1:]`. Arguments and errors are those of `Scorer`.
    """

    def __init__(
        self,
        bundle: Bundle,
        threads: int = 1,
        batch_size: int | None = None,
        device: Literal["cpu", "cuda"] = "cpu",
    ) -> None:
        self.bundle = bundle
        self.batch_size = BATCH_SIZES[device] if batch_size is None else batch_size
        self.members = tuple(Scorer(part, threads, batch_size, device) for part in bundle.parts)
        framings = framings_of(bundle)
        self._places = [framings.index(part.framing) for part in bundle.parts]
        self._weights = [member.weight for member in bundle.members]
        self._centres = centres_of(bundle.parts)
        # Maps of another part of the frame, or of one resized in another way, do not lie over the
        # picture that is shown.
        own = (bundle.framing, bundle.pixels.resize)
        self._mapped = [
            place
            for place, part in enumerate(bundle.parts)
            if (part.framing, part.pixels.resize) == own
            and self._weights[place] > 0
            and self.members[place].gives_heat
        ]

    @property
    def seconds(self) -> dict[str, float]:
        """Time that each member's network has taken so far, seconds by model_id."""
        return {name: s for member in self.members for name, s in member.seconds.items()}

    def pictures(self, faces: Sequence[Image | CroppedFace]) -> npt.NDArray[np.uint8]:
        """Return the input of the member whose crop people see; as `Scorer.pictures`."""
        return self._shown.pictures(faces)

    def score_members(
        self, faces: Sequence[Image | CroppedFace]
    ) -> tuple[Floats, Floats | None, Floats]:
        """Score each face with each member, as `Scorer.score_members`."""
        found = [
            member.score_and_explain([_cut_for(face, place) for face in faces])
            for member, place in zip(self.members, self._places, strict=True)
        ]
        each = np.stack([scores for scores, _ in found], axis=1)
        scores = combined(each.astype(np.float64), self._weights, self._centres)
        return scores.astype(np.float32), self._heat([heat for _, heat in found]), each

    def score_and_explain(
        self, faces: Sequence[Image | CroppedFace]
    ) -> tuple[Floats, Floats | None]:
        """Score each face by all members, as `Scorer.score_and_explain`."""
        scores, heat, _ = self.score_members(faces)
        return scores, heat

    @property
    def gives_heat(self) -> bool:
        """Whether the network of a member that counts gives heat maps over the shown crop."""
        return bool(self._mapped)

    def score_pictures(self, pictures: npt.NDArray[np.uint8]) -> Floats:
        """Score inputs of the member whose crop people see, by this member alone."""
        size = self._shown.batch_size
        parts = range(0, len(pictures), size)
        scores = [self._shown.score_pictures(pictures[at : at + size]) for at in parts]
        return np.concatenate(scores)

    @property
    def _shown(self) -> Scorer:
        """The first member that sees the bundle's own signal and crop."""
        own = self.bundle
        return next(
            one
            for one in self.members
            if (one.bundle.signal, one.bundle.pixels, one.bundle.framing)
            == (own.signal, own.pixels, own.framing)
        )

    def _heat(self, maps: Sequence[Floats | None]) -> Floats | None:
        """Return the weighted mean of the maps over the shown crop, float32 (n, side, side)."""
        usable = [
            (heat, self._weights[place])
            for place in self._mapped
            if (heat := maps[place]) is not None
        ]
        if not usable:
            return None
        side = max(heat.shape[1] for heat, _ in usable)
        total = sum(weight for _, weight in usable)
        layers = [_enlarged(heat, side) * (weight / total) for heat, weight in usable]
        return np.asarray(np.sum(layers, axis=0), np.float32)


def _cut_for(face: Image | CroppedFace, place: int) -> Image | CroppedFace:
    if place == 0:
        return face
    others = face.others if isinstance(face, CroppedFace) else ()
    if len(others) < place:
        raise BundleError("a face was cut for one geometry of an ensemble whose members need more")
    return others[place - 1]


def _enlarged(heat: Floats, side: int) -> Floats:
    if heat.shape[1] == side:
        return heat
    return np.stack([cv2.resize(one, (side, side), interpolation=cv2.INTER_LINEAR) for one in heat])
