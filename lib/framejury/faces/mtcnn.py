"""MTCNN (Zhang et al., 2016) in NumPy and ONNX Runtime, as the `mtcnn` 1.0.0 package runs it.

Three networks in a row: PNet proposes boxes on a pyramid of scales, RNet and ONet refine
them, and ONet adds five landmarks. `cascade` holds the geometry between them,
`export_mtcnn` made the networks. Unlike in the package, errors are not reported as "no faces".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from framejury.errors import SetupError
from framejury.faces import cascade
from framejury.faces.cascade import Boxes, Floats, Packed
from framejury.faces.pyramid import (
    Pyramid,
    coarse_from,
    neighbourhood,
    pyramid_scales,
    scales_for,
)
from framejury.records import Box, DetectedFace, Image, Point, Size

MIN_FACE_PX = 20
"""Smallest face that PNet's pyramid finds, pixels of the given image."""

_WEIGHTS_DIR = Path(__file__).resolve().parent / "weights"
_PATCHES_AT_ONCE = 64
_COARSE_SHARE = 0.2
"""Share of the pyramid's pixels that `detect_near` searches everywhere."""


class MtcnnDetector:
    """Finds faces with five landmarks; loads its networks once, when constructed.

    Args:
        threads: threads of ONNX Runtime within one network.
        onet_threshold: lowest confidence that ONet keeps, exclusive, 0 to 1.
        swaps_channels: whether the networks get blue where they expect red, as some recipes do.

    Raises:
        SetupError: a network file is missing from the installation.
    """

    name = "mtcnn"

    def __init__(
        self,
        threads: int = 1,
        *,
        pnet_threshold: float = 0.6,
        rnet_threshold: float = 0.7,
        onet_threshold: float = 0.8,
        swaps_channels: bool = False,
    ) -> None:
        self._pnet = _session("pnet", threads)
        self._rnet = _session("rnet", threads)
        self._onet = _session("onet", threads)
        self._pnet_threshold = pnet_threshold
        self._rnet_threshold = rnet_threshold
        self._onet_threshold = onet_threshold
        self._swaps_channels = swaps_channels
        self._pyramid: Pyramid | None = None

    def detect(self, images: Sequence[Image]) -> list[list[DetectedFace]]:
        """Return the faces of each image, by descending confidence.

        Args:
            images: uint8 (height, width, 3) RGB, all of one size; may be empty.

        Returns:
            one list per image, in order. Boxes are clipped to [0, side - 1] as in the package,
            landmarks are not; both in pixels of the image, not rounded.

        Raises:
            ValueError: images of different sizes, or not uint8 RGB.
        """
        # One image at a time: its layers fit the caches, those of a batch do not.
        return [self._refined(image, self._propose(image)) for image in self._seen(images)]

    def detect_near(
        self, images: Sequence[Image], boxes: Sequence[Sequence[Box]]
    ) -> list[list[DetectedFace]]:
        """Return the faces of each image near known ones: cheaper than `detect`, may miss some.

        PNet searches the surroundings of each box, twice its side, at the scales of faces 0.6 to
        1.6 times its size, and the whole image only at the coarse scales, which take at most a
        fifth of the pyramid's pixels. Its proposals are refined as in `detect`.

        Args:
            images: as in `detect`.
            boxes: one sequence per image, in its pixels, such as the faces shortly before.

        Returns:
            as `detect`.

        Raises:
            ValueError: as `detect`, and if there are not as many box sequences as images.
        """
        return [
            self._refined(image, self._propose_near(image, near))
            for image, near in zip(self._seen(images), boxes, strict=True)
        ]

    def _seen(self, images: Sequence[Image]) -> Sequence[Image]:
        """Check images and return them in the order of channels that the networks get."""
        _check(images)
        if not self._swaps_channels:
            return images
        return [np.ascontiguousarray(image[..., ::-1]) for image in images]

    def _refined(self, image: Image, boxes: Boxes) -> list[DetectedFace]:
        pixels = cascade.packed(image)
        boxes = self._finish(pixels, self._refine(pixels, boxes))
        height, width = pixels.shape
        boxes[:, :4] = boxes[:, :4].clip(0, [width - 1, height - 1] * 2)
        return [_face(row) for row in boxes]

    def _propose(self, image: Image) -> Boxes:
        """Run PNet on every scale; suppress overlaps within each scale, then across scales."""
        pyramid = self._pyramid_for(image)
        return _merged(
            self._cells(picture, scale)
            for scale, picture in zip(pyramid.scales, pyramid.reduced(image), strict=True)
        )

    def _propose_near(self, image: Image, near: Sequence[Box]) -> Boxes:
        pyramid = self._pyramid_for(image)
        scales = pyramid.scales
        coarse = coarse_from(scales, _COARSE_SHARE)
        found = [
            self._cells(picture, scale)
            for scale, picture in zip(scales[coarse:], pyramid.reduced(image, coarse), strict=True)
        ]
        fine: dict[int, list[Boxes]] = {}
        for box in near:
            region = neighbourhood(box, pyramid.size)
            for rank in scales_for(scales[:coarse], max(box.width, box.height)):
                part = pyramid.part(image, rank, region)
                if part is not None:
                    picture, where = part
                    cells = self._cells(picture, scales[rank])
                    cells[:, :4] += np.tile([where.x, where.y], 2) / scales[rank]
                    fine.setdefault(rank, []).append(cells)
        found += [cascade.by_score(np.concatenate(cells)) for cells in fine.values()]
        return _merged(found)

    def _cells(self, picture: Floats, scale: float) -> Boxes:
        """Return PNet's proposals for one reduced image, in pixels before the reduction."""
        (heads,) = self._pnet.run(None, {"input": picture})
        return cascade.propose(heads[0], scale, self._pnet_threshold)

    def _pyramid_for(self, image: Image) -> Pyramid:
        size = Size(*image.shape[:2])
        if self._pyramid is None or self._pyramid.size != size:
            self._pyramid = Pyramid(size, pyramid_scales(size, MIN_FACE_PX))
        return self._pyramid

    def _refine(self, pixels: Packed, boxes: Boxes) -> Boxes:
        heads = _run(self._rnet, pixels, boxes, 24)
        boxes = cascade.shifted(boxes, heads[:, :4])
        boxes[:, 4] = cascade.probability(heads[:, 4])
        boxes = cascade.by_score(boxes[boxes[:, 4] > self._rnet_threshold])
        return cascade.squared(cascade.suppress(boxes, 0.7, "union"))

    def _finish(self, pixels: Packed, boxes: Boxes) -> Boxes:
        """Run ONet; rows are x1, y1, x2, y2, score, five x, five y."""
        heads = _run(self._onet, pixels, boxes, 48)
        points = cascade.landmark_pixels(boxes, heads[:, 4:14])
        boxes = cascade.shifted(boxes, heads[:, :4])
        boxes[:, 4] = cascade.probability(heads[:, 14])
        boxes = np.hstack([boxes, points])[boxes[:, 4] > self._onet_threshold]
        return cascade.suppress(cascade.by_score(boxes), 0.7, "smaller")


