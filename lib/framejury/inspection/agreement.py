"""Two detectors on the same frames: the faces that each and both find."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from framejury.faces.detect import SAME_FACE_IOU
from framejury.inspection.inspected import Face, InspectedFrame


@dataclass(frozen=True, slots=True)
class Agreement:
    """MTCNN and Haar, counted.

    Attributes:
        frames: sampled.
        mtcnn_frames, haar_frames, both_frames: with at least one face.
        mtcnn_faces, haar_faces: in all frames.
        matched: pairs of boxes that show the same face (`SAME_FACE_IOU`).
        iou_sum: of those pairs.
    """

    frames: int = 0
    mtcnn_frames: int = 0
    haar_frames: int = 0
    both_frames: int = 0
    mtcnn_faces: int = 0
    haar_faces: int = 0
    matched: int = 0
    iou_sum: float = 0.0

    @property
    def mean_iou(self) -> float | None:
        """Return the mean overlap of matched boxes, 0 to 1; None without any."""
        return self.iou_sum / self.matched if self.matched else None


def agreement_of(frames: Iterable[InspectedFrame]) -> Agreement:
    """Count the faces of both detectors on these frames."""
    frames = list(frames)
    overlaps = [iou for one in frames for iou in matches(one.mtcnn, one.haar)]
    return Agreement(
        frames=len(frames),
        mtcnn_frames=sum(bool(one.mtcnn) for one in frames),
        haar_frames=sum(bool(one.haar) for one in frames),
        both_frames=sum(bool(one.mtcnn) and bool(one.haar) for one in frames),
        mtcnn_faces=sum(len(one.mtcnn) for one in frames),
        haar_faces=sum(len(one.haar) for one in frames),
        matched=len(overlaps),
        iou_sum=sum(overlaps),
    )


def matches(first: Sequence[Face], second: Sequence[Face]) -> list[float]:
    """Return the overlaps (IoU) of boxes that show the same face, best first, each box once."""
    pairs = sorted(
        (
            (one.box.iou(other.box), a, b)
            for a, one in enumerate(first)
            for b, other in enumerate(second)
        ),
        reverse=True,
    )
    found: list[float] = []
    ours: set[int] = set()
    theirs: set[int] = set()
    for iou, a, b in pairs:
        if iou >= SAME_FACE_IOU and a not in ours and b not in theirs:
            found.append(iou)
            ours.add(a)
            theirs.add(b)
    return found
