"""MTCNN (Zhang et al., 2016) in NumPy and ONNX Runtime, as the `mtcnn` 1.0.0 package runs it.

Three networks in a row: PNet proposes boxes on a pyramid of scales, RNet and ONet refine
what is left, ONet adds five landmarks. `cascade` holds the geometry between them,
`export_mtcnn` made the networks. Unlike the package, no error is turned into "no faces".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from framejury.errors import SetupError
from framejury.faces import cascade
from framejury.faces.cascade import Boxes, Floats
from framejury.records import Box, DetectedFace, Image, Point, Size

MIN_FACE_PX = 20
"""Smallest face PNet's pyramid looks for, pixels of the picture given."""

_WEIGHTS_DIR = Path(__file__).resolve().parent / "weights"
_PATCHES_AT_ONCE = 256


class MtcnnDetector:
    """Finds faces with five landmarks; loads its networks once, when made.

    Args:
        threads: threads of ONNX Runtime within one network, count.
        onet_threshold: least confidence ONet keeps, exclusive, 0 to 1.

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
    ) -> None:
        self._pnet = _session("pnet", threads)
        self._rnet = _session("rnet", threads)
        self._onet = _session("onet", threads)
        self._pnet_threshold = pnet_threshold
        self._rnet_threshold = rnet_threshold
        self._onet_threshold = onet_threshold

    def detect(self, images: Sequence[Image]) -> list[list[DetectedFace]]:
        """Faces of each image, by descending confidence.

        Args:
            images: uint8 (height, width, 3) RGB, all of one size; none gives [].

        Returns:
            one list an image, in order. Boxes are clipped to [0, side - 1] as the package
            clips them, landmarks are not; both in pixels of the image, not rounded.

        Raises:
            ValueError: images of several sizes, or not uint8 RGB.
        """
        if not images:
            return []
        size = _common_size(images)
        pictures = (np.stack(images).astype(np.float32) - np.float32(127.5)) / np.float32(128)
        boxes = self._propose(pictures, size)
        boxes = self._refine(pictures, boxes)
        boxes = self._finish(pictures, boxes)
        boxes[:, 1:5] = boxes[:, 1:5].clip(0, [size.width - 1, size.height - 1] * 2)
        found: list[list[DetectedFace]] = [[] for _ in images]
        for row in boxes:
            found[int(row[0])].append(_face(row))
        return found

    def _propose(self, pictures: Floats, size: Size) -> Boxes:
        """PNet on every scale; overlaps are suppressed within each scale, then across."""
        proposals = [np.empty((0, 6))]
        for scale in cascade.pyramid_scales(size, MIN_FACE_PX):
            scaled = cascade.scale_pictures(pictures, scale)
            offsets, face = self._pnet.run(["offsets", "face"], {"input": scaled})
            boxes = cascade.propose(offsets, face, scale, self._pnet_threshold)
            proposals.append(cascade.suppress(boxes, 0.5, "union"))
        boxes = cascade.by_score(np.concatenate(proposals))
        return cascade.squared(cascade.suppress(boxes, 0.7, "union"))

    def _refine(self, pictures: Floats, boxes: Boxes) -> Boxes:
        offsets, face = _run(self._rnet, ["offsets", "face"], pictures, boxes, 24)
        boxes = cascade.shifted(boxes, offsets)
        boxes[:, 5] = face
        boxes = cascade.by_score(boxes[face > self._rnet_threshold])
        return cascade.squared(cascade.suppress(boxes, 0.7, "union"))

    def _finish(self, pictures: Floats, boxes: Boxes) -> Boxes:
        """ONet; rows are image, x1, y1, x2, y2, score, five x, five y."""
        outputs = ["offsets", "landmarks", "face"]
        offsets, landmarks, face = _run(self._onet, outputs, pictures, boxes, 48)
        points = cascade.landmark_pixels(boxes, landmarks)
        boxes = cascade.shifted(boxes, offsets)
        boxes[:, 5] = face
        boxes = np.hstack([boxes, points])[face > self._onet_threshold]
        return cascade.suppress(cascade.by_score(boxes), 0.7, "smaller")


def _session(name: str, threads: int) -> onnxruntime.InferenceSession:
    path = _WEIGHTS_DIR / f"{name}.onnx"
    if not path.is_file():
        raise SetupError(f"the face network {path} is missing; reinstall framejury")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # the shapes change with every scale and every count
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _common_size(images: Sequence[Image]) -> Size:
    for image in images:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"images must be uint8 (height, width, 3), not {image.dtype} {image.shape}"
            )
    sizes = sorted({image.shape[:2] for image in images})
    if len(sizes) != 1:
        raise ValueError(f"images of one call must have one size (height, width), got {sizes}")
    return Size(*sizes[0])


def _run(
    network: onnxruntime.InferenceSession,
    outputs: Sequence[str],
    pictures: Floats,
    boxes: Boxes,
    side_px: int,
) -> list[npt.NDArray[np.float32]]:
    """The network's `outputs` for the patch of every box, in parts of bounded memory."""
    parts = []
    for start in range(0, max(len(boxes), 1), _PATCHES_AT_ONCE):  # once even without boxes
        patches = cascade.patches(pictures, boxes[start : start + _PATCHES_AT_ONCE], side_px)
        parts.append(network.run(outputs, {"input": patches}))
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _face(row: npt.NDArray[np.float64]) -> DetectedFace:
    x1, y1, x2, y2, confidence = (float(value) for value in row[1:6])
    points = tuple(Point(float(x), float(y)) for x, y in zip(row[6:11], row[11:16], strict=True))
    return DetectedFace(Box(x1, y1, x2 - x1, y2 - y1), confidence, points)
