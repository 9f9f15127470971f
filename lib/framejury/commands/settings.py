"""settings: list settings with their defaults, meaning and range."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator, Sequence

from framejury.cli.main import COMMANDS, parser_of
from framejury.cli.options import run_command
from framejury.cli.parser import text_columns
from framejury.cli.settings_text import section_doc, settings_lines
from framejury.errors import UsageError, did_you_mean
from framejury.parsers.settings import parser
from framejury.settings import Settings
from framejury.settings.loading import preset_names, setting_fields

_LEFT_COLUMNS = 12


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    shown = [list(_lines_of(name)) for name in args.names] or [list(_overview())]
    print("\n\n".join("\n".join(lines) for lines in shown))
    return 0


def _lines_of(name: str) -> Iterator[str]:
    """Yield the settings of a command or section, or one setting.

    Raises:
        UsageError: there is no such name, or the command uses no settings.
    """
    sections, keys = Settings.model_fields.keys(), setting_fields().keys()
    if name in COMMANDS:
        used = parser_of(name).sections
        if not used:
            raise UsageError(f"the command {name} uses no settings")
        return settings_lines(used)
    if name in sections:
        return settings_lines([name])
    if name in keys:
        return settings_lines([], [name])
    hint = did_you_mean(name, [*keys, *sections, *COMMANDS])
    raise UsageError(
        f"{name!r} is not a command, a section or a setting{hint or '; sections:'} "
        f"{'' if hint else ', '.join(sections)}".rstrip()
    )


def _overview() -> Iterator[str]:
    """Yield every section with what it is about."""
    width = text_columns()
    for section in Settings.model_fields:
        yield from textwrap.wrap(
            section_doc(section),
            width,
            initial_indent=f"{section:<{_LEFT_COLUMNS}}",
            subsequent_indent=" " * _LEFT_COLUMNS,
        )
    yield ""
    yield f"presets: {', '.join(preset_names())}"
    yield "more: framejury settings SECTION, or framejury settings COMMAND"


if __name__ == "__main__":
    sys.exit(main())
