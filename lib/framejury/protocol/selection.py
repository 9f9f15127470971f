"""Selection of the videos to measure, and the data sets of their figures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from framejury.archive.csv_files import Pins
from framejury.archive.layouts import describe_videos
from framejury.archive.listing import list_local
from framejury.archive.video_rows import videos_table
from framejury.errors import ArchiveError, LeakageError, UsageError
from framejury.schemas.statuses import Label, Side
from framejury.settings import IndexSettings
from framejury.storage import is_local, local_path

_KNOWN_SETS = ("dfdc", "ffpp", "celebdf")
_COMPRESSIONS = ("raw", "c0", "c23", "c40")

DATA_SET_RULE = (
    "Data set: the layout for DFDC, FaceForensics++ and Celeb-DF, with the compression if the path "
    "names it; for other videos, the first folder of the path."
)

VideoRow = Mapping[str, Any]
"""A row of `videos`."""


@dataclass(frozen=True)
class Selection:
    """The videos to measure.

    Attributes:
        archive: absolute local path.
        videos: rows of `videos` with a label, by path.
        notes: caveats for the report.
        decided: ids of those whose label is the decision of a person.
    """

    archive: str
    videos: tuple[VideoRow, ...]
    notes: tuple[str, ...]
    decided: frozenset[str] = frozenset()


def labelled_videos_of(
    archive: str, settings: IndexSettings, decided: Mapping[str, Label] | None = None
) -> Selection:
    """Select every labelled video of a local archive, as listed by `framejury index`.

    Args:
        archive: the folder.
        settings: of listing.
        decided: video_id -> label by a decision of a person, for videos without a label.

    Raises:
        ArchiveError: it is missing, is not a local folder, has no labelled video, or its label
            files are invalid.
    """
    if not is_local(archive):
        raise ArchiveError(
            f"--archive {archive} is not a local folder. Mount or copy it, or evaluate a warehouse "
            "that it was extracted into (--warehouse)"
        )
    root = local_path(archive).resolve()
    files = list_local(root, follow_out=settings.links == "anywhere")
    found = describe_videos(files, lambda f: Path(f.uri).read_text("utf-8"), settings)
    rows, notes = videos_table(found.videos, "evaluate").to_pylist(), found.notes
    by_people = {
        row["video_id"]: {"label": decided[row["video_id"]].value}
        for row in rows
        if decided is not None and row["label"] is None and row["video_id"] in decided
    }
    rows = [row | by_people.get(row["video_id"], {}) for row in rows]
    labelled = tuple(row for row in rows if row["label"] is not None)
    if not labelled:
        raise ArchiveError(
            f"none of the {len(rows)} videos in {root} has a label; add a labels.csv (file,label), "
            "see README"
        )
    if len(labelled) < len(rows):
        left_out = f"{len(rows) - len(labelled):,} of {len(rows):,} videos"
        notes = [*notes, f"Without a label, and left out: {left_out}."]
    return Selection(str(root), labelled, tuple(notes), decided=frozenset(by_people))


def on_pinned_side(selection: Selection, pins: Pins, side: Side | None) -> Selection:
    """Keep the videos of one split, given by a file.

    A video that no line matches follows the other videos of its group.

    Args:
        selection: labelled videos.
        pins: from the file.
        side: val or test; None: every video except those of split train.

    Raises:
        UsageError: the split is train, or no video is left to measure.
        LeakageError: a group is in two splits.
    """
    if side is Side.TRAIN:
        raise UsageError(
            f"--side train: the bundle may have been trained on these videos of {pins.source}, so "
            "figures on them do not carry over to new videos. Choose val or test"
        )
    sides = _sides_of(selection.videos, pins)
    kept = tuple(
        video
        for video in selection.videos
        if (found := sides[video["video_id"]]) not in (Side.TRAIN, Side.EXCLUDED)
        and side in (None, found)
    )
    counts = Counter("no split" if s is None else s.value for s in sides.values())
    shares = ", ".join(f"{count:,} in {name}" for name, count in sorted(counts.items()))
    if not kept:
        raise UsageError(
            f"{pins.source} leaves no labelled video to measure ({shares}); choose another --side"
        )
    wanted = "every split except train" if side is None else f"split {side.value}"
    note = (
        f"Videos of {wanted} by {Path(pins.source).name} ({shares}). They are held out only if the "
        "bundle was trained with the same file."
    )
    return replace(selection, videos=kept, notes=(*selection.notes, note))


def data_sets_of(video: VideoRow) -> tuple[str, ...]:
    """Return the data sets of a video, the widest first (`DATA_SET_RULE`)."""
    parts = PurePosixPath(video["path"]).parts
    if video["layout"] not in _KNOWN_SETS:
        return (parts[0] if len(parts) > 1 else str(video["layout"]),)
    compression = next((part for part in reversed(parts[:-1]) if part in _COMPRESSIONS), None)
    layout = str(video["layout"])
    return (layout,) if compression is None else (layout, f"{layout} {compression}")


def _sides_of(videos: Sequence[VideoRow], pins: Pins) -> dict[str, Side | None]:
    """Return video_id -> split; a video that no line matches follows its group."""
    by_group: dict[str, dict[Side, str]] = defaultdict(dict)
    for video in videos:
        side = pins.side_of(video["path"])
        if side is not None:
            by_group[video["group"]].setdefault(side, video["path"])
    for group, sides in by_group.items():
        if len(sides) > 1:
            listed = ", ".join(f"{path} in {side.value}" for side, path in sides.items())
            raise LeakageError(f"{pins.source} puts group {group} in several splits: {listed}")
    found: dict[str, Side | None] = {}
    for video in videos:
        own = pins.side_of(video["path"])
        found[video["video_id"]] = own or next(iter(by_group[video["group"]]), None)
    return found
