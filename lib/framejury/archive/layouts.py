"""Labels and sources of videos, from the file names and side files that data sets use.

`describe_videos` is the entry point. Each rule claims a video or not; with `auto` the first
claim wins, in this order: a `labels.csv` that lists it, DFDC's `metadata.json` beside it,
FaceForensics++ folders, Celeb-DF folders, else `plain` (no label). So data sets may be nested
and mixed under one root.

Group keys mark videos that share a source. In doubt, two videos share a key: a needless group
costs a little data, a missed one leaks.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import NamedTuple

from framejury.archive.label_files import LABEL_FILES, SideFiles, first_of, read_side_files
from framejury.archive.listing import ArchiveFile, Trouble
from framejury.errors import ArchiveError
from framejury.redaction import printable
from framejury.schemas.statuses import Label
from framejury.settings import IndexSettings


@dataclass(frozen=True)
class VideoEntry:
    """One video as its archive describes it. Fields as in the table `videos`."""

    file: ArchiveFile
    layout: str
    label: Label | None = None
    original: str | None = None
    donor: str | None = None
    method: str | None = None
    subject: str | None = None
    group_keys: tuple[str, ...] = field(default=())


Rule = Callable[[ArchiveFile, SideFiles], VideoEntry | None]


_HIDDEN, _NO_ENDING, _OTHER_ENDINGS = "hidden", "no ending", "other endings"
_ENDING = re.compile(r"\.[a-z0-9_+-]{1,12}")
_KNOWN_FILES = (*LABEL_FILES, "decisions.csv", "to_decide.csv")
"""Files that are read, or written by reports, and so are not counted as left out."""
_MOST_ENDINGS = 20
"""Endings that are counted apart, at most: they become labels of metrics."""


class ArchiveIndex(NamedTuple):
    """What an archive holds.

    Attributes:
        videos: in the order of the listing.
        notes: for the user, sentences without a full stop.
        left_out: files that are neither videos nor label files: ending such as `.txt`, or
            `hidden`, `no ending`, `other endings` -> count, most first.
    """

    videos: list[VideoEntry]
    notes: list[str]
    left_out: dict[str, int]


def describe_videos(
    files: Sequence[ArchiveFile],
    read_text: Callable[[ArchiveFile], str],
    settings: IndexSettings,
) -> ArchiveIndex:
    """Describe every video among `files`.

    A file with a `Trouble` is not read as a label file, and a link that leads out is not a video.
    The notes count both, and files left out by their names.

    Args:
        files: everything in the archive.
        read_text: returns the text of a small file (a labels.csv, a metadata.json).
        settings: which endings are videos, and which layout to use.

    Raises:
        ArchiveError: there is no video, a side file is damaged or contradicts itself, or a video
            does not fit the requested layout.
    """
    endings = {f".{ending.lower().lstrip('.')}" for ending in settings.extensions}
    inside = [f for f in files if f.trouble is not Trouble.LEADS_OUT]
    videos = [f for f in inside if _ending(f) in endings and not _is_hidden(f)]
    if not videos:
        raise ArchiveError(
            f"no videos in the archive ({len(files)} files checked); "
            f"index.extensions is {', '.join(settings.extensions)}"
            + "".join(
                f"; {note}"
                for note in (
                    *_notes_on_trouble(files),
                    *_left_out_notes(_left_out(inside, endings)),
                )
            )
        )
    sound = [file for file in files if file.trouble is None]
    side = read_side_files(sound, read_text, settings.layout)
    rules = list(_RULES.values()) if settings.layout == "auto" else [_RULES[settings.layout]]
    entries = []
    for file in videos:
        entry = next((e for rule in rules if (e := rule(file, side)) is not None), None)
        if entry is None:
            raise ArchiveError(
                f"{printable(file.path)} does not fit index.layout={settings.layout}; use "
                "--set index.layout=auto"
            )
        entries.append(_bound_to_dfdc(entry, side))
    left_out = _left_out(inside, endings)
    notes = [*_notes_on_trouble(files), *_left_out_notes(left_out)]
    notes += side.notes_about({file.path for file in videos})
    return ArchiveIndex(entries, notes, left_out)


def _ending(file: ArchiveFile) -> str:
    return PurePosixPath(file.path).suffix.lower()


def _is_hidden(file: ArchiveFile) -> bool:
    """Whether its name or a folder's starts with a dot, as macOS's `._` files and `.Trash`."""
    return any(part.startswith(".") for part in PurePosixPath(file.path).parts)


def _left_out(files: Sequence[ArchiveFile], endings: set[str]) -> dict[str, int]:
    """Count files that are neither videos nor read by framejury, by ending, most first."""
    counts: Counter[str] = Counter()
    for file in files:
        ending = _ending(file)
        if _is_hidden(file):
            counts[_HIDDEN] += 1
        elif not ending:
            counts[_NO_ENDING] += 1
        elif ending not in endings and PurePosixPath(file.path).name not in _KNOWN_FILES:
            counts[ending if _ENDING.fullmatch(ending) else _OTHER_ENDINGS] += 1
    listed = Counter(dict(counts.most_common(_MOST_ENDINGS)))
    if rest := counts.total() - listed.total():
        listed[_OTHER_ENDINGS] += rest
    return dict(listed)


def _left_out_notes(left_out: Mapping[str, int]) -> list[str]:
    if not left_out:
        return []
    total = sum(left_out.values())
    counts = ", ".join(f"{name} {count:,}" for name, count in left_out.items())
    return [
        f"files left out by their names: {total:,} ({counts}); "
        "index.extensions lists the endings of videos"
    ]


_TROUBLE = {
    Trouble.LEADS_OUT: "links out of the archive, not followed: {count:,} ({names}); "
    "--set index.links=anywhere follows them",
    Trouble.NOT_UTF8: "files not opened, because their names are not UTF-8: {count:,} ({names}); "
    "rename them",
}


def _notes_on_trouble(files: Sequence[ArchiveFile]) -> list[str]:
    notes = []
    for trouble, words in _TROUBLE.items():
        paths = [file.path for file in files if file.trouble is trouble]
        if paths:
            notes.append(words.format(count=len(paths), names=first_of(paths)))
    return notes


def _labels_csv(file: ArchiveFile, side: SideFiles) -> VideoEntry | None:
    if (row := side.labels.get(file.path)) is None:
        return None
    keys = _file_keys(file.path)
    if row.group:
        keys.append(f"csv:{row.folder}:{row.group}")
    else:
        keys.append(_stem_key(file.path))
    if row.original:
        keys += _file_keys(posixpath.join(row.folder, row.original.replace("\\", "/")))
    if row.donor:
        keys.append(f"donor:{row.folder}:{row.donor}")
    if row.subject:
        # A donor may be the subject of another video, so both use the same key.
        keys.append(f"donor:{row.folder}:{row.subject}")
    return VideoEntry(
        file,
        "labels_csv",
        row.label,
        original=row.original,
        donor=row.donor,
        method=row.method,
        subject=row.subject,
        group_keys=tuple(keys),
    )


def _dfdc(file: ArchiveFile, side: SideFiles) -> VideoEntry | None:
    if (entry := side.dfdc.get(file.path)) is None:
        return None
    # DFDC names are unique across its parts, and originals often lie in another part.
    keys = [f"dfdc:{PurePosixPath(file.path).name}"]
    if entry.original:
        keys.append(f"dfdc:{PurePosixPath(entry.original).name}")
    return VideoEntry(file, "dfdc", entry.label, original=entry.original, group_keys=tuple(keys))


def _bound_to_dfdc(entry: VideoEntry, side: SideFiles) -> VideoEntry:
    """Add DFDC's key if a DFDC fake was made from the video, whatever rule described it."""
    name = PurePosixPath(entry.file.path).name
    key = f"dfdc:{name}"
    if key in entry.group_keys or name not in side.dfdc_originals:
        return entry
    return replace(entry, group_keys=(*entry.group_keys, key))


