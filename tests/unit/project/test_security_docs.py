"""docs/security.md claims nothing that no test, file or setting stands behind."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from framejury.settings.loading import setting_fields

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "security.md").read_text()
NAMED_TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)))


@pytest.mark.parametrize(("file", "test"), NAMED_TESTS, ids="::".join)
def test_a_named_test_is_there(file: str, test: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert tests & {test} if test else any(name.startswith("test_") for name in tests)


def test_there_are_enough_of_them() -> None:
    assert len(NAMED_TESTS) >= 20


def test_named_files_and_settings_are_there() -> None:
    for name in re.findall(r"`((?:conf|bin|docs)/[\w./-]+)`", TEXT):
        assert (ROOT / name).exists(), name
    settings = re.findall(r"`(\w+\.\w+)(?:: (\w+))?`", TEXT)
    known = setting_fields()
    sections = {key.partition(".")[0] for key in known}
    named = [(key, value) for key, value in settings if key.partition(".")[0] in sections]
    assert len(named) >= 3
    for key, value in named:
        assert key in known, key
        assert value in known[key]["values"], (key, value)
