"""The label files an archive may hold: `labels.csv` and DFDC's `metadata.json`.

They are untrusted. File names in them are only compared with the archive's listing, never opened;
messages show their text shortened and without control characters.
"""

from __future__ import annotations

import csv
import json
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from framejury.archive.csv_files import SAVE_AS_UTF8, CsvText
from framejury.archive.listing import ArchiveFile, is_text
from framejury.errors import ArchiveError
from framejury.redaction import printable
from framejury.schemas.statuses import Label

LARGEST_BYTES = 256 * 2**20
"""Largest label file read; at one row per video, enough for more than a million."""

LABEL_FILES = ("labels.csv", "metadata.json")

CSV_COLUMNS = ("file", "label", "original", "donor", "method", "subject", "group")
"""Columns of a labels.csv, those of `CsvRow` last; `file` and `label` are required."""


@dataclass(frozen=True)
class CsvRow:
    """One row of a labels.csv; `folder` is the archive-relative folder of that file."""

    folder: str
    label: Label | None
    original: str | None
    donor: str | None
    method: str | None
    subject: str | None
    group: str | None


@dataclass(frozen=True)
class DfdcEntry:
    """One entry of a DFDC metadata.json; `folder` as in `CsvRow`."""

    folder: str
    label: Label | None
    original: str | None


@dataclass
class SideFiles:
    """Contents of the label files, by archive-relative path of the video."""

    labels: dict[str, CsvRow] = field(default_factory=dict)
    dfdc: dict[str, DfdcEntry] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @cached_property
    def dfdc_originals(self) -> frozenset[str]:
        """Names of the videos that DFDC's fakes were made from; use after reading all files."""
        named = (entry.original for entry in self.dfdc.values() if entry.original)
        return frozenset(PurePosixPath(name).name for name in named)

    def notes_about(self, videos: set[str]) -> list[str]:
        """Return the notes, including one on label rows without a video."""
        absent = sorted((set(self.labels) | set(self.dfdc)) - videos)
        if not absent:
            return self.notes
        return [
            *self.notes,
            f"{len(absent)} labelled files are not in the archive: {first_of(absent)}",
        ]


def first_of(names: Sequence[str], count: int = 3) -> str:
    """Return the first names, for a message."""
    shown = [_shown(name) for name in names[:count]]
    return ", ".join([*shown, *(["..."] if len(names) > count else [])])


def _shown(text: str) -> str:
    text = printable(text)
    return text if len(text) <= 100 else f"{text[:100]}..."


def read_side_files(
    files: Sequence[ArchiveFile], read_text: Callable[[ArchiveFile], str], layout: str
) -> SideFiles:
    """Read every label file that the layout uses.

    Raises:
        ArchiveError: a label file cannot be read, names a path outside the archive, or
            contradicts itself; or `index.layout` is dfdc and a metadata.json is not DFDC's.
    """
    side = SideFiles()
    for file in sorted(files, key=lambda f: f.path):
        name = PurePosixPath(file.path).name
        if name == "labels.csv" and layout in ("auto", "labels_csv"):
            _read_csv(file, _text(file, read_text), side)
        elif name == "metadata.json" and layout in ("auto", "dfdc"):
            _read_dfdc(file, _text(file, read_text), side, required=layout == "dfdc")
    listed = {file.path for file in files}
    _as_listed(side.labels, listed)
    _as_listed(side.dfdc, listed)
    return side


def _as_listed(rows: dict[str, Any], listed: set[str]) -> None:
    """Spell names as the archive does: macOS writes an accent apart from its letter, others do not.

    A name that is listed as it stands, or of which the archive has two spellings, stays.
    """
    absent = [path for path in rows if path not in listed]
    if not absent:
        return
    spellings = defaultdict(list)
    for path in listed:
        spellings[unicodedata.normalize("NFC", path)].append(path)
    for path in absent:
        found = spellings.get(unicodedata.normalize("NFC", path), [])
        if len(found) == 1 and found[0] not in rows:
            rows[found[0]] = rows.pop(path)


def _text(file: ArchiveFile, read_text: Callable[[ArchiveFile], str]) -> str:
    if file.size_bytes > LARGEST_BYTES:
        raise ArchiveError(
            f"{_shown(file.path)} has {file.size_bytes:,} bytes, more than the {LARGEST_BYTES:,} "
            "allowed; split it into one file per folder, or use --set index.layout=plain"
        )
    try:
        return read_text(file)
    except UnicodeDecodeError as error:
        raise ArchiveError(f"{_shown(file.path)} is not UTF-8 ({error}); {SAVE_AS_UTF8}") from error
    except OSError as error:
        raise ArchiveError(f"cannot read {_shown(file.path)}: {error}") from error


