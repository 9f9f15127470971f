"""Times of the film from clocks that begin again, jump, wrap and jitter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.media.film_clock import GAP_S, PacketTimes, film_of

TICK_S = 1 / 90_000
FRAME = 3600
"""Ticks per frame at 25 frames per second."""


def recording(types: str, start: int = 0) -> list[tuple[int, int, bool]]:
    """(pts, dts, key) in coding order of a recording, from picture types in order of display."""
    coded: list[int] = []
    waiting: list[int] = []
    for rank, kind in enumerate(types):
        if kind == "b":
            waiting.append(rank)
        else:
            coded += [rank, *waiting]
            waiting = []
    coded += waiting
    return [
        (start + (rank + 1) * FRAME, start + at * FRAME, types[rank] == "I")
        for at, rank in enumerate(coded)
    ]


def packets(
    rows: list[tuple[int, int, bool]], hidden: tuple[int, ...] = (), *, fragmented: bool = False
) -> PacketTimes:
    pts, dts, key = zip(*rows, strict=True)
    return PacketTimes(
        pts=np.array(pts, np.int64),
        dts=np.array(dts, np.int64),
        duration=np.full(len(rows), FRAME, np.int64),
        key=np.array(key),
        hidden=np.isin(np.arange(len(rows)), hidden),
        fragmented=fragmented,
        tick_s=TICK_S,
        frame_s=FRAME * TICK_S,
    )


group = st.integers(0, 12).map(lambda count: "I" + "bbP" * count)
jump = st.one_of(st.integers(-(10**8), -90_000), st.integers(90_000 * 12, 10**10))
"""Ticks from the end of one recording to the beginning of the next: back, or far ahead."""
recordings = st.lists(
    st.tuples(st.lists(group, min_size=1, max_size=3).map("".join), jump), min_size=1, max_size=4
)


@given(recordings)
def test_every_frame_of_every_recording_has_its_time(parts: list[tuple[str, int]]) -> None:
    rows: list[tuple[int, int, bool]] = []
    end, back = 0, 0
    for number, (types, ahead) in enumerate(parts):
        back += number > 0 and ahead < 0
        rows += recording(types, end + ahead)
        end += ahead + len(types) * FRAME
    film = film_of(packets(rows))
    assert sorted(film.rank.tolist()) == list(range(len(rows)))
    np.testing.assert_allclose(film.times_s, np.arange(len(rows)) * FRAME * TICK_S, atol=1e-6)
    assert film.end_s == pytest.approx(len(rows) * FRAME * TICK_S)
    assert (film.restarts, len(film.gaps_s)) == (back, len(parts) - 1 - back)


def test_a_clock_that_begins_again() -> None:
    film = film_of(packets(recording("IbbP" * 5) + recording("IbbP" * 5)))
    assert film.restarts == 1 and film.gaps_s == ()
    assert film.starts_s == pytest.approx((0.0, 0.8))
    assert film.times_s.tolist() == pytest.approx([rank * 0.04 for rank in range(40)])


def test_a_gap_is_no_film() -> None:
    film = film_of(packets(recording("IbbP" * 5) + recording("IbbP" * 5, 8 * 3600 * 90_000)))
    assert film.restarts == 0
    (gap_s,) = film.gaps_s
    assert gap_s == pytest.approx(8 * 3600 - 20 * 0.04)
    assert film.times_s.tolist() == pytest.approx([rank * 0.04 for rank in range(40)])


def test_a_frame_that_stands_still_is_film() -> None:
    rows = recording("I") + recording("I", int((GAP_S - 1) * 90_000))
    film = film_of(packets(rows))
    assert film.gaps_s == () and film.times_s.tolist() == pytest.approx([0.0, GAP_S - 1])


def test_a_long_frame_with_its_duration_is_film() -> None:
    times = packets(recording("I") + recording("I", 60 * 90_000))
    times.duration[0] = 60 * 90_000
    film = film_of(times)
    assert film.gaps_s == () and film.end_s == pytest.approx(60.04)


def test_steps_back_of_a_tenth_of_a_second_are_jitter() -> None:
    rows = recording("IPPPPP")
    rows[3] = (rows[3][0], rows[3][1] - 2 * FRAME, False)
    assert film_of(packets(rows)).restarts == 0


def test_nothing_is_shown_before_a_key_frame() -> None:
    film = film_of(packets(recording("PPPIPP")))
    assert film.rank.tolist() == [-1, -1, -1, 0, 1, 2]
    assert film.orphan.tolist() == [True] * 3 + [False] * 3
    assert film.times_s.tolist() == pytest.approx([0, 0.04, 0.08])


def test_after_a_join_leading_pictures_have_lost_their_references() -> None:
    # The second recording was cut inside an open group: two pictures are coded after the key
    # frame and shown before it.
    second = recording("bbIbbP")
    film = film_of(packets(recording("IbbP") + second))
    assert film.orphan.tolist() == [False] * 4 + [False, True, True, False, False, False]
    assert len(film.times_s) == 4 + 4


def test_without_a_marked_key_frame_everything_is_shown() -> None:
    film = film_of(packets(recording("PPPP")))
    assert film.rank.tolist() == [0, 1, 2, 3] and not film.orphan.any()


def test_hidden_pictures_have_an_order_and_no_rank() -> None:
    film = film_of(packets(recording("IPPPP"), hidden=(0, 1)))
    assert film.rank.tolist() == [-1, -1, 0, 1, 2]
    assert film.times_s.tolist() == pytest.approx([0, 0.04, 0.08])
    assert not film.orphan.any()


def test_fragments_that_overlap_are_shown() -> None:
    rows, second = recording("IPPPPP") * 2, tuple(range(6, 12))
    assert len(film_of(packets(rows, hidden=second)).times_s) == 6
    assert len(film_of(packets(rows, hidden=second, fragmented=True)).times_s) == 12
