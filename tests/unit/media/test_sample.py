"""Which frames are chosen: pure functions of presentation times."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.media import sample
from framejury.media.sample import Indices, Times
from framejury.settings import SamplingSettings

Mode = Literal["uniform", "random", "all", "every_s", "keyframes", "strided", "strided_retry"]
MODES: tuple[Mode, ...] = (
    *("uniform", "random", "all", "every_s", "keyframes"),
    *("strided", "strided_retry"),
)


def settings(
    mode: Mode = "uniform", frames: int = 11, seed: int = 0, every_s: float = 1.0
) -> SamplingSettings:
    return SamplingSettings(mode=mode, frames=frames, seed=seed, every_s=every_s)


def choose_frames(
    times_s: Times, end_s: float, settings: SamplingSettings, key: str, *key_frames: int
) -> Indices:
    return sample.choose_frames(times_s, end_s, settings, key, np.array(key_frames, np.int64))


def steady(count: int, fps: float = 25.0) -> Times:
    return np.arange(count) / fps


@st.composite
def irregular(draw: st.DrawFn) -> Times:
    """1 to 60 increasing times whose gaps differ by up to six orders of magnitude."""
    gaps = draw(st.lists(st.sampled_from([1e-3, 0.01, 0.04, 0.5, 30.0, 3600.0]), max_size=59))
    return np.concatenate([[0.0], np.cumsum(gaps)])


@given(times_s=irregular(), mode=st.sampled_from(["uniform", "random"]), frames=st.integers(1, 80))
def test_as_many_distinct_frames_as_there_are_in_order(
    times_s: Times, mode: Mode, frames: int
) -> None:
    chosen = choose_frames(times_s, times_s[-1] + 0.04, settings(mode, frames), "video")
    assert chosen.dtype == np.int64
    assert len(chosen) == min(frames, len(times_s))
    assert np.all(np.diff(chosen) > 0)
    assert chosen[0] >= 0 and chosen[-1] < len(times_s)


@given(times_s=irregular(), frames=st.integers(1, 80))
def test_all_takes_every_frame(times_s: Times, frames: int) -> None:
    chosen = choose_frames(times_s, times_s[-1] + 1, settings("all", frames), "video")
    assert chosen.tolist() == list(range(len(times_s)))


def test_uniform_takes_the_middles_of_equal_stretches() -> None:
    chosen = choose_frames(steady(100), 4.0, settings(frames=4), "video")
    assert chosen.tolist() == [12, 37, 62, 87]  # 0.5, 1.5, 2.5, 3.5 s; the earlier of two


@given(count=st.integers(60, 2000), frames=st.integers(1, 12), fps=st.sampled_from([0.4, 25, 60]))
def test_uniform_is_within_half_a_frame_of_the_ideal_times(
    count: int, frames: int, fps: float
) -> None:
    times_s = steady(count, fps)
    end_s = count / fps
    chosen = choose_frames(times_s, end_s, settings(frames=frames), "video")
    ideal_s = (np.arange(frames) + 0.5) * end_s / frames
    assert np.abs(times_s[chosen] - ideal_s).max() <= 0.5 / fps + 1e-9


def test_uniform_goes_by_time_not_by_frame_number() -> None:
    # 90 frames in the first second, 10 in the next nine.
    times_s = np.concatenate([np.linspace(0, 1, 90, endpoint=False), np.arange(1.0, 10.0, 0.9)])
    chosen = choose_frames(times_s, 10.0, settings(frames=5), "video")
    assert np.abs(times_s[chosen] - [1, 3, 5, 7, 9]).max() <= 0.45 + 1e-9


def test_where_middles_share_a_frame_the_loneliest_frame_is_taken() -> None:
    times_s = np.array([0.0, 0.01, 0.02, 9.0, 10.0])
    chosen = choose_frames(times_s, 10.04, settings(frames=3), "video")
    # Middles at 1.67, 5.02 and 8.37 s: frames 2, 3 (or 2), 3; the free one farthest away is 4.
    assert chosen.tolist() == [2, 3, 4]


def test_many_clustered_frames_need_little_memory() -> None:
    # A matrix of frames by chosen frames would take 1.6 GB here.
    times_s = np.append(np.arange(200_000) * 1e-3, 1e7)
    chosen = choose_frames(times_s, 1e7 + 1, settings(frames=1000), "video")
    assert len(np.unique(chosen)) == 1000


def test_random_is_fixed_by_seed_and_key() -> None:
    times_s = steady(500)

    def draw(seed: int, key: str) -> list[int]:
        return choose_frames(times_s, 20.0, settings("random", 11, seed), key).tolist()

    assert draw(1, "a") == draw(1, "a")
    assert draw(1, "a") != draw(1, "b")
    assert draw(1, "a") != draw(2, "a")


def test_random_reaches_every_frame_about_equally() -> None:
    hits = np.zeros(20, int)
    for key in range(600):
        hits[choose_frames(steady(20), 0.8, settings("random", 5), str(key))] += 1
    assert hits.sum() == 3000
    assert hits.min() > 110 and hits.max() < 190  # 150 each on average


@pytest.mark.parametrize("mode", ["uniform", "random", "all"])
def test_a_single_frame(mode: Mode) -> None:
    assert choose_frames(np.zeros(1), 0.04, settings(mode), "video").tolist() == [0]


@given(times_s=irregular(), every_s=st.sampled_from([0.5, 7.0, 5000.0]))
def test_every_s_takes_the_nearest_to_the_middle_of_each_stretch(
    times_s: Times, every_s: float
) -> None:
    times_s = times_s[times_s < 600]
    end_s = times_s[-1] + 0.04
    chosen = choose_frames(times_s, end_s, settings("every_s", 1, every_s=every_s), "video")
    assert chosen.dtype == np.int64 and np.all(np.diff(chosen) > 0)
    stretches = max(int(end_s / every_s), 1)
    middles_s = (np.arange(stretches) + 0.5) * min(every_s, end_s)
    off_s = np.abs(times_s[:, None] - middles_s)
    assert off_s[chosen].min(axis=0) == pytest.approx(off_s.min(axis=0))
    assert set(chosen.tolist()) <= set(np.where(off_s <= off_s.min(axis=0) + 1e-9)[0].tolist())


def test_every_s_of_a_steady_video() -> None:
    chosen = choose_frames(steady(100), 4.0, settings("every_s", every_s=0.8), "video")
    assert chosen.tolist() == [10, 30, 50, 70, 90]


def test_keyframes_takes_all_or_evenly_many() -> None:
    chosen = choose_frames(steady(100), 4.0, settings("keyframes"), "video", 0, 40, 80)
    assert chosen.tolist() == [0, 40, 80]
    many = range(0, 100, 2)
    few = choose_frames(steady(100), 4.0, settings("keyframes", frames=5), "video", *many)
    assert few.tolist() == [10, 30, 50, 70, 90]


def test_keyframes_without_any_takes_the_first() -> None:
    assert choose_frames(steady(9), 0.36, settings("keyframes"), "video").tolist() == [0]


# ---------------------------------------------------------------- rounds

ROUNDS = SamplingSettings(rounds=(11, 32, 96))


def sampled_in_rounds(times_s: Times, end_s: float, sampling: SamplingSettings) -> list[Indices]:
    """What is known after each round."""
    known = [choose_frames(times_s, end_s, sampling, "video")]
    for count in sampling.counts[1:]:
        more = sample.more_frames(times_s, end_s, sampling, known[-1], count)
        assert not set(more.tolist()) & set(known[-1].tolist())
        assert more.dtype == np.int64 and np.all(np.diff(more) > 0)
        known.append(np.union1d(known[-1], more))
    return known


@given(
    times_s=irregular(),
    first=st.integers(1, 12),
    growth=st.lists(st.integers(1, 30), max_size=3),
    pairs=st.booleans(),
    first_frame=st.sampled_from([0, 7]),
)
def test_a_round_adds_frames_until_it_has_as_many_as_it_should(
    times_s: Times, first: int, growth: list[int], pairs: bool, first_frame: int
) -> None:
    counts = np.cumsum([first, *growth]).tolist()
    sampling = SamplingSettings(rounds=counts, pairs=pairs, first_frame=first_frame)
    span = 2 if pairs else 1
    begin = first_frame if first_frame + span <= len(times_s) else 0
    there = (len(times_s) - begin) // span
    if not there:
        return
    for count, known in zip(
        counts, sampled_in_rounds(times_s, times_s[-1] + 0.04, sampling), strict=True
    ):
        assert len(known) == min(count, there)
        assert known[0] >= begin and known[-1] + span <= len(times_s)
        assert np.all(np.diff(known) >= span) and np.all((known - begin) % span == 0)


def test_rounds_are_spread_nearly_as_evenly_as_one_round() -> None:
    times_s = steady(3000)
    for count, known in zip((11, 32, 96), sampled_in_rounds(times_s, 120.0, ROUNDS), strict=True):
        gaps_s = np.diff(times_s[known], prepend=0.0, append=120.0)
        assert gaps_s.max() <= 1.5 * 120 / count + 0.1
        assert np.median(gaps_s) == pytest.approx(120 / count, rel=0.1)


def test_a_round_finds_frames_where_the_clock_nearly_stands_still() -> None:
    times_s = np.append(np.arange(200) * 1e-3, [50.0, 100.0])
    known = sampled_in_rounds(times_s, 100.04, ROUNDS)
    assert [len(ranks) for ranks in known] == [11, 32, 96]
    assert {200, 201} <= set(known[0].tolist())


# ---------------------------------------------------------------- every mode


@st.composite
def some_times(draw: st.DrawFn) -> Times:
    """As `irregular`, of any length up to 60 alike."""
    count = draw(st.integers(0, 59))
    gaps = st.sampled_from([1e-3, 0.04, 0.5, 30.0])
    return np.concatenate([[0.0], np.cumsum(draw(st.lists(gaps, min_size=count, max_size=count)))])


@st.composite
def samplings(draw: st.DrawFn) -> SamplingSettings:
    """Any settings that say which frames are looked at."""
    first = draw(st.sampled_from([0, 0, 1, 7, 30, 70]))
    last = draw(st.none() | st.integers(first, 90))
    return SamplingSettings(
        frames=draw(st.sampled_from([1, 2, 5, 40])),
        pairs=draw(st.booleans()),
        first_frame=first,
        last_frame=last,
        skip_frames=draw(st.integers(0, 5)),
        skip_frames_short=draw(st.integers(0, 20)),
        short_frames=draw(st.integers(0, 60)),
        every_s=draw(st.sampled_from([0.01, 0.5, 7.0])),
        seed=draw(st.integers(0, 3)),
    )


@pytest.mark.parametrize("mode", MODES)
@given(times_s=some_times(), sampling=samplings(), keys=st.sets(st.integers(0, 59)))
def test_looks_are_in_range_in_order_and_share_no_frame(
    mode: Mode, times_s: Times, sampling: SamplingSettings, keys: set[int]
) -> None:
    sampling = sampling.model_copy(update={"mode": mode})
    total = len(times_s)
    key_frames = sorted(rank for rank in keys if rank < total)
    chosen = choose_frames(times_s, times_s[-1] + 0.04, sampling, "video", *key_frames)
    again = choose_frames(times_s, times_s[-1] + 0.04, sampling, "video", *key_frames)
    span = 2 if sampling.pairs else 1
    whole = sampling.first_frame + span > total
    first = 0 if whole else sampling.first_frame
    stop = total if whole or sampling.last_frame is None else min(sampling.last_frame + 1, total)
    assert chosen.dtype == np.int64 and again.tolist() == chosen.tolist()
    assert np.all(np.diff(chosen) >= span)
    assert all(first <= rank and rank + span <= stop for rank in chosen)
    assert (len(chosen) > 0) == (stop - first >= span)
    if sampling.mode not in ("all", "every_s"):
        assert len(chosen) <= sampling.frames
    if sampling.mode in ("uniform", "random"):
        assert len(chosen) == min(sampling.frames, (stop - first) // span)
    if sampling.mode == "all":
        assert len(chosen) == (stop - first) // span
    if sampling.mode in ("strided", "strided_retry") and len(chosen):
        short = total <= sampling.short_frames
        skip = sampling.skip_frames_short if short else sampling.skip_frames
        assert chosen[0] == first and set(np.diff(chosen).tolist()) <= {span + skip}
        assert len(chosen) == min(sampling.frames, -(-(stop - first - span + 1) // (span + skip)))


@given(sampling=samplings(), total=st.integers(1, 60), faceless=st.sets(st.integers(0, 59)))
def test_a_walk_skips_only_behind_a_face(
    sampling: SamplingSettings, total: int, faceless: set[int]
) -> None:
    """As a recipe's loop: one sample after the other, and after one with a face the skip."""
    walk, looked = sample.Walk(total, sampling), []
    while not walk.is_over and walk.next_rank + (walk.offsets[-1] + 1) <= walk.stop:
        looked.append(walk.next_rank)
        walk.go_on(looked[-1], found=looked[-1] not in faceless)
    first, stop = sample.frame_range(total, sampling)
    skip = sampling.skip_frames_short if total <= sampling.short_frames else sampling.skip_frames
    span = 2 if sampling.pairs else 1
    expected, rank, left = [], first, sampling.frames
    while left and rank + span <= stop:
        expected.append(rank)
        rank += span
        if expected[-1] not in faceless:
            rank, left = rank + skip, left - 1
    assert looked == expected
    if not faceless & set(looked):
        strided = sampling.model_copy(update={"mode": "strided_retry"})
        assert looked == choose_frames(steady(total), total / 25, strided, "video").tolist()


