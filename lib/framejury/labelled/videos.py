"""Labelled videos of a warehouse: what a split divides. No Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from framejury.archive.face_sets import STILL_LAYOUT
from framejury.archive.labelled_video import Candidate
from framejury.errors import SplitError, WarehouseError
from framejury.schemas.statuses import Label, Modality, Status
from framejury.warehouse import Warehouse

_EXTRACTION_COLUMNS = ["video_id", "run_id", "status", "content_id"]

NO_FAKE_PICTURE = {
    Modality.AUDIO: "only the sound was changed",
    Modality.NONE: "the pictures do not differ from the original's",
}
"""What of a fake differs from its original -> why its faces are no fakes to learn from."""


@dataclass(frozen=True)
class LabelledVideo:
    """A video with a known label, and how its latest extraction ended.

    Attributes:
        row: its row of `videos`.
        extraction: the columns `run_id`, `status`, `content_id` of its latest extraction that
            kept crops; None before that.
        modality: what of it differs from its original; None where that is not known.
    """

    row: dict[str, Any]
    extraction: dict[str, Any] | None
    modality: Modality | None = None

    @property
    def why_not(self) -> str | None:
        """Why its faces are not what its label says, in words; None: they are."""
        return NO_FAKE_PICTURE.get(self.modality) if self.modality else None

    @property
    def candidate(self) -> Candidate:
        """As `archive.splits` wants it."""
        extraction = self.extraction or {}
        return Candidate(
            video_id=self.row["video_id"],
            path=self.row["path"],
            label=Label(self.row["label"]),
            # The group too: an unlabelled video may be all that binds two labelled ones.
            group_keys=(*self.row["group_keys"], f"group:{self.row['group']}"),
            content_id=extraction.get("content_id"),
            usable=extraction.get("status") == Status.EXTRACTED and self.why_not is None,
            still=self.row["layout"] == STILL_LAYOUT,
            why_not=self.why_not,
        )

    @property
    def dataset(self) -> str:
        """The first folder of its path, which names the set; its layout where it has none."""
        folder, slash, _ = str(self.row["path"]).partition("/")
        return folder if slash else str(self.row["layout"])


def labelled_videos(*warehouses: Warehouse) -> list[LabelledVideo]:
    """Every labelled video of the current snapshots, with its latest extraction that kept crops.

    Raises:
        WarehouseError: nothing was indexed or extracted yet, or two warehouses hold one video.
        SplitError: a warehouse has no video with a label.
    """
    return [video for _, videos in labelled_parts(warehouses) for video in videos]


def labelled_parts(
    warehouses: Sequence[Warehouse],
) -> list[tuple[Warehouse, list[LabelledVideo]]]:
    """Each warehouse with its labelled videos, none of them in two.

    Raises:
        WarehouseError, SplitError: as `labelled_videos`.
    """
    parts = [(warehouse, _labelled_of(warehouse)) for warehouse in warehouses]
    holder: dict[str, Warehouse] = {}
    for warehouse, videos in parts:
        for video in videos:
            other = holder.setdefault(video.row["video_id"], warehouse)
            if other is not warehouse:
                raise WarehouseError(
                    f"{video.row['path']} is a video of {other.location.uri} and of "
                    f"{warehouse.location.uri}: the same path below two archives, or one archive "
                    "twice; name each once, or index one of them from a folder further up"
                )
    return parts


def describe_data(warehouses: Sequence[Warehouse], videos: list[LabelledVideo]) -> str:
    """What was learned from, in words, for the model card.

    Args:
        warehouses: in the order of `labelled_videos`.
        videos: of all of them.
    """
    stills = sum(video.candidate.still for video in videos)
    layouts = sorted({video.row["layout"] for video in videos})
    names = [repr((w.archive or "").rstrip("/").rpartition("/")[2]) for w in warehouses]
    counted = f"{len(videos) - stills} labelled videos"
    if stills:
        counted += f" and {stills} stills"
    archives = f"archive{'s' if len(names) > 1 else ''} {', '.join(names)}"
    return f"{counted} of the {archives} (layouts: {', '.join(layouts)})"


def _labelled_of(warehouse: Warehouse) -> list[LabelledVideo]:
    videos = warehouse.read_snapshot("videos").to_pylist()
    warehouse.require("faces")
    outcomes = warehouse.read_latest("extractions", _EXTRACTION_COLUMNS, warehouse.with_crops())
    extractions = {row["video_id"]: row for row in outcomes.to_pylist()}
    modalities = _modalities(warehouse)
    labelled = [
        LabelledVideo(row, extractions.get(row["video_id"]), modalities.get(row["video_id"]))
        for row in videos
        if row["label"] is not None
    ]
    if not labelled:
        raise SplitError(
            f"none of the {len(videos)} videos has a label; a labels.csv (file,label) in the "
            "archive gives them one: see README"
        )
    return labelled


def _modalities(warehouse: Warehouse) -> dict[str, Modality]:
    """video_id -> what of a fake differs from its original, where somebody has looked."""
    if not warehouse.with_table("modalities"):
        return {}
    rows = warehouse.read_snapshot("modalities").to_pylist()
    return {row["video_id"]: Modality(row["modality"]) for row in rows}
