"""Sides by video and by face, balance before dividing, and what leaks by it in words."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from framejury.archive.assignment import FaceCut, FaceDraw, quotas
from framejury.archive.balance import DROPPED, NOT_DRAWN
from framejury.archive.csv_files import Pin, Pins
from framejury.archive.labelled_video import SIDES, Candidate, Placement
from framejury.archive.leakage import check_leakage
from framejury.archive.splits import split_videos
from framejury.errors import LeakageError, SplitError
from framejury.schemas.statuses import Label, Side
from framejury.settings import SplitSettings

REAL, FAKE = Label.REAL, Label.FAKE
TRAIN, VAL, TEST, EXCLUDED, MIXED = Side.TRAIN, Side.VAL, Side.TEST, Side.EXCLUDED, Side.MIXED
TENS = {"train": 10 / 14, "val": 2 / 14, "test": 2 / 14}


def candidate(number: int, label: Label, *keys: str, **changes: Any) -> Candidate:
    keys = keys or (f"own{number}",)
    base = Candidate(f"id{number}", f"v{number:04d}.mp4", label, keys, f"c{number}", usable=True)
    return replace(base, **changes)


def mixture(reals: int, fakes: int, seed: int = 0) -> list[Candidate]:
    """So many videos of each label, all of their own source, in drawn name order."""
    labels = [REAL] * reals + [FAKE] * fakes
    random.Random(seed).shuffle(labels)
    return [candidate(number, label) for number, label in enumerate(labels)]


def settings(**changes: Any) -> SplitSettings:
    return SplitSettings(**({"unit": "video", "balance": "none"} | changes))


def pins(*lines: tuple[str, Side]) -> Pins:
    return Pins("sides.csv", tuple(Pin(*line, at) for at, line in enumerate(lines, start=2)))


def kept(rows: Sequence[Placement], label: Label) -> list[Side]:
    """The sides of the videos of a label that stay, in name order."""
    return [row.side for row in rows if row.label is label and row.side is not EXCLUDED]


@st.composite
def archives(draw: st.DrawFn) -> list[Candidate]:
    """At least 4 usable videos of each label over shared keys; some have no face, some are stills.

    In no order.
    """
    labels = [REAL] * draw(st.integers(4, 20)) + [FAKE] * draw(st.integers(4, 60))
    archive = [
        candidate(number, label, f"k{draw(st.integers(0, 25))}", content_id=None)
        for number, label in enumerate(labels)
    ]
    extra = draw(st.lists(st.sampled_from(["unusable", "still"]), max_size=10))
    archive += [
        candidate(len(archive) + n, REAL, usable=kind == "still", still=kind == "still")
        for n, kind in enumerate(extra)
    ]
    order = draw(st.permutations(range(len(archive))))
    return [replace(archive[at], path=f"v{place:04d}.mp4") for place, at in enumerate(order)]


over_all = st.sampled_from(["side", "archive", "chunk"])
ways = st.sampled_from(["runs", "random"])

# ---------------------------------------------------------------- so many of each class


@given(
    archive=archives(), limit=st.integers(4, 30), seed=st.integers(0, 3), unit=st.sampled_from(
        ["video", "face"]
    )
)  # fmt: skip
def test_so_many_videos_of_each_class_are_drawn(
    archive: list[Candidate], limit: int, seed: int, unit: str
) -> None:
    limited = settings(videos_per_class=limit, seed=seed, unit=unit, test=0.0, train=0.5, val=0.5)
    rows = split_videos(archive, limited)
    usable = [one for one in archive if one.usable and not one.still]
    for label in (REAL, FAKE):
        there = sum(one.label is label for one in usable)
        stay = [r for r in rows if r.label is label and r.side is not EXCLUDED and not r.still]
        assert len(stay) == min(limit, there)
    reasons = Counter(row.reason for row in rows if row.reason == NOT_DRAWN)
    assert reasons.total() == sum(
        max(sum(one.label is label for one in usable) - limit, 0) for label in (REAL, FAKE)
    )
    assert split_videos(archive, limited) == rows


def test_another_seed_limits_to_other_videos() -> None:
    archive = mixture(40, 40)
    drawn = [
        {row.video_id for row in split_videos(archive, settings(videos_per_class=20, seed=seed))
         if row.reason is None}
        for seed in (0, 1)
    ]  # fmt: skip
    assert len(drawn[0]) == len(drawn[1]) == 40 and drawn[0] != drawn[1]


# ---------------------------------------------------------------- by video


@given(archive=archives(), order=st.sampled_from(["drawn", "name"]), seed=st.integers(0, 9))
def test_every_video_has_one_side_and_every_side_its_share(
    archive: list[Candidate], order: str, seed: int
) -> None:
    rows = split_videos(archive, settings(order=order, seed=seed))
    assert sorted(row.video_id for row in rows) == sorted(one.video_id for one in archive)
    assert all((row.reason is not None) is (row.side is EXCLUDED) for row in rows)
    assert {row.video_id for row in rows if row.side is EXCLUDED} == {
        one.video_id for one in archive if not one.usable
    }
    assert MIXED not in {row.side for row in rows}
    for label, still in ((REAL, False), (FAKE, False), (REAL, True)):
        mine = [row for row in rows if row.label is label and row.still is still]
        counts = Counter(row.side for row in mine if row.side is not EXCLUDED)
        total = counts.total()
        for side, share in zip(SIDES, (0.8, 0.1, 0.1), strict=True):
            # One more than its share rounded is what val and test get of few.
            assert abs(counts[side] - share * total) < (1 if total >= 10 else 2)
            assert counts[side] or total < 3


@given(archive=archives(), shuffle=st.integers(0, 9), unit=st.sampled_from(["video", "face"]))
def test_neither_order_nor_repetition_changes_a_side(
    archive: list[Candidate], shuffle: int, unit: str
) -> None:
    other = archive.copy()
    random.Random(shuffle).shuffle(other)
    wanted = settings(unit=unit, balance="random", balance_over="chunk", chunk_videos=20)
    try:
        rows = split_videos(archive, wanted)
    except SplitError:
        assume(False)
    assert split_videos(other, wanted) == rows


def test_another_seed_draws_other_videos() -> None:
    sides = [
        [row.side for row in split_videos(mixture(30, 30), settings(seed=seed))]
        for seed in (1, 1, 2)
    ]
    assert sides[0] == sides[1] != sides[2]


def test_drawn_sides_are_no_runs_and_name_order_is() -> None:
    archive = mixture(100, 300)
    for label in Label:
        drawn = kept(split_videos(archive, settings()), label)
        assert sum(a != b for a, b in pairwise(drawn)) > 10
        by_name = kept(split_videos(archive, settings(order="name")), label)
        count = len(by_name)
        expected = [TRAIN] * (count * 8 // 10) + [VAL] * (count // 10) + [TEST] * (count // 10)
        assert by_name == expected


def test_the_recipe_drops_a_run_and_then_divides_in_runs() -> None:
    """Fakes down to the reals over the archive, whole runs; 80/10/10 by runs (face_frames)."""
    archive = mixture(50, 210)
    wanted = settings(order="name", balance="runs", balance_over="archive")
    rows = split_videos(archive, wanted)
    for label in Label:
        assert kept(rows, label) == [TRAIN] * 40 + [VAL] * 5 + [TEST] * 5
    gone = [row.side is EXCLUDED for row in rows if row.label is FAKE]
    assert sum(one != other for one, other in zip(gone, gone[1:] + gone[:1], strict=True)) == 2


def test_stills_do_not_stand_for_videos() -> None:
    stills = [candidate(1000 + n, REAL, still=True) for n in range(40)]
    rows = split_videos([*mixture(10, 10), *stills], settings())
    for still, total in ((False, 10), (True, 40)):
        counts = Counter(row.side for row in rows if row.label is REAL and row.still is still)
        assert counts == {TRAIN: total * 8 // 10, VAL: total // 10, TEST: total // 10}


@pytest.mark.parametrize("unit", ["video", "face"])
def test_a_pinned_video_goes_alone(unit: str) -> None:
    archive = [candidate(n, REAL if n % 2 else FAKE, f"src{n // 2}") for n in range(40)]
    fixed = pins(("v0000*", VAL), ("v0003*", TEST), ("v0004*", EXCLUDED))
    for seed in range(5):
        rows = {r.path: r for r in split_videos(archive, settings(unit=unit, seed=seed), fixed)}
        assert rows["v0000.mp4"].side is VAL
        assert rows["v0003.mp4"].side is TEST
        assert rows["v0004.mp4"].side is EXCLUDED
        assert rows["v0004.mp4"].reason == "excluded by a pin"
        assert rows["v0005.mp4"].side is not EXCLUDED
        if unit == "face":
            free = [r for p, r in rows.items() if p > "v0004.mp4" or p in {"v0001.mp4"}]
            assert {row.side for row in free} == {MIXED}
    partners = {split_videos(archive, settings(seed=seed), fixed)[1].side for seed in range(20)}
    assert TRAIN in partners  # it does not follow to val


def test_pinned_videos_count_towards_the_shares() -> None:
    archive = [candidate(n, REAL if n % 2 else FAKE) for n in range(40)]
    fixed = pins(*((f"v{n:04d}*", VAL) for n in range(4)))
    rows = split_videos(archive, settings(), fixed)
    counts = Counter((row.side, row.label) for row in rows)
    assert counts == {
        (s, label): n for s, n in ((TRAIN, 16), (VAL, 2), (TEST, 2)) for label in Label
    }


@pytest.mark.parametrize(
    ("free", "held", "expected"),
    [
        (100, {}, (80, 10, 10)),
        (2, {}, (1, 1, 0)),
        (1, {}, (1, 0, 0)),
        (3, {}, (1, 1, 1)),
        (0, {VAL: 3}, (0, 0, 0)),
        (10, {VAL: 10}, (9, 0, 1)),
        (8, {VAL: 1, TEST: 1}, (8, 0, 0)),
    ],
)
def test_quotas(free: int, held: dict[Side, int], expected: tuple[int, int, int]) -> None:
    assert tuple(quotas(free, settings(), held).values()) == expected


@given(
    free=st.integers(0, 500),
    held=st.dictionaries(st.sampled_from(SIDES), st.integers(0, 60)),
    val=st.integers(1, 40),
    test=st.integers(0, 40),
)
def test_quotas_divide_what_is_free(free: int, held: dict[Side, int], val: int, test: int) -> None:
    shares = {"val": val / 100, "test": test / 100, "train": 1 - (val + test) / 100}
    counts = quotas(free, settings(**shares), held)
    assert sum(counts.values()) == free
    assert min(counts.values()) >= 0
    assert test or counts[TEST] == 0


def test_a_side_without_a_class_is_refused() -> None:
    with pytest.raises(SplitError, match="split val has no FAKE"):
        split_videos(mixture(20, 1), settings())


# ---------------------------------------------------------------- balance before dividing


@given(archive=archives(), balance=ways, unit=st.sampled_from(["group", "video", "face"]))
def test_over_the_archive(archive: list[Candidate], balance: str, unit: str) -> None:
    wanted = settings(unit=unit, balance=balance, balance_over="archive")
    try:
        rows = split_videos(archive, wanted)
    except SplitError:
        assume(False)
    reals = sum(one.label is REAL and one.usable and not one.still for one in archive)
    fakes = sum(one.label is FAKE and one.usable for one in archive)
    assert len(kept(rows, FAKE)) == min(reals, fakes)
    assert {row.reason for row in rows if row.label is FAKE} <= {None, DROPPED}


@given(archive=archives(), balance=ways, over=over_all, unit=st.sampled_from(["video", "face"]))
def test_no_real_is_ever_dropped(
    archive: list[Candidate], balance: str, over: str, unit: str
) -> None:
    wanted = settings(unit=unit, balance=balance, balance_over=over, chunk_videos=7)
    try:
        rows = split_videos(archive, wanted)
    except SplitError:
        assume(False)
    usable = {one.video_id for one in archive if one.label is REAL and one.usable}
    assert {r.video_id for r in rows if r.label is REAL and r.side is not EXCLUDED} == usable


@given(archive=archives(), balance=ways, chunk_videos=st.integers(2, 40))
def test_in_each_chunk(archive: list[Candidate], balance: str, chunk_videos: int) -> None:
    wanted = settings(unit="face", balance=balance, balance_over="chunk", chunk_videos=chunk_videos)
    try:
        rows = split_videos(archive, wanted)
    except SplitError:
        assume(False)
    usable = {one.video_id for one in archive if one.usable and not one.still}
    videos = [row for row in rows if row.video_id in usable]
    for start in range(0, len(videos), chunk_videos):
        chunk = videos[start : start + chunk_videos]
        reals = sum(row.label is REAL for row in chunk)
        fakes = [row for row in chunk if row.label is FAKE]
        left = [row for row in fakes if row.side is not EXCLUDED]
        assert len(left) == min(reals, len(fakes))
        reasons = {row.reason for row in fakes if row.side is EXCLUDED}
        if reals:
            assert reasons <= {DROPPED}
        elif fakes:
            assert reasons == {f"{DROPPED}: its chunk of {len(chunk)} videos holds no real one"}


def test_chunks_are_of_usable_videos_in_name_order() -> None:
    """4 usable a chunk: what has no face, and a still, take no place in it."""
    labels = [FAKE, FAKE, FAKE, REAL, FAKE, FAKE, REAL, REAL]
    archive = [candidate(10 * n, label) for n, label in enumerate(labels)]
    archive += [candidate(5, REAL, usable=False), candidate(15, REAL, still=True)]
    wanted = settings(unit="face", balance="random", balance_over="chunk", chunk_videos=4)
    rows = split_videos(archive, wanted)
    fakes = [row for row in rows if row.label is FAKE]
    assert sum(row.side is MIXED for row in fakes[:3]) == 1
    assert [row.side for row in fakes[3:]] == [MIXED, MIXED]


@pytest.mark.parametrize("over", ["archive", "chunk"])
def test_what_is_dropped_has_no_part_in_the_shares(over: str) -> None:
    wanted = settings(balance="random", balance_over=over, chunk_videos=260)
    rows = split_videos(mixture(60, 200), wanted)
    for label in Label:
        assert Counter(kept(rows, label)) == {TRAIN: 48, VAL: 6, TEST: 6}


def test_runs_and_random_differ_in_a_chunk_too() -> None:
    for balance, most in (("runs", 2), ("random", 40)):
        wanted = settings(unit="face", balance=balance, balance_over="chunk", chunk_videos=101)
        rows = split_videos(mixture(20, 81), wanted)
        gone = [row.side is EXCLUDED for row in rows if row.label is FAKE]
        changes = sum(a != b for a, b in zip(gone, gone[1:] + gone[:1], strict=True))
        assert changes == 2 if balance == "runs" else 10 < changes <= most


def test_none_keeps_all_wherever() -> None:
    for over in ("side", "archive", "chunk"):
        rows = split_videos(mixture(5, 50), settings(balance_over=over, chunk_videos=2))
        assert EXCLUDED not in {row.side for row in rows}


def test_mixed_videos_are_balanced_as_one_side() -> None:
    rows = split_videos(mixture(20, 81), settings(unit="face", balance="random"))
    assert Counter(row.side for row in rows if row.label is FAKE) == {MIXED: 20, EXCLUDED: 61}


# ---------------------------------------------------------------- by face


def test_a_split_by_face_leaves_the_sides_open() -> None:
    archive = [*mixture(5, 5), candidate(90, REAL, usable=False)]
    rows = split_videos(archive, settings(unit="face"))
    assert {row.side for row in rows if row.video_id != "id90"} == {MIXED}
    assert rows[-1].reason == "no face to learn from"
    assert {row.unit for row in rows} == {"face"}


def test_faces_need_both_classes() -> None:
    with pytest.raises(SplitError, match="has no REAL"):
        split_videos(mixture(0, 5), settings(unit="face"))


@given(
    faces=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 300), st.integers(0, 3)), unique=True
    ),
    seed=st.integers(0, 5),
    shuffle=st.integers(0, 9),
)
def test_the_side_of_a_face_depends_on_no_other(
    faces: list[tuple[str, int, int]], seed: int, shuffle: int
) -> None:
    draw = FaceDraw(seed, **TENS)
    sides = {face: draw.side_of(*face) for face in faces}
    other = faces.copy()
    random.Random(shuffle).shuffle(other)
    assert {face: FaceDraw(seed, **TENS).side_of(*face) for face in other} == sides
    assert set(sides.values()) <= set(SIDES)


def test_faces_come_to_the_sides_by_their_shares() -> None:
    draw = FaceDraw(7, **TENS)
    counts: dict[int, Counter[Side]] = defaultdict(Counter)
    for video in range(400):
        for frame in range(10):
            for face in range(2):
                counts[face][draw.side_of(f"v{video}", 13 * frame, face)] += 1
    for found in counts.values():
        # 4,000 draws: three standard deviations are 2.2 points.
        assert found[TRAIN] / 4000 == pytest.approx(10 / 14, abs=0.022)
        assert found[VAL] / 4000 == pytest.approx(2 / 14, abs=0.022)
        assert found[TEST] / 4000 == pytest.approx(2 / 14, abs=0.022)


def test_each_part_of_a_face_and_the_seed_move_it() -> None:
    def sides(seed: int = 0, video: str = "v", step: int = 1, face: int = 0) -> list[Side]:
        return [FaceDraw(seed, 0.4, 0.3, 0.3).side_of(video, n * step, face) for n in range(1, 60)]

    assert sides() == sides()
    for other in (sides(seed=1), sides(video="w"), sides(step=2), sides(face=1)):
        assert other != sides()


def test_no_face_goes_to_a_side_without_a_share() -> None:
    draw = FaceDraw(0, 0.7, 0.3, 0.0)
    assert {draw.side_of("v", frame, 0) for frame in range(200)} == {TRAIN, VAL}


def test_sides_of_faces_are_kept_for_ever() -> None:
    """Bundles name data by them: another way to draw would make other data of it."""
    draw = FaceDraw(3, 0.4, 0.3, 0.3)
    letters = "".join(
        draw.side_of("0123456789abcdef0123", 5 * n, n % 2).value[:2] for n in range(20)
    )
    assert letters == "vavatrtrtrvavatrtrtrvatrtevatrtrvatrtrtr"


# ---------------------------------------------------------------- what leaks, in words


def row(number: int, side: Side, *keys: str, unit: Any = "video", group: str = "") -> Placement:
    name = f"v{number}"
    return Placement(name, name, REAL, group or f"g{number}", side, None, keys, unit=unit)


def test_a_split_by_video_that_leaks_nothing_is_not_flagged() -> None:
    rows = split_videos(mixture(20, 20), settings())
    assert check_leakage(rows) is None


def test_a_split_by_video_says_how_many_sources_leak() -> None:
    rows = [
        row(1, TRAIN, "a"),
        row(2, TEST, "a", "b"),
        row(3, TRAIN, "b"),
        row(4, TRAIN, "c"),
        row(5, TRAIN, "c"),
        row(6, EXCLUDED, "c"),
    ]
    assert check_leakage(rows) == (
        "Split by video: 1 source is (group, original, donor or identical content) in several "
        "splits, so figures on val and test are too optimistic."
    )
    more = [*rows, row(7, VAL, "x", group="g"), row(8, TEST, "y", group="g")]
    assert "2 sources are" in str(check_leakage(more))


def test_a_split_by_face_says_how_many_videos_leak() -> None:
    rows = split_videos(mixture(4, 3), settings(unit="face"))
    assert check_leakage(rows) == (
        "Split by face: faces of the same video are in several splits (7 videos), so figures "
        "on val and test are too optimistic."
    )
    everything = pins(*((f"v000{n}*", TRAIN if n < 4 else VAL) for n in range(7)))
    assert check_leakage(_pinned(everything)) is None


def _pinned(everything: Pins) -> list[Placement]:
    archive = [candidate(n, REAL if n % 2 else FAKE) for n in range(7)]
    return split_videos(archive, settings(unit="face", train=0.9, val=0.1, test=0), everything)


def test_groups_are_still_refused_beside_videos() -> None:
    """Of two warehouses one may be split by group: what is torn within it is torn."""
    torn = [row(1, TRAIN, "a", unit="group"), row(2, TEST, "a", unit="group"), row(3, MIXED, "a")]
    with pytest.raises(LeakageError, match="a: v1 in train, v2 in test"):
        check_leakage(torn)
    both = [row(1, TRAIN, "a", unit="group"), row(2, TEST, "a", unit="video")]
    assert str(check_leakage(both)).startswith("Split by video: 1 source is")


# ---------------------------------------------------------------- settings


def test_name_order_is_of_videos() -> None:
    for unit in ("group", "face"):
        with pytest.raises(ValueError, match=r"split\.order=name needs split\.unit=video"):
            settings(unit=unit, order="name")


# ---------------------------------------------------------------- balance by single faces


def with_faces(archive: Sequence[Candidate], count: int = 5) -> list[Candidate]:
    return [
        replace(one, faces=tuple((10 * frame, 0) for frame in range(count)) if one.usable else ())
        for one in archive
    ]


def by_single_faces(**changes: Any) -> SplitSettings:
    return settings(unit="face", balance="random", balance_unit="face", **changes)


def kept_faces(archive: Sequence[Candidate], rows: Sequence[Placement], seed: int) -> Counter[str]:
    """Faces that count, by video."""
    faces = {one.video_id: one.faces for one in archive}
    return Counter(
        row.video_id
        for row in rows
        if row.side is not EXCLUDED
        for face in faces[row.video_id]
        if row.keep_below is None or FaceCut(seed, row.keep_below).keeps(row.video_id, *face)
    )


def plain_balance(labels: Sequence[Label], count: int, seed: int) -> Counter[int]:
    """As recipe random_frames: of a chunk's fake pictures, as many at random as it has reals."""
    pictures = [(video, label) for video, label in enumerate(labels) for _ in range(count)]
    reals = [video for video, label in pictures if label is REAL]
    fakes = [video for video, label in pictures if label is FAKE]
    return Counter(random.Random(seed).sample(fakes, len(reals)))


