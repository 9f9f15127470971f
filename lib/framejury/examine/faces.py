"""The faces of one video, look by look: found, cut out, scored. No Spark, no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from framejury.examine.kept_pictures import Flicker, PictureKeeper, ScoredFace, shown_face
from framejury.faces.crop import encode_crop, landmarks_in_crop, limited_together, region_of
from framejury.faces.detect import Detector, FrameDetections
from framejury.faces.follow import FaceFinder
from framejury.faces.tracks import People, link
from framejury.model.runtime import Scorer
from framejury.records import CroppedFace, DetectedFace, Image, Region, SampledFrame, Size
from framejury.settings import Settings


@dataclass(frozen=True)
class ExaminedFace:
    """A face without its picture.

    Attributes:
        person: who it is, of this video or segment.
        crop: the stored image file, when kept.
        next_crop: the same of the frame that follows, where frames come in pairs.
        ssim: to the same person's face before, -1 to 1; None for the first, and without a network.
    """

    frame_index: int
    pts_s: float
    face_index: int
    person: int
    face: DetectedFace
    region: Region
    crop: bytes | None
    next_crop: bytes | None
    p_fake: float | None
    ssim: float | None


@dataclass(frozen=True, slots=True)
class FollowedFace:
    """A face of a frame, and what is cut out around it in the frame that follows, if one does."""

    face: DetectedFace
    next_region: Region | None = None


class Lookout:
    """Looks at one video; its faces are in `faces`, once it is finished.

    Crops wait until a call of the network is full, so that few are in memory at once.

    Args:
        settings: `detection`, `crops`, `evidence`.
        detector: of `make_detector`.
        scorer: None: faces are not scored.
        keep_crops: whether crops are stored.

    Attributes:
        ranks: of the frames that the looks started with, increasing.
    """

    def __init__(
        self, settings: Settings, detector: Detector, scorer: Scorer | None, *, keep_crops: bool
    ) -> None:
        self.faces: list[ExaminedFace] = []
        self.ranks: list[int] = []
        self._crops = settings.crops
        self._scorer = scorer
        self._keep_crops = keep_crops
        self._finder = FaceFinder(detector, settings.detection)
        self._people = People()
        self._flicker = Flicker()
        self._shows = scorer is not None and settings.evidence.faces > 0
        self._keeper = PictureKeeper(settings.evidence, lambda face: shown_face(face, scorer))
        self._waiting: list[tuple[ExaminedFace, CroppedFace, Image | None]] = []

    def at(self, look: Sequence[SampledFrame]) -> int:
        """Look at a frame, or at two that follow each other.

        Returns:
            how many faces the first one shows, before the choice.
        """
        first = look[0]
        self.ranks.append(first.frame_index)
        found = self._finder.find(first)
        shown = self._finder.looked_at if self._shows and found.faces else None
        if len(look) == 1:
            followed = [FollowedFace(face) for face in found.faces]
        else:
            followed = self._followed(found, *look)
        self.keep_all(look, followed, shown)
        return len(found.boxes)

    def _followed(
        self, found: FrameDetections, first: SampledFrame, second: SampledFrame
    ) -> list[FollowedFace]:
        """The faces of the first frame that are in the second too; the others make no pair."""
        size = first.picture.size
        if not found.faces or second.picture.size != size:  # a stream may change its size
            return []
        if self._crops.pair == "same":
            regions = [region_of(face.box, size, self._crops) for face in found.faces]
            return list(map(FollowedFace, found.faces, regions))
        boxes = self._finder.find(second).boxes
        # All boxes of the first frame: a face that is not kept must not lose its own to another.
        box_of = {known: boxes[at] for at, known in link(boxes, found.boxes).items()}
        places = [(face, box_of.get(found.boxes.index(face.box))) for face in found.faces]
        return [
            FollowedFace(face, region_of(box, size, self._crops))
            for face, box in places
            if box is not None
        ]

    def keep_all(
        self, look: Sequence[SampledFrame], faces: Sequence[FollowedFace], shown: Image | None
    ) -> None:
        """Cut out the faces of a look, and have them scored when enough of them wait.

        Args:
            look: one frame, or two.
            faces: of the first.
            shown: the first frame as faces were looked for in it, when it may be evidence.
        """
        if not faces:
            return
        persons = self._people.at([followed.face.box for followed in faces])
        for face_index, (followed, person) in enumerate(zip(faces, persons, strict=True)):
            examined, cropped = self._cut(look, face_index, followed, person)
            if self._scorer is None:
                self.faces.append(examined)
                continue
            self._waiting.append((examined, cropped, shown))
            if len(self._waiting) == self._scorer.batch_size:
                self.finish()

    def _cut(
        self, look: Sequence[SampledFrame], face_index: int, followed: FollowedFace, person: int
    ) -> tuple[ExaminedFace, CroppedFace]:
        first, face, settings = look[0], followed.face, self._crops
        region = region_of(face.box, first.picture.size, settings)
        parts = [first.picture.part(region)]
        if followed.next_region is not None:
            parts.append(look[1].picture.part(followed.next_region))
        parts = limited_together(parts, settings.max_side_px)
        crop, next_crop = parts[0], parts[1] if len(parts) > 1 else None
        landmarks = None
        if face.landmarks is not None:
            landmarks = landmarks_in_crop(face.landmarks, region, Size(*crop.shape[:2]))
        stored: list[bytes | None] = [None, None]
        if self._keep_crops:
            for place, part in enumerate(parts):
                stored[place] = encode_crop(part, settings.format, settings.jpeg_quality)
        examined = ExaminedFace(
            frame_index=first.frame_index,
            pts_s=first.pts_s,
            face_index=face_index,
            person=person,
            face=face,
            region=region,
            crop=stored[0],
            next_crop=stored[1],
            p_fake=None,
            ssim=None if self._scorer is None else self._flicker.at(person, crop),
        )
        return examined, CroppedFace(crop, landmarks, next_crop)

    def finish(self) -> None:
        """Score the crops that wait."""
        waiting, self._waiting = self._waiting, []
        if not waiting or self._scorer is None:
            return
        scores, heat = self._scorer.score_and_explain([cropped for _, cropped, _ in waiting])
        for number, (face, cropped, shown) in enumerate(waiting):
            p_fake = float(scores[number])
            self.faces.append(replace(face, p_fake=p_fake))
            cells = None if heat is None else heat[number]
            place = face.frame_index, face.pts_s, face.face_index
            self._keeper.offer(ScoredFace(*place, p_fake, cropped, shown, cells))

    def pictures(self) -> list[dict[str, Any]]:
        """Columns of `pictures` but ids: what is kept as evidence, with heat maps."""
        return self._keeper.rows()
