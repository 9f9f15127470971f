"""Counts of the faces in a source, and its fingerprint."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from framejury.errors import SplitError
from framejury.model.manifest import SplitCount
from framejury.model.model_id import digest_of
from framejury.schemas.statuses import UNNAMED, Label, Side
from framejury.training.source import FaceRow, FaceSource, iter_faces, read_batches

LEARNING_SIDES = (Side.TRAIN, Side.VAL)
_FACE_KEYS = ["video_id", "run_id", "frame_index", "face_index"]


@dataclass(frozen=True)
class FaceCounts:
    """Counts of the faces in a source.

    Attributes:
        per_split: one entry per split and class with a face; stills do not count. A video counts
            in each split with one of its faces, and for each class of its faces.
        fingerprint: SHA-256, hex, over each video's id, run, label, split and number of faces, the
            draws of splits and balance by face, and labels set by hand; with a mixture also over
            data set and family, which decide what is drawn.
        blendable: REAL faces with landmarks in split train, from which fakes can be made.
        stills: photographs with landmarks in split train.
        val_sets: data set and label (1 for FAKE) -> its faces in split val.
    """

    per_split: tuple[SplitCount, ...]
    fingerprint: str
    blendable: int = 0
    stills: int = 0
    val_sets: Mapping[tuple[str, int], int] = field(default_factory=dict)

    def faces(self, side: Side, label: int | None = None) -> int:
        """Return the number of faces in a split, of both classes when `label` is None."""
        wanted = {0: (Label.REAL,), 1: (Label.FAKE,), None: tuple(Label)}[label]
        return sum(c.faces for c in self.per_split if c.side == side and c.label in wanted)

    def require_both_classes(self) -> None:
        """Check that each split to learn from has faces of both classes.

        Raises:
            SplitError: a split has no face, or faces of one class only.
        """
        for side in LEARNING_SIDES:
            real, fake = self.faces(side, 0), self.faces(side, 1)
            if real and fake:
                continue
            raise SplitError(
                f"split {side} has {real} REAL and {fake} FAKE faces, but training needs both "
                "classes in train and val. Label more videos, extract their faces, or change the "
                "shares with --set split.train=... split.val=..."
            )


def count_faces(source: FaceSource, *, mixed: bool = False) -> FaceCounts:
    """Count faces per split and class in one pass that reads no crops.

    Args:
        source: labelled faces.
        mixed: they are drawn from a mixture, so data set and family count in the fingerprint.

    Raises:
        WarehouseError: a file cannot be read or lacks a column.
    """
    faces: Counter[tuple[str, Side, int]] = Counter()
    blendable: Counter[bool] = Counter()
    # Where label and split hold for whole videos, faces need not be read one by one.
    apart = source.frame_labels or any(truth.draw or truth.cut for truth in source.videos.values())
    keys = _FACE_KEYS if apart else _FACE_KEYS[:2]
    for path in source.files:
        for batch in read_batches(source, path, [*keys, "landmarks"]):
            table = pa.Table.from_batches([batch])
            counted = table.group_by(keys).aggregate([([], "count_all"), ("landmarks", "count")])
            for row in counted.to_pylist():
                found = _side_and_label(source, row)
                if found is None:
                    continue
                side, label = found
                faces[row["video_id"], side, label] += row["count_all"]
                if side is Side.TRAIN and label == 0:
                    still = source.videos[row["video_id"]].still
                    blendable[still] += row["landmarks_count"]
    return FaceCounts(
        _per_split(source, faces),
        _fingerprint(source, faces, mixed=mixed),
        blendable[False],
        blendable[True],
        _val_sets(source, faces),
    )


def _side_and_label(source: FaceSource, row: Mapping[str, Any]) -> tuple[Side, int] | None:
    """Return split and label of the faces in a row; None where they do not count."""
    video_id, frame_index = row["video_id"], row.get("frame_index", 0)
    truth = source.videos.get(video_id)
    if truth is None or truth.run_id != row["run_id"]:
        return None
    if not source.counts(video_id, frame_index):
        return None
    side = truth.side_of(video_id, frame_index, row.get("face_index", 0))
    return None if side is None else (side, source.label_of(video_id, frame_index))


def _per_split(
    source: FaceSource, faces: Mapping[tuple[str, Side, int], int]
) -> tuple[SplitCount, ...]:
    counts: dict[tuple[Side, int], list[int]] = defaultdict(list)
    for (video_id, side, label), count in faces.items():
        if not source.videos[video_id].still:
            counts[side, label].append(count)
    return tuple(
        SplitCount(
            side=side,
            label=Label.FAKE if label else Label.REAL,
            videos=len(counts[side, label]),
            faces=sum(counts[side, label]),
        )
        for side in (Side.TRAIN, Side.VAL, Side.TEST)
        for label in (0, 1)
        if counts[side, label]
    )


def _val_sets(
    source: FaceSource, faces: Mapping[tuple[str, Side, int], int]
) -> Mapping[tuple[str, int], int]:
    counts: Counter[tuple[str, int]] = Counter()
    for (video_id, side, label), count in faces.items():
        if side is Side.VAL and not source.videos[video_id].still:
            counts[source.videos[video_id].dataset, label] += count
    return dict(counts)


def _fingerprint(
    source: FaceSource, faces: Mapping[tuple[str, Side, int], int], *, mixed: bool
) -> str:
    """Return the fingerprint, unchanged for sources without splits and labels of single faces."""
    totals: Counter[str] = Counter()
    for (video_id, _, _), count in faces.items():
        totals[video_id] += count
    by_hand: dict[str, list[list[int]]] = defaultdict(list)
    for (video_id, frame_index), label in sorted(source.frame_labels.items()):
        by_hand[video_id].append([frame_index, label])
    known: dict[str, list[Any]] = {}
    for video_id, truth in source.videos.items():
        known[video_id] = [truth.run_id, truth.label, truth.side.value, totals[video_id]]
        if truth.draw is not None:
            known[video_id].append(asdict(truth.draw))
        if truth.cut is not None:
            known[video_id].append(asdict(truth.cut))
        if video_id in by_hand:
            known[video_id].append(by_hand[video_id])
        if mixed:
            known[video_id] += [truth.dataset, truth.family]
    return digest_of(known)


def methods_learned(source: FaceSource) -> dict[str, int]:
    """Return method -> fake videos of it in train, val or both, `UNNAMED` included; by name."""
    sides = (*LEARNING_SIDES, Side.MIXED)
    fakes = (one for one in source.videos.values() if one.label == 1 and one.side in sides)
    return dict(sorted(Counter(one.method or UNNAMED for one in fakes).items()))


@dataclass(frozen=True)
class HandLabelled:
    """Counts of what has labels set by hand and belongs to a split.

    Attributes:
        frames, faces, videos: counts; a frame counts only if one of its faces does.
    """

    frames: int
    faces: int
    videos: int


def count_hand_labels(source: FaceSource) -> HandLabelled:
    """Count what the labels set by hand apply to, in one pass that reads no crops.

    Raises:
        WarehouseError: a file cannot be read or lacks a column.
    """
    faces: Counter[tuple[str, int]] = Counter()
    for path in source.files if source.frame_labels else ():
        for batch in read_batches(source, path, _FACE_KEYS):
            for row in batch.to_pylist():
                found = _side_and_label(source, row)
                frame = row["video_id"], row["frame_index"]
                if frame in source.frame_labels and found and found[0] is not Side.EXCLUDED:
                    faces[frame] += 1
    return HandLabelled(len(faces), faces.total(), len({video_id for video_id, _ in faces}))


def sample_faces(source: FaceSource, side: Side, count: int) -> list[FaceRow]:
    """Return up to `count` faces of a split, spread evenly over it in file order."""
    total = count_faces(source).faces(side)
    chosen = set(np.linspace(0, total - 1, num=min(count, total)).astype(int).tolist())
    return [face for rank, face in enumerate(iter_faces(source, side)) if rank in chosen]
