"""Several bundles made into one that judges by all of them: what they must have in common.

The score of a face is 1 / (1 + exp(-sum(w * (logit(s) - c)))) over the members' scores s, which are
kept 1e-6 from 0 and 1; the weights w sum to 1, and c is the logit of the score from which the
member calls a face fake (`centres_of`). See docs/decisions/0031-several-detectors.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from framejury.errors import BundleError
from framejury.model.bundle import read_seen, write_bundle
from framejury.model.bundle_folder import sha256_of
from framejury.model.manifest import (
    MANIFEST_NAME,
    Bundle,
    JudgingSection,
    Manifest,
    Member,
    TrainingData,
)
from framejury.model.model_id import digest_of
from framejury.model.seen import SeenVideos
from framejury.settings import PAIR_SIGNALS
from framejury.verdict.calibration import Floats, logit, sigmoid
from framejury.verdict.judge import face_threshold
from framejury.verdict.rule import (
    COMPANY_SHIFT,
    NOT_CALIBRATED,
    PLAIN_THRESHOLD,
    SHRINK_FACES,
    Reducer,
)

BACKBONE = "ensemble"
_LIBRARIES = ("numpy", "onnxruntime")
_EXTREME = 0.99
"""Most extreme threshold of a member's faces that counts."""


def equal_weights(parts: Sequence[Bundle]) -> tuple[float, ...]:
    """Return the same weight for each member."""
    return (1 / len(parts),) * len(parts)


def centres_of(parts: Sequence[Bundle]) -> tuple[float, ...]:
    """Return the logit of the face score from which each member, by its own rule, says fake.

    So an ensemble that is not calibrated is at 0.5 where its members are at their thresholds: a
    face below all of them is below it. Thresholds beyond `_EXTREME` count as that, since a rule
    that hardly ever says fake would otherwise decide alone.
    """
    thresholds = np.array([face_threshold(part.rule) for part in parts])
    return tuple(logit(np.clip(thresholds, 1 - _EXTREME, _EXTREME)).tolist())


def combined(scores: Floats, weights: Sequence[float], centres: Sequence[float]) -> Floats:
    """Return the ensemble's scores from those of its members.

    Args:
        scores: (n, m), 0 to 1, one column per member.
        weights: (m,) that sum to 1.
        centres: (m,) from `centres_of`.

    Returns:
        float64 (n,), 0 to 1.
    """
    distances = logit(np.asarray(scores, np.float64)) - np.asarray(centres, np.float64)
    return sigmoid(distances @ np.asarray(weights, np.float64))


def write_ensemble(
    directory: str | Path,
    parts: Sequence[Bundle],
    weights: Sequence[float],
    notes: tuple[str, ...] = (),
) -> Bundle:
    """Write an ensemble that is not calibrated.

    Args:
        directory: as in `model.bundle.write_bundle`.
        parts: two or more single detectors, each checked by `load_bundle`.
        weights: of each, not negative; only their ratios count.
        notes: further sentences for the model card.

    Raises:
        BundleError: the members cannot judge together, or the folder is taken.
    """
    check_together(parts)
    manifest = replace(ensemble_manifest(parts, weights), notes=(*_notes(parts), *notes))
    return write_bundle(directory, manifest, None, seen=_seen(parts), parts=parts)


def ensemble_manifest(parts: Sequence[Bundle], weights: Sequence[float]) -> Manifest:
    """Return the manifest of an ensemble; arguments as for `write_ensemble`."""
    total = sum(weights)
    lead = _lead(parts)
    return Manifest(
        purpose="demo" if any(part.purpose == "demo" for part in parts) else "detector",
        backbone=BACKBONE,
        signal=lead.signal,
        pixels=lead.pixels,
        framing=lead.framing,
        reducer=Reducer(name="per_person", shrink_faces=SHRINK_FACES, company_shift=COMPANY_SHIFT),
        threshold=PLAIN_THRESHOLD,
        data=_data(parts),
        settings={},
        judging=_judging(parts),
        members=tuple(
            Member(
                name=name,
                model_id=part.model_id,
                weight=weight / total,
                manifest_sha256=sha256_of(part.directory / MANIFEST_NAME),
                adopted=part.adopted,
            )
            for name, part, weight in zip(_names(parts), parts, weights, strict=True)
        ),
        libraries={name: version(name) for name in _LIBRARIES},
        created_at=datetime.now(UTC),
    )


