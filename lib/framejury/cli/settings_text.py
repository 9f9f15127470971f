"""Settings as text for the terminal: those of a section, or of a command.

The declarations are imported when they are shown, so that parsers stay light.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from framejury.cli.parser import Parser, text_columns


def section_doc(section: str) -> str:
    """Return the sentence that describes a section of the settings."""
    from framejury.settings import Settings

    return (Settings.model_fields[section].annotation.__doc__ or "").strip()


def settings_lines(sections: Iterable[str], keys: Iterable[str] = ()) -> Iterator[str]:
    """Yield every setting of the sections, and single ones: key, default, description, range.

    Args:
        sections: such as `sampling`, in the order wanted.
        keys: dotted names of single settings, without the heading of their section.
    """
    from framejury.settings.loading import setting_fields

    fields, width = setting_fields(), text_columns()
    for number, section in enumerate(sections):
        heading = f"{section}: {section_doc(section)}"
        yield from ([""] if number else [])
        yield from textwrap.wrap(heading, width, break_on_hyphens=False)
        for key in fields:
            if key.partition(".")[0] == section:
                yield from _setting(key, fields[key], width)
    for key in keys:
        yield from _setting(key, fields[key], width)


class ShowSettings(argparse.Action):
    """The option `--help-settings`: print the settings that the command uses, and exit."""

    def __init__(self, option_strings: list[str], dest: str, **more: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, **more)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        assert isinstance(parser, Parser)
        heading = f"settings of {parser.prog} (change with --set, --config or --preset):"
        print(textwrap.fill(heading, text_columns()), end="\n\n")
        print("\n".join(settings_lines(parser.sections)))
        parser.exit()


def _setting(key: str, field: dict[str, Any], width: int) -> Iterator[str]:
    from framejury.settings.loading import described

    value = f"{key} = {field['default']}"
    yield from textwrap.wrap(value, width, initial_indent="  ", subsequent_indent="    ")
    yield from described(field, "      ", width)
