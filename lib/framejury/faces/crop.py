"""Which region around a face is cropped, and how crops are stored. Only here BGR meets RGB."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from framejury.faces.alignment import aligned, aligned_box, aligned_region, alignment_of
from framejury.faces.header import JPEG_START
from framejury.records import (
    Box,
    CroppedFace,
    DetectedFace,
    FramePicture,
    Image,
    Point,
    Region,
    Similarity,
    Size,
)
from framejury.settings import CropSettings

_JPEG_END = b"\xff\xd9"
_SEAL_HEAD = b"\xff\xfe\x00\x10crc32:"
_SEAL_BYTES = len(_SEAL_HEAD) + 8
"""A JPEG comment of 18 bytes with the CRC-32 of the rest; PNG has its own checksums."""


def crop_region(
    box: Box,
    size: Size,
    margin_ratio: float,
    shape: Literal["square", "box"] = "square",
    shift_ratio: float = 0.0,
    *,
    margin_px: int | None = None,
) -> Region:
    """Return the part of a frame that the crop of `box` shows.

    Args:
        box: full-frame pixels; may be fractional, without area, and reach beyond the frame.
        size: of the frame.
        margin_ratio: margin on each side, as a share of the side (square: of the longer side);
            negative values shrink the box.
        shape: square first grows the box around its centre to its longer side; box does not.
        shift_ratio: moves the centre down by this share of the height (of the square).
        margin_px: margin on each side in place of `margin_ratio`, pixels of the frame.

    Returns:
        whole pixels inside the frame, at least 1 x 1; a square is cut at the frame's border.

    Raises:
        ValueError: the box is not finite, has a negative side, or does not touch the frame.
    """
    values = (box.x, box.y, box.width, box.height)
    if not all(map(math.isfinite, values)) or box.width < 0 or box.height < 0:
        raise ValueError(f"a box needs finite numbers and sides of at least 0, got {box}")
    if not (-box.width <= box.x <= size.width and -box.height <= box.y <= size.height):
        raise ValueError(f"{box} does not touch a frame of {size}")
    width, height = box.width, box.height
    if shape == "square":
        width = height = max(width, height)
    x, y = box.center
    wide, high = (with_margins(side, margin_ratio, margin_px) for side in (width, height))
    left, right = _span(x, wide, size.width)
    top, bottom = _span(y + shift_ratio * height, high, size.height)
    return Region(left, top, right - left, bottom - top)


def region_of(box: Box, size: Size, crops: CropSettings) -> Region:
    """Apply `crop_region` with the margins, shape and shift of the settings."""
    ratio, shift_ratio = crops.margin_ratio, crops.shift_ratio
    return crop_region(box, size, ratio, crops.shape, shift_ratio, margin_px=crops.margin_px)


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a crop lies in its frame.

    Attributes:
        region: the part of the frame that it shows; if it is aligned, the smallest that holds it.
        alignment: from pixels of the frame to shares of the side of an aligned crop; None: the crop
            is the region.
    """

    region: Region
    alignment: Similarity | None = None

    def of(self, picture: FramePicture) -> Image:
        """Return the crop in full resolution, uint8 (height, width, 3) RGB."""
        return self.turned(picture.part(self.region))

    def turned(self, part: Image) -> Image:
        """Return the crop from what the frame shows in `region`."""
        return part if self.alignment is None else aligned(part, self.region, self.alignment)


def cut_of(face: DetectedFace, size: Size, crops: CropSettings) -> Cut | None:
    """Return where a face is cut out, by all settings of crops.

    Args:
        face: pixels of the frame.
        size: of the frame.

    Returns:
        None for a face that cannot be aligned, as its landmarks are on one point or far outside.

    Raises:
        ValueError: crops are to be aligned, and the face has no landmarks.
    """
    if crops.template is None:
        return Cut(region_of(face.box, size, crops))
    if face.landmarks is None:
        raise ValueError("an aligned crop needs landmarks: set detection.detector=mtcnn")
    alignment = alignment_of(face.landmarks, crops.template, crops.margin_ratio)
    region = None if alignment is None else aligned_region(alignment, size)
    return None if region is None else Cut(region, alignment)


def box_in_crop(box: Box, cut: Cut, size: Size) -> Box:
    """Convert a box of a frame to pixels of a crop.

    Args:
        box: full-frame pixels.
        cut: where the crop lies in the frame.
        size: of the crop, which may be reduced.
    """
    if cut.alignment is not None:
        return aligned_box(box, cut.alignment, size.width)
    region = cut.region
    moved = Box(box.x - region.x, box.y - region.y, box.width, box.height)
    return moved.resized(Size(region.height, region.width), size)


def with_margins(side: float, margin_ratio: float, margin_px: int | None) -> float:
    """Return the side of a box with the margin on both ends, pixels."""
    return side * (1 + 2 * margin_ratio) if margin_px is None else side + 2 * margin_px


def _span(center: float, length: float, limit: int) -> tuple[int, int]:
    """Return the first pixel and the one past the last, at least one apart, in 0 to `limit`."""
    whole = max(round(length), 1)  # rounded first, so that a square stays one
    start = math.floor(center - whole / 2 + 0.5)
    first = min(max(start, 0), limit - 1)
    return first, max(min(start + whole, limit), first + 1)


def limited(crop: Image, max_side_px: int) -> Image:
    """Reduce a crop (INTER_AREA) if its longer side exceeds `max_side_px`.

    Args:
        crop: uint8 (height, width, 3) RGB.
        max_side_px: longest side of the result, pixels.

    Returns:
        uint8 (height, width, 3) RGB.
    """
    return limited_together([crop], max_side_px)[0]


