"""Values of options, checked while the command line is read."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable


def one_or_more_of(known: Iterable[str], *, prefix: str = "") -> Callable[[str], list[str]]:
    """Return the type of an option that takes names, also several between commas.

    Use it with `action="extend"`, so that the option may be repeated.

    Args:
        known: the names.
        prefix: what may stand before a name, such as `-`.
    """
    names = list(known)

    def parse(text: str) -> list[str]:
        values = [value.strip() for value in text.split(",")]
        for value in values:
            if value.removeprefix(prefix) not in names:
                raise ArgumentTypeError(f"unknown value {value!r}; choose from {', '.join(names)}")
        return values

    return parse


def at_least_one(text: str) -> int:
    """Parse a whole number from 1 up for argparse.

    Raises:
        ArgumentTypeError: it is not one.
    """
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)
