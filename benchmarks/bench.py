"""One run of the benchmarks: its clips, bundle, inputs and contenders, each made when needed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks import clips
from benchmarks.clips import ClipPlan
from benchmarks.contenders import ROOT, Child, Contender, ContenderError, Series, alternate
from framejury.settings import VIDEO_EXTENSIONS


@dataclass(frozen=True)
class Bench:
    """One run of the benchmarks.

    Attributes:
        out: folder of clips, bundle, inputs and logs.
        given: folder of the user's clips; None: clips are made.
        cores: of this machine that may be used, at least one.
        repeats: timed runs of each contender.
    """

    out: Path
    given: Path | None
    cores: tuple[int, ...]
    repeats: int

    @property
    def log_dir(self) -> Path:
        return self.out / "log"

    @cached_property
    def clips(self) -> list[str]:
        """Paths of the clips that figures per core are measured on."""
        if self.given is None:
            return [str(path) for path in self._made(*clips.FULL_HD, *clips.FOUR_K)]
        endings = {f".{ending}" for ending in VIDEO_EXTENSIONS}
        found = sorted(p for p in self.given.rglob("*") if p.suffix.lower() in endings)
        return [str(path.resolve()) for path in found]

    @cached_property
    def four_k(self) -> list[str]:
        return [str(path) for path in self._made(*clips.FOUR_K)]

    @cached_property
    def long(self) -> str:
        return str(clips.long_clip(self.out / "clips"))

    @cached_property
    def bundle(self) -> str:
        """Folder of the bundle with random weights; made in a process of its own (TensorFlow).

        Made anew in every run: an export of older code is another network to time.
        """
        folder = self.out / "bundle"
        self.log_dir.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "benchmarks.bundle", str(folder)]
        with (self.log_dir / "bundle.log").open("w") as log:
            subprocess.run(command, cwd=ROOT, check=True, stdout=log, stderr=log)
        return str(folder)

    @property
    def keras(self) -> str:
        return str(Path(self.bundle) / "model.keras")

    def short(self, count: int) -> list[str]:
        return [str(path) for path in clips.short_clips(self.out / "clips", count)]

    @cached_property
    def sampled(self) -> dict[str, Mapping[str, Any]]:
        """By clip: `indices` and `times_s` of the frames that framejury looks at."""
        contender = self.one_core("sampled", "benchmarks.ours:frames", {"settings": {}})
        with Child(contender, self.log_dir) as child:
            return {clip: child.run({"clip": clip}).facts for clip in self.clips}

    @cached_property
    def inputs(self) -> list[str]:
        """Files with the reduced frames and the faces of each clip (`benchmarks.inputs`)."""
        folder = self.out / "inputs"
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        with Child(self.one_core("inputs", "benchmarks.inputs:make", {}), self.log_dir) as child:
            for number, (clip, sampled) in enumerate(self.sampled.items()):
                path = str(folder / f"{number:03d}.npz")
                child.run({"clip": clip, "times_s": sampled["times_s"], "output": path})
                paths.append(path)
        return paths

    def one_core(
        self,
        name: str,
        factory: str,
        setup: Mapping[str, Any],
        *,
        repeats: int | None = None,
        python: str = sys.executable,
    ) -> Contender:
        return Contender(name, factory, setup, self.cores[-1:], repeats, python)

    def two_cores(
        self, name: str, factory: str, setup: Mapping[str, Any], **options: Any
    ) -> Contender:
        """Raises ContenderError where this process has only one core."""
        if len(self.cores) < 2:
            raise ContenderError("this figure needs two cores, and this process may use one")
        return Contender(name, factory, {**setup, "cores": 2}, self.cores[:2], **options)

    def alternate(
        self,
        contenders: Sequence[Contender],
        requests: Sequence[Mapping[str, Any]],
        warm_up: Mapping[str, Any] | None = None,
    ) -> dict[str, Series]:
        return alternate(
            contenders, requests, repeats=self.repeats, log_dir=self.log_dir, warm_up=warm_up
        )

    def _made(self, *plans: ClipPlan) -> list[Path]:
        made = []
        for plan in plans:
            if clips.available(plan.codec):
                made.append(clips.made(plan, self.out / "clips"))
            else:
                print(f"no {plan.name}: PyAV's libav has no {plan.codec}", file=sys.stderr)
        return made