def check_together(parts: Sequence[Bundle]) -> None:
    """Check that bundles can judge the same faces in one pass.

    Raises:
        BundleError: they cannot; the message names two of them and the difference.
    """
    ids = [part.model_id for part in parts]
    if len(parts) < 2 or len(set(ids)) < len(ids):
        raise BundleError(f"an ensemble needs two or more different bundles, got {', '.join(ids)}")
    for part in parts:
        if part.members:
            raise BundleError(
                f"{part.model_id} is an ensemble itself; name its members instead: "
                f"{', '.join(str(one.directory) for one in part.parts)}"
            )
    _same("judges", {part.model_id: part.framing.judges for part in parts}, "faces or whole frames")
    found = {part.model_id: _detector(part) for part in parts}
    known = {model_id: name for model_id, name in found.items() if name is not None}
    _same("finds faces by", known, "one detector searches the frames")
    several = {part.model_id: _frames(part) for part in parts if _looks_at_several(part)}
    _same("looks at clips of", several, "one pass cuts clips of one kind")


def _same(does: str, values: Mapping[str, object], why: str) -> None:
    first = next(iter(values.items()), None)
    for model_id, value in values.items():
        if first is not None and value != first[1]:
            raise BundleError(
                f"{first[0]} {does} {first[1]}, but {model_id} {does} {value}; they cannot judge "
                f"together ({why}). Judge with each on its own: --bundle"
            )


def _detector(part: Bundle) -> object:
    """Return how the member finds faces; None: any way will do."""
    if _needs_landmarks(part):
        return "mtcnn"
    return part.judging.get("detection", {}).get("detector")


def _needs_landmarks(part: Bundle) -> bool:
    return part.signal == "marked" or part.framing.template is not None


def _looks_at_several(part: Bundle) -> bool:
    return part.signal in PAIR_SIGNALS or part.pixels.clip_frames > 1


def _frames(part: Bundle) -> str:
    frames = 2 if part.signal in PAIR_SIGNALS else part.pixels.clip_frames
    return f"{frames} frames, stride {part.pixels.clip_stride}, crops.pair {part.framing.pair}"


def _lead(parts: Sequence[Bundle]) -> Bundle:
    """Return the member whose input needs most: what suits it suits all; ties take the first."""

    def needs(part: Bundle) -> tuple[bool, bool]:
        return _looks_at_several(part), _needs_landmarks(part)

    return max(parts, key=needs)


def _judging(parts: Sequence[Bundle]) -> dict[JudgingSection, Mapping[str, Any]]:
    """Return the settings to judge by; of several members that carry a section, the first's."""
    merged: dict[JudgingSection, Mapping[str, Any]] = {}
    for part in parts:
        merged = {**part.judging, **merged}
    return merged


def _notes(parts: Sequence[Bundle]) -> tuple[str, ...]:
    notes = [f"{NOT_CALIBRATED}its members were put together without labelled videos."]
    judging = _judging(parts)
    for part in parts:
        other = [
            f"{section}.{name}"
            for section, values in part.judging.items()
            for name, value in values.items()
            if section in ("sampling", "detection") and judging[section].get(name, value) != value
        ]
        if other:
            notes.append(
                f"{part.model_id} alone would judge by other values of {', '.join(other)}."
            )
    return tuple(notes)


def _names(parts: Sequence[Bundle]) -> list[str]:
    """Return folder names, from the models' ids."""
    return [re.sub(r"[^a-z0-9_-]", "-", part.model_id.lower()).lstrip("-_") for part in parts]


def _data(parts: Sequence[Bundle]) -> TrainingData:
    leaks = [part.data.leak for part in parts if part.data.leak is not None]
    methods = [part.data.methods for part in parts if part.data.methods is not None]
    counted: Counter[str] = Counter()
    for one in methods:
        counted |= Counter(one)  # several may have learned from the same videos
    return TrainingData(
        description="Each member was trained on its own: "
        + "; ".join(f"{part.model_id}: {part.data.description.rstrip('.')}" for part in parts)
        + ".",
        fingerprint=digest_of({part.model_id: part.data.fingerprint for part in parts}),
        counts=(),
        leak=" ".join(leaks) or None,
        methods=dict(counted) if len(methods) == len(parts) else None,
    )


def _seen(parts: Sequence[Bundle]) -> SeenVideos | None:
    """Return what any member has seen; None where one has no record: then nobody knows it all."""
    records = [read_seen(part) for part in parts]
    known = [record for record in records if record is not None]
    return reduce(SeenVideos.joined, known) if len(known) == len(parts) else None
