"""Groups of items that must stay in one split: connected components over shared keys."""

from __future__ import annotations

from collections.abc import Sequence

LOCAL_PREFIXES = ("csv:", "donor:", "faces:", "file:", "group:", "stem:", "still:")
"""Starts of keys that are made of paths in one archive; others name a source of a data set."""


def group_names(keys_of: Sequence[Sequence[str]]) -> list[str]:
    """Name the group of each item; items that share a key, directly or through others, share one.

    Args:
        keys_of: the keys of each item, at least one.

    Returns:
        for each item the smallest key (in text order) of its connected component, so that the
        name does not depend on the order of the items.
    """
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for keys in keys_of:
        if not keys:
            raise ValueError("every item needs at least one key")
        for key in keys:
            first, second = sorted((root(keys[0]), root(key)))
            parent[second] = first  # the smaller name stays on top
    return [root(keys[0]) for keys in keys_of]


_COLLECTIONS = ("part:",)
"""Starts of keys of collections: their videos must stay together, but show many people."""


def family_names(keys_of: Sequence[Sequence[str]]) -> list[str]:
    """Name the family of each item, as `group_names`, without the keys of collections.

    A part of the Deepfake Detection Challenge is one group with hundreds of people; a family is an
    original with its fakes. Items with keys of collections alone are in the family of these.
    """
    finer = [[key for key in keys if not key.startswith(_COLLECTIONS)] for keys in keys_of]
    return group_names([keys or list(all_) for keys, all_ in zip(finer, keys_of, strict=True)])
