"""A model's training videos are recognised anywhere, by content and by source, without names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from framejury.errors import BundleError
from framejury.model.bundle import load_bundle, read_seen, with_metrics, write_bundle
from framejury.model.manifest import SEEN_NAME
from framejury.model.seen import KnownVideo, SeenVideos, known_video, recognise, source_keys
from framejury.schemas.statuses import Side
from tests.builders.bundles import MANIFEST, brightness_network
from tests.builders.warehouse import video

ROW = video("real/anna.mp4", "REAL", "file:real/anna.mp4", "stem:anna", "dfdc:anna.mp4")
ANNA = known_video(ROW, "a" * 64, "/archives/one")
RECORD = SeenVideos.of(
    [
        (Side.TRAIN, ANNA),
        (Side.VAL, KnownVideo("b" * 64, ("ffpp-youtube:033",))),
        (Side.TEST, KnownVideo("c" * 64, ("ffpp-youtube:044",))),
    ]
)


@pytest.mark.parametrize(
    ("content_id", "sources", "side"),
    [
        ("a" * 64, (), "train"),  # the same file under another name
        ("b" * 64, (), "val"),
        ("c" * 64, (), "no"),  # held out
        (None, ("ffpp-youtube:033",), "val"),  # another video of a known source
        ("d" * 64, ("ffpp-youtube:044",), "no"),
        ("b" * 64, ("dfdc:anna.mp4",), "train"),  # train wins
        (None, ("a" * 64,), "no"),  # a source that is named like a content
        (None, (), "no"),
    ],
)
def test_seen_by_content_or_source(
    content_id: str | None, sources: tuple[str, ...], side: str
) -> None:
    others = [KnownVideo(None, ()), KnownVideo(content_id, sources), KnownVideo("e" * 64, ("x",))]
    assert RECORD.sides_of(others) == ["no", side, "no"]


def test_paths_name_a_source_in_their_own_archive_only() -> None:
    same_path = replace(ANNA, content_id="f" * 64, sources=source_keys(["stem:anna"], "/other"))
    again = replace(same_path, sources=source_keys(["stem:anna"], "/archives/one/"))
    assert RECORD.sides_of([same_path, again]) == ["no", "train"]


def test_the_file_holds_sorted_numbers_and_no_names() -> None:
    data = RECORD.to_bytes()
    assert b"anna" not in data
    assert b"ffpp" not in data
    back = SeenVideos.of_bytes(data, "seen")
    for mine, its in ((RECORD.contents, back.contents), (RECORD.sources, back.sources)):
        for side in (Side.TRAIN, Side.VAL):
            assert its[side].dtype == np.uint64
            assert np.array_equal(its[side], np.sort(mine[side]))
    assert back.count == RECORD.count == 7


def test_a_damaged_file_is_an_error() -> None:
    with pytest.raises(BundleError, match=r"cannot read seen\.parquet"):
        SeenVideos.of_bytes(b"PAR1", "seen.parquet")


def test_an_incomplete_record_stays_so_and_calls_nothing_new() -> None:
    part = replace(RECORD, is_complete=False)
    stranger = KnownVideo("f" * 64, ())
    for one in (
        SeenVideos.of_bytes(part.to_bytes(), "seen"),
        part.joined(RECORD),
        RECORD.joined(part),
    ):
        assert not one.is_complete and one.sides_of([ANNA, stranger]) == ["train", None]
    assert SeenVideos.of_bytes(RECORD.to_bytes(), "seen").is_complete
    assert RECORD.joined(RECORD).sides_of([stranger]) == ["no"]


def test_each_model_has_its_own_record() -> None:
    videos = [KnownVideo("a" * 64, ()), KnownVideo("a" * 64, ()), KnownVideo("a" * 64, ())]
    other = SeenVideos.of([(Side.VAL, KnownVideo("a" * 64, ()))])
    records = {"one": RECORD, "two": other, "old": None}
    found = recognise(records, ["1", "2", "3"], ["one", "two", "old"], videos)
    assert found.videos.to_pylist() == [
        {"video_id": "1", "seen": "train"},
        {"video_id": "2", "seen": "val"},
        {"video_id": "3", "seen": None},
    ]
    assert found.odds == (RECORD.count + other.count) / 2**64


def test_a_bundle_carries_its_record_and_keeps_its_id(tmp_path: Path) -> None:
    network = brightness_network(tmp_path / "network.onnx")
    without = write_bundle(tmp_path / "without", MANIFEST, network)
    written = write_bundle(tmp_path / "with", MANIFEST, network, seen=RECORD)
    assert (written.model_id, read_seen(without)) == (without.model_id, None)
    measured = with_metrics(written, tmp_path / "measured", {})
    record = read_seen(measured)
    assert record is not None
    assert record.sides_of([ANNA]) == ["train"]
    (measured.directory / SEEN_NAME).write_bytes(SeenVideos.of([]).to_bytes())
    with pytest.raises(BundleError, match=r"seen\.parquet was altered"):
        load_bundle(measured.directory)
