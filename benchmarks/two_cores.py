"""Figures of a machine: Spark over many videos, memory, and the reduce."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av

from benchmarks import clips
from benchmarks.bench import Bench
from benchmarks.compare import only, over
from benchmarks.contenders import Child
from benchmarks.figure import Figure

SPARK_VIDEOS = 40
SHORT_VIDEOS = 60
REDUCED_ROWS = 20_000_000
_HD_PX = 1920 * 1088
_EVERY_SECOND = {"sampling": {"mode": "every_s", "every_s": 1.0}}


def spark(bench: Bench) -> list[Figure]:
    """Spark against a pool of processes over the same function, both warm."""
    archives = {"short clips of 640 x 360": bench.short(SPARK_VIDEOS)}
    if bench.given is not None:
        sources = [Path(clip) for clip in bench.clips]
        copies = clips.copies(sources, bench.out / "clips" / "given", SPARK_VIDEOS)
        archives = {"copies of the clips": [str(path) for path in copies], **archives}
    setup = {"settings": {}, "bundle_dir": bench.bundle}
    contenders = [
        bench.two_cores("spark", "benchmarks.on_spark:spark", setup),
        bench.two_cores("loop", "benchmarks.on_spark:loop", setup),
    ]
    requests = [{"videos": videos} for videos in archives.values()]
    series = bench.alternate(contenders, requests, {"videos": bench.short(16)})
    return [
        over(
            f"Spark against a bare Python loop, {SPARK_VIDEOS} {kind}",
            *(only(series[name], number) for name in ("spark", "loop")),
            at_most=10 if number == 0 else None,
            note="two cores, start-up apart",
        )
        for number, kind in enumerate(archives)
    ]


def long_video(bench: Bench) -> list[Figure]:
    """Half an hour among short videos: Spark's time over the ideal.

    The ideal is half of what one core takes for all while the other does the same work: two
    busy cores of one machine share caches and memory, and are each slower than one alone.
    """
    videos = [bench.long, *bench.short(SHORT_VIDEOS)]
    figures = []
    for mode, settings in {"one frame a second": _EVERY_SECOND, "default": {}}.items():
        setup = {"settings": settings, "bundle_dir": bench.bundle}
        contenders = [
            bench.two_cores("spark", "benchmarks.on_spark:spark", setup),
            bench.two_cores("busy", "benchmarks.on_spark:busy", setup, repeats=1),
            bench.one_core("serial", "benchmarks.on_spark:serial", setup, repeats=1),
        ]
        series = bench.alternate(contenders, [{"videos": videos}], {"videos": bench.short(16)})
        alone_s = series["serial"].total_s / 2
        figures.append(
            over(
                f"a 30-minute video among {SHORT_VIDEOS} short ones, {mode}",
                series["spark"],
                series["busy"],
                share=0.5,
                at_most=15 if settings else None,
                note="over the ideal time of two busy cores, which is half of what each takes "
                f"for all; half of what one takes alone: {alone_s:.1f} s",
            )
        )
    return figures


def memory(bench: Bench) -> list[Figure]:
    """Peak memory of a Spark worker and its child, a fresh pair for each video."""
    groups: dict[tuple[str, float | None], list[str]] = {
        ("to 1080p", 700): [clip for clip in bench.clips if _frame_px(clip) <= _HD_PX],
        ("4K", 1200): [
            clip
            for clip in dict.fromkeys([*bench.clips, *bench.four_k])
            if _frame_px(clip) > _HD_PX
        ],
    }
    figures = [
        _peak(bench, f"peak memory of worker and child, {name}", paths, {}, goal_mb)
        for (name, goal_mb), paths in groups.items()
        if paths
    ]
    name = "peak memory of worker and child, 30 minutes of 640 x 360, one frame a second"
    return [*figures, _peak(bench, name, [bench.long], _EVERY_SECOND, 700)]


def reduce(bench: Bench) -> list[Figure]:
    """Twenty million face scores to verdicts: against plain Python, DuckDB and Polars."""
    request = {
        "rows": REDUCED_ROWS,
        "out_dir": str(bench.out / "reduce"),
        "repeat": bench.repeats,
    }
    contender = bench.two_cores("reduce", "benchmarks.on_spark:reduce", {})
    with Child(contender, bench.log_dir) as child:
        return reduce_figures(child.run(request).facts)


def reduce_figures(measured: Mapping[str, float]) -> list[Figure]:
    """The figures in what `benchmarks.reduce.measure` returns."""
    ours_s, rows = measured["framejury_spark"], measured["framejury_spark_rows"]
    python_rows = measured["python_reducebykey_rows"]
    python_s = measured["python_reducebykey"] * rows / python_rows
    name = f"reduce of {rows / 1e6:g} million face scores against"
    return [
        Figure(
            f"{name} reduceByKey in Python (f)",
            "times faster",
            python_s / ours_s,
            at_least=30,
            note=f"two cores, {ours_s:.1f} s; Python had {python_rows / 1e6:g} million, "
            "its time is scaled up",
            details=measured,
        ),
        Figure(
            f"{name} DuckDB (f)",
            "times its time",
            ours_s / measured["duckdb"],
            at_most=2,
            note=f"the same Parquet files and answers, {measured['duckdb']:.1f} s",
        ),
        Figure(f"{name} Polars (f)", "times its time", ours_s / measured["polars"]),
    ]


def _peak(
    bench: Bench, name: str, paths: list[str], settings: Mapping[str, Any], goal_mb: float | None
) -> Figure:
    """The largest of the videos' peaks, MB (10^6 bytes)."""
    contender = bench.one_core(
        "resident", "benchmarks.ours:resident", {"settings": settings, "bundle_dir": bench.bundle}
    )
    peaks = {}
    for path in paths:
        with Child(contender, bench.log_dir) as child:
            peaks[path] = child.run({"clip": path}).facts
    totals_mb = [sum(facts.values()) / 1e6 for facts in peaks.values()]
    worst = max(peaks.values(), key=lambda facts: sum(facts.values()))
    return Figure(
        name,
        "MB",
        max(totals_mb),
        min(totals_mb),
        max(totals_mb),
        at_most=goal_mb,
        note=f"largest of {len(paths)}: worker {worst['worker_bytes'] / 1e6:.0f} MB + child "
        f"{worst['child_bytes'] / 1e6:.0f} MB; range: over the videos",
        details={Path(path).name: dict(facts) for path, facts in peaks.items()},
    )


def _frame_px(clip: str) -> int:
    with av.open(clip) as container:
        context = container.streams.video[0].codec_context
        return int(context.width) * int(context.height)
