"""How far above the decoder's floor examining a video is, measured in one run.

    python benchmarks/examine.py --clips DIR [--repeat 3] [--output FILE]

For every video below DIR: seconds to decode the sampled frames and nothing else, seconds to
examine it (decode, detect, crop, encode), and their ratio. Each is the fastest of some
repeats, which other load disturbs least; the two are timed in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from framejury.errors import MediaError
from framejury.examine import Toolbox, examine_video
from framejury.facts import versions
from framejury.media.decode import VideoFile
from framejury.rows import ExaminePlan
from framejury.settings import VIDEO_EXTENSIONS, Settings


@dataclass(frozen=True)
class Timing:
    """One video: seconds of the floor and of examining it, and faces kept."""

    path: str
    decode_s: float
    examine_s: float
    faces: int

    @property
    def ratio(self) -> float:
        return self.examine_s / self.decode_s


def measure(path: Path, tools: Toolbox, repeat: int) -> Timing:
    """Time one video.

    Raises:
        MediaError: it cannot be decoded.
    """
    decode_s = examine_s = float("inf")
    faces = 0
    for _ in range(repeat):
        decode_s = min(decode_s, _seconds(lambda: _decode(path, tools.settings)))
        started_s = time.perf_counter()
        faces = len(examine_video(path, path.name, tools).faces)
        examine_s = min(examine_s, time.perf_counter() - started_s)
    return Timing(path.name, decode_s, examine_s, faces)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=Path, required=True, help="folder with videos (required)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, count (default: 3)")
    parser.add_argument("--output", type=Path, help="JSON file (default: none)")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    endings = {f".{ending}" for ending in VIDEO_EXTENSIONS}
    clips = sorted(path for path in args.clips.rglob("*") if path.suffix.lower() in endings)
    if not clips:
        print(f"no videos below {args.clips}", file=sys.stderr)
        return 2
    settings = Settings()
    tools = Toolbox.load(ExaminePlan("bench", settings.model_dump(mode="json"), None, True))
    timings = []
    print(f"{'video':<40}{'decode s':>10}{'examine s':>11}{'ratio':>8}{'faces':>7}")
    for clip in clips:
        try:
            timing = measure(clip, tools, args.repeat)
        except MediaError as error:
            print(f"{clip.name[:39]:<40}{error.status.value}: {error}")
            continue
        timings.append(timing)
        print(
            f"{timing.path[:39]:<40}{timing.decode_s:>10.3f}{timing.examine_s:>11.3f}"
            f"{timing.ratio:>8.2f}{timing.faces:>7}"
        )
    decode_s, examine_s = (sum(getattr(t, k) for t in timings) for k in ("decode_s", "examine_s"))
    print(f"{'all':<40}{decode_s:>10.3f}{examine_s:>11.3f}{examine_s / decode_s:>8.2f}")
    if args.output:
        args.output.write_text(json.dumps(_document(timings), indent=1))
    return 0


def _decode(path: Path, settings: Settings) -> None:
    with VideoFile(path, settings.limits) as video:
        for _ in video.frames(settings.sampling, path.name):
            pass


def _seconds(work: Callable[[], None]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


def _document(timings: list[Timing]) -> dict[str, object]:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, pinned to one",
        "versions": versions(),
        "commit": commit or None,
        "videos": [asdict(timing) | {"ratio": timing.ratio} for timing in timings],
    }


if __name__ == "__main__":
    sys.exit(main())
