"""Sides fixed beforehand: which line decides, what is refused, and the lists that ship."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.archive.csv_files import Pin, Pins, read_pins
from framejury.archive.face_sets import pictures_of, read_face_sets
from framejury.archive.groups import group_names
from framejury.archive.layouts import VideoEntry, describe_videos
from framejury.archive.listing import list_local
from framejury.errors import SplitError
from framejury.schemas.statuses import Label, Side
from framejury.settings import IndexSettings

ROOT = Path(__file__).resolve().parents[3]
TRAINING = ROOT.parent / "shared" / "training"
CORPUS = ROOT.parent / "shared" / "corpus"
TRAIN, VAL, TEST, EXCLUDED = Side.TRAIN, Side.VAL, Side.TEST, Side.EXCLUDED


def written(folder: Path, *lines: str) -> Path:
    path = folder / "sides.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_first_line_that_fits_decides(tmp_path: Path) -> None:
    pins = read_pins(
        written(
            tmp_path,
            "pattern,side",
            "# people whose faces we know",
            "a/x*.mp4,val",
            "",
            '"a/with, comma.mp4", excluded',
            "a/*,train",
            "b/[0-4]?/*,test",
            "Celeb/*,test",
        )
    )
    assert [pins.side_of(path) for path in ("a/x1.mp4", "a/y.mp4", "a/b/c/d.mp4")] == [
        VAL,
        TRAIN,
        TRAIN,
    ]
    assert pins.side_of("a/with, comma.mp4") is EXCLUDED
    assert pins.side_of("b/39/z") is TEST
    assert pins.side_of("b/59/z") is None
    assert pins.side_of("Celeb/id0.mp4") is TEST
    assert pins.side_of("celeb/id0.mp4") is None  # upper and lower case differ
    assert pins.side_of("A/y.mp4") is None
    assert pins.side_of("before/a/y.mp4") is None  # the whole path must fit
    pin = pins.pin_of("b/39/z")
    assert pin is not None
    assert (pin.line, pin.pattern) == (7, "b/[0-4]?/*")


def test_lines_that_decide_nothing_are_known(tmp_path: Path) -> None:
    pins = read_pins(written(tmp_path, "pattern,side", "*,train", "a.mp4,val"))
    assert [pin.line for pin in pins.unused(["a.mp4", "b.mp4"])] == [3]
    assert [pin.line for pin in pins.unused([])] == [2, 3]


@given(
    names=st.lists(st.text("abc/*?[]!,", min_size=1, max_size=6), min_size=1, max_size=8),
    sides=st.data(),
)
def test_a_later_line_changes_nothing_of_what_an_earlier_one_decides(
    names: list[str], sides: st.DataObject
) -> None:
    lines = tuple(
        Pin(name, sides.draw(st.sampled_from(Side)), at) for at, name in enumerate(names, start=2)
    )
    for name in names:
        whole, shorter = Pins("f", lines).side_of(name), Pins("f", lines[:-1]).side_of(name)
        assert shorter is None or whole is shorter


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["file,side", "a,val"], r"line 1: the header must be pattern,side, not 'file,side'"),
        ([""], "line 1"),
        (["pattern,side", "a,mixed"], r"line 2: unknown side 'mixed'; .* test, excluded$"),
        (["pattern,side", "a,val", "b,dev"], r"line 3: unknown side 'dev'; allowed: train, val"),
        (["pattern,side", "a,val,why"], "line 2: .*3 fields"),
        (["pattern,side", "a"], "line 2: .*1 fields"),
        (["pattern,side", " ,val"], r"line 2: the pattern is empty"),
        (["pattern,side", "a,val", '"a,val'], "line 3"),
        (["pattern,side"], "holds no sides"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(SplitError, match=said) as caught:
        read_pins(written(tmp_path, *lines))
    assert "sides.csv" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SplitError, match=r"cannot read the sides in .*none\.csv"):
        read_pins(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"pattern,side\n\xff\xfe,val\n")
    with pytest.raises(SplitError, match=r"bytes\.csv"):
        read_pins(tmp_path / "bytes.csv")


# ---------------------------------------------------------------- the lists that ship


def test_parts_of_the_face_set_stand_where_its_readme_wants_them() -> None:
    pins = read_pins(ROOT / "conf" / "training" / "sides-faces.csv")
    for part in range(30):
        wanted = TRAIN if part < 25 else VAL if part < 28 else TEST
        assert pins.side_of(f"dfdc_faces/part-{part:02d}/abcdefghij.mp4") is wanted
    assert pins.side_of("real_faces/ffhq/532") is TRAIN


@pytest.mark.skipif(not TRAINING.is_dir(), reason="no ../shared/training beside this checkout")
def test_no_source_of_the_face_sets_is_pinned_to_two_sides_here_or_in_the_corpus() -> None:
    pins = read_pins(ROOT / "conf" / "training" / "sides-faces.csv")
    of_corpus = read_pins(ROOT / "conf" / "training" / "sides-corpus.csv")
    faces = {row.entry.file.path: row.entry for row in read_face_sets(TRAINING)}.values()
    assert pins.unused(entry.file.path for entry in faces) == []
    videos: list[VideoEntry] = []
    if CORPUS.is_dir():
        videos, *_ = describe_videos(
            list_local(CORPUS), lambda file: Path(file.uri).read_text("utf-8"), IndexSettings()
        )
    sides = defaultdict(set)
    pinned = [(entry, pins.side_of(entry.file.path)) for entry in faces]
    pinned += [(entry, of_corpus.side_of(entry.file.path)) for entry in videos]
    groups = group_names([entry.group_keys for entry, _ in pinned])
    labels, generators = defaultdict(set), defaultdict(set)
    for (entry, side), group in zip(pinned, groups, strict=True):
        sides[group].add(side)
        if entry.file.path.startswith("wild_faces/"):
            labels[side].add(entry.label)
            if side is not EXCLUDED:
                generators[entry.method].add(side)
    assert {group: found for group, found in sides.items() if len(found) > 1} == {}
    assert all(labels[side] == {Label.REAL, Label.FAKE} for side in (TRAIN, VAL, TEST))
    # Each generator is in one split only, and val and test have some that train has not.
    del generators[None]
    assert all(len(found) == 1 for found in generators.values())
    assert {TRAIN, VAL, TEST} <= {side for found in generators.values() for side in found}


def difference_hash(picture: bytes) -> np.ndarray:
    """Whether each of 12x12 grey cells is darker than its right neighbour: float32 (144,)."""
    grey = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_GRAYSCALE)
    small = cv2.resize(grey, (13, 12), interpolation=cv2.INTER_AREA).astype(int)
    return (small[:, 1:] > small[:, :-1]).ravel().astype(np.float32)


@pytest.mark.skipif(not TRAINING.is_dir(), reason="no ../shared/training beside this checkout")
def test_no_picture_is_in_two_splits_under_different_names() -> None:
    """Groups rest on names, so a clip that two projects show can be in train and in test."""
    pins = read_pins(ROOT / "conf" / "training" / "sides-faces.csv")
    pictures: dict[Path, list[bytes | None]] = {}
    used, hashes = [], []
    for row in read_face_sets(TRAINING):
        side = pins.side_of(row.entry.file.path)
        if side is EXCLUDED or not row.entry.file.path.startswith(("wild_faces/", "ff_faces/")):
            continue
        if row.file not in pictures:
            pictures[row.file] = list(pictures_of(row.file))
        if picture := pictures[row.file][row.row]:
            used.append((side, row.place))
            hashes.append(difference_hash(picture))
    bits = np.array(hashes)
    apart = bits @ (1 - bits).T
    alike = [
        (used[one], used[other])
        for one, other in np.argwhere(apart + apart.T <= 8)
        if one < other and used[one][0] is not used[other][0]
    ]
    assert {side for side, _ in used} == {TRAIN, VAL, TEST}
    assert alike == []


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no ../shared/corpus beside this checkout")
def test_no_source_of_the_corpus_is_pinned_to_two_sides() -> None:
    pins = read_pins(ROOT / "conf" / "training" / "sides-corpus.csv")
    entries, *_ = describe_videos(
        list_local(CORPUS), lambda file: Path(file.uri).read_text("utf-8"), IndexSettings()
    )
    assert pins.unused(entry.file.path for entry in entries) == []
    groups = group_names([entry.group_keys for entry in entries])
    sides = defaultdict(set)
    for entry, group in zip(entries, groups, strict=True):
        sides[group].add(pins.side_of(entry.file.path))
    assert {group: found for group, found in sides.items() if len(found) > 1} == {}
    with (CORPUS / "CORPUS.csv").open(newline="") as file:
        table = {row["file"]: row["group"] for row in csv.DictReader(file) if row["group"]}
    people = defaultdict(set)
    for path, person in table.items():
        people[person].add(pins.side_of(path))
    assert all(len(found) == 1 and None not in found for found in people.values())
    labels = defaultdict(set)
    for entry in entries:
        labels[pins.side_of(entry.file.path)].add(entry.label)
    assert all({Label.REAL, Label.FAKE} <= labels[side] for side in (TRAIN, VAL, TEST))
