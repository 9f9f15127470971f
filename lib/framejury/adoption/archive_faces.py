"""Faces of videos as an adopted network gets them, cut once for several crop geometries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framejury.adoption.trial import Trial
from framejury.examine.messages import TABLE_COLUMN, ExaminePlan, VideoJob
from framejury.examine.worker import Examiner
from framejury.faces.crop import cropped_face, encode_crop, region_of
from framejury.inspection.drawing import contact_sheet
from framejury.media.small_clip import trial_clip
from framejury.model.framing import framed_for
from framejury.model.manifest import Bundle
from framejury.model.runtime import Scorer
from framejury.protocol.examination import with_examiners
from framejury.records import Box, CroppedFace, Image, Region, Size
from framejury.settings import CropSettings, LimitSettings, Settings

_LARGEST_CROP_PX = 2048
_SHOWN_FRAMES = 4


@dataclass(frozen=True, eq=False)
class ArchiveFace:
    """A face of a video.

    Attributes:
        video: its row of `videos`, at least `video_id` and `uri`.
        row: its row of `faces`, with a crop that may be wider than the network's.
        frame: size of the frame.
    """

    video: Mapping[str, Any]
    row: Mapping[str, Any]
    frame: Size

    def cut(self, crops: CropSettings | None) -> CroppedFace:
        """Return the face under a crop geometry within the stored crop; None: as it is stored."""
        if crops is None:
            return cropped_face(self.row)
        face, stored = cropped_face(self.row), Region(**self.row["crop_region"])
        wanted = region_of(Box(**self.row["box"]), self.frame, crops)
        height, width = face.crop.shape[:2]
        x, y = width / stored.width, height / stored.height
        left, top = max(wanted.x - stored.x, 0) * x, max(wanted.y - stored.y, 0) * y
        right, bottom = left + wanted.width * x, top + wanted.height * y
        return CroppedFace(face.crop[round(top) : round(bottom), round(left) : round(right)])


def faces_of(
    videos: Sequence[Mapping[str, Any]],
    settings: Settings,
    workers: int,
) -> list[ArchiveFace]:
    """Open each video once and return its faces; progress goes to stderr.

    Args:
        videos: rows of `videos`, at least `video_id` and `uri`.
        settings: with the widest crop geometry that is wanted.
        workers: processes, count.
    """
    crops = settings.crops.model_copy(update={"format": "png", "max_side_px": _LARGEST_CROP_PX})
    plan = ExaminePlan(
        "adopt",
        settings.model_copy(update={"crops": crops}).without_evidence().model_dump(mode="json"),
        None,
        keep_crops=True,
    )

    def one(video: Mapping[str, Any], examiner: Examiner) -> list[ArchiveFace]:
        found = examiner.examine(VideoJob(video["video_id"], video["uri"]))
        extraction, *rows = found.to_pylist()
        frame = Size(extraction["height_px"] or 0, extraction["width_px"] or 0)
        return [ArchiveFace(video, row, frame) for row in rows if row[TABLE_COLUMN] == "faces"]

    return [face for faces in with_examiners(videos, plan, workers, one) for face in faces]


def drawn_faces(settings: Settings) -> list[ArchiveFace]:
    """Return the faces of a drawn person, as `faces_of` cuts them: no video is needed."""
    with trial_clip() as clip:
        return faces_of([{"video_id": "drawn", "uri": str(clip)}], settings, 1)


def settings_for(bundle: Bundle, settings: Settings, frames: int) -> Settings:
    """Return the settings under which the bundle's faces are cut from `frames` samples."""
    sampling = settings.sampling.in_one_round(frames)
    return framed_for(bundle, settings.model_copy(update={"sampling": sampling}))


def write_sheet(
    path: Path,
    bundle: Bundle,
    faces: Sequence[ArchiveFace],
    crops: CropSettings | None,
    limits: LimitSettings,
) -> None:
    """Write a picture of faces as the network gets them, with the score under each.

    Args:
        path: a PNG file.
        bundle: adopted.
        faces: at least one.
        crops: as in `ArchiveFace.cut`.
        limits: of the process that scores.
    """
    pixels = bundle.pixels
    inputs = Scorer(bundle).pictures([face.cut(crops) for face in faces])
    with Trial(bundle.onnx_path, limits, pixels.batch_limit) as trial:
        scores = trial.run(inputs).scores
    names = [str(face.video["video_id"]).rpartition("/")[2][-18:] for face in faces]
    captions = [
        f"{score:.3f} {name.encode('ascii', 'replace').decode()}"
        for name, score in zip(names, scores, strict=True)
    ]
    shown = [_shown(picture, pixels.clip_frames) for picture in inputs]
    path.write_bytes(encode_crop(contact_sheet(shown, captions), "png"))


def _shown(picture: Image, frames: int) -> Image:
    """Return a picture, or the first ones of a clip side by side."""
    if frames == 1:
        return picture
    height, width = picture.shape[1:3]
    joined: Image = picture[:_SHOWN_FRAMES].transpose(1, 0, 2, 3).reshape(height, -1, 3)
    assert joined.shape[1] % width == 0
    return joined