def limited_together(crops: Sequence[Image], max_side_px: int) -> list[Image]:
    """Reduce all crops of one face by the factor that the largest needs (`limited`)."""
    factor = max_side_px / max(max(crop.shape[:2]) for crop in crops)
    if factor >= 1:
        return list(crops)
    reduced = []
    for crop in crops:
        height, width = crop.shape[:2]
        target = max(round(width * factor), 1), max(round(height * factor), 1)
        reduced.append(np.asarray(cv2.resize(crop, target, interpolation=cv2.INTER_AREA), np.uint8))
    return reduced


def encode_crop(
    crop: Image,
    format: Literal["jpeg", "png"] = "jpeg",  # noqa: A002 - named as the setting crops.format
    jpeg_quality: int = 98,
) -> bytes:
    """Encode a crop as an image file.

    Args:
        crop: uint8 (height, width, 3) RGB.
        format: jpeg keeps chroma at full resolution (4:4:4) and carries a checksum as a
            comment, which other programs ignore; png is lossless.
        jpeg_quality: 0 to 100; png ignores it.

    Raises:
        ValueError: not such an array, an unknown format, or a side over the format's limit.
    """
    if crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3 or crop.size == 0:
        raise ValueError(f"a crop must be uint8 (height, width, 3), got {crop.dtype} {crop.shape}")
    if format == "jpeg":
        extension = ".jpg"
        options = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality]
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    elif format == "png":
        extension, options = ".png", []
    else:
        raise ValueError(f"format must be jpeg or png, got {format!r}")
    try:
        written, data = cv2.imencode(extension, cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), options)
    except cv2.error as error:
        raise ValueError(f"cannot write a crop of {crop.shape} as {format}: {error}") from error
    if not written:
        raise ValueError(f"cannot write a crop of {crop.shape} as {format}")
    return _sealed(bytes(data)) if format == "jpeg" else bytes(data)


def decode_crop(data: bytes) -> Image:
    """Decode an image file of `encode_crop`, or any other JPEG or PNG file.

    Returns:
        uint8 (height, width, 3) RGB.

    Raises:
        ValueError: the bytes are not an image, are cut short, or were altered; the latter is
            only detected in files of `encode_crop`.
    """
    if not data:
        raise ValueError("a crop of 0 bytes is not an image")
    if data.startswith(JPEG_START):
        _check_jpeg(data)
    try:
        picture = cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        )
    except cv2.error as error:
        raise ValueError(f"a crop of {len(data)} bytes cannot be decoded: {error}") from error
    if picture is None:
        raise ValueError(f"a crop of {len(data)} bytes is not an image or is damaged")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def landmarks_in_crop(
    landmarks: Sequence[Point], cut: Cut, stored: Size
) -> npt.NDArray[np.float32]:
    """Convert landmarks from full-frame pixels to pixels of the stored crop.

    Args:
        landmarks: full-frame pixels.
        cut: where the crop lies in the frame.
        stored: size of the stored crop; smaller than in the frame if `limited` reduced it.

    Returns:
        float32 (count, 2), x before y, in the given order; may lie outside the crop.
    """
    # In the stored precision, so that points fall on the same pixels before and after storing.
    stored_points = np.array([(point.x, point.y) for point in landmarks], np.float32)
    points = stored_points.astype(np.float64).reshape(-1, 2)
    if cut.alignment is not None:
        return (cut.alignment.applied(points) * stored.width).astype(np.float32)
    region = cut.region
    scale = stored.width / region.width, stored.height / region.height
    return ((points - (region.x, region.y)) * scale).astype(np.float32)


def cropped_face(row: Mapping[str, Any]) -> CroppedFace:
    """Make the input of signals from a row of `faces`.

    Args:
        row: with `crop`, `landmarks`, `crop_region`, and where they are known `next_crop`,
            `clip_crops` and `alignment`.

    Raises:
        ValueError: a crop is missing or damaged.
    """
    crop = decode_crop(row["crop"] or b"")
    further = tuple(map(decode_crop, further_crops(row)))
    landmarks = None
    if row["landmarks"] is not None:
        points = [Point(**point) for point in row["landmarks"]]
        landmarks = landmarks_in_crop(points, cut_of_row(row), Size(*crop.shape[:2]))
    return CroppedFace(crop, landmarks, further)


def further_crops(row: Mapping[str, Any]) -> list[bytes]:
    """Return the stored crops of the further frames of a face's sample, of a row of `faces`."""
    following = row.get("next_crop")
    return row.get("clip_crops") or ([] if following is None else [following])


def cut_of_row(row: Mapping[str, Any]) -> Cut:
    """Return where the crop of a row of `faces` lies in its frame."""
    alignment = row.get("alignment")
    turned = None if alignment is None else Similarity(**alignment)
    return Cut(Region(**row["crop_region"]), turned)


def _sealed(jpeg: bytes) -> bytes:
    """Add the checksum to a JPEG as a comment, after the JFIF header, which must be first."""
    header_end = 4 + int.from_bytes(jpeg[4:6], "big")
    seal = _SEAL_HEAD + b"%08x" % zlib.crc32(jpeg)
    return jpeg[:header_end] + seal + jpeg[header_end:]


def _check_jpeg(data: bytes) -> None:
    """Refuse damage that libjpeg accepts: it fills missing or garbled parts with grey."""
    if not data.endswith(_JPEG_END):
        raise ValueError(f"a JPEG crop of {len(data)} bytes is cut short")
    at = data.find(_SEAL_HEAD, 0, 64)
    if at < 0:
        return
    stop = at + _SEAL_BYTES
    if data[at + len(_SEAL_HEAD) : stop] != b"%08x" % zlib.crc32(data[:at] + data[stop:]):
        raise ValueError(f"a JPEG crop of {len(data)} bytes was altered: its checksum is wrong")