_FFPP_PAIR = re.compile(r"^(\d+)_(\d+)(?:__(.+?)(?:__\w+)?)?$")
_FFPP_ACTOR = re.compile(r"^(\d+)__.+$")
_FFPP_SINGLE = re.compile(r"^(\d+)$")


def _ffpp(file: ArchiveFile, side: SideFiles) -> VideoEntry | None:
    """Match `manipulated_sequences/METHOD/c23/videos/TARGET_SOURCE.mp4`, and originals."""
    del side
    parts = PurePosixPath(file.uri).parts
    stem = PurePosixPath(file.path).stem
    if "manipulated_sequences" in parts:
        at = len(parts) - 1 - parts[::-1].index("manipulated_sequences")
        pair = _FFPP_PAIR.match(stem)
        if pair is None or at + 2 >= len(parts):
            return None
        method = parts[at + 1]
        kind = "actor" if "__" in stem else "youtube"
        target, source, scene = pair.groups()
        # A mask video shows the changed region in black and white: neither real nor fake.
        mask = "masks" in parts[at + 2 :]
        return VideoEntry(
            file,
            "ffpp",
            None if mask else Label.FAKE,
            original=f"{target}__{scene}" if scene else target,
            donor=source,
            method=method,
            subject=target,
            group_keys=(f"ffpp-{kind}:{target}", f"ffpp-{kind}:{source}"),
        )
    if "original_sequences" in parts:
        match = _FFPP_SINGLE.match(stem) or _FFPP_ACTOR.match(stem)
        if match is None:
            return None
        kind = "actor" if "__" in stem else "youtube"
        subject = match[1]
        keys = (f"ffpp-{kind}:{subject}",)
        return VideoEntry(file, "ffpp", Label.REAL, subject=subject, group_keys=keys)
    return None


