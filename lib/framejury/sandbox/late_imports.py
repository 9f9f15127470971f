"""No module is imported once a process is locked down: an attempt is refused by name.

Without this, Python looks for the module in folders that it can no longer read and reports that
there is none, or that permission was denied, depending on the module.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib.machinery import BuiltinImporter, FrozenImporter
from typing import NoReturn

_MESSAGE = "was to be imported in the sandbox"
_REFUSED = re.compile(rf"LateImportError: ([\w.]+) {_MESSAGE}")


class LateImportError(ModuleNotFoundError):
    """A module was not imported before the lockdown. Libraries do without optional ones."""

    def __init__(self, module: str) -> None:
        # Without `name`, or `from package import module` would replace this message.
        super().__init__(f"{module} {_MESSAGE}")


class _Refusal:
    """The last finder of `sys.meta_path`."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: object = None) -> NoReturn:
        raise LateImportError(name)


def refuse_imports() -> None:
    """Have this process import nothing more, except what is part of the interpreter itself."""
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, _Refusal]


def refused_module(traceback: str) -> str | None:
    """Return the module whose import was refused, if that is what a traceback tells of."""
    found = _REFUSED.search(traceback)
    return None if found is None else found[1]
