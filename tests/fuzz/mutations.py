"""Video files damaged on purpose, by chance but the same each time: a seed and a number decide.

A file is seen as pieces where its container has any (MP4 boxes, Matroska elements, RIFF chunks,
TS packets): pieces are swapped, doubled, left out, given another length or a lie in their body.
What knows no container flips bits, overwrites, cuts and doubles bytes anywhere.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

Rng = np.random.Generator


@dataclass(frozen=True)
class Piece:
    """A part of a container with a head of its own.

    Attributes:
        start, body, stop: where it begins, where its head ends, where it ends, bytes.
        length_at, length_bytes: where its length is written.
        order: of the bytes of a number, `big` or `little`.
        ids: its head's name, and those around it.
    """

    start: int
    body: int
    stop: int
    length_at: int
    length_bytes: int
    order: str
    depth: int


_BOXES_IN = (
    *(b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"udta", b"moof", b"traf"),
    *(b"mvex", b"stsd", b"avc1", b"hev1", b"mp4v", b"s263", b"apcn", b"meta"),
)
_HEAD_OF_ENTRY = {b"stsd": 8, b"meta": 4} | dict.fromkeys(
    (b"avc1", b"hev1", b"mp4v", b"s263", b"apcn"), 78
)
_MASTERS = {
    *(0x1A45DFA3, 0x18538067, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0x1F43B675),
    *(0xA0, 0x1C53BB6B, 0xBB, 0xB7),
}
_EXTREMES = (
    *(0, 1, 2, 7, 8, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFE, 0x7FFFFFFF),
    *(0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 0x00FFFFFF, 0x40000000),
)


def pieces_of(content: bytes) -> list[Piece]:
    """The pieces of a file; none where its container is not known here."""
    if content[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return list(_boxes(content, 0, len(content), 0))
    if content.startswith(b"\x1a\x45\xdf\xa3"):
        return list(_elements(content, 0, len(content), 0))
    if content.startswith(b"RIFF"):
        return list(_chunks(content, 0, len(content), 0))
    if content[::188].strip(b"\x47") == b"":
        starts = range(0, len(content) - 187, 188)
        return [Piece(at, at + 4, at + 188, at + 4, 1, "big", 0) for at in starts]
    return []


def _boxes(content: bytes, start: int, stop: int, depth: int) -> Iterator[Piece]:
    while start + 8 <= stop:
        length, name = struct.unpack_from(">I4s", content, start)
        end = min(start + max(length, 8), stop)
        yield Piece(start, start + 8, end, start, 4, "big", depth)
        if name in _BOXES_IN:
            yield from _boxes(content, start + 8 + _HEAD_OF_ENTRY.get(name, 0), end, depth + 1)
        start = end


def _elements(content: bytes, start: int, stop: int, depth: int) -> Iterator[Piece]:
    while start < stop:
        name_bytes = 9 - content[start].bit_length() if content[start] else 9
        at = start + name_bytes
        if name_bytes > 4 or at >= stop or not content[at]:
            return
        size_bytes = 9 - content[at].bit_length()
        name = int.from_bytes(content[start:at], "big")
        size = int.from_bytes(content[at : at + size_bytes], "big") & ((1 << 7 * size_bytes) - 1)
        body = at + size_bytes
        end = min(body + size, stop)
        yield Piece(start, body, end, at, size_bytes, "big", depth)
        if name in _MASTERS:
            yield from _elements(content, body, end, depth + 1)
        start = end


def _chunks(content: bytes, start: int, stop: int, depth: int) -> Iterator[Piece]:
    while start + 8 <= stop:
        name, length = struct.unpack_from("<4sI", content, start)
        end = min(start + 8 + length + length % 2, stop)
        yield Piece(start, start + 8, end, start + 4, 4, "little", depth)
        if name in (b"RIFF", b"LIST"):
            yield from _chunks(content, start + 12, end, depth + 1)
        start = max(end, start + 8)


# ---------------------------------------------------------------- without a container


def flip_bits(content: bytes, rng: Rng) -> bytes:
    result = bytearray(content)
    for at in rng.integers(0, len(result), int(rng.integers(1, 65))):
        result[at] ^= 1 << int(rng.integers(8))
    return bytes(result)


def flip_header_bits(content: bytes, rng: Rng) -> bytes:
    """In the first or the last kilobyte, where most containers keep what they say of the rest."""
    kept = bytearray(content)
    first = 0 if rng.random() < 0.6 else max(len(kept) - 1024, 0)
    for at in rng.integers(first, min(first + 1024, len(kept)), int(rng.integers(1, 17))):
        kept[at] ^= 1 << int(rng.integers(8))
    return bytes(kept)


def overwrite(content: bytes, rng: Rng) -> bytes:
    """A run of noise, zeros or ones."""
    start, stop = _stretch(content, rng)
    length = stop - start
    filling = (rng.bytes(length), bytes(length), b"\xff" * length)[int(rng.integers(3))]
    return content[:start] + filling + content[stop:]


def cut_off(content: bytes, rng: Rng) -> bytes:
    return content[: int(rng.integers(1, len(content)))]


def cut_out(content: bytes, rng: Rng) -> bytes:
    start, stop = _stretch(content, rng)
    return content[:start] + content[stop:]


def double(content: bytes, rng: Rng) -> bytes:
    start, stop = _stretch(content, rng)
    return content[:stop] + content[start:stop] * int(rng.integers(1, 4)) + content[stop:]


def lie_in_header(content: bytes, rng: Rng) -> bytes:
    """Extreme numbers of 2 or 4 bytes in the first half kilobyte."""
    result = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(0, max(min(512, len(result) - 4), 1)))
        _write(result, at, int(rng.choice((2, 4))), rng, "big" if rng.random() < 0.5 else "little")
    return bytes(result)


# ---------------------------------------------------------------- by pieces


def swap_pieces(content: bytes, rng: Rng) -> bytes:
    found = pieces_of(content)
    one = _chosen(found, rng)
    others = [
        piece for piece in found if piece.stop <= one.start and piece.depth == one.depth
    ] or None
    if others is None:
        return cut_out(content, rng)
    other = others[int(rng.integers(len(others)))]
    return (
        content[: other.start]
        + content[one.start : one.stop]
        + content[other.stop : one.start]
        + content[other.start : other.stop]
        + content[one.stop :]
    )


def double_piece(content: bytes, rng: Rng) -> bytes:
    """Once, or so often that a program which counts on one runs out of something."""
    piece = _chosen(pieces_of(content), rng)
    times = int(rng.choice((1, 2, 50, 2000)))
    times = min(times, 1 + 2_000_000 // max(piece.stop - piece.start, 1))
    again = content[piece.start : piece.stop] * times
    return content[: piece.stop] + again + content[piece.stop :]


def leave_piece_out(content: bytes, rng: Rng) -> bytes:
    piece = _chosen(pieces_of(content), rng)
    return content[: piece.start] + content[piece.stop :]


def resize_piece(content: bytes, rng: Rng) -> bytes:
    """Another length than it has: none, one less or more, up to the most that can be written."""
    piece = _chosen(pieces_of(content), rng)
    result = bytearray(content)
    at, size = piece.length_at, piece.length_bytes
    known = int.from_bytes(result[at : at + size], piece.order)  # type: ignore[arg-type]
    most = (1 << 8 * size) - 1
    values = (0, 1, known - 1, known + 1, known * 2, known // 2, most, most - 1, most // 2)
    value = values[int(rng.integers(len(values)))] & most
    result[at : at + size] = value.to_bytes(size, piece.order)  # type: ignore[arg-type]
    return bytes(result)


def lie_in_piece(content: bytes, rng: Rng) -> bytes:
    """Extreme numbers in the head of small pieces: sizes, counts, times, tables."""
    found = [piece for piece in pieces_of(content) if piece.stop - piece.body < 4096]
    result = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        piece = _chosen(found, rng)
        if piece.stop > piece.body:
            at = int(rng.integers(piece.body, min(piece.stop, piece.body + 96)))
            _write(result, at, int(rng.choice((1, 2, 4, 8))), rng, piece.order)
    return bytes(result)


Mutation = Callable[[bytes, Rng], bytes]

ANYWHERE: tuple[Mutation, ...] = (
    *(flip_bits, flip_header_bits, overwrite, cut_off, cut_out, double, lie_in_header),
)
BY_PIECES: tuple[Mutation, ...] = (
    *(swap_pieces, double_piece, leave_piece_out, resize_piece, lie_in_piece),
)
KINDS = (*ANYWHERE, *BY_PIECES)


def mutated(content: bytes, kind: Mutation, seed: int, number: int) -> bytes:
    """The file damaged by `kind`; where it has no pieces, by one of the kinds that need none."""
    rng = np.random.default_rng([seed, number])
    if kind in BY_PIECES and not pieces_of(content):
        kind = ANYWHERE[int(rng.integers(len(ANYWHERE)))]
    return kind(content, rng)


def _stretch(content: bytes, rng: Rng) -> tuple[int, int]:
    length = int(min(len(content), 2 ** rng.uniform(0, 14)))
    start = int(rng.integers(0, len(content) - length + 1))
    return start, start + max(length, 1)


def _chosen(found: list[Piece], rng: Rng) -> Piece:
    """Any piece; each depth as often, for there are few boxes of few kinds near the top."""
    depths = sorted({piece.depth for piece in found})
    depth = depths[int(rng.integers(len(depths)))]
    level = [piece for piece in found if piece.depth == depth]
    return level[int(rng.integers(len(level)))]


def _write(content: bytearray, at: int, size: int, rng: Rng, order: str) -> None:
    size = min(size, len(content) - at)
    value = int(rng.choice(_EXTREMES))
    if size == 8 and rng.random() < 0.5:
        value |= value << 32
    value &= (1 << 8 * size) - 1
    content[at : at + size] = value.to_bytes(size, order)  # type: ignore[arg-type]
