"""What real files say about their making, and what hostile ones may not."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from framejury.media import boxes
from framejury.media.decode import VideoFile
from framejury.media.origin import LONGEST_TEXT, Origin
from framejury.settings import LimitSettings
from tests.builders import clips

C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def origin(path: Path) -> Origin:
    with VideoFile(path, LimitSettings()) as video:
        return video.origin


def uuid_box(identity: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 24 + len(content), b"uuid") + identity + content


def manifest_box(purpose: bytes = b"manifest") -> bytes:
    """As c2pa-rs 0.6x writes it: version and flags, purpose, offset of a Merkle box, JUMBF."""
    jumbf = struct.pack(">I4s", 20, b"jumb") + b"\0" * 12
    return uuid_box(C2PA, b"\0" * 4 + purpose + b"\0" + b"\0" * 8 + jumbf)


@pytest.fixture
def mp4(tmp_path: Path) -> Path:
    return clips.write_clip(tmp_path / "a.mp4", clips.plain_frames(5))


def tagged(path: Path, **tags: str) -> Path:
    """A QuickTime film with these tags; `_` stands for a dot."""
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as output:
        output.metadata.update({name.replace("_", "."): value for name, value in tags.items()})
        stream = output.add_stream("libx264", rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(3):
            picture = np.zeros((64, 64, 3), np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode(None))
    return path


def test_an_ordinary_file(mp4: Path) -> None:
    found = origin(mp4)
    assert found.brand == "isom" and found.muxer is not None and found.muxer.startswith("Lavf")
    assert found.encoder is not None and "x264 - core" not in found.encoder
    assert "x264 core " in found.encoder and "crf=" in found.encoder
    assert found.edits == 1  # it hides the delay of B-frames
    assert (found.location, found.c2pa, found.software, found.device) == (
        False,
        "absent",
        None,
        None,
    )


def test_tags_of_a_phone_without_its_place(tmp_path: Path) -> None:
    found = origin(
        tagged(
            tmp_path / "a.mov",
            com_apple_quicktime_make="Apple",
            com_apple_quicktime_model="iPhone 13",
            com_apple_quicktime_software="16.1",
            com_apple_quicktime_creationdate="2023-04-05T10:11:12+0200",
            com_apple_quicktime_location_ISO6709="+48.1372+011.5755/",
        )
    )
    assert (found.device, found.software) == ("Apple iPhone 13", "16.1")
    assert found.created == "2023-04-05T10:11:12+0200"
    assert found.location is True
    assert "48.1372" not in repr(found)


def test_hostile_tags_are_printable_and_short(tmp_path: Path) -> None:
    found = origin(tagged(tmp_path / "a.mov", software="\x1b[2J\nevil" + "x" * 5000))
    assert found.software is not None and found.software.isprintable()
    assert found.software.startswith("?[2J?evil") and len(found.software) == LONGEST_TEXT


@pytest.mark.parametrize("ending", ["mp4", "mov"])
def test_a_c2pa_manifest_is_present(ending: str, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / f"a.{ending}", clips.plain_frames(3))
    assert origin(path).c2pa == "absent"
    path.write_bytes(path.read_bytes() + manifest_box())
    assert origin(path).c2pa == "present"


def test_other_boxes_are_no_manifest(mp4: Path) -> None:
    plain = mp4.read_bytes()
    for other in (manifest_box(b"merkle"), uuid_box(bytes(16), b"\0" * 4 + b"manifest\0")):
        mp4.write_bytes(plain + other)
        assert origin(mp4).c2pa == "absent"
    # A manifest inside the pictures' bytes is not one of the file.
    mp4.write_bytes(plain + struct.pack(">I4s", 8 + 100, b"mdat") + manifest_box() + b"\0" * 100)
    assert origin(mp4).c2pa == "absent"


def test_a_c2pa_manifest_in_avi(tmp_path: Path) -> None:
    path = clips.write_variant(tmp_path / "a.avi", clips.plain_frames(3))
    assert origin(path).c2pa == "absent"
    content = path.read_bytes()
    chunk = b"C2PA" + struct.pack("<I", 20) + struct.pack(">I4s", 20, b"jumb") + b"\0" * 12
    size = struct.pack("<I", len(content) - 8 + len(chunk))
    path.write_bytes(content[:4] + size + content[8:] + chunk)
    assert origin(path).c2pa == "present"


@pytest.mark.parametrize("ending", ["mkv", "webm", "mpg"])
def test_formats_without_a_place_for_c2pa(ending: str, tmp_path: Path) -> None:
    assert origin(clips.write_variant(tmp_path / f"a.{ending}", clips.plain_frames(3))).c2pa is None


def test_too_many_boxes_leave_it_open(mp4: Path) -> None:
    free = struct.pack(">I4s", 8, b"free") * (boxes.MOST_BOXES + 1)
    mp4.write_bytes(mp4.read_bytes() + free + manifest_box())
    assert origin(mp4).c2pa is None


def test_times_of_creation_and_of_change(mp4: Path) -> None:
    content = bytearray(mp4.read_bytes())
    at = content.index(b"mvhd") + 4
    content[at + 4 : at + 12] = struct.pack(">II", 0, 3_755_000_000)
    mp4.write_bytes(content)
    # 2,082,844,800 s after QuickTime's epoch comes that of Unix: date -u -d @1672155200.
    assert origin(mp4).modified == "2022-12-27T15:33:20Z"


def test_the_program_that_xmp_names(mp4: Path) -> None:
    packet = b"<x:xmpmeta><xmp:CreatorTool>Adobe Premiere Pro 2023.1</xmp:CreatorTool></x:xmpmeta>"
    mp4.write_bytes(mp4.read_bytes() + uuid_box(XMP, packet))
    assert origin(mp4).software == "Adobe Premiere Pro 2023.1"
