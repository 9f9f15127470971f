"""Finds the video that a fake was made from. Pure.

`videos.original` holds the name used by the data set; its meaning depends on the layout
(`archive.layouts`):

    dfdc         a file name, unique across DFDC's parts
    ffpp         the stem of a file below `original_sequences`, in the same compression if possible
    celebdf      the stem of a file in the `Celeb-real` beside the fake's folder
    labels_csv   a path, with or without its ending, relative to the folder of that labels.csv
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from framejury.schemas.statuses import Label

Row = Mapping[str, Any]
"""A row of `videos`."""


@dataclass(frozen=True)
class Pair:
    """A fake and the video it was made from, both rows of `videos`."""

    fake: Row
    original: Row


@dataclass(frozen=True)
class Originals:
    """The result of `pairs_of`.

    Attributes:
        pairs: sorted by the fake's path.
        alone: fakes whose original is not in the archive, sorted by path.
    """

    pairs: tuple[Pair, ...]
    alone: tuple[Row, ...]


def pairs_of(videos: Sequence[Row]) -> Originals:
    """Pair every fake in the archive with its original.

    If an `original` matches several files, the nearest is taken where they are copies of one video
    (dfdc, ffpp, celebdf); an ambiguous name in a labels.csv matches none.

    Args:
        videos: rows of `videos`; those missing from the archive are ignored.
    """
    there = [row for row in videos if row["missing_since"] is None]
    known = _Known(there)
    pairs, alone = [], []
    for row in sorted(there, key=lambda row: str(row["path"])):
        if row["label"] != Label.FAKE:
            continue
        find = _RULES.get(row["layout"])
        original = None if find is None or not row["original"] else find(row, known)
        if original is None:
            alone.append(row)
        else:
            pairs.append(Pair(row, original))
    return Originals(tuple(pairs), tuple(alone))


class _Known:
    """The videos by the names an `original` may use."""

    def __init__(self, videos: Iterable[Row]) -> None:
        self.by_path: dict[str, Row] = {}
        self.by_name: dict[str, list[Row]] = defaultdict(list)
        self.by_stem: dict[str, list[Row]] = defaultdict(list)
        self.by_stem_path: dict[str, list[Row]] = defaultdict(list)
        for row in videos:
            path = PurePosixPath(row["path"])
            self.by_path[row["path"]] = row
            self.by_name[path.name].append(row)
            self.by_stem[path.stem].append(row)
            self.by_stem_path[posixpath.splitext(row["path"])[0]].append(row)


def _dfdc(fake: Row, known: _Known) -> Row | None:
    """Find the original, preferably in the fake's own folder."""
    name = PurePosixPath(fake["original"]).name
    folder = posixpath.dirname(fake["path"])
    return _best(
        [row for row in known.by_name[name] if row["video_id"] != fake["video_id"]],
        lambda row: posixpath.dirname(row["path"]) == folder,
    )


def _ffpp(fake: Row, known: _Known) -> Row | None:
    """Find the original, preferably in the same copy of the data set and compression."""
    root, below = _cut(fake, "manipulated_sequences")
    found = [
        row
        for row in known.by_stem[fake["original"]]
        if "original_sequences" in PurePosixPath(row["uri"]).parts
    ]

    def nearness(row: Row) -> tuple[bool, bool]:
        its_root, its_below = _cut(row, "original_sequences")
        return its_root == root, its_below == below

    return _best(found, nearness)


def _cut(row: Row, folder: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the path above `folder`, and below its method or source: `c23`, `videos`."""
    parts = PurePosixPath(row["uri"]).parts
    at = len(parts) - 1 - parts[::-1].index(folder)
    return parts[:at], parts[at + 2 : -1]


def _celebdf(fake: Row, known: _Known) -> Row | None:
    root = PurePosixPath(fake["uri"]).parent.parent
    found = [
        row
        for row in known.by_stem[fake["original"]]
        if PurePosixPath(row["uri"]).parent.name == "Celeb-real"
    ]
    return _best(found, lambda row: PurePosixPath(row["uri"]).parent.parent == root)


def _labels_csv(fake: Row, known: _Known) -> Row | None:
    """Find the original by the group keys, which hold its whole path."""
    own = {fake["path"], posixpath.splitext(fake["path"])[0]}
    named = [key.removeprefix("file:") for key in fake["group_keys"] if key.startswith("file:")]
    for path in named:
        if path in own:
            continue
        whole = known.by_path.get(path)
        if whole is not None:
            return whole
        found = [row for row in known.by_stem_path[path] if row["video_id"] != fake["video_id"]]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _best(found: Sequence[Row], nearness: Callable[[Row], Any]) -> Row | None:
    """Return the nearest row; ties take the first by path."""
    ordered = sorted(found, key=lambda row: str(row["path"]))
    return max(ordered, key=nearness, default=None)


_RULES: Mapping[str, Callable[[Row, _Known], Row | None]] = {
    "dfdc": _dfdc,
    "ffpp": _ffpp,
    "celebdf": _celebdf,
    "labels_csv": _labels_csv,
}
