"""README, CONTRIBUTING and docs: the files, commands and links in them exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from framejury.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[3]
LIB = ROOT / "lib" / "framejury"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("models/*.md"))
)


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next one of its level."""
    level = heading.split(maxsplit=1)[0]
    (found,) = re.findall(rf"^{re.escape(heading)}\n(.*?)(?=^{level} |\Z)", text, re.M | re.S)
    return str(found)


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    kept = re.sub(r"[^\w\s-]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def test_the_readme_lists_exactly_the_commands_there_are() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", section(README, "## Commands"), re.M)
    assert listed == [(name, doc) for name, (_, doc) in COMMANDS.items()]


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        linked = (ROOT / page).parent / name if name else ROOT / page
        assert linked.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.M)
            assert heading in map(anchor, headings), target


@cache
def names_in(file: Path) -> frozenset[str]:
    """What a module defines, methods as `Class.method`; names that it imports count too."""
    names: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
            names |= {
                f"{node.name}.{part.name}"
                for part in getattr(node, "body", [])
                if isinstance(part, ast.FunctionDef)
            }
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        else:
            targets = getattr(node, "targets", [getattr(node, "target", None)])
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(names)


def located(path: str) -> Path:
    """A file that docs name from the project's root, or from the library's."""
    return ROOT / path if (ROOT / path).exists() else LIB / path


@pytest.mark.parametrize("page", PAGES)
def test_a_named_file_and_what_is_said_to_be_in_it_are_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for path, name in re.findall(r"`([\w/]+\.py)(?:::([\w.]+))?`", text):
        if "/" in path or name:
            file = located(path)
            assert file.is_file(), path
            assert not name or name in names_in(file), f"{path}::{name}"
    own = r"`((?:lib|tests|jobs|conf/[a-z]+)/[\w./*-]+|bin/[\w-]+\.sh)`"
    for place in re.findall(own, text):
        assert list(ROOT.glob(place)), place


def test_architecture_says_enough() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^\| (?:Where|Which|When|Why|How) .*\?", text, re.M)) >= 25
