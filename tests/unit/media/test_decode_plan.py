"""What is decoded for which frames, on made-up streams where the right answer can be searched."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from framejury.media.decode_plan import (
    DecodePlan,
    PacketIndex,
    move_to_cheap,
    plan_decode,
    segment_windows,
)
from framejury.media.sample import Times


def stream(types: str, *, size_bytes: int = 1000) -> PacketIndex:
    """A stream from picture types in order of presentation, such as `IbBbPbBbP`.

    I: key frame; P: depends on what is coded before it; B: between its neighbours, others
    depend on it; b: nothing depends on it. Coded as encoders do: P and I before the B between.
    """
    order: list[int] = []
    waiting: list[int] = []
    for rank, kind in enumerate(types):
        if kind in "Bb":
            waiting.append(rank)
            continue
        order.append(rank)
        order += sorted(waiting, key=lambda held: types[held] == "b")
        waiting = []
    order += waiting
    kinds = np.array([types[rank] for rank in order])
    return PacketIndex(
        rank=np.array(order, np.int64),
        bytes=np.full(len(order), size_bytes, np.int64),
        key=kinds == "I",
        reference=kinds != "b",
        frame_px=1_000_000,
        order=np.array(order, np.int64),
    )


def steady(index: PacketIndex, fps: float = 25.0) -> Times:
    return np.arange(len(index.rank)) / fps


def ranks_fed(index: PacketIndex, plan: DecodePlan) -> list[list[int]]:
    return [index.rank[run].tolist() for run in plan.runs]


def ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


groups = st.lists(
    st.lists(st.sampled_from(["P", "bP", "bBbP", "BP", "b", "B"]), max_size=4).map("".join),
    min_size=1,
    max_size=4,
).map(lambda parts: "".join("I" + part for part in parts))


# ---------------------------------------------------------------- what is decoded


def test_only_what_the_frame_depends_on() -> None:
    index = stream("IbBbPbBbPIbBbP")
    plan = plan_decode(index, ints(5))  # a b after the first P
    assert ranks_fed(index, plan) == [[0, 4, 2, 8, 6, 5]]
    assert plan.cost_s == pytest.approx(6 * index.costs_s()[0])


def test_a_key_frame_stands_alone() -> None:
    index = stream("IPPPPIPPPP")
    assert ranks_fed(index, plan_decode(index, ints(5))) == [[5]]


def test_each_group_is_entered_at_its_key_frame() -> None:
    index = stream("IPPPIPPPIPPP")
    plan = plan_decode(index, ints(1, 9))
    assert ranks_fed(index, plan) == [[0, 1], [8, 9]]


def test_neighbours_share_what_both_need() -> None:
    index = stream("IPPPPPIPP")
    plan = plan_decode(index, ints(1, 3, 4))
    assert ranks_fed(index, plan) == [[0, 1, 2, 3, 4]]


def test_what_is_shown_before_a_key_frame_needs_the_group_before() -> None:
    index = stream("IPPbIPP")  # rank 3 is coded after the key frame of rank 4
    assert ranks_fed(index, plan_decode(index, ints(3))) == [[0, 1, 2, 4, 3]]
    # Entered at that key frame, rank 3 could not be decoded, and nothing after needs it.
    leading = stream("IPPBIPP")
    assert ranks_fed(leading, plan_decode(leading, ints(6))) == [[4, 5, 6]]


@given(types=groups, data=st.data())
def test_everything_is_there_before_what_depends_on_it(types: str, data: st.DataObject) -> None:
    index = stream(types)
    chosen = data.draw(st.sets(st.integers(0, len(types) - 1), min_size=1))
    plan = plan_decode(index, np.array(sorted(chosen), np.int64))
    assert chosen <= {rank for run in ranks_fed(index, plan) for rank in run}
    positions = np.concatenate(plan.runs)
    assert np.all(np.diff(positions) > 0)  # nothing twice, nothing out of order
    for run in plan.runs:
        assert index.key[run[0]] and run.tolist() == sorted(run.tolist())
        # Between its key frame and its end a run leaves out only what nothing depends on.
        left_out = np.setdiff1d(np.arange(run[0], run[-1] + 1), run)
        assert not np.any(index.reference[left_out] & (index.rank[left_out] > index.rank[run[0]]))


# ---------------------------------------------------------------- cheap neighbours


def test_a_sample_moves_to_the_key_frame_beside_it() -> None:
    index = stream("I" + "P" * 24 + "I" + "P" * 24)
    assert move_to_cheap(index, steady(index), ints(12, 27), 0.2).tolist()[1] == 25


def test_what_nothing_depends_on_is_left_for_its_neighbour() -> None:
    index = stream("I" + "bP" * 20)
    assert move_to_cheap(index, steady(index), ints(11, 31), 0.05).tolist() == [10, 30]


def test_without_tolerance_nothing_moves() -> None:
    index = stream("I" + "bP" * 20)
    assert move_to_cheap(index, steady(index), ints(11, 31), 0.0).tolist() == [11, 31]
    assert move_to_cheap(index, steady(index), ints(11, 31), 0.01).tolist() == [11, 31]


@given(types=groups, data=st.data(), tolerance_s=st.sampled_from([0.03, 0.08, 0.2, 1.0]))
def test_moved_within_tolerance_distinct_and_in_order(
    types: str, data: st.DataObject, tolerance_s: float
) -> None:
    index = stream(types)
    times_s = steady(index)
    ideal = np.array(sorted(data.draw(st.sets(st.integers(0, len(types) - 1), min_size=1))))
    moved = move_to_cheap(index, times_s, ideal, tolerance_s)
    assert len(moved) == len(ideal) and np.all(np.diff(moved) > 0)
    assert np.all(np.abs(times_s[moved] - times_s[ideal]) <= tolerance_s + 1e-9)
    assert plan_decode(index, moved).cost_s <= plan_decode(index, ideal).cost_s + 1e-12


def test_a_frame_just_as_far_as_the_tolerance_may_be_taken() -> None:
    """0.68 s less 0.08 s is a hair more than the 0.6 s of frame 15, which is the cheapest."""
    index = stream("IIIPbPbPbBbPIPbPbBbP")
    assert move_to_cheap(index, steady(index), ints(17), 0.08).tolist() == [15]


@settings(max_examples=60, deadline=None)
@given(
    types=groups.filter(lambda types: len(types) > 6),
    data=st.data(),
    tolerance_s=st.sampled_from([0.08, 0.2]),
)
def test_nearly_as_cheap_as_the_best_of_all_choices(
    types: str, data: st.DataObject, tolerance_s: float
) -> None:
    index = stream(types)
    times_s = steady(index)
    drawn = data.draw(st.sets(st.integers(0, len(types) - 1), min_size=1, max_size=3))
    ideal = np.array(sorted(drawn), np.int64)
    assume(len(ideal) < len(types))
    low = np.concatenate([[0], ideal[1:] - np.diff(ideal) // 4])
    high = np.concatenate([ideal[:-1] + np.diff(ideal) // 4, [len(types) - 1]])
    options = [
        [r for r in range(a, b + 1) if abs(times_s[r] - times_s[i]) <= tolerance_s + 1e-9]
        for i, a, b in zip(ideal, low, high, strict=True)
    ]
    best_s = min(
        plan_decode(index, np.array(choice, np.int64)).cost_s for choice in product(*options)
    )
    moved_s = plan_decode(index, move_to_cheap(index, times_s, ideal, tolerance_s)).cost_s
    # Moving costs up to one frame a sample in the balance, so that much may be left lying.
    assert moved_s <= best_s + (len(ideal) + 0.001) * float(index.costs_s()[0])


# ---------------------------------------------------------------- segments


@given(types=groups, data=st.data(), most=st.integers(1, 40))
def test_segments_hold_every_frame_once_and_start_afresh(
    types: str, data: st.DataObject, most: int
) -> None:
    index = stream(types)
    ranks = np.array(sorted(data.draw(st.sets(st.integers(0, len(types) - 1), min_size=1))))
    frame_s = float(index.costs_s()[0])
    windows = segment_windows(index, ranks, most * frame_s, each_s=frame_s)
    inside = [ranks[(ranks >= first) & (ranks < stop)].tolist() for first, stop in windows]
    assert all(inside) and [rank for part in inside for rank in part] == ranks.tolist()
    apart_s = sum(plan_decode(index, np.array(part, np.int64)).cost_s for part in inside)
    # A cut inside an open group of pictures decodes its key frame on both sides.
    assert apart_s <= plan_decode(index, ranks).cost_s + (len(windows) + 0.001) * frame_s


def test_a_long_video_is_cut_into_even_pieces() -> None:
    index = stream(("I" + "P" * 24) * 40)
    ranks = np.arange(len(index.rank))
    second_s = 25 * float(index.costs_s()[0])
    windows = segment_windows(index, ranks, 10 * second_s, each_s=0.0)
    assert windows == [(0, 250), (250, 500), (500, 750), (750, 1000)]


def test_without_a_second_key_frame_it_stays_whole() -> None:
    index = stream("I" + "P" * 99)
    assert segment_windows(index, np.arange(100), 1e-6, each_s=0.0) == [(0, 100)]
