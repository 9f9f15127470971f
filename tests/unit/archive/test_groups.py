"""Connected components over shared keys."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framejury.archive.groups import family_names, group_names

keys_of_items = st.lists(
    st.lists(st.sampled_from("abcdefghijklm"), min_size=1, max_size=3), max_size=12
)


def components(keys_of: list[list[str]]) -> list[str]:
    """The slow way: flood from each item."""
    names = []
    for keys in keys_of:
        reached = set(keys)
        while True:
            wider = reached.union(*(other for other in keys_of if reached & set(other)))
            if wider == reached:
                break
            reached = wider
        names.append(min(reached))
    return names


@given(keys_of=keys_of_items)
def test_as_flooding_finds_them(keys_of: list[list[str]]) -> None:
    assert group_names(keys_of) == components(keys_of)


@given(keys_of=keys_of_items, seed=st.integers(0, 100))
def test_the_order_of_items_does_not_matter(keys_of: list[list[str]], seed: int) -> None:
    order = list(range(len(keys_of)))
    random.Random(seed).shuffle(order)
    shuffled = group_names([keys_of[at] for at in order])
    assert [shuffled[order.index(at)] for at in range(len(keys_of))] == group_names(keys_of)


def test_a_chain_of_a_hundred_thousand() -> None:
    links = [[f"{at:06d}", f"{at + 1:06d}"] for at in range(100_000)]
    assert set(group_names(links)) == {"000000"}
    assert set(group_names(links[::-1])) == {"000000"}


def test_an_item_without_keys() -> None:
    with pytest.raises(ValueError, match="at least one key"):
        group_names([["a"], []])


def test_a_family_is_finer_than_a_part_of_the_challenge() -> None:
    keys = [
        ("part:dfdc:01", "dfdc:a.mp4"),
        ("part:dfdc:01", "dfdc:b.mp4", "dfdc:a.mp4"),
        ("part:dfdc:01", "dfdc:c.mp4"),
        ("part:dfdc:02",),
    ]
    assert len(set(group_names(keys))) == 2
    assert family_names(keys) == ["dfdc:a.mp4", "dfdc:a.mp4", "dfdc:c.mp4", "part:dfdc:02"]
