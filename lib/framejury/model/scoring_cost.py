"""What a face costs each network of a bundle, measured here and now."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from framejury.model.ensemble_scorer import framings_of, scorer_for
from framejury.model.manifest import Bundle
from framejury.records import CroppedFace
from framejury.schemas.statuses import LANDMARK_NAMES


def blank_face(bundle: Bundle) -> CroppedFace:
    """Return a black face with all that the bundle's networks may need of one."""
    black = np.zeros((bundle.input_px, bundle.input_px, 3), np.uint8)
    points = np.zeros((len(LANDMARK_NAMES), 2), np.float32)
    further = (black,) * max(bundle.pixels.clip_frames - 1, 1)  # a pair has two frames
    face = CroppedFace(black, points, further)
    return replace(face, others=(face,) * (len(framings_of(bundle)) - 1))


def face_seconds(bundle: Bundle, threads: int, batch_size: int | None) -> dict[str, float]:
    """Return the seconds per face of each network by model_id, on this machine's CPU.

    Takes the time of two batches; the first one warms up.
    """
    scorer = scorer_for(bundle, threads, batch_size)
    faces = [blank_face(bundle)] * scorer.batch_size
    scorer.score(faces)
    before = scorer.seconds
    scorer.score(faces)
    return {name: (s - before[name]) / len(faces) for name, s in scorer.seconds.items()}
