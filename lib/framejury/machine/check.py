"""One check of this machine, and how checks ask it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from framejury.storage import is_local, local_path

State = Literal["ok", "warning", "problem"]

_COMMAND_LIMIT_S = 60


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.

    Attributes:
        name: what was checked, in a word or two.
        state: ok; warning: something will not work, or not well; problem: fix it first.
        found: what was found.
        to_do: what to do about it; empty if ok.
    """

    name: str
    state: State
    found: str
    to_do: str = ""


def version_of(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def output_of(*command: str) -> str | None:
    """Return what a program prints (stdout and stderr); None if it cannot run or fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMMAND_LIMIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return (done.stdout + done.stderr).strip()


def gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"


def existing_folder(uri: str) -> Path:
    """Return the nearest existing folder at or above a local path; the working one if remote."""
    place = local_path(uri) if is_local(uri) else Path.cwd()
    while not place.is_dir() and place != place.parent:
        place = place.parent
    return place
