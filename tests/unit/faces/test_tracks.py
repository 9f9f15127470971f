"""The same face over time: numbers, links, crossings, absences."""

from dataclasses import astuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from framejury.faces.tracks import FaceTracks, assign_persons
from framejury.records import Box


def _box(x, y=100.0, side=100.0):
    return Box(x, y, side, side)


def test_nothing_gives_nothing():
    assert assign_persons([]) == []
    assert assign_persons([[], []]) == [[], []]


def test_one_face_that_moves_stays_one_person():
    steps = [[_box(20 * step, 100 + 5 * step)] for step in range(11)]
    assert assign_persons(steps) == [[0]] * 11


def test_a_move_of_a_face_width_between_samples_still_links():
    assert assign_persons([[_box(0)], [_box(130)], [_box(10)]]) == [[0], [0], [0]]
    assert assign_persons([[_box(0)], [_box(170)]]) == [[0], [1]]


def test_two_people_keep_their_numbers_whatever_the_order():
    left, right = _box(0), _box(400)
    assert assign_persons([[left, right], [right, left], [right], [left]]) == [
        [0, 1],
        [1, 0],
        [1],
        [0],
    ]


def test_the_likeliest_pair_is_linked_first():
    # The newcomer comes first in the frame and is near; the known face overlaps itself.
    assert assign_persons([[_box(200)], [_box(110), _box(205)]]) == [[0], [1, 0]]
    # Both overlap; the one that overlaps more is the person.
    assert assign_persons([[_box(200)], [_box(240), _box(195)]]) == [[0], [1, 0]]


def test_a_vanished_person_comes_back_with_the_same_number():
    frames = [[_box(0), _box(400)], [_box(410)], [], [_box(420)], [_box(15), _box(425)]]
    assert assign_persons(frames) == [[0, 1], [1], [], [1], [0, 1]]


def test_a_link_follows_the_most_recent_box():
    frames = [[_box(0)], [_box(100)], [_box(200)], [_box(300)]]
    assert assign_persons(frames) == [[0], [0], [0], [0]]


def test_people_who_pass_each_other_keep_their_numbers():
    # One walks right in front, large; the other left behind, small: sizes tell them apart.
    frames = [
        [Box(60.0 * step, 100, 160, 160), Box(330 - 60.0 * step, 140, 70, 70)] for step in range(6)
    ]
    assert assign_persons(frames) == [[0, 1]] * 6
    # Same size, passing at different heights.
    frames = [[_box(40.0 * step, 100), _box(320 - 40.0 * step, 230)] for step in range(9)]
    assert assign_persons(frames) == [[0, 1]] * 9


def test_a_face_of_another_size_nearby_is_somebody_else():
    assert assign_persons([[_box(0, side=100)], [_box(90, side=40)]]) == [[0], [1]]
    assert assign_persons([[_box(0, side=100)], [_box(90, side=60)]]) == [[0], [0]]


def test_boxes_without_area_do_not_fail():
    assert assign_persons([[Box(5, 5, 0, 0)], [Box(5, 5, 0, 0)]]) == [[0], [1]]


boxes = st.builds(
    Box,
    x=st.floats(-50, 600),
    y=st.floats(-50, 400),
    width=st.floats(0, 300),
    height=st.floats(0, 300),
)
videos = st.lists(st.lists(boxes, max_size=5), max_size=8)


@settings(max_examples=200, deadline=None)
@given(videos)
def test_numbers_are_contiguous_and_unique_in_a_frame(frames):
    numbers = assign_persons(frames)
    assert [len(row) for row in numbers] == [len(frame) for frame in frames]
    seen = 0
    for row in numbers:
        assert len(set(row)) == len(row)
        for number in row:
            assert 0 <= number <= seen  # a new one is the next one
            seen = max(seen, number + 1)
    assert assign_persons(frames) == numbers


@settings(max_examples=100, deadline=None)
@given(st.lists(boxes, max_size=5), videos)
def test_what_comes_later_changes_nothing_before(first, rest):
    assert assign_persons([first, *rest])[:1] == assign_persons([first])


@settings(max_examples=100, deadline=None)
@given(videos, st.floats(0.25, 4))
def test_links_do_not_depend_on_resolution(frames, factor):
    # Powers of two scale floats exactly, so that ties stay ties.
    factor = 2.0 ** round(factor)
    scaled = [
        [Box(*(value * factor for value in astuple(box))) for box in frame] for frame in frames
    ]
    assert assign_persons(scaled) == assign_persons(frames)


def test_one_frame_after_the_other_gives_the_same_numbers() -> None:
    rng = np.random.default_rng(0)
    frames = [
        [Box(*rng.uniform(0, 300, 2), *rng.uniform(20, 80, 2)) for _ in range(rng.integers(0, 4))]
        for _ in range(30)
    ]
    people = FaceTracks()
    assert [people.number(boxes) for boxes in frames] == assign_persons(frames)
    # A frame without a face changes nothing: the examination leaves them out.
    without = [boxes for boxes in frames if boxes]
    assert [one for one in assign_persons(frames) if one] == assign_persons(without)
