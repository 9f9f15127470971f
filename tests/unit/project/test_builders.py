"""Tests share helpers through tests/builders, never by importing another test module."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]


def imported(path: Path) -> set[str]:
    """Return the modules of `tests` that a file imports, as paths below it with slashes."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in names if is_module(name)} or {node.module}
    return {name.removeprefix("tests.") for name in found if name.startswith("tests.")}


def is_module(name: str) -> bool:
    path = TESTS.parent.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def test_modules_import_builders_and_helpers_of_their_own_suite() -> None:
    faults = []
    for path in sorted(TESTS.rglob("*.py")):
        place = path.relative_to(TESTS)
        # `screens` is the program of make docs; tests/browser tests it.
        allowed = {"builders", "screens", place.parts[0]}
        for name in imported(path):
            *rooms, module = name.split(".")
            is_helper = not module.startswith("test_") and module != "conftest"
            if not is_helper or (rooms or [module])[0] not in allowed:
                faults.append(f"{place} imports tests.{name}")
    assert faults == []
