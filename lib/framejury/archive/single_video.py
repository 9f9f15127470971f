"""The label of one local video, from the archive that it lies in."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from framejury.archive.label_files import LABEL_FILES
from framejury.archive.layouts import describe_videos
from framejury.archive.listing import ArchiveFile
from framejury.schemas.statuses import Label
from framejury.settings import IndexSettings

_FOLDERS = 6
"""Folders in which label files are looked for: the video's own, and those above it."""


def label_of(video: Path, settings: IndexSettings) -> Label | None:
    """Return the label that a listing of the archive would give the video; None: it has none.

    Args:
        video: an existing file.
        settings: layout and endings.

    Raises:
        ArchiveError: a label file is damaged, or the video does not fit the requested layout.
    """
    video = video.absolute()
    if video.name.startswith("."):
        return None
    folders = [video.parent]
    for folder in video.parents[1:_FOLDERS]:
        if folders[-1].name.startswith("."):  # below a hidden folder nothing is listed
            break
        folders.append(folder)
    beside = [
        file for folder in folders for name in LABEL_FILES if (file := folder / name).is_file()
    ]
    # As one archive, in which the nearest of several label files applies.
    files = [
        ArchiveFile(
            file.relative_to(folders[-1]).as_posix(),
            str(file),
            file.stat().st_size,
            datetime.fromtimestamp(0, UTC),
        )
        for file in (video, *beside)
    ]
    endings = (*settings.extensions, video.suffix.lstrip("."))
    named = settings.model_copy(update={"extensions": endings})
    found = describe_videos(files, lambda file: Path(file.uri).read_text("utf-8"), named)
    return next(one.label for one in found.videos if one.file.uri == str(video))
