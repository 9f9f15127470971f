"""Two detectors on the same frames: what each finds, and what both do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from framejury.faces.detect import SAME_FACE_IOU
from framejury.inspection.inspected import Face, Look


@dataclass(frozen=True, slots=True)
class Agreement:
    """MTCNN and Haar, counted.

    Attributes:
        frames: looked at.
        mtcnn_frames, haar_frames, both_frames: with at least one face.
        mtcnn_faces, haar_faces: in all of them.
        matched: pairs of boxes of both that show the same face (`SAME_FACE_IOU`).
        iou_sum: of those pairs; divided by `matched`, how well their boxes agree.
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
        """Of matched boxes, 0 to 1; None where none match."""
        return self.iou_sum / self.matched if self.matched else None


def agreement_of(looks: Iterable[Look]) -> Agreement:
    """Both detectors on these frames."""
    looks = list(looks)
    overlaps = [iou for look in looks for iou in matches(look.mtcnn, look.haar)]
    return Agreement(
        frames=len(looks),
        mtcnn_frames=sum(bool(look.mtcnn) for look in looks),
        haar_frames=sum(bool(look.haar) for look in looks),
        both_frames=sum(bool(look.mtcnn) and bool(look.haar) for look in looks),
        mtcnn_faces=sum(len(look.mtcnn) for look in looks),
        haar_faces=sum(len(look.haar) for look in looks),
        matched=len(overlaps),
        iou_sum=sum(overlaps),
    )


def matches(first: Sequence[Face], second: Sequence[Face]) -> list[float]:
    """Intersection over union of boxes that show the same face, the best pairs first, each once."""
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
