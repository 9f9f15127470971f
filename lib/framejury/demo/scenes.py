"""Real clips: footage filmed by a moving camera in one light.

The seed draws a scene; rendering it is a pure function.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from framejury.demo.people import Footage, Landmarks
from framejury.records import Image, Size

SIZES = (Size(360, 480), Size(384, 512), Size(480, 640))
FRAME_RATES = (12.5, 15.0, 20.0, 25.0)
# Nearest and farthest view: its height as a share of the picture.
_VIEW_RATIO = {
    "collins": (0.40, 0.58),
    "hopper": (0.50, 0.63),
    "carphone": (0.72, 0.95),
    "temple": (0.5, 0.9),
}
# Mirroring swaps left and right landmarks.
_MIRRORED_ORDER = [1, 0, 2, 4, 3]


@dataclass(frozen=True, slots=True)
class Scene:
    """Camera, light and noise of one clip.

    Attributes:
        name: file name without extension, and group of the clip.
        footage: name of the footage it shows.
        first_image: index of its first picture in the footage.
        frames: count.
        fps: frames per second.
        size: of each frame.
        mirrored: left and right are swapped.
        view_ratio: height of the view at the first and last frame, share of the footage's.
        pan_ratio: movement of the view from first to last frame (x, y), share of its size.
        gamma: exponent of the brightness, 1 for no change.
        warmth: gain of red and loss of blue, share.
        noise_sd: standard deviation of the sensor noise, grey levels.
        seed: of the noise.
    """

    name: str
    footage: str
    first_image: int
    frames: int
    fps: float
    size: Size
    mirrored: bool
    view_ratio: tuple[float, float]
    pan_ratio: tuple[float, float]
    gamma: float
    warmth: float
    noise_sd: float
    seed: int


@dataclass(frozen=True, slots=True)
class FilmedFrame:
    """One frame of a clip, uint8 (height, width, 3) RGB, and the landmarks of its face if any."""

    image: Image
    landmarks: Landmarks | None


def plan_scene(footage: Footage, number: int, seconds: float, seed: int) -> Scene:
    """Draw the scene `number` (from 1) of `footage`; the same seed gives the same scene."""
    rng = np.random.default_rng([seed, number, *footage.name.encode()])
    near, far = _VIEW_RATIO[footage.name]
    fps = float(rng.choice(FRAME_RATES))
    frames = round(seconds * fps)
    moving = len(footage.images) > 1
    if moving:
        frames = min(frames, len(footage.images) // 3)
    return Scene(
        name=f"{footage.name}-{number}",
        footage=footage.name,
        # Clips of the same moving footage follow each other.
        first_image=(number - 1) * len(footage.images) // 3 if moving else 0,
        frames=frames,
        fps=fps,
        size=SIZES[int(rng.integers(len(SIZES)))],
        mirrored=number % 2 == 0,
        view_ratio=(float(rng.uniform(near, far)), float(rng.uniform(near, far))),
        pan_ratio=(float(rng.uniform(-0.12, 0.12)), float(rng.uniform(-0.06, 0.06))),
        gamma=float(rng.uniform(0.75, 1.35)),
        warmth=float(rng.uniform(-0.08, 0.08)),
        noise_sd=float(rng.uniform(1.0, 4.0)),
        seed=int(rng.integers(2**31)),
    )


def film(scene: Scene, footage: Footage) -> Iterator[FilmedFrame]:
    """Yield the frames of `scene` in order."""
    rng = np.random.default_rng(scene.seed)
    # The camera follows the face in a photograph, and stays centred on moving footage.
    area = (scene.size.height * 2, scene.size.width * 2, 1)
    noise = scene.noise_sd * rng.standard_normal(area, dtype=np.float32)
    for index in range(scene.frames):
        image, landmarks = _footage_at(scene, footage, index)
        if landmarks is not None and len(footage.images) == 1:
            look_at = landmarks.mean(axis=0)
        else:
            look_at = np.array(image.shape[1::-1]) / 2
        view = _camera(scene, image, look_at, index)
        seen = cv2.warpAffine(
            image, view, (scene.size.width, scene.size.height), flags=cv2.INTER_CUBIC
        )
        lit = cv2.LUT(seen, _light(scene, index)[None])
        grain = _window(noise, scene.size, rng)
        filmed = np.clip(lit + grain, 0, 255).round().astype(np.uint8)
        placed = landmarks @ view[:, :2].T + view[:, 2] if landmarks is not None else None
        yield FilmedFrame(filmed, placed)


def _footage_at(scene: Scene, footage: Footage, index: int) -> tuple[Image, Landmarks | None]:
    at = scene.first_image + index if len(footage.images) > 1 else 0
    image = footage.images[at]
    landmarks = footage.landmarks[at] if footage.landmarks else None
    if not scene.mirrored:
        return image, landmarks
    mirrored = np.ascontiguousarray(image[:, ::-1])
    if landmarks is None:
        return mirrored, None
    turned = landmarks[_MIRRORED_ORDER].copy()
    turned[:, 0] = image.shape[1] - 1 - turned[:, 0]
    return mirrored, turned


def _camera(
    scene: Scene, image: Image, look_at: npt.NDArray[np.float64], index: int
) -> npt.NDArray[np.float64]:
    """Return the map from footage to frame, float64 (2, 3); the view stays within the footage."""
    height, width = image.shape[:2]
    moment = index / max(scene.frames - 1, 1)
    ratio = np.interp(moment, (0, 1), scene.view_ratio)
    view_height = min(ratio * height, width * scene.size.height / scene.size.width)
    view_width = view_height * scene.size.width / scene.size.height
    sway = 0.015 * np.sin(2 * np.pi * index / scene.fps / np.array([2.3, 1.7]))
    travel = np.array(scene.pan_ratio) * (moment - 0.5) + sway
    left = np.clip(look_at[0] + (travel[0] - 0.5) * view_width, 0, width - view_width)
    top = np.clip(look_at[1] + (travel[1] - 0.47) * view_height, 0, height - view_height)
    scale = scene.size.height / view_height
    return np.array([[scale, 0, -scale * left], [0, scale, -scale * top]])


def _light(scene: Scene, index: int) -> npt.NDArray[np.float32]:
    """Return the new value of each grey level, float32 (256, 3), drifting slowly."""
    drift = 1 + 0.04 * np.sin(2 * np.pi * index / scene.fps / 3.1)
    levels = 255 * (np.arange(256) / 255) ** scene.gamma * drift
    gains = np.array([1 + scene.warmth, 1.0, 1 - scene.warmth])
    return np.outer(levels, gains).astype(np.float32)


def _window(
    noise: npt.NDArray[np.float32], size: Size, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Cut another part of the noise for each frame, which is cheaper than new noise."""
    top, left = int(rng.integers(size.height)), int(rng.integers(size.width))
    return noise[top : top + size.height, left : left + size.width]
