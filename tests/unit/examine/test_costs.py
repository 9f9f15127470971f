"""Costs by file size, and units of work packed into tasks."""

from __future__ import annotations

import heapq
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.examine.costs import (
    Seconds,
    deal_batches,
    estimate_costs_s,
    estimate_survey_costs_s,
    frame_s,
    grows_with_length,
    pack,
)
from framejury.media.decode_plan import SECONDS_A_BYTE
from framejury.settings import DetectionSettings, SamplingSettings
from framejury.settings.loading import settings_from

MB = 10**6


def sampling(**values: object) -> SamplingSettings:
    return settings_from({"sampling": values}).sampling


def makespan_s(loads_s: Seconds, slots: int) -> float:
    """When the last task ends, if each starts in order as soon as a slot is free."""
    free_s = [0.0] * slots
    for load_s in loads_s:
        heapq.heapreplace(free_s, free_s[0] + load_s)
    return max(free_s)


def loads_of(tasks: np.ndarray, costs_s: Seconds) -> Seconds:
    return np.bincount(tasks, costs_s)


# ---------------------------------------------------------------- costs


def test_costs_follow_what_must_be_decoded() -> None:
    sizes = np.array([0, 1, 10, 100, 1000, 10_000], np.int64) * MB
    every = estimate_costs_s(sizes, sampling(mode="all"))
    few = estimate_costs_s(sizes, sampling(mode="uniform", frames=11))
    keys = estimate_costs_s(sizes, sampling(mode="keyframes", frames=11))
    assert (np.diff(every) > 0).all() and (np.diff(few) > 0).all()
    assert every[5] == pytest.approx(10 * every[4], rel=0.01)
    # 11 samples of a long video need 11 groups of pictures; the rest is reading.
    assert few[5] - few[4] == pytest.approx(3 * 2e-9 * 9e9)
    assert 0 < every[0] == few[0] < 0.5
    assert (keys[1:] <= few[1:]).all() and (few[1:] <= every[1:]).all() and keys[3] < few[3] / 2
    seconds = estimate_costs_s(sizes, sampling(mode="every_s", every_s=2.0))
    assert (seconds[1:] < every[1:]).all()
    assert seconds[5] < estimate_costs_s(sizes, sampling(mode="every_s", every_s=1.0))[5]
    assert (estimate_survey_costs_s(sizes)[1:] < few[1:]).all()
    further = estimate_costs_s(sizes, sampling(mode="uniform", frames=11), further_s=0.1)
    assert further[3] - few[3] == pytest.approx(11 * 0.1)


@pytest.mark.parametrize(
    ("values", "grows"),
    [
        ({"mode": "all"}, True),
        ({"mode": "every_s"}, True),
        ({"mode": "uniform"}, False),
        ({"mode": "keyframes", "frames": 99}, False),
        ({"mode": "random", "frames": 100}, True),
        ({"mode": "uniform", "frames": 200}, True),
        # Rounds depend on all faces of a video, which no segment has.
        ({"mode": "uniform", "rounds": (11, 200)}, False),
        ({"mode": "uniform", "rounds": (200, 400)}, False),
        ({"mode": "uniform", "rounds": (200,)}, True),
        ({"mode": "uniform", "frames": 200, "rounds": (11, 32)}, True),
    ],
)
def test_which_modes_look_longer_at_longer_videos(values: dict[str, object], grows: bool) -> None:
    assert grows_with_length(sampling(**values)) is grows


# ---------------------------------------------------------------- packing

COSTS = st.lists(st.floats(0.01, 500), min_size=1, max_size=300).map(
    lambda costs: np.array(costs, np.float64)
)


@given(COSTS, st.integers(1, 32), st.floats(0.1, 60), st.integers(1, 50))
def test_tasks_are_numbered_by_weight_without_gaps(
    costs_s: Seconds, slots: int, task_s: float, max_tasks: int
) -> None:
    tasks = pack(costs_s, slots, task_s, max_tasks)
    assert tasks.shape == costs_s.shape and tasks.dtype == np.int64
    count = int(tasks.max()) + 1
    assert set(tasks.tolist()) == set(range(count))
    assert count <= max_tasks
    assert (np.diff(loads_of(tasks, costs_s)) <= 1e-9).all()


@given(COSTS, st.integers(1, 16), st.floats(1, 60))
def test_no_stage_waits_long_for_its_last_task(costs_s: Seconds, slots: int, task_s: float) -> None:
    """Ideal: as much for each slot, or the heaviest unit alone."""
    tasks = pack(costs_s, slots, task_s, 10**6)
    ideal_s = max(costs_s.sum() / slots, costs_s.max())
    # At the end a slot waits for one unit, or for a task of half a second and a unit.
    late_s = min(0.5 + np.median(costs_s) + costs_s.min(), costs_s.max() + 0.5)
    assert makespan_s(loads_of(tasks, costs_s), slots) <= ideal_s * 4 / 3 + late_s + 1e-6


def test_one_long_video_starts_first_and_alone() -> None:
    costs_s = np.full(61, 1.0)
    costs_s[17] = 30.0
    tasks = pack(costs_s, 2, 10.0, 10_000)
    assert tasks[17] == 0 and (tasks == 0).sum() == 1
    assert makespan_s(loads_of(tasks, costs_s), 2) <= 1.05 * costs_s.sum() / 2


def test_small_units_are_kept_for_the_end() -> None:
    costs_s = np.concatenate([np.full(400, 0.05), np.full(44, 5.0)])
    tasks = pack(costs_s, 8, 10.0, 10_000)
    assert tasks[400:].max() < tasks[:400].min()
    assert makespan_s(loads_of(tasks, costs_s), 8) <= 1.03 * costs_s.sum() / 8


