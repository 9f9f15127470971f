"""What a file claims about its making: software, encoder, device, times, edits, C2PA manifest.

All of it is text that anyone can write, and platforms remove or replace it when they encode a
video again. So it never changes a verdict (decision 26). Nothing here raises: a file that lies
about its structure has fewer facts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from framejury.media.boxes import FileBytes, Part
from framejury.media.container import VideoSource
from framejury.schemas.statuses import C2paState

LONGEST_TEXT = 300
"""Longest text of a fact, characters; the rest is cut off."""
HEAD_BYTES = 8192
"""Bytes of the first packet in which encoders leave their name."""

_C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_C2PA_STORES = (b"manifest", b"original", b"update")
"""Purposes of a C2PA box that holds manifests; `merkle` holds hashes only (C2PA 2.x, A.5)."""
_MOST_XMP_BYTES = 65_536
_QUICKTIME_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)
_CREATOR_TOOL = re.compile(rb"CreatorTool(?:>|=[\"'])([^<\"']{1,200})")
_ENCODER_MARKS = re.compile(
    rb"(?:x264 - core \d+|x265 \(build \d+\)|SVT-AV1|Lavc\d+\.\d+|XviD|DivX)[ -~]{0,1000}"
)
_RATE_OPTIONS = re.compile(r"\b(rc|crf|bitrate|qp)=([\w.]+)")
_SOFTWARE = ("software", "com.apple.quicktime.software", "encoded_by", "creation_tool")
_MAKE = ("make", "com.apple.quicktime.make", "com.android.manufacturer")
_MODEL = ("model", "com.apple.quicktime.model", "com.android.model")
_CREATED = ("creation_time", "com.apple.quicktime.creationdate", "date")
_DEFAULT_HANDLERS = {"videohandler", "soundhandler"}


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a file says; fields as in `extractions.origin`. None: it does not say.

    Attributes:
        brand: major brand of the container.
        muxer: program that wrote the container.
        encoder: program that encoded the pictures, with its settings.
        software: program or operating system that made or edited the film.
        handlers: names of the tracks' handlers, besides the usual ones.
        device: make and model.
        created, modified: times as written.
        edits: entries of the longest edit list.
        location: whether a place is stored.
        c2pa: `C2paState`.
    """

    brand: str | None = None
    muxer: str | None = None
    encoder: str | None = None
    software: str | None = None
    handlers: str | None = None
    device: str | None = None
    created: str | None = None
    modified: str | None = None
    edits: int | None = None
    location: bool | None = None
    c2pa: str | None = None


ORIGIN_TEXTS = tuple(one.name for one in fields(Origin) if one.name not in ("edits", "location"))


def origin_of(source: VideoSource, container: Any, stream: Any, head: bytes) -> Origin:
    """Collect what a file says about its making.

    Args:
        source: the file.
        container, stream: open in libav.
        head: first bytes of the first packet of `stream`.
    """
    tags, of_stream = _lower(container.metadata), _lower(stream.metadata)
    found = _Boxes()
    with suppress(OSError):
        found.walk(FileBytes(source), container.format.name)
    named = (_lower(one.metadata).get("handler_name") for one in container.streams)
    handlers = [name for name in named if name and name.lower() not in _DEFAULT_HANDLERS]
    extradata = bytes(stream.codec_context.extradata or b"")[:HEAD_BYTES]
    marks = _ENCODER_MARKS.findall(extradata + b"\n" + head[:HEAD_BYTES])
    encoders = [of_stream.get("encoder"), *map(_encoder_word, marks)]
    android = tags.get("com.android.version")
    software = [*(tags.get(name) for name in _SOFTWARE), android and f"Android {android}"]
    return Origin(
        brand=_joined([tags.get("major_brand")]),
        muxer=_joined([tags.get("encoder")]),
        encoder=_joined(encoders),
        software=_joined([*software, *found.creator_tools]),
        handlers=_joined(handlers),
        device=_joined([_first(tags, _MAKE), _first(tags, _MODEL)], " "),
        created=_joined([_first(tags, _CREATED) or _first(of_stream, _CREATED)]),
        modified=_joined([found.modified]),
        edits=found.edits,
        location=any("location" in name for name in (*tags, *of_stream)),
        c2pa=found.c2pa,
    )


