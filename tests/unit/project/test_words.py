"""Words that readers stumbled over are in no doc, page, setting, table or message.

The list is short on purpose: whether a text can be read aloud, only a reader can tell.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LIB = ROOT / "lib" / "framejury"

STUMBLED_OVER = re.compile(
    r"""
    \b(that|who|which)\ (is|are)\ none\b | \bis\ no\ (job|proof)\b
    | \bno\ independent\b | \bof\ equals\b | \bruns\ of\ before\b | \bleft\ open\b
    | \bhow\ right\b | \bwhat\ this\ does\ not\ say\b | \bto\ be\ seen\ only\b | \bforetold\b
    | \btold\ otherwise\b | \blooked\ at\b | \blistened\ to\b | \bstands?\ apart\b
    | \b(tells|told)\ (how|what|which|that)\b | \bsaid\ so\b | \bno\ sound\ answer\b
    | \b(frames|faces|rows|pages|bytes|videos|verdict)\ a\ (video|page|frame|night|run|second)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
OLD_TERMS = re.compile(
    r"\b(worst person|nightly verb|the jail|degraded (crops?|faces?))\b", re.IGNORECASE
)
"""Terms that the glossary keeps for published names only."""

DOCS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        *(path for path in ROOT.glob("*.md")),
        *(path for path in ROOT.glob("docs/*.md") if path.name != "glossary.md"),
        *ROOT.glob("models/**/*.md"),
        *ROOT.glob("conf/*.yaml"),
        *LIB.glob("pages/templates/*.html"),
    )
)
SOURCES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (LIB, ROOT / "jobs")
    for path in folder.rglob("*.py")
)


def found(text: str) -> list[str]:
    """What is in a text outside of code, with a few words around it."""
    prose = re.sub(r"`[^`\n]*`", "``", re.sub(r"\s+", " ", text))
    return [
        prose[max(one.start() - 30, 0) : one.end() + 20]
        for pattern in (STUMBLED_OVER, OLD_TERMS)
        for one in pattern.finditer(prose)
    ]


def messages(tree: ast.AST) -> Iterator[str]:
    """The texts of a module that somebody may read: all but docstrings, which only we read.

    The docstring of a command is the text of its help, and counts.
    """
    skipped = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    loose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(getattr(part, "value", "")) for part in node.values)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in skipped | loose
        ):
            yield node.value


@pytest.mark.parametrize("page", DOCS)
def test_no_doc_or_page_has_them(page: str) -> None:
    assert found((ROOT / page).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("source", SOURCES)
def test_no_message_has_them(source: str) -> None:
    tree = ast.parse((ROOT / source).read_text(encoding="utf-8"))
    texts = list(messages(tree))
    if source.startswith(("lib/framejury/commands/", "jobs/")):
        texts.append(ast.get_docstring(tree) or "")
    assert [hit for text in texts for hit in found(text)] == []


@pytest.mark.parametrize(
    "text", ["scores that are none", "11 frames a video", "It is no proof.", "the worst person"]
)
def test_they_are_found(text: str) -> None:
    assert found(text) and not found(f"`{text}`")