def _merged(scales: Iterable[Boxes]) -> Boxes:
    """Proposals of all scales as squares, by score, without overlaps in a scale or across."""
    kept = [np.empty((0, 5)), *(cascade.suppress(boxes, 0.5, "union") for boxes in scales)]
    boxes = cascade.by_score(np.concatenate(kept))
    return cascade.squared(cascade.suppress(boxes, 0.7, "union"))


def _session(name: str, threads: int) -> onnxruntime.InferenceSession:
    path = _WEIGHTS_DIR / f"{name}.onnx"
    if not path.is_file():
        raise SetupError(f"the face network {path} is missing; reinstall framejury")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # shapes change with every scale and count
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _check(images: Sequence[Image]) -> None:
    for image in images:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"images must be uint8 (height, width, 3), not {image.dtype} {image.shape}"
            )
    sizes = sorted({image.shape[:2] for image in images})
    if len(sizes) > 1:
        raise ValueError(f"images of one call must have one size (height, width), got {sizes}")


def _run(
    network: onnxruntime.InferenceSession, pixels: Packed, boxes: Boxes, side_px: int
) -> Floats:
    """Run a network on the patch of every box: (count, outputs), in bounded memory."""
    parts = []
    for start in range(0, max(len(boxes), 1), _PATCHES_AT_ONCE):  # once even without boxes
        patches = cascade.patches(pixels, boxes[start : start + _PATCHES_AT_ONCE], side_px)
        parts.append(network.run(None, {"input": patches})[0])
    return np.concatenate(parts)


def _face(row: npt.NDArray[np.float64]) -> DetectedFace:
    x1, y1, x2, y2, confidence = (float(value) for value in row[:5])
    points = tuple(Point(float(x), float(y)) for x, y in zip(row[5:10], row[10:15], strict=True))
    return DetectedFace(Box(x1, y1, x2 - x1, y2 - y1), confidence, points)
