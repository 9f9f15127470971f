"""From two contenders' runs to a figure. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contenders import Series, ratios
from benchmarks.figure import Figure


def faster(
    name: str,
    rival_and_ours: tuple[Series, Series],
    *,
    at_least: float | None = None,
    note: str = "",
    details: Mapping[str, Any] | None = None,
) -> Figure:
    rival, ours = rival_and_ours
    low, high = ratio_range(rival, ours)
    return Figure(
        name,
        "times faster",
        rival.total_s / ours.total_s,
        low,
        high,
        at_least=at_least,
        note=note,
        details=details or {},
    )


def slower(
    name: str,
    ours_and_floor: tuple[Series, Series],
    *,
    at_most: float | None = None,
    note: str = "",
    details: Mapping[str, Any] | None = None,
) -> Figure:
    ours, floor = ours_and_floor
    low, high = ratio_range(ours, floor)
    return Figure(
        name,
        "times its time",
        ours.total_s / floor.total_s,
        low,
        high,
        at_most=at_most,
        note=note,
        details=details or {},
    )


def over(
    name: str,
    ours: Series,
    base: Series,
    *,
    share: float = 1.0,
    at_most: float | None,
    note: str,
) -> Figure:
    """By how many per cent `ours` takes longer than `share` of `base`."""

    def percent(ratio: float) -> float:
        return 100 * (ratio / share - 1)

    low, high = ratio_range(ours, base)
    return Figure(
        name,
        "% slower",
        percent(ours.total_s / base.total_s),
        percent(low),
        percent(high),
        at_most=at_most,
        note=f"{note}; {ours.total_s:.1f} s against {share * base.total_s:.1f} s",
        details={"ours_s": ours.totals_s, "base_s": base.totals_s, "share": share},
    )


def ratio_range(numerator: Series, denominator: Series) -> tuple[float, float]:
    values = list(ratios(numerator, denominator))
    return min(values), max(values)


def only(series: Series, number: int) -> Series:
    return Series([series.runs[number]])


def fact_sum(series: Series, fact: str) -> int:
    return sum(int(facts[fact]) for facts in series.facts())


def seconds_of(series: Mapping[str, Series], names: Sequence[str]) -> dict[str, Any]:
    """By contender and clip: wall and processor seconds of every repeat."""
    return {
        contender: {
            Path(name).name: {
                "wall_s": [run.wall_s for run in runs],
                "cpu_s": [run.cpu_s for run in runs],
            }
            for name, runs in zip(names, each.runs, strict=True)
        }
        for contender, each in series.items()
    }
