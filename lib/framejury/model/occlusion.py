"""Heat maps by occlusion, for networks without gradients in their graph.

Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014: cover
part of the picture with grey, and see how far the score falls.
"""

from __future__ import annotations

import time
from collections import defaultdict

import numpy as np

from framejury.model.runtime import Floats, Scorer
from framejury.records import CroppedFace, Image
from framejury.verdict.judge import face_threshold

CELLS = 6
"""Side of a map, cells. The patch is two cells wide, so neighbouring patches overlap."""
_LEAST_DROP = 0.1
"""A score whose log-odds nowhere fall by more than this has no heat; rounding moves them less."""
_NEAR_CERTAIN = 1e-6


class Occlusion:
    """Makes heat maps by occlusion, as long as the time of a video lasts.

    A map costs `CELLS` * `CELLS` + 1 scores, more than a video's verdict. So `heat_of_suspicious`
    makes none of faces that say nothing against their video.

    Args:
        scorer: the network.
        limit_s: wall-clock seconds per video.
    """

    def __init__(self, scorer: Scorer, limit_s: float) -> None:
        self._scorer = scorer
        self._limit_s = limit_s
        self._least_score = face_threshold(scorer.bundle.rule)
        self._spent_s: defaultdict[str, float] = defaultdict(float)

    def heat_of_suspicious(
        self, face: Image | CroppedFace, score: float, video: str = ""
    ) -> Floats | None:
        """Return `heat`, of faces whose score is that of a fake by the bundle's rule; else None."""
        return self.heat(face, video) if score >= self._least_score else None

    def heat(self, face: Image | CroppedFace, video: str = "") -> Floats | None:
        """Return the heat map of one face: `CELLS` * `CELLS` + 1 scores.

        Args:
            face: as in `Scorer.score`.
            video: whose time it takes.

        Returns:
            float32 (`CELLS`, `CELLS`), 0 to 1, over the network's square input: how far the
            log-odds of the score fall when a patch around each cell has the picture's mean colour,
            as a share of the largest fall; 0 everywhere where they fall nowhere. In a clip, the
            patch is in all pictures. None where the network gives heat maps itself, or the video's
            time does not suffice.

        Raises:
            FramejuryError: the network returned an invalid score.
        """
        if self._scorer.gives_heat:
            return None
        started_s, left_s = time.perf_counter(), self._limit_s - self._spent_s[video]
        covered = _covered(np.asarray(self._scorer.pictures([face])[0]))
        scores: list[float] = []
        size = self._scorer.batch_size
        try:
            for start in range(0, len(covered), size):
                scores += self._scorer.score_pictures(covered[start : start + size]).tolist()
                took_s = time.perf_counter() - started_s
                if took_s * len(covered) / len(scores) > left_s:  # it would not be ready in time
                    return None
        finally:
            self._spent_s[video] += time.perf_counter() - started_s
        likely = np.clip(scores, _NEAR_CERTAIN, 1 - _NEAR_CERTAIN)
        odds = np.log(likely / (1 - likely))
        drops = np.maximum(odds[0] - odds[1:], 0).reshape(CELLS, CELLS)
        most = drops.max()
        return np.asarray(drops / most if most > _LEAST_DROP else 0 * drops, np.float32)


def _covered(picture: Image) -> Image:
    """Return a network input as it is, and with a patch around each cell.

    Args:
        picture: uint8 (..., side, side, 3) RGB.

    Returns:
        uint8 (1 + `CELLS` * `CELLS`, ..., side, side, 3), row by row.
    """
    grey = picture.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    side = picture.shape[-2]
    edges = np.linspace(-0.5, CELLS + 0.5, CELLS + 2) * side / CELLS
    ends = np.clip(edges.round().astype(int), 0, side)
    found = np.repeat(picture[np.newaxis], 1 + CELLS * CELLS, axis=0)
    for cell, one in enumerate(found[1:]):
        row, column = divmod(cell, CELLS)
        one[..., ends[row] : ends[row + 2], ends[column] : ends[column + 2], :] = grey
    return found