def test_single_faces_of_many_fakes_stay() -> None:
    """19 reals in a chunk of 101 videos: faces of some 60 fakes, as in the recipe."""
    archive = with_faces(mixture(19, 82))
    labels = [one.label for one in archive]
    ours, plain = [], []
    for seed in range(20):
        rows = split_videos(archive, by_single_faces(balance_over="chunk", seed=seed))
        faces = kept_faces(archive, rows, seed)
        fakes = {row.video_id for row in rows if row.label is FAKE and row.side is not EXCLUDED}
        reals = {row.video_id for row in rows if row.label is REAL}
        assert sum(faces[video_id] for video_id in fakes) == 19 * 5
        assert all(faces[video_id] == 5 for video_id in reals)
        assert all(faces[video_id] >= 1 for video_id in fakes)
        ours.append(len(fakes))
        plain.append(len(plain_balance(labels, 5, seed)))
    assert abs(sum(ours) / 20 - 60) < 2 and abs(sum(plain) / 20 - 60) < 2


@given(archive=archives(), over=over_all, count=st.integers(1, 4), seed=st.integers(0, 5))
def test_faces_of_fakes_are_as_many_as_those_of_reals(
    archive: list[Candidate], over: str, count: int, seed: int
) -> None:
    archive = with_faces(archive, count)
    wanted = by_single_faces(balance_over=over, chunk_videos=9, seed=seed)
    try:
        rows = split_videos(archive, wanted)
    except SplitError:
        assume(False)
    faces = kept_faces(archive, rows, seed)
    usable = [row for row in rows if row.video_id in {c.video_id for c in archive if c.usable}]
    usable = [row for row in usable if not row.still]
    chunked = range(0, len(usable), 9) if over == "chunk" else [0]
    for start in chunked:
        part = usable[start : start + 9] if over == "chunk" else usable
        reals = sum(faces[row.video_id] for row in part if row.label is REAL)
        fakes = [row.video_id for row in part if row.label is FAKE]
        assert sum(faces[video_id] for video_id in fakes) == min(reals, len(fakes) * count)


def test_which_faces_are_kept_is_independent_of_their_split() -> None:
    """Else the kept fakes of small shares would all be in one split."""
    cut, draw = FaceCut(3, 0.2), FaceDraw(3, **TENS)
    sides = Counter(
        draw.side_of(f"v{video}", frame, 0)
        for video in range(600)
        for frame in range(10)
        if cut.keeps(f"v{video}", frame, 0)
    )
    total = sides.total()
    assert abs(total / 6000 - 0.2) < 0.02
    for side, share in zip(SIDES, TENS.values(), strict=True):
        assert abs(sides[side] / total - share) < 0.04


def test_faces_have_no_runs() -> None:
    with pytest.raises(ValueError, match=r"balance_unit=face needs split\.balance=random"):
        settings(unit="face", balance="runs", balance_unit="face")
