"""Steps that `train --archive` and `compare-presets` run before training: index, extract, split.

Each step is the command of that name, so it can also be run alone, and it skips work already done.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from framejury.cli import main as cli
from framejury.cli.options import INTERRUPTED, TERMINATED, TerminatedError
from framejury.errors import FramejuryError


class StepError(FramejuryError):
    """A step failed and has printed its own error.

    Attributes:
        step: name of its command.
        exit_code: of that command.
    """

    def __init__(self, step: str, code: int) -> None:
        super().__init__(f"{step} ended with exit code {code}; see its own error message above")
        self.step = step
        self.exit_code = code


def settings_options(preset: str | None, config: str | None, overrides: Sequence[str]) -> list[str]:
    """Return the options that give another command the same settings."""
    options = [] if preset is None else ["--preset", preset]
    options += [] if config is None else ["--config", config]
    for override in overrides:
        options += ["--set", override]
    return options


def index_and_extract(archive: str, warehouse: str, settings: Sequence[str]) -> None:
    """List the archive, then extract the faces of new and changed videos.

    Args:
        archive: folder or Hadoop URI.
        warehouse: folder or URI.
        settings: from `settings_options`.

    Raises:
        StepError: a step failed.
    """
    _run("index", archive, "--warehouse", warehouse, *settings)
    _run("extract", "--warehouse", warehouse, *settings)


def split(warehouse: str, settings: Sequence[str], sides: Path | None = None) -> None:
    """Divide the labelled videos.

    Args:
        warehouse: folder or URI.
        settings: from `settings_options`.
        sides: CSV file that fixes the split of each video; None: the settings decide.

    Raises:
        StepError: the step failed.
    """
    fixed = [] if sides is None else ["--sides", str(sides)]
    _run("split", "--warehouse", warehouse, *fixed, *settings)


def check_step(name: str, code: int) -> None:
    """Raise unless a step succeeded.

    Args:
        name: of its command.
        code: its exit code, negative for a signal.

    Raises:
        StepError: the step failed.
        KeyboardInterrupt, TerminatedError: the user stopped the step, which stops all of them.
    """
    if code in (INTERRUPTED, -signal.SIGINT):
        raise KeyboardInterrupt
    if code in (TERMINATED, -signal.SIGTERM):
        raise TerminatedError
    if code:
        raise StepError(name, code)


def _run(name: str, *arguments: str) -> None:
    """Run a command in this process; by name, because the library imports no job."""
    check_step(name, cli.main([name, *arguments]))
