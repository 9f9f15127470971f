"""What `train --archive` and `compare-presets` do before a network learns: index, extract, split.

Each step is the verb of that name, so each can be called alone, and what is done is not done again.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from framejury.cli.options import INTERRUPTED, TERMINATED, TerminatedError
from framejury.errors import FramejuryError
from framejury.jobs import extract_faces, index_videos, split_dataset


class StepError(FramejuryError):
    """A step ended, and has said why.

    Attributes:
        step: its verb.
        exit_code: its own.
    """

    def __init__(self, step: str, code: int) -> None:
        super().__init__(f"{step} ended with exit code {code}; its own message says why")
        self.step = step
        self.exit_code = code


def settings_options(preset: str | None, config: str | None, overrides: Sequence[str]) -> list[str]:
    """The same settings as options for another verb."""
    options = [] if preset is None else ["--preset", preset]
    options += [] if config is None else ["--config", config]
    for override in overrides:
        options += ["--set", override]
    return options


def index_and_extract(archive: str, warehouse: str, settings: Sequence[str]) -> None:
    """List the archive and keep the faces of what is new.

    Raises:
        StepError: a step ended otherwise than well.
    """
    check_step("index", index_videos.main([archive, "--warehouse", warehouse, *settings]))
    check_step("extract", extract_faces.main(["--warehouse", warehouse, *settings]))


def split(warehouse: str, settings: Sequence[str], sides: Path | None = None) -> None:
    """Divide the labelled videos.

    Args:
        sides: a file that fixes them; None: as the settings say.

    Raises:
        StepError: it ended otherwise than well.
    """
    given = [] if sides is None else ["--sides", str(sides)]
    check_step("split", split_dataset.main(["--warehouse", warehouse, *given, *settings]))


def check_step(name: str, code: int) -> None:
    """Nothing when a step ended well.

    Args:
        name: of its verb.
        code: its exit code.

    Raises:
        StepError: it failed.
        KeyboardInterrupt, TerminatedError: somebody stopped it, and means all of us.
    """
    if code in (INTERRUPTED, -signal.SIGINT):
        raise KeyboardInterrupt
    if code in (TERMINATED, -signal.SIGTERM):
        raise TerminatedError
    if code:
        raise StepError(name, code)
