"""How many faces a source has, and what exactly it is made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from framejury.errors import SplitError
from framejury.model.manifest import SideCount, digest_of
from framejury.model.source import FaceRow, FaceSource, iter_faces, read_batches
from framejury.schemas import Label, Side

LEARNING_SIDES = (Side.TRAIN, Side.VAL)


@dataclass(frozen=True)
class FaceCounts:
    """How many faces a source has.

    Attributes:
        per_side: one entry a side and class that has at least one video; stills do not count.
        fingerprint: SHA-256, hex, over each video's id, run, label, side and number of faces.
        blendable: REAL faces with landmarks on side train, which fakes can be made of.
        stills: photographs with landmarks on side train.
    """

    per_side: tuple[SideCount, ...]
    fingerprint: str
    blendable: int = 0
    stills: int = 0

    def faces(self, side: Side, label: int | None = None) -> int:
        """Faces of a side, of both classes when `label` is None."""
        wanted = {0: (Label.REAL,), 1: (Label.FAKE,), None: tuple(Label)}[label]
        return sum(c.faces for c in self.per_side if c.side == side and c.label in wanted)

    def require_both_classes(self, sides: Sequence[Side] = LEARNING_SIDES) -> None:
        """Refuses sides that nothing can be learned from or chosen by.

        Raises:
            SplitError: a side has no face, or faces of one class only.
        """
        for side in sides:
            real, fake = self.faces(side, 0), self.faces(side, 1)
            if real and fake:
                continue
            raise SplitError(
                f"side {side} has {real} REAL and {fake} FAKE faces; training needs both classes "
                "on the sides train and val. Label more videos, extract faces of them, or change "
                "the shares with --set split.train=... split.val=..."
            )


def count_faces(source: FaceSource) -> FaceCounts:
    """Counts faces per side and class in one pass that reads no crops.

    Raises:
        WarehouseError: a file cannot be read or lacks a column.
    """
    faces: dict[str, int] = defaultdict(int)
    blendable: dict[bool, int] = defaultdict(int)
    keys = ["video_id", "run_id"]
    for path in source.files:
        for batch in read_batches(source, path, [*keys, "landmarks"]):
            table = pa.Table.from_batches([batch])
            counted = table.group_by(keys).aggregate([([], "count_all"), ("landmarks", "count")])
            for row in counted.to_pylist():
                truth = source.videos.get(row["video_id"])
                if truth is not None and truth.run_id == row["run_id"]:
                    faces[row["video_id"]] += row["count_all"]
                    if truth.side is Side.TRAIN and truth.label == 0:
                        blendable[truth.still] += row["landmarks_count"]
    per_side: dict[tuple[Side, int], list[int]] = defaultdict(list)
    for video_id, count in faces.items():
        truth = source.videos[video_id]
        if truth.side is not Side.EXCLUDED and not truth.still:
            per_side[truth.side, truth.label].append(count)
    counts = tuple(
        SideCount(
            side=side,
            label=Label.FAKE if label else Label.REAL,
            videos=len(per_side[side, label]),
            faces=sum(per_side[side, label]),
        )
        for side in (Side.TRAIN, Side.VAL, Side.TEST)
        for label in (0, 1)
        if per_side[side, label]
    )
    known = {
        video_id: [truth.run_id, truth.label, truth.side.value, faces.get(video_id, 0)]
        for video_id, truth in source.videos.items()
    }
    return FaceCounts(counts, digest_of(known), blendable[False], blendable[True])


def sample_faces(source: FaceSource, side: Side, count: int) -> list[FaceRow]:
    """Up to `count` faces of a side, spread evenly over it in file order."""
    total = count_faces(source).faces(side)
    chosen = set(np.linspace(0, total - 1, num=min(count, total)).astype(int).tolist())
    return [face for rank, face in enumerate(iter_faces(source, side)) if rank in chosen]
