"""Labelled videos of a warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from framejury.archive.face_sets import STILL_LAYOUT
from framejury.archive.labelled_video import Candidate
from framejury.errors import SplitError, WarehouseError
from framejury.labelled.decided_videos import decided_labels
from framejury.schemas.statuses import Label, Modality, Status
from framejury.warehouse import Warehouse

_EXTRACTION_COLUMNS = [
    *("video_id", "run_id", "status", "content_id"),
    *("sampled_s", "duration_s", "frames_total"),
]

NO_FAKE_PICTURE = {
    Modality.AUDIO: "only the sound was changed",
    Modality.NONE: "the pictures do not differ from the original's",
}
"""Modality of a fake whose pictures are unchanged -> why its faces cannot be learned as fake."""


@dataclass(frozen=True)
class LabelledVideo:
    """A video with a label, and the outcome of its latest extraction.

    Attributes:
        row: its row of `videos`.
        extraction: columns `run_id`, `status`, `content_id`, `sampled_s`, `duration_s`,
            `frames_total` of its latest extraction that kept crops; None before the first.
        modality: what was changed compared with its original; None: not known.
        decided: the label is the decision of a person, as the archive gives none.
    """

    row: dict[str, Any]
    extraction: dict[str, Any] | None
    modality: Modality | None = None
    decided: bool = False

    @property
    def why_not(self) -> str | None:
        """Why its label does not hold for its faces; None: it does."""
        return NO_FAKE_PICTURE.get(self.modality) if self.modality else None

    @property
    def candidate(self) -> Candidate:
        """The video as input of `archive.splits`."""
        extraction = self.extraction or {}
        return Candidate(
            video_id=self.row["video_id"],
            path=self.row["path"],
            label=Label(self.row["label"]),
            # The group too, because two labelled videos may be linked only by an unlabelled one.
            group_keys=(*self.row["group_keys"], f"group:{self.row['group']}"),
            content_id=extraction.get("content_id"),
            usable=extraction.get("status") == Status.EXTRACTED and self.why_not is None,
            still=self.row["layout"] == STILL_LAYOUT,
            why_not=self.why_not,
            method=self.row["method"],
        )

    @property
    def dataset(self) -> str:
        """Name of its data set: the first folder of its path, or else its layout."""
        folder, slash, _ = str(self.row["path"]).partition("/")
        return folder if slash else str(self.row["layout"])


def labelled_videos(*warehouses: Warehouse, decided: bool = False) -> list[LabelledVideo]:
    """Return every labelled video of the current snapshots.

    Args:
        warehouses: at least one.
        decided: whether decisions of people count as labels where there is none.

    Raises:
        WarehouseError: nothing is indexed or extracted yet, or two warehouses share a video.
        SplitError: a warehouse has no labelled video.
    """
    parts = labelled_parts(warehouses, decided=decided)
    return [video for _, videos in parts for video in videos]


def labelled_parts(
    warehouses: Sequence[Warehouse], *, decided: bool = False
) -> list[tuple[Warehouse, list[LabelledVideo]]]:
    """Return each warehouse with its labelled videos; no video is in two warehouses.

    Args:
        warehouses: at least one.
        decided: as for `labelled_videos`.

    Raises:
        WarehouseError, SplitError: as `labelled_videos`.
    """
    parts = [(warehouse, _labelled_of(warehouse, decided=decided)) for warehouse in warehouses]
    holder: dict[str, Warehouse] = {}
    for warehouse, videos in parts:
        for video in videos:
            other = holder.setdefault(video.row["video_id"], warehouse)
            if other is not warehouse:
                raise WarehouseError(
                    f"{video.row['path']} is in {other.location.uri} and in "
                    f"{warehouse.location.uri}; name each archive once, or index one of them from "
                    "its parent folder to make the paths differ"
                )
    return parts


def describe_data(warehouses: Sequence[Warehouse], videos: list[LabelledVideo]) -> str:
    """Describe the training data for the model card.

    Args:
        warehouses: in the order of `labelled_videos`.
        videos: of all of them.
    """
    stills = sum(video.candidate.still for video in videos)
    layouts = sorted({video.row["layout"] for video in videos})
    names = [repr((w.archive or "").rstrip("/").rpartition("/")[2]) for w in warehouses]
    what = f"{len(videos) - stills} labelled videos"
    if stills:
        what += f" and {stills} stills"
    if count := sum(video.decided for video in videos):
        what += f" ({count} by decisions of people)"
    archives = f"archive{'s' if len(names) > 1 else ''} {', '.join(names)}"
    return f"{what} of the {archives} (layouts: {', '.join(layouts)})"


def _labelled_of(warehouse: Warehouse, *, decided: bool) -> list[LabelledVideo]:
    videos = warehouse.read_snapshot("videos").to_pylist()
    labels = decided_labels(warehouse) if decided else {}
    by_people = {
        row["video_id"]
        for row in videos
        if row["label"] is None and row["video_id"] in labels and row["missing_since"] is None
    }
    videos = [
        row | {"label": labels[row["video_id"]].value} if row["video_id"] in by_people else row
        for row in videos
    ]
    warehouse.require("faces")
    outcomes = warehouse.read_latest("extractions", _EXTRACTION_COLUMNS, warehouse.with_crops())
    extractions = {row["video_id"]: row for row in outcomes.to_pylist()}
    modalities = modalities_of(warehouse)
    labelled = [
        LabelledVideo(
            row,
            extractions.get(row["video_id"]),
            modalities.get(row["video_id"]),
            decided=row["video_id"] in by_people,
        )
        for row in videos
        if row["label"] is not None
    ]
    if not labelled:
        raise SplitError(
            f"none of the {len(videos)} videos has a label; add a labels.csv (file,label) to the "
            "archive (see README) and run `framejury index` again"
        )
    return labelled


def modalities_of(warehouse: Warehouse) -> dict[str, Modality]:
    """Return video_id -> modality of the fakes that `framejury modality` has compared."""
    if not warehouse.with_table("modalities"):
        return {}
    rows = warehouse.read_snapshot("modalities").to_pylist()
    return {row["video_id"]: Modality(row["modality"]) for row in rows}
