"""Options of commands that list an archive."""

from __future__ import annotations

import argparse
from typing import get_args

from framejury.cli.outputs import Place
from framejury.settings import IndexSettings


def add_layout(parser: argparse.ArgumentParser, when: str = "") -> None:
    """Add the option `--layout`, with the values of `index.layout`.

    Args:
        parser: of the command.
        when: begins the help where the option is for some uses of the command only.
    """
    layouts = get_args(IndexSettings.model_fields["layout"].annotation)
    parser.add_argument(
        "--layout",
        metavar="LAYOUT",
        choices=layouts,
        help=f"{when}how labels are read: {', '.join(layouts)} (default: index.layout, auto)",
    )


def add_archive(parser: argparse.ArgumentParser) -> None:
    """Add the options that name an archive."""
    parser.add_argument(
        "archive",
        metavar="ARCHIVE",
        type=Place("input", remote=True),
        help="folder or Hadoop URI with videos",
    )
    add_layout(parser)
    parser.add_argument(
        "--moved",
        action="store_true",
        help="the archive has moved here (default: refuse another)",
    )


def in_layout(settings: IndexSettings, args: argparse.Namespace) -> IndexSettings:
    """Return the settings with the layout of `--layout`, if it was given."""
    return settings.model_copy(update={"layout": args.layout}) if args.layout else settings
