"""Damage and missing samples of several passes over one file."""

from __future__ import annotations

from framejury.media.pass_counts import PassCounts


def test_missing_samples_of_all_passes_count() -> None:
    counts = PassCounts()
    counts.begin()
    counts.end(9, 11, "frames")
    assert counts.damage(None) == "9 of 11 planned frames could be decoded"
    counts.begin()
    counts.end(20, 21, "frames")
    assert counts.is_damaged
    assert counts.damage(None) == "29 of 32 planned frames could be decoded"


def test_a_whole_file_has_no_damage() -> None:
    counts = PassCounts()
    counts.begin()
    counts.end(11, 11, "frames")
    assert not counts.is_damaged and counts.damage(None) is None
    assert counts.damage("cut short: 3 of 9 bytes") == "cut short: 3 of 9 bytes"
