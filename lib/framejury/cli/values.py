"""Values of options, checked while the command line is read."""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import dataclass


@dataclass(frozen=True)
class OneOrMore:
    """The type of an option that takes names, also several between commas.

    Use it with `action="extend"`, so that the option may be repeated.

    Attributes:
        known: the names.
    """

    known: tuple[str, ...]

    def __call__(self, text: str) -> list[str]:
        """Return the names in a value.

        Raises:
            ArgumentTypeError: one is not known.
        """
        values = words(text)
        for value in values:
            if value not in self.known:
                listed = ", ".join(self.known)
                raise ArgumentTypeError(f"unknown value {value!r}; choose from {listed}")
        return values


def words(text: str) -> list[str]:
    """Return what stands between the commas of a value, without spaces around it."""
    return [value.strip() for value in text.split(",")]


def at_least_one(text: str) -> int:
    """Parse a whole number from 1 up for argparse.

    Raises:
        ArgumentTypeError: it is not one.
    """
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)
