"""`room.module.name`, `section.setting` and `table.column` in docstrings, comments, docs exist."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from framejury.adoption.description import ClipPart, CropPart, InputPart, OutputPart
from framejury.schemas.tables import TABLES
from framejury.settings.loading import setting_fields

ROOT = Path(__file__).resolve().parents[3]
DOTTED = re.compile(
    r"""`([A-Za-z_]\w*(?:\.\w+)+)(?:\(\))?`|(?<![\w./`'"-])(framejury(?:\.\w+)+)(?![\w./])"""
)
OTHERS = ("jobs", "tests", "benchmarks", "tools")
FILES = re.compile(
    r".*\.(conf|css|csv|h5|html|ini|jpg|js|json|keras|lock|md|mp4|onnx|parquet|png|prom|py|service|sh"
    r"|svg|timer|toml|txt|webp|yaml|yml)"
)
SPARK = re.compile(r"spark(\.[a-zA-Z_]+){2,}|spark\.[a-z]+[A-Z]\w*|spark\.authenticate")
"""Spark's own settings; framejury's section `spark` has snake_case names without a second dot."""
FOREIGN = {"DataFrame", "Popen", "Section", "access", "jdk", "libseccomp", "tf"}
"""Names of other programs and libraries that are written without their module."""
SETTINGS = frozenset(setting_fields())
EXAMPLES = {"Class.method"}
KEYS = {"data.leak", "data.methods", "counts.failures"}
KEYS |= {"training.epochs_done", "training.best_epoch"}
KEYS |= {
    f"{name}.{key}"
    for name, part in (
        ("input", InputPart),
        ("crop", CropPart),
        ("clip", ClipPart),
        ("output", OutputPart),
    )
    for key in part.model_fields
}
"""Keys of `bundle.json`, of log events, and of the descriptions of adopted networks."""


@cache
def modules() -> dict[str, Path]:
    """Path by dotted name, `framejury.` left out; tests and benchmarks as they are imported."""
    found = {}
    for folder, root in (("lib/framejury", "lib/framejury"), *((f, ".") for f in OTHERS)):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / root).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def bound(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    """Names that statements bind, and the statement."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], node
        elif isinstance(node, ast.If | ast.Try):
            yield from bound(node.body)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        yield name.id, node


@cache
def classes() -> dict[str, list[ast.ClassDef]]:
    found: dict[str, list[ast.ClassDef]] = {}
    for path in modules().values():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(node)
    return found


def has_member(node: ast.stmt, rest: list[str]) -> bool:
    """Whether `rest` is nothing, or a member of the class that a statement defines."""
    if not rest or not isinstance(node, ast.ClassDef):
        return not rest
    members = {name for name, _ in bound(node.body)}
    members |= {
        target.attr
        for target in ast.walk(node)
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)
    }
    return len(rest) == 1 and rest[0] in members


@cache
def names_in(module: str) -> dict[str, ast.stmt]:
    return dict(bound(tree_of(modules()[module]).body))


def in_module(module: str, rest: list[str]) -> bool:
    if not rest:
        return True
    found = names_in(module)
    return rest[0] in found and has_member(found[rest[0]], rest[1:])


@cache
def is_in_code(name: str) -> bool:
    """Whether a name is a module of ours, or something in it."""
    parts = name.removeprefix("framejury.").split(".")
    for length in range(len(parts), 0, -1):
        beginning, rest = ".".join(parts[:length]), parts[length:]
        for module in modules():
            # `messages.ROWS` leads to `examine.messages` too: base names are unique.
            short = not name.startswith("framejury.") and module.endswith(f".{beginning}")
            if (module == beginning or short) and in_module(module, rest):
                return True
    return any(has_member(node, parts[1:]) for node in classes().get(parts[0], []))


@cache
def names_used_in(path: Path) -> frozenset[str]:
    """Every `variable.attribute` in a file's code."""
    return frozenset(
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    )


def exists(name: str, path: Path) -> bool:
    first, *_, last = name.split(".")
    if FILES.fullmatch(name) or first in FOREIGN or SPARK.fullmatch(name):
        return True
    if name in KEYS | EXAMPLES or name in SETTINGS:
        return True
    table = TABLES.get(first)
    if table is not None and last in table.names:
        return True
    if is_in_code(name) or (path.suffix == ".py" and name in names_used_in(path)):
        return True
    foreign = first != "framejury" and importlib.util.find_spec(first) is not None
    return foreign and first not in OTHERS


def mentions() -> Iterator[tuple[Path, str]]:
    folders = ("lib", "jobs", "tools", "benchmarks", "tests", "conf", "docs", "models", "examples")
    for path in [*(p for name in folders for p in (ROOT / name).rglob("*")), *ROOT.glob("*.md")]:
        if path.suffix in (".py", ".md", ".yaml", ".html") and path != Path(__file__):
            for match in DOTTED.finditer(path.read_text(encoding="utf-8")):
                yield path, match[1] or match[2]


def test_every_dotted_name_exists() -> None:
    found = list(mentions())
    assert len(found) > 500
    wrong = {(str(p.relative_to(ROOT)), name) for p, name in found if not exists(name, p)}
    assert sorted(wrong) == []


@pytest.mark.parametrize(
    ("name", "is_there"),
    [
        ("framejury.verdict.judge.judge", True),
        ("verdict.judge.Judgement.p_fake", True),
        ("messages.ROWS", True),
        ("verdict.reducer", True),
        ("splits.side", True),
        ("spark.task_s", True),
        ("spark.driver.memory", True),
        ("numpy.ma", True),
        ("report.html", True),
        ("framejury.judge", False),
        ("verdict.shifted", False),
        ("verdict.judge.Judgement.score", False),
        ("rows.ROWS", False),
        ("splits.house", False),
        ("spark.tasks", False),
        ("nosuch.module", False),
    ],
)
def test_names_are_looked_up(name: str, is_there: bool) -> None:
    assert exists(name, Path("page.md")) is is_there
