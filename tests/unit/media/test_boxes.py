"""Boxes and chunks are walked within the file, whatever their sizes claim."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.media import boxes
from framejury.media.boxes import FileBytes, Part


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def walked(path: Path) -> list[Part]:
    file = FileBytes(path)
    return list(file.boxes(0, file.size_bytes))


def test_boxes_with_short_long_and_open_sizes(tmp_path: Path) -> None:
    long = struct.pack(">I4sQ", 1, b"long", 16 + 3) + b"abc"
    path = tmp_path / "a"
    path.write_bytes(box(b"ftyp", b"12345") + long + struct.pack(">I4s", 0, b"last") + b"rest")
    first, second, third = walked(path)
    assert (first.kind, first.start, first.stop) == (b"ftyp", 8, 13)
    assert (second.kind, second.start, second.stop) == (b"long", 29, 32)
    assert (third.kind, third.start, third.stop) == (b"last", 40, 44)


def test_a_descriptor_stays_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(box(b"ftyp", b"12345") * 3)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.lseek(descriptor, 7, os.SEEK_SET)
        file = FileBytes(descriptor)
        assert len(list(file.boxes(0, file.size_bytes))) == 3
        assert os.lseek(descriptor, 0, os.SEEK_CUR) == 7
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("size", [2, 7])
def test_a_box_smaller_than_its_header_ends_the_walk(size: int, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(struct.pack(">I4s", size, b"evil") + b"x" * 100)
    assert walked(path) == []


def test_a_box_that_claims_more_than_the_file_has_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(struct.pack(">I4sQ", 1, b"huge", 2**63) + b"abc")
    (one,) = walked(path)
    assert (one.start, one.stop) == (16, 19)


def test_endless_boxes_exhaust_the_walk(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(box(b"free") * (boxes.MOST_BOXES + 10))
    file = FileBytes(path)
    assert len(list(file.boxes(0, file.size_bytes))) == boxes.MOST_BOXES
    assert file.exhausted
    assert list(file.boxes(0, file.size_bytes)) == []


def test_chunks_begin_at_even_places(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"ODD1" + struct.pack("<I", 3) + b"abc\0" + b"next" + struct.pack("<I", 0))
    file = FileBytes(path)
    assert [chunk.kind for chunk in file.chunks(0, file.size_bytes)] == [b"ODD1", b"next"]


@given(st.binary(max_size=400))
def test_any_bytes_end(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "a"
    path.write_bytes(content)
    file = FileBytes(path)
    for part in [*file.boxes(0, len(content)), *file.chunks(0, len(content))]:
        assert part.start >= 0 and part.stop <= len(content)
