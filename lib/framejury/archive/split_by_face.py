"""Splits single faces (`split.unit` face), as recipes do that split pictures."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from framejury.schemas.statuses import Side

_STEPS = 2**64


@dataclass(frozen=True, slots=True)
class FaceDraw:
    """Draws the split of a face from its identity, whatever the reading order.

    Attributes (as the settings `split.*`):
        seed: seed of the draw.
        train, val, test: shares of the splits, 0 to 1, together 1.
    """

    seed: int
    train: float
    val: float
    test: float

    def side_of(self, video_id: str, frame_index: int, face_index: int) -> Side:
        """Return the split of one face.

        Args:
            video_id, frame_index, face_index: as in `faces`.
        """
        name = f"{self.seed}:{video_id}:{frame_index}:{face_index}"
        drawn = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / _STEPS
        if drawn < self.train:
            return Side.TRAIN
        # Sums of shares are not exact; what lies beyond them goes to the last split.
        return Side.TEST if self.test > 0 and drawn >= self.train + self.val else Side.VAL
