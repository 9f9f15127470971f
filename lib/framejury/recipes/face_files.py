"""Names and contents of faces that are exported as picture files. No Spark."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import IO, Any, Literal

import numpy as np

from framejury.faces.crop import cropped_face, decode_crop, encode_crop
from framejury.faces.header import JPEG_START, PNG_START
from framejury.records import Image
from framejury.settings import PAIR_SIGNALS, Signal
from framejury.signals.marked import marked
from framejury.signals.network_input import check_signal, picture_of
from framejury.signals.rgb import stretched

LABELS_CSV = "labels.csv"
"""Beside the folders of frames: name and label of each."""

FACES, MARKED, PREPARED, SPLIT = "faces", "marked_faces", "prepared_dataset", "split_dataset"
"""Folders of recipe face_frames: two per video, and two beside the videos."""
FUSION_PX = 224
FUSION_QUALITY = 75
"""Size and JPEG quality (4:2:0) of the pictures of recipe flow_fusion."""

_NAME_BYTES = 100
_UNSAFE = re.compile(r"[^\w.+-]+")

PictureFormat = Literal["png", "jpeg"]


def folder_names(paths: Mapping[str, str]) -> dict[str, str]:
    """A folder for each video, named by its file: unlike all others, and safe on every system.

    Letters and digits of any script, `.`, `_`, `+` and `-` stay, all else becomes `_`. Where two
    names are the same, also but for case, each gets its video's id.

    Args:
        paths: `video_id` -> path below the archive.

    Returns:
        `video_id` -> one part of a path, at most some 120 bytes, that does not begin with `.`.
    """
    plain = {video_id: _safe(PurePosixPath(path).stem) for video_id, path in paths.items()}
    reserved = (LABELS_CSV, PREPARED, SPLIT)
    counts = Counter([_folded(name) for name in (*plain.values(), *reserved)])
    taken = {folded for folded, count in counts.items() if count == 1}
    names = {}
    for video_id, name in sorted(plain.items()):
        names[video_id] = name
        if counts[_folded(name)] > 1:
            longer = f"{name}-{video_id}"
            while _folded(longer) in taken:  # somebody has named a file just so
                longer += "_"
            taken.add(_folded(longer))
            names[video_id] = longer
    return names


def frame_file(folder: str, frame_index: int, face_index: int | None, extension: str) -> str:
    """`<folder>/<folder>-008.jpeg` for rank 7: recipe all_frames counts frames from 1.

    Args:
        folder: of the video, of `folder_names`.
        frame_index: rank of the frame in its video, from 0.
        face_index: where there may be several faces per frame: `...-008-0.jpeg`; else None.
        extension: without the dot.
    """
    face = "" if face_index is None else f"-{face_index}"
    return f"{folder}/{folder}-{frame_index + 1:03d}{face}.{extension}"


def face_file(video_id: str, frame_index: int, face_index: int, extension: str) -> str:
    """`<video_id>_<frame>_<face>.jpg`."""
    return f"{video_id}_{frame_index}_{face_index}.{extension}"


def fusion_file(folder: str, fake: int, name: str, number: int) -> str:
    """`<folder>/altered/<name>-3.jpg`, as recipe flow_fusion names its pictures.

    Args:
        folder: of the split, of `export_plan.FUSION_FOLDERS`.
        fake: 1 for FAKE.
        name: of the video, of `folder_names`.
        number: of the face in its video, in order of time, from 0.
    """
    return f"{folder}/{'altered' if fake else 'original'}/{name}-{number}.jpg"


def signal_picture(face: Mapping[str, Any], signal: Signal, size_px: int | None) -> Image:
    """What a network of this signal sees of a face, before it is compressed.

    Args:
        face: row of `faces` with `crop`, `landmarks`, `crop_region`, and `next_crop` for pairs.
        signal: one of `training.signal`.
        size_px: side of the square that crops are stretched to, pixels; None: 224 where two frames
            are compared, else the size of the crop.

    Returns:
        uint8 (height, width, 3) RGB.

    Raises:
        ValueError: a crop is damaged, or the face lacks what the signal needs.
    """
    cropped = cropped_face(face)
    if size_px is None and signal not in PAIR_SIGNALS:
        check_signal(cropped, signal)
        points = cropped.landmarks
        return cropped.crop if points is None else marked(cropped.crop, points)
    return picture_of(cropped, signal, size_px or FUSION_PX, "stretch")


def exported_picture(crop: bytes, size_px: int | None, form: PictureFormat) -> bytes:
    """The crop as it is stored, or resized to a square.

    Args:
        crop: a JPEG or PNG file.
        size_px: side of the square (INTER_AREA), pixels; None: as it is, to the byte.
        form: of what is resized; jpeg is of quality 98 at 4:4:4.

    Raises:
        ValueError: the crop is damaged, or no JPEG or PNG.
    """
    if size_px is None:
        is_jpeg(crop)
        return crop
    return encode_crop(stretched(decode_crop(crop), size_px), form)


def array_file(name: str, part: int, chunk: int) -> str:
    """`<name>_<part>_<chunk>.npy`, as recipe random_frames names its arrays."""
    return f"{name}_{part}_{chunk}.npy"


def write_pictures(file: IO[bytes], crops: Sequence[bytes], size_px: int) -> None:
    """Write crops as one array in NumPy's format; one of them is decoded at a time.

    As recipe random_frames keeps them: float32 (n, size_px, size_px, 3), channels in OpenCV's
    order (BGR), 0 to 1.

    Args:
        file: open for writing.
        crops: JPEG or PNG files.
        size_px: side of the square that they are resized to (INTER_AREA), pixels.

    Raises:
        ValueError: a crop is damaged.
    """
    shape = (len(crops), size_px, size_px, 3)
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for crop in crops:
        pixels = stretched(decode_crop(crop), size_px)[..., ::-1]
        file.write((pixels.astype("<f4") / np.float32(255)).tobytes())


def is_jpeg(picture: bytes) -> bool:
    """Whether it is a JPEG file rather than a PNG file.

    Raises:
        ValueError: it is neither.
    """
    if picture.startswith(JPEG_START):
        return True
    if picture.startswith(PNG_START):
        return False
    raise ValueError(f"a crop of {len(picture)} bytes is no JPEG or PNG")


def _safe(stem: str) -> str:
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", stem)).strip(".") or "_"
    # Cut within a character, that is dropped.
    return name.encode()[:_NAME_BYTES].decode(errors="ignore").rstrip(".")


def _folded(name: str) -> str:
    """What file systems that ignore case take for the same name."""
    return unicodedata.normalize("NFKC", name).casefold()