@given(times_s=some_times(), sampling=samplings(), readable=st.sets(st.integers(0, 59)))
def test_what_cannot_be_read_is_drawn_again(
    times_s: Times, sampling: SamplingSettings, readable: set[int]
) -> None:
    """The first readable ones of one order: nothing is looked at that could not be, and what was
    drawn first and can be read stays."""
    total, span = len(times_s), 2 if sampling.pairs else 1
    drawn = sampling.model_copy(update={"mode": "random"})
    first = choose_frames(times_s, times_s[-1] + 0.04, drawn, "video").tolist()
    ranks = np.array(sorted(rank for rank in readable if rank < total), np.int64)
    whole = {rank for rank in readable if rank < total and (span == 1 or rank + 1 in readable)}
    again = sample.draw_again(total, drawn, "video", ranks).tolist()
    assert again == sorted(set(again)) and set(again) <= whole
    assert set(first) & whole <= set(again)
    every = choose_frames(
        times_s, times_s[-1] + 1, drawn.model_copy(update={"mode": "all"}), "video"
    )
    assert len(again) == min(drawn.frames, len(whole & set(every.tolist())))
    everything = np.arange(total, dtype=np.int64)
    assert sample.draw_again(total, drawn, "video", everything).tolist() == first


def test_what_is_drawn_again_is_drawn_by_chance() -> None:
    """Of 40 readable frames each takes the lost ones' places about equally often."""
    drawn, readable = settings("random", 5), np.arange(10, 50, dtype=np.int64)
    hits = np.zeros(60, int)
    for key in range(800):
        hits[sample.draw_again(60, drawn, str(key), readable)] += 1
    assert hits.sum() == 4000 and hits[:10].sum() == hits[50:].sum() == 0
    assert hits[10:50].min() > 70 and hits[10:50].max() < 135  # 100 each on average


