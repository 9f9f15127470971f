"""Which videos of an archive are measured, and by which names their figures are broken down."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from framejury.archive.fixed_splits import Pins
from framejury.archive.layouts import describe_videos
from framejury.archive.listing import list_local
from framejury.archive.video_rows import videos_table
from framejury.errors import ArchiveError, LeakageError, UsageError
from framejury.schemas.statuses import Side
from framejury.settings import IndexSettings
from framejury.storage import is_local, local_path

_KNOWN_SETS = ("dfdc", "ffpp", "celebdf")
_COMPRESSIONS = ("raw", "c0", "c23", "c40")

DATA_SET_RULE = (
    "Data set: the layout of DFDC, FaceForensics++ and Celeb-DF, with the compression where the "
    "path names it; of other videos the first folder of the path."
)

VideoRow = Mapping[str, Any]
"""A row of `videos`."""


@dataclass(frozen=True)
class Selection:
    """The videos to measure.

    Attributes:
        archive: absolute local path.
        videos: rows of `videos` with a label, by path.
        notes: what the reader of the figures must know.
    """

    archive: str
    videos: tuple[VideoRow, ...]
    notes: tuple[str, ...]


def labelled_videos_of(archive: str, settings: IndexSettings) -> Selection:
    """Every labelled video of a local archive, as `framejury index` lists it.

    Raises:
        ArchiveError: it is missing, is no local folder, holds no labelled video, or its label
            files are wrong.
    """
    if not is_local(archive):
        raise ArchiveError(
            f"{archive} is not local; the protocol opens files of this machine. Mount or copy it, "
            "or extract it into a warehouse (framejury extract) and evaluate that"
        )
    root = local_path(archive).resolve()
    files = list_local(root, follow_out=settings.links == "anywhere")
    entries, notes = describe_videos(files, lambda f: Path(f.uri).read_text("utf-8"), settings)
    rows = videos_table(entries, "evaluate").to_pylist()
    labelled = tuple(row for row in rows if row["label"] is not None)
    if not labelled:
        raise ArchiveError(
            f"none of the {len(rows)} videos in {root} has a label; a labels.csv (file,label) in "
            "the archive gives them one: see README"
        )
    if len(labelled) < len(rows):
        notes = [*notes, f"{len(rows) - len(labelled):,} videos without a label are left out."]
    return Selection(str(root), labelled, tuple(notes))


def on_pinned_side(selection: Selection, pins: Pins, side: Side | None) -> Selection:
    """Only the videos of one side, by a file of sides.

    A video that no line fits stands where the other videos of its group stand.

    Args:
        selection: labelled videos.
        pins: the sides.
        side: val or test; None: every video but those on side train.

    Raises:
        UsageError: the side is train, or nothing is left to measure.
        LeakageError: a group stands on two sides.
    """
    if side is Side.TRAIN:
        raise UsageError(
            f"--side train: the bundle may have learned from what {pins.source} puts on side "
            "train; figures on it say nothing about new videos. Choose val or test"
        )
    sides = _sides_of(selection.videos, pins)
    kept = tuple(
        video
        for video in selection.videos
        if (found := sides[video["video_id"]]) not in (Side.TRAIN, Side.EXCLUDED)
        and side in (None, found)
    )
    counts = Counter("no side" if s is None else s.value for s in sides.values())
    shares = ", ".join(f"{count:,} on {name}" for name, count in sorted(counts.items()))
    if not kept:
        raise UsageError(f"{pins.source} leaves no labelled video to measure: {shares}")
    wanted = "every side but train" if side is None else f"side {side.value}"
    note = (
        f"Videos on {wanted} by {Path(pins.source).name} ({shares}). Held out if the bundle was "
        "trained with the same file of sides; nothing here can tell."
    )
    return Selection(selection.archive, kept, (*selection.notes, note))


def data_sets_of(video: VideoRow) -> tuple[str, ...]:
    """The data sets a video counts in, the widest first; see `DATA_SET_RULE`."""
    parts = PurePosixPath(video["path"]).parts
    if video["layout"] not in _KNOWN_SETS:
        return (parts[0] if len(parts) > 1 else str(video["layout"]),)
    compression = next((part for part in reversed(parts[:-1]) if part in _COMPRESSIONS), None)
    layout = str(video["layout"])
    return (layout,) if compression is None else (layout, f"{layout} {compression}")


def _sides_of(videos: Sequence[VideoRow], pins: Pins) -> dict[str, Side | None]:
    """The side of each video by its id; one without a line takes that of its group."""
    by_group: dict[str, dict[Side, str]] = defaultdict(dict)
    for video in videos:
        side = pins.side_of(video["path"])
        if side is not None:
            by_group[video["group"]].setdefault(side, video["path"])
    for group, sides in by_group.items():
        if len(sides) > 1:
            listed = ", ".join(f"{path} on {side.value}" for side, path in sides.items())
            raise LeakageError(f"{pins.source} puts group {group} on several sides: {listed}")
    found: dict[str, Side | None] = {}
    for video in videos:
        own = pins.side_of(video["path"])
        found[video["video_id"]] = own or next(iter(by_group[video["group"]]), None)
    return found