def _read_csv(file: ArchiveFile, text: str, side: SideFiles) -> None:
    folder, name, root = _folder(file), _shown(file.path), _root(file)
    try:
        table = CsvText(text)
        _check_columns([column for column in table.header if column], name, side.notes)
        for fields in table.rows():
            where = f"{name} line {table.line}"
            if len(fields) > len(table.header):
                raise ArchiveError(f"{where}: more fields than columns; quote names with a comma")
            raw = dict(zip(table.header, fields, strict=False))
            values = {key: raw.get(key, "").strip() or None for key in CSV_COLUMNS}
            if values["file"] is None:
                raise ArchiveError(f"{where}: no file name")
            path = _inside(folder, values["file"], where, root)
            label = _label(values["label"], where)
            row = CsvRow(folder, label, *(values[key] for key in CSV_COLUMNS[2:]))
            _claim(side.labels, path, row, where, side.notes)
    except csv.Error as error:
        raise ArchiveError(f"{name} is not a CSV file: {error}") from error


def _check_columns(columns: list[str], name: str, notes: list[str]) -> None:
    if not {"file", "label"} <= set(columns):
        raise ArchiveError(
            f"{name} needs the columns file,label (optional: {', '.join(CSV_COLUMNS[2:])}); "
            f"it has: {first_of(columns, 12) or 'none'}"
        )
    if len(set(columns)) < len(columns):
        raise ArchiveError(f"{name} names a column twice: {first_of(columns, 12)}")
    if unknown := sorted(set(columns) - set(CSV_COLUMNS)):
        notes.append(f"{name}: unused columns: {first_of(unknown, 12)}")


def _read_dfdc(file: ArchiveFile, text: str, side: SideFiles, *, required: bool) -> None:
    folder, shown = _folder(file), _shown(file.path)
    try:
        pairs = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:  # ValueError: a number of 5,000 digits, too
        raise ArchiveError(
            f"{shown} is not JSON ({error}); fix it, or use --set index.layout=plain"
        ) from error
    entries = pairs.items() if isinstance(pairs, _Pairs) else []
    if not any("." in name and _has_label(value) for name, value in entries):
        message = f'{shown} is not a DFDC metadata.json ({{"name.mp4": {{"label": ...}}}})'
        if required:
            raise ArchiveError(message)
        side.notes.append(f"{message}; ignored")
        return
    for name, value in entries:
        where = f"{shown} entry {_short(name)}"
        if not isinstance(value, _Pairs):
            raise ArchiveError(f'{where}: expected an object with "label", not {_short(value)}')
        facts = dict(value.items())
        if len(facts) < len(value.items()):
            raise ArchiveError(f"{where}: a key occurs twice; keep one")
        original = facts.get("original")
        if original is not None and not isinstance(original, str):
            raise ArchiveError(f"{where}: original must be a file name, not {_short(original)}")
        if not is_text(name) or not is_text(original or ""):
            raise ArchiveError(f"{where}: the name holds half a surrogate pair; fix it")
        entry = DfdcEntry(folder, _label(facts.get("label"), where), original or None)
        _claim(side.dfdc, _inside(folder, name, where, _root(file)), entry, where, side.notes)


def _has_label(value: object) -> bool:
    return isinstance(value, _Pairs) and any(key == "label" for key, _ in value.items())


class _Pairs:
    """A JSON object that keeps repeated keys, which `dict` would drop silently."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self._pairs = pairs

    def items(self) -> list[tuple[str, Any]]:
        return self._pairs


def _claim(rows: dict[str, Any], path: str, row: Any, where: str, notes: list[str]) -> None:
    """Store a row. Repeats in one file must agree; of two files, the nearer one applies."""
    before = rows.get(path)
    if before is None or before == row:
        rows[path] = row
        return
    if before.folder == row.folder:
        raise ArchiveError(f"{where}: {_shown(path)} occurs twice with different values; keep one")
    nearer, farther = sorted((before, row), key=lambda one: len(one.folder), reverse=True)
    rows[path] = nearer
    if nearer.label != farther.label:
        notes.append(
            f"{_shown(path)} has different labels in two files; using {_shown(nearer.folder)}/"
        )


def _label(value: object, where: str) -> Label | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str) and value.strip().upper() in Label.__members__:
        return Label(value.strip().upper())
    raise ArchiveError(
        f"{where}: label must be FAKE, REAL or empty, not {_short(value)} "
        "(1 means fake in some data sets and real in others)"
    )


def _short(value: object) -> str:
    """Return `repr`, which escapes control characters, shortened."""
    return _shown(repr(value))


def _folder(file: ArchiveFile) -> str:
    parent = PurePosixPath(file.path).parent.as_posix()
    return "" if parent == "." else parent


def _root(file: ArchiveFile) -> str | None:
    """Return where the archive is, with a slash at the end; None: its files tell nothing."""
    return file.uri.removesuffix(file.path) if file.uri.endswith(f"/{file.path}") else None


def _inside(folder: str, name: str, where: str, root: str | None) -> str:
    """Return the archive-relative path of `name`; raise if it leads outside.

    Args:
        folder: of the label file, which names start from.
        root: of the archive; names may also start with it.
    """
    name = name.replace("\\", "/")
    if root is not None and name.startswith(root):
        folder, name = "", name.removeprefix(root)
    path = posixpath.normpath(posixpath.join(folder, name))
    if path.startswith(("/", "../")) or path in ("..", "."):
        raise ArchiveError(f"{where}: {_short(name)} points outside the archive")
    return path