def test_a_range_is_part_of_the_video_and_a_shorter_one_is_looked_at_as_a_whole() -> None:
    few = SamplingSettings(mode="uniform", frames=5, first_frame=20, last_frame=59)
    assert choose_frames(steady(100), 4.0, few, "v").tolist() == [24, 32, 40, 48, 56]
    assert choose_frames(steady(40), 1.6, few, "v").tolist() == [22, 26, 30, 34, 38]
    assert choose_frames(steady(20), 0.8, few, "v").tolist() == [2, 6, 10, 14, 18]
    every = few.model_copy(update={"mode": "every_s", "every_s": 0.31})
    assert choose_frames(steady(100), 4.0, every, "v").tolist() == [24, 32, 39, 47, 55]
    keys = few.model_copy(update={"mode": "keyframes"})
    assert choose_frames(steady(100), 4.0, keys, "v", 0, 12, 24, 36, 60).tolist() == [24, 36]
    assert choose_frames(steady(100), 4.0, keys, "v", 0, 12).tolist() == [20]


def test_pairs_of_every_mode() -> None:
    def pairs(mode: Mode, *key_frames: int, frames: int = 4, total: int = 9) -> list[int]:
        sampling = SamplingSettings(mode=mode, frames=frames, pairs=True, every_s=0.1)
        chosen = choose_frames(steady(total), total / 25, sampling, "v", *key_frames)
        return chosen.tolist()

    assert pairs("all") == [0, 2, 4, 6]  # the last frame has none after it
    assert pairs("uniform", total=48) == [6, 18, 30, 42]
    assert pairs("every_s", total=10) == [2, 4, 6, 8]
    assert pairs("keyframes", 0, 1, 2, 3, 5, 8) == [0, 2, 5]
    assert pairs("keyframes", 8) == [0]
    assert pairs("all", total=1) == pairs("random", total=1) == pairs("keyframes", 0, total=1) == []
    assert sample.sampled_ranks(np.array([0, 18]), (0, 1)).tolist() == [0, 1, 18, 19]


def test_clips_of_every_mode() -> None:
    """Three frames two apart span five: clips follow each other, and none reaches beyond."""

    def clips(mode: Mode, *key_frames: int, frames: int = 3, total: int = 17) -> list[int]:
        sampling = SamplingSettings(
            mode=mode, frames=frames, clip_frames=3, clip_stride=2, every_s=0.4, skip_frames_short=1
        )
        assert (sampling.offsets, sampling.span) == ((0, 2, 4), 5)
        chosen = choose_frames(steady(total), total / 25, sampling, "v", *key_frames)
        return chosen.tolist()

    assert clips("all") == [0, 5, 10]  # frames 15 and 16 are too few for one
    assert clips("uniform", total=60, frames=2) == [15, 45]
    assert clips("uniform") == clips("random") == [0, 5, 10]  # there are no more
    assert clips("every_s", total=20) == [5, 15]
    assert clips("strided") == [0, 6, 12]
    assert clips("keyframes", 0, 3, 6, 12, 13) == [0, 6, 12]
    assert clips("all", total=5) == [0] and clips("all", total=4) == []
    found = sample.sampled_ranks(np.array([0, 5]), (0, 2, 4)).tolist()
    assert found == [0, 2, 4, 5, 7, 9]
