"""Settings of crops, and the templates of aligned crops."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from framejury.errors import did_you_mean
from framejury.settings.section import Section

_ARCFACE_PX = (
    *((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366)),
    *((41.5493, 92.3655), (70.7299, 92.2041)),
)
_ARCFACE_SIDE_PX = 112
_POINTS = 5

TEMPLATES = {"arcface": tuple((x / _ARCFACE_SIDE_PX, y / _ARCFACE_SIDE_PX) for x, y in _ARCFACE_PX)}
"""Templates known by name. arcface: `arcface_dst` of InsightFace, as ArcFace (Deng et al., CVPR 2019)
aligns faces in 112 x 112 pixels."""


def template_of(value: object) -> object:
    """Return the template of this name; check one that is given by its points.

    Raises:
        ValueError: no template has this name, or it is not five different points in the square.
    """
    if isinstance(value, str) and value in TEMPLATES:
        return TEMPLATES[value]
    points = value if isinstance(value, list | tuple) else ()
    whole = [point for point in points if isinstance(point, list | tuple) and len(point) == 2]
    flat = [share for point in whole for share in point]
    if (
        len(whole) == len(points) == _POINTS
        and all(isinstance(share, int | float) and 0 <= share <= 1 for share in flat)
        and len({tuple(point) for point in whole}) == _POINTS
    ):
        return value
    hint = did_you_mean(value, TEMPLATES) if isinstance(value, str) else ""
    raise ValueError(
        f"crops.template cannot be {value!r}{hint or ';'} it takes five [x, y], shares of the "
        f"crop's side from 0 to 1, or a name: {', '.join(sorted(TEMPLATES))}"
    )


Template = Annotated[tuple[tuple[float, float], ...], BeforeValidator(template_of)]
"""Where the five landmarks (`schemas.statuses.LANDMARK_NAMES`) lie in an aligned crop, x and y of
each as a share of its side."""


class CropSettings(Section):
    """Which region around a face is cut out, and how it is stored."""

    margin_ratio: float = Field(
        0.3,
        ge=-0.25,
        le=3.0,
        description="Margin on each side of the box, as a share of the box; a negative margin "
        "cuts into it.",
    )
    margin_px: int | None = Field(
        None,
        ge=0,
        le=4096,
        description="Margin on each side, pixels of the full frame, instead of margin_ratio; what "
        "lies outside the frame is cut off. null: margin_ratio applies.",
    )
    shift_ratio: float = Field(
        0.0,
        ge=-0.5,
        le=0.5,
        description="How far the crop's centre lies below the centre of the box, as a share of "
        "the box.",
    )
    shape: Literal["square", "box"] = Field(
        "square",
        description="square: the box is first made square around its centre; box: as detected.",
    )
    pair: Literal["own", "same", "kept"] = Field(
        "own",
        description="Where a face is cut from the second frame of a pair. own: where it is found "
        "in that frame; same: at the same place as in the first, so that only motion differs; "
        "kept: where detection.keep finds one in that frame, even if it is another face (several "
        "are paired from left to right). The same holds for clips, frame by frame.",
    )
    template: Template | None = Field(
        None,
        description="Where the five landmarks lie in an aligned crop: [x, y] of left eye, right "
        "eye, nose, left and right corner of the mouth (left in the picture), as shares of its "
        "side, or a name: arcface. The face is turned and scaled to fit, and margin_ratio widens "
        "the square on each side. mtcnn only. null: crops are not aligned.",
    )
    format: Literal["jpeg", "png"] = Field(
        "jpeg", description="File format of stored crops; jpeg is always 4:4:4."
    )
    jpeg_quality: int = Field(
        98,
        ge=95,
        le=100,
        description="JPEG quality of crops; below 95, recompression would erase evidence.",
    )
    max_side_px: int = Field(
        512,
        ge=32,
        le=8192,
        description="Longer side of a crop, at most, pixels; larger crops are scaled down.",
    )

    @model_validator(mode="after")
    def _aligned_by_the_template_alone(self) -> CropSettings:
        if self.template is None:
            return self
        if self.margin_px is not None or self.shift_ratio:
            raise ValueError(
                "with crops.template, only crops.margin_ratio widens a crop; set "
                "crops.margin_px=null and crops.shift_ratio=0"
            )
        return self
