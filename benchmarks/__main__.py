"""Measures framejury against its rivals and the floor, and prints a row a goal.

    python -m benchmarks [--clips DIR] [--only NAME,...] [--output FILE] [--markdown FILE]

`make bench` sets everything up first. What each figure means: `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.contenders import ROOT, ContenderError
from benchmarks.figure import Figure, document, markdown, text_table
from benchmarks.one_core import detect, extract, frames, score
from benchmarks.two_cores import long_video, memory, reduce, spark
from framejury.runs.provenance import versions

MEASURES: Mapping[str, Callable[[Bench], list[Figure]]] = {
    "extract": extract,
    "frames": frames,
    "detect": detect,
    "score": score,
    "spark": spark,
    "long": long_video,
    "memory": memory,
    "reduce": reduce,
}

_RIVALS = ("tensorflow", "keras", "mtcnn", "duckdb", "polars")


def main(argv: Sequence[str] | None = None) -> int:
    args = _arguments(argv)
    bench = Bench(args.output.parent.resolve(), args.clips, available_cores(), args.repeats)
    if not bench.clips:
        print(f"no videos below {args.clips}", file=sys.stderr)
        return 2
    started_s = time.monotonic()
    figures: list[Figure] = []
    failed = False
    for name in args.only:
        print(f"measuring {name}", file=sys.stderr, flush=True)
        begun_s = time.monotonic()
        try:
            found = MEASURES[name](bench)
        except ContenderError as error:
            failed = True
            found = [Figure(name, "", None, note=f"{error}; see {bench.log_dir}")]
        print(text_table(found), f"  ({time.monotonic() - begun_s:.0f} s)\n", sep="\n", flush=True)
        figures += found
    facts = _facts(bench, time.monotonic() - started_s)
    print(text_table(figures))
    args.output.write_text(json.dumps(document(figures, facts), indent=1))
    if args.markdown:
        args.markdown.write_text(markdown(figures, facts))
    return int(failed)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=Path, help="folder of videos (default: clips made here)")
    parser.add_argument(
        "--only", type=_names, default=list(MEASURES), help=f"of {','.join(MEASURES)} (all)"
    )
    parser.add_argument("--repeats", type=int, default=3, help="timed runs, count (default: 3)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("out/bench/bench.json"),
        help="JSON file; clips made here, models and logs lie beside it (default: %(default)s)",
    )
    parser.add_argument("--markdown", type=Path, help="file for the table as Markdown")
    return parser.parse_args(argv)


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = sorted(set(names) - set(MEASURES))
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not one of {', '.join(MEASURES)}")
    return names


def available_cores() -> tuple[int, ...]:
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def _facts(bench: Bench, seconds: float) -> dict[str, Any]:
    """What the figures were measured with, plain values."""
    found = versions()
    for name in _RIVALS:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": _commit(),
        "machine": {
            "cpu": _cpu_model(),
            "cores": len(bench.cores),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
            "system": platform.platform(),
        },
        "versions": found,
        "repeats": bench.repeats,
        "clips": [Path(clip).name for clip in bench.clips],
        "seconds": round(seconds),
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return run.stdout.strip() or "unknown"


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
