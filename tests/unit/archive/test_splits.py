"""Sides by group, balance by whole videos, and the gate that refuses leaks."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from framejury.archive.csv_files import Pin, Pins
from framejury.archive.labelled_video import Candidate, Placement
from framejury.archive.leakage import check_leakage
from framejury.archive.splits import split_videos
from framejury.errors import LeakageError, SplitError
from framejury.schemas.statuses import Label, Side
from framejury.settings import SplitSettings

REAL, FAKE = Label.REAL, Label.FAKE
TRAIN, VAL, TEST, EXCLUDED = Side.TRAIN, Side.VAL, Side.TEST, Side.EXCLUDED


def candidate(name: str, label: Label, *keys: str, **changes: Any) -> Candidate:
    base = Candidate(f"id-{name}", f"{name}.mp4", label, keys, content_id=f"c-{name}", usable=True)
    return replace(base, **changes)


def sources(count: int, fakes: int = 1) -> list[Candidate]:
    """`count` sources, each one real video and its fakes."""
    return [
        candidate(f"{number:03d}-{kind}", REAL if kind == 0 else FAKE, f"src{number}")
        for number in range(count)
        for kind in range(fakes + 1)
    ]


def settings(**changes: Any) -> SplitSettings:
    return SplitSettings(**({"balance": "none"} | changes))


def sides_of(rows: list[Placement]) -> dict[str, Side]:
    return {row.video_id: row.side for row in rows}


@st.composite
def archives(draw: st.DrawFn) -> list[Candidate]:
    """10 to 60 videos over shared keys, some with the same content, some without a face."""
    count = draw(st.integers(10, 60))
    keys = st.lists(st.integers(0, 25).map("k{}".format), min_size=1, max_size=2)
    return [
        Candidate(
            f"id{number}",
            f"v{number:02d}.mp4",
            draw(st.sampled_from(Label)),
            tuple(draw(keys)),
            draw(st.sampled_from([None, "same", f"c{number}"])) if number % 7 == 0 else None,
            draw(st.integers(0, 9)) > 0,
        )
        for number in range(count)
    ]


@given(
    archive=archives(),
    seed=st.integers(0, 5),
    balance=st.sampled_from(["runs", "random", "none"]),
    over=st.sampled_from(["side", "archive", "chunk"]),
)
def test_no_source_stands_on_two_sides(
    archive: list[Candidate], seed: int, balance: str, over: str
) -> None:
    try:
        rows = split_videos(archive, settings(seed=seed, balance=balance, balance_over=over))
    except SplitError:
        assume(False)
    assert check_leakage(rows) is None
    sides: dict[str, set[Side]] = defaultdict(set)
    by_id = {one.video_id: one for one in archive}
    for row in rows:
        if row.side is not EXCLUDED:
            one = by_id[row.video_id]
            for key in (*one.group_keys, *([one.content_id] if one.content_id else [])):
                sides[key].add(row.side)
    assert all(len(found) == 1 for found in sides.values())
    assert [row.path for row in rows] == sorted(one.path for one in archive)
    assert all((row.reason is not None) is (row.side is EXCLUDED) for row in rows)


@given(archive=archives(), shuffle=st.integers(0, 100))
def test_the_order_of_the_table_does_not_matter(archive: list[Candidate], shuffle: int) -> None:
    other = archive.copy()
    random.Random(shuffle).shuffle(other)
    try:
        rows = split_videos(archive, SplitSettings())
    except SplitError:
        with pytest.raises(SplitError):
            split_videos(other, SplitSettings())
        return
    assert split_videos(other, SplitSettings()) == rows


def test_a_split_by_group_is_what_it_was() -> None:
    """Digest of the placements of before there were other units, with pins and without."""
    fixed = pins(**{"1/v00_": VAL, "2/v01_": TEST, "3/v02_": EXCLUDED})
    # The sentences were reworded since.
    former = {"its group is excluded by a pin": "its sources are pinned to no side"}
    digest = hashlib.sha256()
    for number in range(60):
        archive = drawn_archive(number)
        for balance in ("runs", "random", "none"):
            wanted = settings(train=0.7, val=0.2, test=0.1, seed=number % 4, balance=balance)
            for given_sides in (None, fixed):
                try:
                    rows = split_videos(archive, wanted, given_sides)
                    said = repr(
                        [
                            (
                                r.video_id,
                                r.group,
                                r.side.value,
                                former.get(r.reason or "", r.reason),
                            )
                            for r in rows
                        ]
                    )
                except SplitError:
                    said = repr("refused")
                digest.update(said.encode())
    assert digest.hexdigest().startswith("d93792537f67cf4d618a79fe31d07006")


def drawn_archive(number: int) -> list[Candidate]:
    """20 to 120 videos, mostly fakes, of shared sources; some stills, some without a face."""
    rng = random.Random(number)
    archive = [
        Candidate(
            f"id{n}",
            f"{rng.randrange(5)}/v{n:03d}.mp4",
            rng.choices(list(Label), (4, 1))[0],
            tuple(f"k{rng.randrange(60)}" for _ in range(rng.choice((1, 1, 2)))),
            rng.choice((None, "same", f"c{n}", f"c{n}", f"c{n}")) if n % 9 == 0 else f"c{n}",
            rng.random() > 0.1,
        )
        for n in range(rng.randrange(20, 120))
    ]
    return [replace(one, still=one.label is REAL and n % 11 == 0) for n, one in enumerate(archive)]


def test_another_seed_is_another_split() -> None:
    archive = sources(40)
    first = sides_of(split_videos(archive, settings(seed=1)))
    assert sides_of(split_videos(archive, settings(seed=1))) == first
    assert sides_of(split_videos(archive, settings(seed=2))) != first


@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.1), (0.7, 0.2, 0.1), (0.5, 0.25, 0.25)])
def test_shares_are_kept_for_each_label(shares: tuple[float, float, float]) -> None:
    archive = sources(60, fakes=3)
    archive += [candidate(f"lone{n}", REAL, f"lone{n}") for n in range(30)]
    rows = split_videos(archive, settings(train=shares[0], val=shares[1], test=shares[2]))
    for label in Label:
        counts = Counter(row.side for row in rows if row.label is label)
        for side, share in zip((TRAIN, VAL, TEST), shares, strict=True):
            assert counts[side] / counts.total() == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize("count", [3, 4, 5, 7, 9])
def test_few_sources_still_fill_every_side(count: int) -> None:
    rows = split_videos(sources(count), settings())
    assert {row.side for row in rows} == {TRAIN, VAL, TEST}
    for side in (VAL, TEST):
        assert Counter(row.label for row in rows if row.side is side) == {REAL: 1, FAKE: 1}


def test_sources_of_one_label_each() -> None:
    archive = [candidate(f"r{n}", REAL, f"r{n}") for n in range(6)]
    archive += [candidate(f"f{n}", FAKE, f"f{n}") for n in range(6)]
    rows = split_videos(archive, settings())
    for side in (TRAIN, VAL, TEST):
        assert {row.label for row in rows if row.side is side} == {REAL, FAKE}


def test_a_giant_source_goes_to_training() -> None:
    archive = [candidate(f"g{n}", FAKE if n % 2 else REAL, "giant") for n in range(100)]
    rows = split_videos([*archive, *sources(10)], settings())
    assert {row.side for row in rows if row.path.startswith("g")} == {TRAIN}


def test_no_test_side() -> None:
    rows = split_videos(sources(5), settings(train=0.8, val=0.2, test=0))
    assert {row.side for row in rows} == {TRAIN, VAL}


def test_videos_without_a_face_are_left_out_but_still_bind() -> None:
    archive = sources(12)
    bridge = candidate("bridge", REAL, "src0", "src1", usable=False)
    rows = split_videos([*archive, bridge], settings())
    by_id = {row.video_id: row for row in rows}
    assert by_id["id-bridge"].side is EXCLUDED
    assert by_id["id-bridge"].reason == "no face to learn from"
    assert by_id["id-000-0"].side is by_id["id-001-0"].side
    assert by_id["id-000-0"].group == by_id["id-001-0"].group == by_id["id-bridge"].group


@pytest.mark.parametrize("seed", range(5))
def test_identical_content_binds(seed: int) -> None:
    archive = sources(12)
    archive[0] = replace(archive[0], content_id="same")
    archive[-1] = replace(archive[-1], content_id="same")
    sides = sides_of(split_videos(archive, settings(seed=seed)))
    assert sides[archive[0].video_id] is sides[archive[-1].video_id]


def test_unread_content_does_not_bind() -> None:
    archive = [replace(one, content_id=None) for one in sources(12)]
    assert len({row.group for row in split_videos(archive, settings())}) == 12


# ---------------------------------------------------------------- balance


@pytest.mark.parametrize("balance", ["runs", "random"])
@pytest.mark.parametrize("seed", [0, 1])
def test_fakes_are_dropped_to_the_number_of_reals(balance: str, seed: int) -> None:
    archive = sources(40, fakes=4)
    before = split_videos(archive, settings(seed=seed))
    rows = split_videos(archive, settings(seed=seed, balance=balance))
    for side in (TRAIN, VAL, TEST):
        counts = Counter(row.label for row in rows if row.side is side)
        assert counts[FAKE] == counts[REAL] > 0
    dropped = [row for row in rows if row.side is EXCLUDED]
    assert {row.reason for row in dropped} == {"fake dropped to balance the classes"}
    assert {row.label for row in dropped} == {FAKE}
    kept = {key: side for key, side in sides_of(rows).items() if side is not EXCLUDED}
    assert kept.items() <= sides_of(before).items()


def test_runs_are_consecutive_in_name_order() -> None:
    rows = split_videos(sources(60, fakes=4), settings(balance="runs"))
    before = sides_of(split_videos(sources(60, fakes=4), settings()))
    fakes = [row for row in rows if row.label is FAKE and before[row.video_id] is TRAIN]
    gone = [row.side is EXCLUDED for row in fakes]
    changes = sum(one != other for one, other in zip(gone, gone[1:] + gone[:1], strict=True))
    assert changes == 2  # one run, perhaps around the end


def test_random_is_no_run() -> None:
    rows = split_videos(sources(60, fakes=4), settings(balance="random"))
    gone = [row.side is EXCLUDED for row in rows if row.label is FAKE]
    assert sum(one != other for one, other in pairwise(gone)) > 10


def test_more_reals_than_fakes_are_left_alone() -> None:
    archive = [*sources(12), *(candidate(f"r{n}", REAL, f"r{n}") for n in range(30))]
    rows = split_videos(archive, settings(balance="runs"))
    assert EXCLUDED not in sides_of(rows).values()


def test_a_still_evens_out_no_fake() -> None:
    """It is shown beside its own blend, so a real one is lacking all the same."""
    archive = sources(12, fakes=2)
    stills = [candidate(f"still{n:02d}", REAL, f"s{n}", still=True) for n in range(30)]
    rows = split_videos([*archive, *stills], settings(balance="runs"))
    for side in (TRAIN, VAL, TEST):
        counts = Counter(row.label for row in rows if row.side is side and not row.still)
        assert counts[FAKE] == counts[REAL] > 0
    assert EXCLUDED not in {row.side for row in rows if row.still}


# ---------------------------------------------------------------- pins


def pins(**sides: Side) -> Pins:
    """Pins of patterns written with `_` for `*`."""
    lines = ((name.replace("_", "*"), side) for name, side in sides.items())
    return Pins("sides.csv", tuple(Pin(*line, at) for at, line in enumerate(lines, start=2)))


def test_a_group_goes_where_one_of_its_videos_is_pinned() -> None:
    archive = [replace(one, path=f"p{one.path}") for one in sources(20, fakes=2)]
    wanted = {"000": VAL, "001": VAL, "002": TEST, "003": TRAIN}
    fixed = pins(**{f"p{name}-1.mp4": side for name, side in wanted.items()})
    for seed in range(4):
        rows = split_videos(archive, settings(seed=seed), fixed)
        check_leakage(rows)
        for row in rows:
            side = wanted.get(row.path[1:4])
            assert side is None or row.side is side
        assert {row.side for row in rows} == {TRAIN, VAL, TEST}


def test_pinned_videos_count_towards_the_shares() -> None:
    archive = sources(60)
    fixed = pins(**{f"{n:03d}-_": VAL for n in range(12)})
    rows = split_videos(archive, settings(train=0.6, val=0.2, test=0.2), fixed)
    counts = Counter(row.side for row in rows)
    assert counts == {TRAIN: 72, VAL: 24, TEST: 24}
    assert {row.path[:3] for row in rows if row.side is VAL} == {f"{n:03d}" for n in range(12)}


def test_no_pins_are_no_change() -> None:
    archive = sources(20, fakes=2)
    assert split_videos(archive, settings(), pins(elsewhere_=VAL)) == split_videos(
        archive, settings()
    )


def test_every_group_pinned_leaves_nothing_to_draw() -> None:
    fixed = pins(**{"000_": VAL, "001_": TEST, "_": TRAIN})
    splits = [split_videos(sources(9), settings(seed=seed), fixed) for seed in range(3)]
    assert splits[0] == splits[1] == splits[2]
    assert Counter(row.side for row in splits[0]) == {TRAIN: 14, VAL: 2, TEST: 2}


def test_a_side_without_a_share_takes_what_is_pinned_there() -> None:
    rows = split_videos(sources(9), settings(train=0.8, val=0.2, test=0), pins(**{"000_": TEST}))
    assert {row.path[:3] for row in rows if row.side is TEST} == {"000"}


def test_pinned_to_no_side() -> None:
    archive = sources(12)
    rows = split_videos(archive, settings(), pins(**{"000-0_": EXCLUDED}))
    left_out = [row for row in rows if row.path.startswith("000")]
    assert {row.side for row in left_out} == {EXCLUDED}
    assert {row.reason for row in left_out} == {"its group is excluded by a pin"}
    assert sum(row.side is EXCLUDED for row in rows) == 2


def test_a_group_pinned_to_two_sides_is_refused() -> None:
    archive = [*sources(9), candidate("bridge", REAL, "src0", "src1", usable=False)]
    with pytest.raises(SplitError) as caught:
        split_videos(archive, settings(), pins(**{"000_": VAL, "001-1_": TRAIN}))
    said = str(caught.value)
    for words in ("sides.csv", "001-1.mp4 to train", "line 3, 001-1*", "to val (line 2, 000*)"):
        assert words in said, said


def test_pins_keep_the_balance() -> None:
    rows = split_videos(
        sources(20, fakes=4), settings(balance="runs"), pins(**{"000_": VAL, "001_": TEST})
    )
    for side in (TRAIN, VAL, TEST):
        counts = Counter(row.label for row in rows if row.side is side)
        assert counts[FAKE] == counts[REAL] > 0


# ---------------------------------------------------------------- refusals


def test_too_few_groups() -> None:
    with pytest.raises(SplitError, match=r"2 groups .* cannot fill 3 splits"):
        split_videos(sources(2), settings())
    with pytest.raises(SplitError, match="0 groups"):
        split_videos([], settings())
    unusable = [replace(one, usable=False) for one in sources(9)]
    with pytest.raises(SplitError, match="0 groups"):
        split_videos(unusable, settings())


def test_one_label_only() -> None:
    reals = [candidate(f"r{n}", REAL, f"r{n}") for n in range(20)]
    with pytest.raises(SplitError, match=r"split train has no FAKE video.*split.seed=4"):
        split_videos(reals, settings(seed=3))


def test_all_fakes_of_one_source() -> None:
    fakes = [candidate(f"f{n}", FAKE, "one") for n in range(5)]
    reals = [candidate(f"r{n}", REAL, f"r{n}") for n in range(20)]
    with pytest.raises(SplitError, match="split val has no FAKE"):
        split_videos([*fakes, *reals], settings())


# ---------------------------------------------------------------- the gate


def forge(rows: list[Placement], video_id: str, side: Side) -> list[Placement]:
    return [replace(row, side=side) if row.video_id == video_id else row for row in rows]


def test_the_gate_passes_what_split_made_and_names_a_forgery() -> None:
    rows = split_videos(sources(20, fakes=2), settings())
    check_leakage(rows)
    victim = next(row for row in rows if row.side is TRAIN)
    with pytest.raises(LeakageError) as caught:
        check_leakage(forge(rows, victim.video_id, VAL))
    partner = next(r for r in rows if r.group == victim.group and r.video_id != victim.video_id)
    message = str(caught.value)
    for words in (victim.keys[0], f"{victim.path} in val", f"{partner.path} in train"):
        assert words in message


@pytest.mark.parametrize(
    ("keys", "other", "culprit"),
    [
        (("a", "content:1"), ("b", "content:1"), "content:1"),
        (("dfdc:x.mp4",), ("dfdc:y.mp4", "dfdc:x.mp4"), "dfdc:x.mp4"),
        (("donor:ann",), ("donor:ann",), "donor:ann"),
    ],
)
def test_the_gate_looks_at_every_key(
    keys: tuple[str, ...], other: tuple[str, ...], culprit: str
) -> None:
    """Also where the split's own group column was forged along with the side."""
    rows = [
        Placement("1", "one.mp4", REAL, "g1", TRAIN, None, keys),
        Placement("2", "two.mp4", FAKE, "g2", TEST, None, other),
    ]
    with pytest.raises(LeakageError, match=rf"{culprit}: one\.mp4 in train, two\.mp4 in test"):
        check_leakage(rows)
    check_leakage([rows[0], replace(rows[1], side=TRAIN)])
    check_leakage([rows[0], replace(rows[1], side=EXCLUDED)])


def test_the_gate_looks_at_the_group_itself() -> None:
    rows = [
        Placement("1", "one.mp4", REAL, "g", TRAIN, None, ("a",)),
        Placement("2", "two.mp4", FAKE, "g", VAL, None, ("b",)),
    ]
    with pytest.raises(LeakageError, match=r"group g: one\.mp4 in train, two\.mp4 in val"):
        check_leakage(rows)
