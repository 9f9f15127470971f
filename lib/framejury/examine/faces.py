"""The faces of one video, sample by sample: find, crop, score. No Spark, no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain, groupby
from typing import Any

from framejury.examine.kept_pictures import Flicker, PictureKeeper, ScoredFace, shown_face
from framejury.examine.messages import TABLE_COLUMN
from framejury.faces.crop import (
    Cut,
    box_in_crop,
    cut_of,
    encode_crop,
    landmarks_in_crop,
    limited_together,
)
from framejury.faces.detect import Detector, FrameDetections
from framejury.faces.follow import FaceFinder, follow, scene_changes
from framejury.faces.tracks import FaceTracks, assign_persons
from framejury.model.ensemble_scorer import framings_of
from framejury.model.framing import crops_for
from framejury.model.manifest import Bundle
from framejury.model.runtime import Scorer
from framejury.records import Box, CroppedFace, DetectedFace, Image, SampledFrame, Size
from framejury.settings import Settings
from framejury.signals.ssim import Grey, grey_square
from framejury.verdict.judge import FaceScores


@dataclass(frozen=True)
class ExaminedFace:
    """A face of a sample.

    Attributes:
        person: number of the face track in this video or segment.
        track_box: the box by which tracks are linked, in frame heights.
        cut: where its crop lies in the frame.
        crop: the stored image file; None: crops are not kept.
        further: likewise from the further frames of the sample, if frames are sampled in pairs or
            clips.
        ssim: structural similarity to the previous face of the track, -1 to 1; None for the
            first, and without a network.
        member_scores: of an ensemble, the score by each member.
    """

    frame_index: int
    pts_s: float
    face_index: int
    person: int
    track_box: Box
    face: DetectedFace
    cut: Cut
    crop: bytes | None
    further: tuple[bytes, ...] = ()
    score: float | None = None
    ssim: float | None = None
    member_scores: tuple[float, ...] = ()


def face_row(face: ExaminedFace, detector: str) -> dict[str, Any]:
    """Return the row of `faces` without ids; `detector` is `Detector.name`."""
    landmarks, alignment, count = face.face.landmarks, face.cut.alignment, len(face.further)
    return _common_columns(face) | {
        TABLE_COLUMN: "faces",
        "landmarks": None if landmarks is None else [asdict(point) for point in landmarks],
        "detector": detector,
        "crop_region": asdict(face.cut.region),
        "alignment": None if alignment is None else asdict(alignment),
        "crop": face.crop,
        "next_crop": face.further[0] if count == 1 else None,
        "clip_crops": list(face.further) if count > 1 else None,
    }


def score_rows(face: ExaminedFace, bundle: Bundle) -> Iterator[dict[str, Any]]:
    """Yield the rows of `face_scores` of a scored face without ids: the bundle's, then members'."""
    common = _common_columns(face) | {TABLE_COLUMN: "face_scores", "ssim": face.ssim}
    yield common | {"score": face.score, "model_id": bundle.model_id}
    for member, score in zip(bundle.members, face.member_scores, strict=True):
        yield common | {"score": score, "model_id": member.model_id}


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
    """A face of the first frame of a sample, and where it is cut from each of its frames.

    Attributes:
        face: as found in the first frame.
        cuts: one per frame of the sample.
        others: the same for the further crop geometries of an ensemble.
    """

    face: DetectedFace
    cuts: tuple[Cut, ...]
    others: tuple[tuple[Cut, ...], ...] = ()


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
        scene_changes: clips so far in which the scene changes, count; their faces are not kept.
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
        self.scene_changes = 0
        self._crops = settings.crops
        self._scorer = scorer
        framings = () if scorer is None else framings_of(scorer.bundle)[1:]
        self._other_crops = [crops_for(framing, settings.crops) for framing in framings]
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
        """Examine one frame, or those of a pair or clip.

        Returns:
            the number of faces in the first frame, before selection.
        """
        first = sample[0]
        self.ranks.append(first.frame_index)
        found = self._finder.find(first)
        shown = self._finder.searched_image if self._shows and found.faces else None
        self.add(sample, self._followed(found, sample), shown)
        return len(found.boxes)

    def _followed(
        self, found: FrameDetections, sample: Sequence[SampledFrame]
    ) -> list[FollowedFace]:
        """Return the faces of the first frame that are also in all others (`crops.pair`)."""
        size, further = sample[0].picture.size, sample[1:]
        if further and any(frame.picture.size != size for frame in further):
            return []  # the size may change within a stream
        if len(sample) > 2 and found.faces and scene_changes(sample):
            self.scene_changes += 1  # pairs stay as the recipes that use them published them
            return []
        rule = self._crops.pair
        tracks = follow(self._finder, found, further, rule) if found.faces else []
        followed = [self.placed(track, size) for track in tracks]
        return [one for one in followed if one is not None]

    def placed(self, track: Sequence[DetectedFace], size: Size) -> FollowedFace | None:
        """Return where a face is cut; None if one of the crop geometries cannot be applied."""
        places = [
            tuple(filter(None, (cut_of(face, size, crops) for face in track)))
            for crops in (self._crops, *self._other_crops)
        ]
        if any(len(cuts) < len(track) for cuts in places):
            return None
        return FollowedFace(track[0], places[0], tuple(places[1:]))

    def add(
        self, sample: Sequence[SampledFrame], faces: Sequence[FollowedFace], shown: Image | None
    ) -> None:
        """Crop the faces of a sample, and score once a batch is full.

        Args:
            sample: one frame, or those of a pair or clip.
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
        cropped, *others = (
            _cropped(sample, face, cuts, settings.max_side_px)
            for cuts in (followed.cuts, *followed.others)
        )
        crop = cropped.crop
        grey = None if self._scorer is None else grey_square(crop)
        if grey is not None and self._greys is not None:
            self._greys[first.frame_index, face_index] = grey
        stored: list[bytes] = []
        if self._keep_crops:
            file = settings.format, settings.jpeg_quality
            stored = [encode_crop(part, *file) for part in cropped.clip]
        examined = ExaminedFace(
            frame_index=first.frame_index,
            pts_s=first.pts_s,
            face_index=face_index,
            person=person,
            track_box=track_box,
            face=face,
            cut=followed.cuts[0],
            crop=stored[0] if stored else None,
            further=tuple(stored[1:]),
            ssim=None if grey is None else self._similarity(person, grey),
        )
        return examined, replace(cropped, others=tuple(others))

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
        crops = [cropped for _, cropped, _ in waiting]
        scores, heat, members = self._scorer.score_members(crops)
        for number, (face, cropped, shown) in enumerate(waiting):
            score = float(scores[number])
            by_member = tuple(members[number].tolist())
            self.faces.append(replace(face, score=score, member_scores=by_member))
            cells = None if heat is None else heat[number]
            place = face.frame_index, face.pts_s, face.face_index
            box = box_in_crop(face.face.box, face.cut, Size(*cropped.crop.shape[:2]))
            self._keeper.offer(ScoredFace(*place, score, cropped, shown, cells, box))

    def pictures(self, occlusion_s: float = 0.0) -> list[dict[str, Any]]:
        """Return the evidence kept so far: columns of `pictures` without ids.

        Args:
            occlusion_s: as in `PictureKeeper.rows`.
        """
        return self._keeper.rows(occlusion_s)


def _cropped(
    sample: Sequence[SampledFrame], face: DetectedFace, cuts: Sequence[Cut], max_side_px: int
) -> CroppedFace:
    """Cut a face out of each frame of a sample."""
    parts = [one.of(frame.picture) for one, frame in zip(cuts, sample, strict=True)]
    crop, *further = limited_together(parts, max_side_px)
    landmarks = None
    if face.landmarks is not None:
        landmarks = landmarks_in_crop(face.landmarks, cuts[0], Size(*crop.shape[:2]))
    return CroppedFace(crop, landmarks, tuple(further))
