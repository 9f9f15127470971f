"""Which videos have fake sound: from a CSV file, or from what `framejury modality` found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from framejury.archive.csv_files import csv_lines
from framejury.errors import UsageError
from framejury.schemas.statuses import Label, Modality
from framejury.warehouse import Warehouse

_SOUND_OF = {
    Modality.AUDIO: Label.FAKE,
    Modality.BOTH: Label.FAKE,
    Modality.VIDEO: Label.REAL,
    Modality.NONE: Label.REAL,
}
"""What the sound of a fake is, compared with its original; `unknown` says nothing."""


def labels_from_modalities(warehouse: Warehouse) -> dict[str, Label]:
    """Return video_id -> label of the sound: of real videos, and of fakes that were compared.

    The sound of a fake whose picture alone was changed is real. Fakes without an original, and
    pairs that could not be compared, are left out.

    Raises:
        WarehouseError: nothing is indexed, or no fake was compared.
    """
    videos = warehouse.read_snapshot("videos").to_pylist()
    found = {row["video_id"]: Label.REAL for row in videos if row["label"] == Label.REAL}
    for row in warehouse.read_snapshot("modalities").to_pylist():
        sound = _SOUND_OF.get(Modality(row["modality"]))
        if sound is not None:
            found[row["video_id"]] = sound
    return found


def read_sound_labels(path: Path | str, videos: Sequence[Mapping[str, Any]]) -> dict[str, Label]:
    """Read labels of sound: video_id -> label.

    The header is `video,sound`: the path as in `videos.path`, and REAL or FAKE.

    Args:
        path: the file.
        videos: rows of `videos`.

    Raises:
        UsageError: it cannot be read, has another header, or a line is invalid; the message names
            file and line.
    """
    ids = {row["path"]: row["video_id"] for row in videos}
    found: dict[str, Label] = {}
    for line in csv_lines(path, ["video", "sound"], "labels of sound", UsageError):
        video, label = line.fields
        if video not in ids:
            raise UsageError(
                f"{line.place}: the archive has no video {video!r}; give its path in the archive, "
                "such as folder/name.mp4"
            )
        if label not in Label.__members__:
            raise UsageError(f"{line.place}: unknown label {label!r}; allowed: {', '.join(Label)}")
        if ids[video] in found:
            raise UsageError(f"{line.place}: {video!r} is already labelled above")
        found[ids[video]] = Label(label)
    return found


def counted_labels(labels: Mapping[str, Label]) -> str:
    """Return how many sounds of each label there are, in words."""
    counts = Counter(labels.values())
    return f"{counts[Label.REAL]:,} real and {counts[Label.FAKE]:,} fake sounds"