@dataclass
class _Boxes:
    """What the boxes of a file say and libav does not tell."""

    c2pa: str | None = None
    modified: str | None = None
    edits: int | None = None
    creator_tools: tuple[str, ...] = ()

    def walk(self, file: FileBytes, format_name: str) -> None:
        """Look through a file of a format for which C2PA defines a place."""
        if "mp4" in format_name:
            walked = self._walk_mp4(file)
        elif format_name == "avi":
            walked = self._walk_avi(file)
        else:
            return
        if walked and self.c2pa is None:
            self.c2pa = C2paState.ABSENT.value

    def _walk_mp4(self, file: FileBytes) -> bool:
        """Return whether all boxes were seen."""
        for box in file.boxes(0, file.size_bytes):
            if box.kind == b"uuid":
                self._see_uuid(file, box)
            elif box.kind == b"moov":
                self._see_movie(file, box)
        return not file.exhausted

    def _walk_avi(self, file: FileBytes) -> bool:
        for riff in file.chunks(0, file.size_bytes):
            for chunk in file.chunks(riff.start + 4, riff.stop):
                if chunk.kind == b"C2PA":
                    self.c2pa = C2paState.PRESENT.value
        return not file.exhausted

    def _see_uuid(self, file: FileBytes, box: Part) -> None:
        head = file.read(box.start, 32)
        if head.startswith(_C2PA_BOX) and head[20:].startswith(_C2PA_STORES):
            self.c2pa = C2paState.PRESENT.value
        elif head.startswith(_XMP_BOX):
            self._see_xmp(file, box)

    def _see_movie(self, file: FileBytes, movie: Part) -> None:
        for box in file.boxes(movie.start, movie.stop):
            if box.kind == b"mvhd":
                self.modified = _modified_at(file.read(box.start, 20))
            elif box.kind == b"trak":
                for part in file.boxes(box.start, box.stop):
                    if part.kind == b"edts":
                        self._see_edits(file, part)
            elif box.kind == b"udta":
                for part in file.boxes(box.start, box.stop):
                    if part.kind == b"XMP_":
                        self._see_xmp(file, part)

    def _see_edits(self, file: FileBytes, edits: Part) -> None:
        for box in file.boxes(edits.start, edits.stop):
            if box.kind == b"elst":
                count = int.from_bytes(file.read(box.start + 4, 4))
                self.edits = max(self.edits or 0, min(count, (box.stop - box.start) // 12))

    def _see_xmp(self, file: FileBytes, box: Part) -> None:
        text = file.read(box.start, min(box.stop - box.start, _MOST_XMP_BYTES))
        tools = (one.decode("utf-8", "replace") for one in _CREATOR_TOOL.findall(text))
        self.creator_tools += tuple(tools)


def _encoder_word(mark: bytes) -> str:
    """Return name and version of an encoder, and of its options how it chose the bit rate."""
    text, _, options = mark.decode("ascii").partition("options:")
    name = " ".join(text.split(" - ")[:2]) if options else text
    chosen = (f"{name}={value}" for name, value in _RATE_OPTIONS.findall(options))
    return ", ".join([name.strip(), *chosen])


def _modified_at(header: bytes) -> str | None:
    """Return the time of the last change in a movie header (`mvhd`), UTC; None: not set."""
    wide = header[:1] == b"\x01"
    seconds = int.from_bytes(header[12:20] if wide else header[8:12])
    if seconds == 0:
        return None
    try:
        return f"{_QUICKTIME_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"
    except OverflowError:
        return None


def _lower(tags: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in tags.items()}


def _first(tags: Mapping[str, str], names: Iterable[str]) -> str | None:
    return next((tags[name] for name in names if tags.get(name)), None)


def _joined(texts: Iterable[str | None], between: str = "; ") -> str | None:
    """Return different texts as one that is short and printable; None without any."""
    known = dict.fromkeys(text.strip() for text in texts if text and text.strip())
    whole = between.join(known)
    shown = "".join(letter if letter.isprintable() else "?" for letter in whole[:LONGEST_TEXT])
    return shown or None
