"""What a network is given: its pixels, and where they are cut from the frame."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from framejury.settings import TEMPLATES, Resize, Template

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, kw_only=True)
class PixelContract:
    """The network's input.

    Attributes:
        input_px: side of the square input, pixels.
        resize: letterbox keeps the aspect ratio and pads to a square; stretch does not; crop keeps
            the middle square.
        low, high: range of the input values.
        normalisation: in_graph: the network normalises, and the caller passes 0..255.
        jpeg_quality: the picture is compressed as JPEG (4:2:0) before the network reads it; None:
            it is not.
        clip_frames: pictures that the network sees at once, of the same face in frames that
            follow each other; its input then is (n, clip_frames, side, side, 3). 1: one picture.
        clip_stride: from one picture of a clip to the next, frames of the video.
        batch_limit: most faces per call of the network, count; None: any number.
    """

    __pydantic_config__ = _STRICT

    input_px: Annotated[int, Field(ge=32, le=4096)]
    channels: Literal["RGB"] = "RGB"
    layout: Literal["NHWC"] = "NHWC"
    dtype: Literal["float32"] = "float32"
    low: Literal[0] = 0
    high: Literal[255] = 255
    resize: Resize = "letterbox"
    normalisation: Literal["in_graph"] = "in_graph"
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] | None = None
    clip_frames: Annotated[int, Field(ge=1, le=64)] = 1
    clip_stride: Annotated[int, Field(ge=1, le=64)] = 1
    batch_limit: Annotated[int, Field(ge=1)] | None = None


@dataclass(frozen=True, kw_only=True)
class Framing:
    """The crop geometry of the training faces.

    Attributes:
        margin_ratio: margin on each side as a share of the box; below 0 cuts into it.
        shape: square: the box is made square first; box: as detected.
        shift_ratio: distance by which the crop is moved down, as a share of the (square) box.
        margin_px: margin on each side in pixels of the full frame, in place of `margin_ratio`.
        pair: where a face is cut from the second frame of a pair: own (where it is found there),
            same (the same place), or kept (where `detection.keep` finds one there).
        judges: face: as a detector found it; frame: the whole frame.
        template: where the five landmarks (`schemas.statuses.LANDMARK_NAMES`) lie in an aligned
            crop, x and y of each as a share of its side; `margin_ratio` widens the square on each
            side. None: crops are not aligned.
    """

    __pydantic_config__ = _STRICT

    margin_ratio: Annotated[float, Field(ge=-0.25)]
    shape: Literal["square", "box"]
    shift_ratio: Annotated[float, Field(ge=-0.5, le=0.5)] = 0.0
    margin_px: Annotated[int, Field(ge=0)] | None = None
    pair: Literal["own", "same", "kept"] = "own"
    judges: Literal["face", "frame"] = "face"
    template: Template | None = None

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any]) -> Framing:
        """Read it from all settings of a run, as stored in a commit of any version."""
        crops, detection = settings["crops"], settings.get("detection", {})
        template = crops.get("template")
        return cls(
            margin_ratio=crops["margin_ratio"],
            shape=crops["shape"],
            shift_ratio=crops.get("shift_ratio", 0.0),
            margin_px=crops.get("margin_px"),
            pair=crops.get("pair", "own"),
            judges="frame" if detection.get("detector") == "frame" else "face",
            template=None if template is None else tuple((x, y) for x, y in template),
        )

    def template_text(self) -> str:
        """Return the template as `--set crops.template=` takes it: its name, or its points."""
        names = [name for name, points in TEMPLATES.items() if points == self.template]
        return names[0] if names else json.dumps(self.template, separators=(",", ":"))

    def overrides(self) -> tuple[str, ...]:
        """Return settings, as `--set` takes them, that cut faces like this."""
        values = asdict(self)
        judges, template = values.pop("judges"), values.pop("template")
        if template is not None:
            values["template"] = self.template_text()
        crops = [f"crops.{k}={'null' if v is None else v}" for k, v in values.items()]
        return (*crops, *(["detection.detector=frame"] if judges == "frame" else []))
