"""The argument parser of every command: one-line errors that suggest, help that fits a screen."""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn

from framejury import logs
from framejury.errors import did_you_mean

_LEFT_COLUMNS = 24
_MOST_COLUMNS = 100
_REQUIRED = "the following arguments are required"
"""How argparse begins its error."""
_STAND_IN = re.compile(r"\(required, (or set \w+)\)")
"""In the help of an option: what stands in for it."""
_NUMBER = re.compile(r"-\d+$|-\d*\.\d+$")


def text_columns() -> int:
    """Return the columns to wrap text to: the terminal's, at most 100; 80 where there is none."""
    return min(shutil.get_terminal_size().columns, _MOST_COLUMNS)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line and name the nearest option or value.

    Options cannot be abbreviated: an abbreviation in a script would break, or change its meaning,
    as soon as a new option begins in the same way.

    Attributes:
        sections: sections of the settings that the command uses, in the order of its help.
        check: raises UsageError for options that do not go together, before libraries load.
    """

    def __init__(
        self, name: str, doc: str, sections: Iterable[str] = (), epilog: str | None = None
    ) -> None:
        super().__init__(
            prog=f"framejury {name}",
            description=doc,
            epilog=epilog,
            formatter_class=_HelpFormatter,
            allow_abbrev=False,
        )
        self.sections = tuple(sections)
        self.check: Callable[[argparse.Namespace], None] = lambda args: None

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """As in argparse, but an unknown option is reported before a missing one."""
        if args is not None and not {"-h", "--help"} & set(args):
            for word, before in _options_in(args):
                if word not in self._option_string_actions:
                    self.error(f"unknown option {word}{self._hint(word, before)}")
        return super().parse_known_args(args, namespace)

    def _hint(self, word: str, before: str) -> str:
        """Return what an unknown option may have been meant for; `before` stands in front of it."""
        action = self._option_string_actions.get(before)
        if action is not None and action.nargs != 0 and not word.startswith("--"):
            return f"; if it is the value of {before}, write {before}={word}"
        return did_you_mean(word, self.options())

    def options(self) -> list[str]:
        """Return every option, such as `--warehouse`, in the order of the help."""
        return [name for action in self._actions for name in action.option_strings]

    def actions(self) -> list[argparse.Action]:
        """Return every option and argument, in the order of the help."""
        return list(self._actions)

    def format_usage(self) -> str:
        """Return the usage: what is required, and `[options]` for the rest."""
        words = [self.prog]
        for action in self._actions:
            if not action.option_strings:
                more = action.nargs == "+"
                word = f"{action.metavar or action.dest}{'...' if more else ''}"
                words.append(f"[{word}]" if action.nargs in ("?", "*") else word)
        for action in self._actions:
            if action.option_strings and action.required:
                words.append(f"{action.option_strings[0]} {action.metavar or '...'}")
        return f"usage: {' '.join(words)} [options]\n"

    def format_help(self) -> str:
        """As in argparse, with the short usage."""
        self.usage = self.format_usage().removeprefix("usage: ").rstrip()
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        if message.startswith(_REQUIRED):
            for action in self._actions:
                if found := _STAND_IN.search(action.help or ""):
                    name = action.option_strings[0]
                    message = message.replace(name, f"{name} ({found[1]})")
        text = logs.for_terminal(" ".join(message.split()))
        self.exit(2, f"{self.prog}: error: {text} (--help shows the options)\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            hint = did_you_mean(str(value), known)
            text = f"invalid choice: {value!r}{hint or ';'} choose from: {', '.join(known)}"
            raise argparse.ArgumentError(action, text)


class Several(argparse.Action):
    """Collects the values of an option that may be repeated; the first one replaces the default."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        kept = [] if before is self.default else before
        setattr(namespace, self.dest, [*kept, values])


class _HelpFormatter(argparse.HelpFormatter):
    """Wraps to the terminal; paragraphs that begin with blanks keep their lines."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=_LEFT_COLUMNS)
        self._width = text_columns()

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(
            paragraph.rstrip()
            if paragraph.startswith(" ")
            else textwrap.fill(paragraph, width, break_long_words=False, break_on_hyphens=False)
            for paragraph in text.strip().split("\n\n")
        )

    def _split_lines(self, text: str, width: int) -> list[str]:
        words = " ".join(text.split())
        return textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """Return `--bundle DIR`; help names a second spelling itself."""
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{action.option_strings[0]} {value}"


def _options_in(args: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the words that argparse takes for options, without their `=VALUE`, and those before."""
    for before, arg in zip(("", *args), args, strict=False):
        if arg == "--":
            return
        if arg.startswith("-") and arg != "-" and " " not in arg and not _NUMBER.match(arg):
            yield arg.partition("=")[0], before