def test_wrong_estimates_are_evened_out() -> None:
    """What a video really costs may be twice or half of what its size says."""
    rng = np.random.default_rng(0)
    estimate_s = rng.lognormal(0, 1, 2000)
    really_s = estimate_s * rng.choice([0.5, 1, 2], 2000)
    loads_s = loads_of(pack(estimate_s, 8, 10.0, 10_000), really_s)
    assert makespan_s(loads_s, 8) <= 1.05 * really_s.sum() / 8


def test_tasks_are_as_large_as_asked_for_while_there_is_much_to_do() -> None:
    costs_s = np.full(100_000, 0.5)
    loads_s = loads_of(pack(costs_s, 4, 10.0, 10**6), costs_s)
    assert np.median(loads_s) == pytest.approx(10, abs=0.5)
    assert loads_s.max() <= 10.5 and loads_s.min() <= 1
    assert len(loads_s) < 1.05 * costs_s.sum() / 10


def test_little_work_still_occupies_every_slot() -> None:
    costs_s = np.full(40, 0.6)
    loads_s = loads_of(pack(costs_s, 2, 10.0, 10_000), costs_s)
    assert 8 <= len(loads_s) <= 40
    tiny = pack(np.full(20, 0.01), 8, 10.0, 10_000)
    assert set(tiny.tolist()) == {0}  # 0.2 s are not worth two tasks


def test_nothing_to_pack() -> None:
    assert pack(np.zeros(0), 4, 10.0, 10).tolist() == []


def test_a_million_units_are_packed_in_a_moment() -> None:
    costs_s = np.random.default_rng(0).lognormal(0, 1, 10**6)
    started_s = time.process_time()
    tasks = pack(costs_s, 512, 10.0, 10_000)
    assert time.process_time() - started_s < 5
    assert 5_000 < tasks.max() + 1 <= 10_000


@given(
    st.lists(st.floats(0, 1000), min_size=1, max_size=60),
    st.integers(1, 50),
    st.floats(0.1, 1e4),
)
def test_batches_are_stretches_of_about_one_length(
    costs: list[float], slots: int, commit_s: float
) -> None:
    costs_s = np.array(costs)
    batches = deal_batches(costs_s, slots, commit_s)
    assert batches.shape == costs_s.shape
    assert np.unique(batches).tolist() == list(range(int(batches.max()) + 1))
    assert (np.diff(batches) >= 0).all()
    for number in range(int(batches.max()) + 1):
        assert costs_s[batches == number].sum() <= commit_s * slots + 2 * costs_s.max() + 1e-6
    assert batches.max() <= costs_s.sum() / (commit_s * slots)


def test_no_videos_no_batches() -> None:
    assert deal_batches(np.zeros(0), 2, 10.0).tolist() == []


def test_other_detectors_cost_more_or_less_per_frame() -> None:
    sizes = np.array([1, 2], np.int64) * MB  # all of it is decoded either way
    faces_s = {}
    for detector in ("mtcnn", "haar", "frame"):
        two = estimate_costs_s(sizes, sampling(frames=11, pairs=True), detector)
        faces_s[detector] = two - estimate_costs_s(sizes, sampling(frames=11), detector)
        assert faces_s[detector] == pytest.approx(11 * frame_s(detector))
    assert (faces_s["haar"] > 1.5 * faces_s["mtcnn"]).all()
    assert (faces_s["frame"] < 0.5 * faces_s["mtcnn"]).all()
    detectors = DetectionSettings.model_json_schema()["properties"]["detector"]["enum"]
    assert all(frame_s(name) > 0 for name in detectors)


def test_a_video_whose_samples_depend_on_each_other_is_never_cut() -> None:
    assert grows_with_length(sampling(mode="strided", frames=100))
    assert not grows_with_length(sampling(mode="strided_retry", frames=100))


def test_pairs_cost_two_frames_each_and_strides_begin_at_the_start() -> None:
    sizes = np.array([1, 100, 1000], np.int64) * MB
    one = estimate_costs_s(sizes, sampling(frames=11))
    two = estimate_costs_s(sizes, sampling(frames=11, pairs=True))
    later_s = 11 * 24_000 * SECONDS_A_BYTE  # the second frame of each pair is decoded too
    assert two - one == pytest.approx(11 * 0.02 + np.array([0, later_s, later_s]))
    strided = estimate_costs_s(sizes, sampling(mode="strided", frames=11))
    assert strided[2] - strided[1] == pytest.approx(3 * 2e-9 * 900e6)  # no more to decode
    assert (strided[1:] < one[1:]).all()
    far = estimate_costs_s(sizes, sampling(mode="strided", frames=11, skip_frames=60))
    assert (far[1:] > strided[1:]).all()


def test_a_clip_costs_all_its_frames_and_what_lies_between() -> None:
    sizes = np.array([1000], np.int64) * MB
    one, clip, wide = (
        estimate_costs_s(sizes, sampling(frames=11, clip_frames=frames, clip_stride=stride))
        for frames, stride in ((1, 1), (8, 1), (8, 4))
    )
    decoding_s = 11 * 24_000 * SECONDS_A_BYTE
    assert clip - one == pytest.approx(11 * 7 * 0.02 + 7 * decoding_s)
    assert wide - clip == pytest.approx(21 * decoding_s)
    every = [
        estimate_costs_s(sizes, sampling(mode="all", clip_frames=8, clip_stride=stride))
        for stride in (1, 4)
    ]
    assert every[0] == pytest.approx(estimate_costs_s(sizes, sampling(mode="all")))
    assert every[1] < every[0]  # of 29 frames, 8 are searched
