"""settings: list settings with their defaults, meaning and range.

Without a name, the sections. A name is a command (the settings that it uses), a section or one
setting. Change settings with --set, --config or --preset of a command.

  framejury settings nightly
  framejury settings sampling
  framejury settings sampling.frames verdict.threshold
"""

from __future__ import annotations

from framejury.cli.options import make_parser
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("settings", __doc__)
    options.add_argument(
        "names",
        metavar="NAME",
        nargs="*",
        help="a command, a section such as sampling, or a setting such as sampling.frames",
    )
    return options