_CELEB_REAL = re.compile(r"^(id\d+)_\d+$")
_CELEB_FAKE = re.compile(r"^(id\d+)_(id\d+)_(\d+)$")


def _celebdf(file: ArchiveFile, side: SideFiles) -> VideoEntry | None:
    """Match `Celeb-real/id9_0000.mp4`, `Celeb-synthesis/id9_id26_0000.mp4`, `YouTube-real/*`."""
    del side
    folder = PurePosixPath(file.uri).parent.name
    stem = PurePosixPath(file.path).stem
    if folder == "Celeb-real" and (real := _CELEB_REAL.match(stem)):
        keys = (f"celebdf:{real[1]}",)
        return VideoEntry(file, "celebdf", Label.REAL, subject=real[1], group_keys=keys)
    if folder == "Celeb-synthesis" and (fake := _CELEB_FAKE.match(stem)):
        target, donor, number = fake.groups()
        return VideoEntry(
            file,
            "celebdf",
            Label.FAKE,
            original=f"{target}_{number}",
            donor=donor,
            method="Celeb-synthesis",
            subject=target,
            group_keys=(f"celebdf:{target}", f"celebdf:{donor}"),
        )
    if folder == "YouTube-real":
        return VideoEntry(file, "celebdf", Label.REAL, group_keys=(f"celebdf-youtube:{stem}",))
    return None


def _plain(file: ArchiveFile, side: SideFiles) -> VideoEntry:
    del side
    return VideoEntry(file, "plain", group_keys=(*_file_keys(file.path), _stem_key(file.path)))


def _file_keys(path: str) -> list[str]:
    """Return keys of the file with and without its ending, as originals are named either way."""
    path = posixpath.normpath(path)
    return [f"file:{path}", f"file:{posixpath.splitext(path)[0]}"]


_RULES: dict[str, Rule] = {
    "labels_csv": _labels_csv,
    "dfdc": _dfdc,
    "ffpp": _ffpp,
    "celebdf": _celebdf,
    "plain": _plain,
}

_LABEL_WORDS = (
    "deepfakes?|fakes?|reals?|pristine|originals?|manipulated|synthetic|synthesis|swapped"
)
_LABEL_WORD = re.compile(rf"^(?:{_LABEL_WORDS})$", re.IGNORECASE)
_LEADING = re.compile(rf"^(?:{_LABEL_WORDS})[-_ .]*", re.IGNORECASE)
_TRAILING = re.compile(rf"[-_ .]+(?:{_LABEL_WORDS})$", re.IGNORECASE)
_VARIANT = re.compile(r"[-_ .][a-z]$", re.IGNORECASE)


def _stem_key(path: str) -> str:
    """Return a key shared by `RealObama`, `FakeObama_b`, `obama`, and by `real/x` and `fake/x`.

    If only names identify sources, names that differ in label words alone count as one source.
    """
    pure = PurePosixPath(path)
    folders = [part for part in pure.parent.parts if not _LABEL_WORD.match(part)]
    core = _TRAILING.sub("", _LEADING.sub("", pure.stem))
    if core != pure.stem:
        core = _VARIANT.sub("", core)
    return "stem:" + "/".join([*folders, core or pure.stem]).lower()
