"""A side for each face by itself: `split.unit` face, as recipes do that split pictures."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from framejury.schemas.statuses import Side

_STEPS = 2**64


@dataclass(frozen=True, slots=True)
class FaceDraw:
    """Draws the side of a face from what identifies it, so that no order of reading matters.

    Attributes (as the settings `split.*` of the same names):
        seed: under which it is drawn.
        train, val, test: shares of the sides, 0 to 1, together 1.
    """

    seed: int
    train: float
    val: float
    test: float

    def side_of(self, video_id: str, frame_index: int, face_index: int) -> Side:
        """The side of one face.

        Args:
            video_id, frame_index, face_index: as in `faces`.
        """
        name = f"{self.seed}:{video_id}:{frame_index}:{face_index}"
        drawn = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / _STEPS
        if drawn < self.train:
            return Side.TRAIN
        # Sums of shares are not exact: what lies beyond them is still the last side's.
        return Side.TEST if self.test > 0 and drawn >= self.train + self.val else Side.VAL
