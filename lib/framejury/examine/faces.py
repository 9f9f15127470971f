"""The faces of one video, sample by sample: find, crop, score. No Spark, no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain, groupby
from typing import Any

from framejury.examine.kept_pictures import Flicker, PictureKeeper, ScoredFace, shown_face
from framejury.examine.messages import TABLE_COLUMN
from framejury.faces.crop import (
    box_in_crop,
    encode_crop,
    landmarks_in_crop,
    limited_together,
    region_of,
)
from framejury.faces.detect import Detector, FrameDetections
from framejury.faces.follow import FaceFinder
from framejury.faces.tracks import FaceTracks, assign_persons, link
from framejury.model.runtime import Scorer
from framejury.records import Box, CroppedFace, DetectedFace, Image, Region, SampledFrame, Size
from framejury.settings import Settings
from framejury.signals.ssim import Grey, grey_square
from framejury.verdict.judge import FaceScores


@dataclass(frozen=True)
class ExaminedFace:
    """A face of a sample.

    Attributes:
        person: number of the face track in this video or segment.
        track_box: the box by which tracks are linked, in frame heights.
        crop: the stored image file; None: crops are not kept.
        next_crop: likewise from the next frame, if frames are sampled in pairs.
        ssim: structural similarity to the previous face of the track, -1 to 1; None for the
            first, and without a network.
    """

    frame_index: int
    pts_s: float
    face_index: int
    person: int
    track_box: Box
    face: DetectedFace
    region: Region
    crop: bytes | None
    next_crop: bytes | None = None
    score: float | None = None
    ssim: float | None = None


def face_row(face: ExaminedFace, detector: str) -> dict[str, Any]:
    """Return the row of `faces` without ids; `detector` is `Detector.name`."""
    landmarks = face.face.landmarks
    return _common_columns(face) | {
        TABLE_COLUMN: "faces",
        "landmarks": None if landmarks is None else [asdict(point) for point in landmarks],
        "detector": detector,
        "crop_region": asdict(face.region),
        "crop": face.crop,
        "next_crop": face.next_crop,
    }


def score_row(face: ExaminedFace) -> dict[str, Any]:
    """Return the row of `face_scores` without ids."""
    return _common_columns(face) | {
        TABLE_COLUMN: "face_scores",
        "score": face.score,
        "ssim": face.ssim,
    }


def scores_of(faces: Sequence[ExaminedFace]) -> FaceScores:
    """Return the scored ones of these faces as what a verdict is made of."""
    scored = [(face, face.score) for face in faces if face.score is not None]
    return FaceScores(
        score=[score for _, score in scored],
        frame_index=[face.frame_index for face, _ in scored],
        pts_s=[face.pts_s for face, _ in scored],
        person=[face.person for face, _ in scored],
    )


def linked_by_time(
    faces: Sequence[ExaminedFace], greys: Mapping[tuple[int, int], Grey]
) -> list[ExaminedFace]:
    """Sort faces by time, and number tracks and compare faces as in one pass over all frames.

    Args:
        faces: of one video, scored.
        greys: the `grey_square` of each crop by frame and face index.
    """
    ordered = sorted(faces, key=_place)
    by_frame = [list(group) for _, group in groupby(ordered, key=lambda face: face.frame_index)]
    persons = assign_persons([[face.track_box for face in group] for group in by_frame])
    flicker = Flicker()
    return [
        replace(face, person=person, ssim=flicker.ssim(person, greys[_place(face)]))
        for face, person in zip(ordered, chain.from_iterable(persons), strict=True)
    ]


def _place(face: ExaminedFace) -> tuple[int, int]:
    return face.frame_index, face.face_index


def _common_columns(face: ExaminedFace) -> dict[str, Any]:
    return {
        "frame_index": face.frame_index,
        "pts_s": face.pts_s,
        "face_index": face.face_index,
        "person": face.person,
        "box": asdict(face.face.box),
        "confidence": face.face.confidence,
    }


@dataclass(frozen=True, slots=True)
class FollowedFace:
    """A face of a frame, and with pairs the region to crop in the next frame."""

    face: DetectedFace
    next_region: Region | None = None


class FaceExaminer:
    """Finds, crops and scores the faces of one video; complete after `finish`.

    Crops are scored as soon as they fill a batch, so only few are in memory at once.

    Args:
        settings: `detection`, `crops`, `evidence`.
        detector: from `make_detector`.
        scorer: None: do not score.
        keep_crops: whether crops are stored.
        in_rounds: whether further rounds may follow (`begin_round`).

    Attributes:
        faces: the faces so far, by frame and face.
        ranks: first frame of each sample so far, in the order examined.
        kept: faces so far, also those that wait for their score; count.
    """

    def __init__(
        self,
        settings: Settings,
        detector: Detector,
        scorer: Scorer | None,
        *,
        keep_crops: bool,
        in_rounds: bool = False,
    ) -> None:
        self.faces: list[ExaminedFace] = []
        self.ranks: list[int] = []
        self.kept = 0
        self._crops = settings.crops
        self._scorer = scorer
        self._keep_crops = keep_crops
        self._new_finder = partial(FaceFinder, detector, settings.detection)
        self._finder = self._new_finder()
        self._is_later_round = False
        self._greys: dict[tuple[int, int], Grey] | None = {} if in_rounds else None
        self._tracks = FaceTracks()
        self._flicker = Flicker()
        self._shows = scorer is not None and settings.evidence.faces > 0
        self._keeper = PictureKeeper(
            settings.evidence, lambda face: shown_face(face, scorer), scorer
        )
        self._waiting: list[tuple[ExaminedFace, CroppedFace, Image | None]] = []

    def begin_round(self) -> None:
        """Expect samples in order of time from the start of the video again."""
        self._finder = self._new_finder()
        self._is_later_round = True

    def examine(self, sample: Sequence[SampledFrame]) -> int:
        """Examine one frame, or a frame and its successor.

        Returns:
            the number of faces in the first frame, before selection.
        """
        first = sample[0]
        self.ranks.append(first.frame_index)
        found = self._finder.find(first)
        shown = self._finder.searched_image if self._shows and found.faces else None
        if len(sample) == 1:
            followed = [FollowedFace(face) for face in found.faces]
        else:
            followed = self._followed(found, *sample)
        self.add(sample, followed, shown)
        return len(found.boxes)

    def _followed(
        self, found: FrameDetections, first: SampledFrame, second: SampledFrame
    ) -> list[FollowedFace]:
        """Return the faces of the first frame that are also in the second (`crops.pair`)."""
        size = first.picture.size
        if not found.faces or second.picture.size != size:  # the size may change within a stream
            return []
        if self._crops.pair == "same":
            regions = [region_of(face.box, size, self._crops) for face in found.faces]
            return list(map(FollowedFace, found.faces, regions))
        later = self._finder.find(second)
        if self._crops.pair == "kept":
            return [
                FollowedFace(face, region_of(other.box, size, self._crops))
                for face, other in zip(found.faces, later.faces, strict=False)
            ]
        boxes = later.boxes
        # Link all boxes of the first frame, or a kept face could take the box of one not kept.
        box_of = {known: boxes[at] for at, known in link(boxes, found.boxes).items()}
        places = [(face, box_of.get(found.boxes.index(face.box))) for face in found.faces]
        return [
            FollowedFace(face, region_of(box, size, self._crops))
            for face, box in places
            if box is not None
        ]

    def add(
        self, sample: Sequence[SampledFrame], faces: Sequence[FollowedFace], shown: Image | None
    ) -> None:
        """Crop the faces of a sample, and score once a batch is full.

        Args:
            sample: one frame or two.
            faces: of the first frame.
            shown: the first frame at the size searched for faces, if it may become evidence.
        """
        if not faces:
            return
        self.kept += len(faces)
        frame = sample[0].picture.size
        boxes = [followed.face.box.in_heights(frame) for followed in faces]
        persons = self._tracks.number(boxes)
        for face_index, followed in enumerate(faces):
            track = (persons[face_index], boxes[face_index])
            examined, cropped = self._crop(sample, face_index, followed, track)
            if self._scorer is None:
                self.faces.append(examined)
                continue
            self._waiting.append((examined, cropped, shown))
            if len(self._waiting) == self._scorer.batch_size:
                self._score()

    def _crop(
        self,
        sample: Sequence[SampledFrame],
        face_index: int,
        followed: FollowedFace,
        track: tuple[int, Box],
    ) -> tuple[ExaminedFace, CroppedFace]:
        first, face, settings = sample[0], followed.face, self._crops
        person, track_box = track
        region = region_of(face.box, first.picture.size, settings)
        parts = [first.picture.part(region)]
        if followed.next_region is not None:
            parts.append(sample[1].picture.part(followed.next_region))
        parts = limited_together(parts, settings.max_side_px)
        crop, next_crop = parts[0], parts[1] if len(parts) > 1 else None
        landmarks = None
        if face.landmarks is not None:
            landmarks = landmarks_in_crop(face.landmarks, region, Size(*crop.shape[:2]))
        grey = None if self._scorer is None else grey_square(crop)
        if grey is not None and self._greys is not None:
            self._greys[first.frame_index, face_index] = grey
        stored: list[bytes | None] = [None, None]
        if self._keep_crops:
            for place, part in enumerate(parts):
                stored[place] = encode_crop(part, settings.format, settings.jpeg_quality)
        examined = ExaminedFace(
            frame_index=first.frame_index,
            pts_s=first.pts_s,
            face_index=face_index,
            person=person,
            track_box=track_box,
            face=face,
            region=region,
            crop=stored[0],
            next_crop=stored[1],
            ssim=None if grey is None else self._similarity(person, grey),
        )
        return examined, CroppedFace(crop, landmarks, next_crop)

    def _similarity(self, person: int, grey: Grey) -> float | None:
        """Compare with the track's last face; faces of later rounds are compared at the end."""
        return None if self._is_later_round else self._flicker.ssim(person, grey)

    def finish(self) -> None:
        """Complete the faces of a round; those of several are linked as if found in one."""
        self._score()
        if self._is_later_round and self._greys is not None:
            self.faces = linked_by_time(self.faces, self._greys)

    def _score(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting or self._scorer is None:
            return
        scores, heat = self._scorer.score_and_explain([cropped for _, cropped, _ in waiting])
        for number, (face, cropped, shown) in enumerate(waiting):
            score = float(scores[number])
            self.faces.append(replace(face, score=score))
            cells = None if heat is None else heat[number]
            place = face.frame_index, face.pts_s, face.face_index
            box = box_in_crop(face.face.box, face.region, Size(*cropped.crop.shape[:2]))
            self._keeper.offer(ScoredFace(*place, score, cropped, shown, cells, box))

    def pictures(self, occlusion_s: float = 0.0) -> list[dict[str, Any]]:
        """Return the evidence kept so far: columns of `pictures` without ids.

        Args:
            occlusion_s: as in `PictureKeeper.rows`.
        """
        return self._keeper.rows(occlusion_s)
