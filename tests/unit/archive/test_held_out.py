"""Held-out methods: in test or in no split, and never beside their source in train or val."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.archive.csv_files import Pin, Pins
from framejury.archive.held_out import ELSEWHERE, held_out_counts
from framejury.archive.labelled_video import Candidate, Placement
from framejury.archive.leakage import check_leakage
from framejury.archive.splits import split_videos
from framejury.errors import SplitError
from framejury.recipes.preset_comparison import check_sides, shared_sides, sides_csv
from framejury.schemas.statuses import Label, Side
from framejury.settings import SplitSettings

TRAIN, VAL, TEST, EXCLUDED, MIXED = Side.TRAIN, Side.VAL, Side.TEST, Side.EXCLUDED, Side.MIXED
HELD = "NeuralTextures"


def source(number: int, *methods: str | None) -> list[Candidate]:
    """A real video and one fake of it per method."""
    names = [(f"{number:03d}", Label.REAL, None)]
    names += [(f"{number:03d}-{method}", Label.FAKE, method) for method in methods]
    return [
        Candidate(f"id-{n}", f"{n}.mp4", label, (f"src{number}",), f"c-{n}", True, method=method)
        for n, label, method in names
    ]


def archive(count: int, *methods: str | None) -> list[Candidate]:
    return [one for number in range(count) for one in source(number, *methods)]


def divided(videos: list[Candidate], *held: str, pins: Pins | None = None, **changes: Any):
    settings = SplitSettings(**({"hold_out_methods": held or (HELD,)} | changes))
    return split_videos(videos, settings, pins)


def sides(rows: list[Placement], method: str) -> set[Side]:
    return {row.side for row in rows if row.method == method}


@given(
    seed=st.integers(0, 20),
    unit=st.sampled_from(["group", "video", "face"]),
    balance=st.sampled_from(["runs", "random", "none"]),
    over=st.sampled_from(["side", "archive"]),
    alone=st.integers(0, 4),
)
def test_a_held_out_fake_is_learned_from_nowhere(
    seed: int, unit: str, balance: str, over: str, alone: int
) -> None:
    videos = archive(20, "Deepfakes", HELD)
    videos += [one for number in range(50, 50 + alone) for one in source(number, HELD)]
    rows = divided(videos, seed=seed, unit=unit, balance=balance, balance_over=over)
    assert {row.video_id for row in rows} == {one.video_id for one in videos}
    assert sides(rows, HELD) <= {TEST, EXCLUDED}
    tested, left_out = held_out_counts(rows, SplitSettings(hold_out_methods=(HELD,)))[HELD]
    assert tested + left_out == 20 + alone
    assert tested >= alone + 1
    if unit == "group":
        assert check_leakage(rows) is None
    else:
        assert left_out == 0  # each fake is a unit of its own


def test_a_source_with_fakes_of_two_methods_stays_whole() -> None:
    rows = divided(archive(20, "Deepfakes", HELD), balance="none")
    real = {row.group: row.side for row in rows if row.label is Label.REAL}
    assert set(real.values()) == {TRAIN, VAL, TEST}
    for row in rows:
        is_here = row.method != HELD or real[row.group] is TEST
        assert row.side is (real[row.group] if is_here else EXCLUDED)
        assert row.reason == (None if is_here else ELSEWHERE)


def test_a_source_of_the_method_alone_is_tested_beyond_the_share() -> None:
    """The other sources are divided as they would be without it."""
    both = archive(20, "Deepfakes")
    alone = [one for number in range(50, 60) for one in source(number, HELD)]
    plain = {row.video_id: row.side for row in split_videos(both, SplitSettings())}
    rows = divided([*both, *alone])
    assert {row.video_id: row.side for row in rows if row.video_id in plain} == plain
    assert {row.side for row in rows if row.video_id not in plain} == {TEST}


def test_balance_neither_drops_nor_counts_held_out_fakes() -> None:
    rows = divided(
        archive(20, "Deepfakes", "FaceSwap", HELD), balance="random", test=0.3, train=0.6
    )
    tested = [row for row in rows if row.side is TEST]
    reals = sum(row.label is Label.REAL for row in tested)
    assert sum(row.method == HELD for row in tested) == reals
    assert sum(row.label is Label.FAKE and row.method != HELD for row in tested) == reals


def test_a_pin_to_train_leaves_the_held_out_fake_out() -> None:
    videos = archive(20, "Deepfakes", HELD) + source(50, HELD)
    pins = Pins("pins.csv", (Pin("050*", TRAIN, 2), Pin("003*", TEST, 3)))
    rows = {row.video_id: row for row in divided(videos, pins=pins)}
    assert rows["id-050"].side is TRAIN
    assert (rows[f"id-050-{HELD}"].side, rows[f"id-050-{HELD}"].reason) == (EXCLUDED, ELSEWHERE)
    assert rows[f"id-003-{HELD}"].side is TEST


def test_unnamed_fakes_and_fakes_that_cannot_be_used_are_as_ever() -> None:
    videos = archive(20, None, HELD)
    videos += [Candidate("id-x", "x.mp4", Label.FAKE, ("x",), None, False, method=HELD)]
    rows = divided(videos, balance="none")
    assert {row.side for row in rows if row.label is Label.FAKE and row.method is None} == {
        TRAIN,
        VAL,
        TEST,
    }
    (unusable,) = [row for row in rows if row.video_id == "id-x"]
    assert unusable.reason == "no face to learn from"


@pytest.mark.parametrize(
    ("methods", "held", "said"),
    [
        (("Deepfakes", "FaceSwap"), ("neuraltextures",), "its methods are Deepfakes, FaceSwap"),
        ((None,), (HELD,), "no fake of NeuralTextures; it names no method"),
        (("Deepfakes", HELD), (HELD, "Deepfakes"), "hold out fewer methods"),
    ],
)
def test_a_method_that_cannot_be_held_out_is_refused(
    methods: tuple[str | None, ...], held: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SplitError, match=said):
        divided(archive(20, *methods), *held)


def test_without_a_test_split_nothing_can_be_held_out() -> None:
    with pytest.raises(ValueError, match=r"split\.test is 0"):
        SplitSettings(hold_out_methods=(HELD,), train=0.9, test=0)


@pytest.mark.parametrize("unit", ["group", "video", "face"])
def test_presets_share_a_split_that_holds_out(unit: Any) -> None:
    """The shared split goes to each preset as pins, which hold no second split of a group."""
    videos = archive(20, "Deepfakes", HELD)
    settings = SplitSettings(hold_out_methods=(HELD,), unit=unit)
    shared = shared_sides(videos, settings)
    lines = [line.split(",") for line in sides_csv(shared).splitlines()[1:]]
    pins = Pins("sides.csv", tuple(Pin(p, Side(side), n) for n, (p, side) in enumerate(lines)))
    rows = split_videos(videos, settings, pins)
    check_sides(shared, {row.video_id: row.side.value for row in rows})
    assert sides(rows, HELD) == {TEST, EXCLUDED}
