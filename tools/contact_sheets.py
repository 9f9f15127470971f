"""The contact sheets in docs/training.md: training faces as a network sees them.

`python -m tools.contact_sheets FOLDER`, or `make docs`. The faces come from
`demo.people`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from framejury.augmentation.augment import apply, draw, sample_rng
from framejury.augmentation.grading import Grade
from framejury.augmentation.graphics import Graphic
from framejury.augmentation.perturb import Screen
from framejury.augmentation.post_processing import PostProcessing, Upscaling, post_processed
from framejury.augmentation.selfblend import Points, blend_mask, draw_blend, self_blended
from framejury.augmentation.video_codecs import VideoCompression
from framejury.demo.people import load_people
from framejury.records import Image

_FACE_PX = 160
_PICTURES = 6
_GAP_PX = 4
_HEADING_PX = 24
# Geometry of a crop, in distances between the eyes: left of their centre, above it, and its side.
_LEFT, _ABOVE, _SIDE = 1.35, 0.85, 2.7


@dataclass(frozen=True)
class Portrait:
    """A face as a network sees it.

    Attributes:
        face: uint8 (160, 160, 3) RGB.
        landmarks: float32 (5, 2), x and y in its pixels.
    """

    face: Image
    landmarks: Points


def portraits() -> list[Portrait]:
    """Return Eileen Collins (NASA) and Grace Hopper (US Navy); their photographs are free."""
    people, made = load_people(), []
    for person in (people["collins"], people["hopper"]):
        image, points = person.images[0], person.landmarks[0]
        left_eye, right_eye = points[:2]
        apart = float(np.linalg.norm(right_eye - left_eye))
        corner = (left_eye + right_eye) / 2 - (_LEFT * apart, _ABOVE * apart)
        scale = _FACE_PX / (_SIDE * apart)
        matrix = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]])
        face = cv2.warpAffine(image, matrix, (_FACE_PX, _FACE_PX), flags=cv2.INTER_AREA)
        landmarks = ((points - corner) * scale).astype(np.float32)
        made.append(Portrait(np.asarray(face, np.uint8), landmarks))
    return made


def blending_sheet(faces: Sequence[Portrait]) -> Image:
    """Return a row per face: the source, then masks and blends; uint8 (height, width, 3) RGB."""
    rows = []
    for number, portrait in enumerate(faces):
        row = [portrait.face]
        for column in range(_PICTURES // 2):
            drawn = draw_blend(np.random.default_rng([number, column]))
            blend = replace(drawn, inner_changes=True, strength=max(drawn.strength, 0.75))
            mask = blend_mask(portrait.face.shape, portrait.landmarks, blend)
            shown = np.repeat(np.rint(mask * 255).astype(np.uint8)[:, :, np.newaxis], 3, axis=2)
            row += [shown, self_blended(portrait.face, portrait.landmarks, blend)]
        rows.append(row)
    return _sheet(rows, ["real face"] + ["mask", "self-blended"] * (_PICTURES // 2))


def augmentation_sheet(faces: Sequence[Portrait]) -> Image:
    """Return a row per face: as stored, then in six epochs; uint8 (height, width, 3) RGB."""
    rows = [
        [portrait.face]
        + [
            apply(portrait.face, draw(sample_rng(0, epoch, number)), portrait.landmarks)
            for epoch in range(_PICTURES)
        ]
        for number, portrait in enumerate(faces)
    ]
    return _sheet(rows, ["as stored", *(f"epoch {n + 1}" for n in range(_PICTURES))])


_STEPS: dict[str, PostProcessing] = {
    "phone zoom": PostProcessing(upscaling=Upscaling(0.35, "lanczos", 1.1)),
    "filmed screen": PostProcessing(screen=Screen(1.37, 0.25, 3.1, 8.0, 1.1)),
    "graded": PostProcessing(grade=Grade(1.2, 0.3, (0.0, 4.0, 14.0), (1.1, 1.0, 0.9), 0.8, 0.4)),
    "beauty filter": PostProcessing(smoothing=0.9, sharpening=0.8),
    "graphics, HEVC": PostProcessing(
        graphic=Graphic("caption", 0.12, 0.5, 0.6, (255, 255, 255), 1.0, 2),
        videos=(VideoCompression("hevc", 34, 3, 5),),
    ),
    "three videos": PostProcessing(
        videos=(
            VideoCompression("h264", 28),
            VideoCompression("vp9", 44, 9, 3),
            VideoCompression("h264", 30, 5, 12),
        )
    ),
}


def steps_sheet(faces: Sequence[Portrait]) -> Image:
    """Return a row per face: as stored, then after single steps; uint8 (height, width, 3) RGB."""
    rows = [
        [portrait.face, *(post_processed(portrait.face, chain) for chain in _STEPS.values())]
        for portrait in faces
    ]
    return _sheet(rows, ["as stored", *_STEPS])


def _sheet(rows: Sequence[Sequence[Image]], headings: Sequence[str]) -> Image:
    step = _FACE_PX + _GAP_PX
    shape = (_HEADING_PX + len(rows) * step, len(headings) * step, 3)
    sheet = np.full(shape, 255, np.uint8)
    for column, heading in enumerate(headings):
        place = (column * step + 4, _HEADING_PX - 8)
        cv2.putText(
            sheet, heading, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA
        )
        for number, row in enumerate(rows):
            top = _HEADING_PX + number * step
            sheet[top : top + _FACE_PX, column * step : column * step + _FACE_PX] = row[column]
    return sheet


def main(argv: Sequence[str]) -> int:
    folder = Path(argv[0])
    folder.mkdir(parents=True, exist_ok=True)
    faces = portraits()
    for name, sheet in (
        ("self-blending.jpg", blending_sheet(faces)),
        ("augmentation.jpg", augmentation_sheet(faces)),
        ("post-processing.jpg", steps_sheet(faces)),
    ):
        if not cv2.imwrite(str(folder / name), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
            raise OSError(f"cannot write {folder / name}")
        print(folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
