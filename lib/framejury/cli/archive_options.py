"""Options of commands that list an archive."""

from __future__ import annotations

import argparse
from typing import get_args

from framejury.settings import IndexSettings


def add_layout(parser: argparse.ArgumentParser, when: str = "") -> None:
    """Add the option `--layout`, with the values of `index.layout`.

    Args:
        parser: of the command.
        when: begins the help where the option is for some uses of the command only.
    """
    parser.add_argument(
        "--layout",
        choices=get_args(IndexSettings.model_fields["layout"].annotation),
        help=f"{when}how labels are read; same as --set index.layout=... (default: auto)",
    )


def in_layout(settings: IndexSettings, args: argparse.Namespace) -> IndexSettings:
    """Return the settings with the layout of `--layout`, if it was given."""
    return settings.model_copy(update={"layout": args.layout}) if args.layout else settings
