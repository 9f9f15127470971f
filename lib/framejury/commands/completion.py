"""completion: print what makes bash, zsh or fish complete commands, options and settings."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from framejury.cli.completion import completion_script
from framejury.cli.options import run_command
from framejury.parsers.completion import parser


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    sys.stdout.write(completion_script(args.shell))
    return 0


if __name__ == "__main__":
    sys.exit(main())
