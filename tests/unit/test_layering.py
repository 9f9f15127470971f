"""Who may import what. Each import runs in an interpreter of its own."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

LIB = Path(__file__).resolve().parents[2] / "lib" / "framejury"
SPARK, TENSORFLOW = "pyspark", "tensorflow"


def modules_below(folder: str) -> list[str]:
    """`framejury.FOLDER.*`, without `__main__` modules, which work when imported."""
    names = [
        ".".join(("framejury", *path.relative_to(LIB).with_suffix("").parts))
        for path in sorted((LIB / folder).rglob("*.py"))
    ]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


def loaded_by(*modules: str) -> set[str]:
    """Top-level packages that are loaded after importing `modules` in a fresh process."""
    code = "; ".join([f"import {name}" for name in modules])
    code += "; import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "modules",
    [
        modules_below("media"),
        modules_below("archive"),
        [*modules_below("faces"), *modules_below("signals")],
        [
            "framejury.examine.child",
            "framejury.verdict.judge",
            "framejury.warehouse",
            "framejury.storage",
        ],
        ["framejury.commands.scan", "framejury.commands.verdicts", "framejury.commands.doctor"],
        ["framejury.commands.evaluate", "framejury.commands.evaluate_archive"],
        modules_below("protocol"),
        [
            *modules_below("inspection"),
            "framejury.commands.inspect",
            "framejury.commands.compare",
        ],
        ["framejury.logs", "framejury.warehouse.lock", "framejury.commands.runs"],
        ["framejury.model.bundle", "framejury.model.runtime", "framejury.model.source"],
        modules_below("evaluation"),
    ],
    ids=lambda modules: modules[0],
)
def test_neither_spark_nor_tensorflow(modules: list[str]) -> None:
    assert not {SPARK, TENSORFLOW, "keras"} & loaded_by(*modules)


def test_the_model_room_needs_no_spark() -> None:
    loaded = loaded_by(*modules_below("model"))
    assert SPARK not in loaded
    # Or this test would not have loaded the modules that it is about.
    assert TENSORFLOW in loaded


def test_declarations_are_light() -> None:
    heavy = {"cv2", "onnxruntime", "av", SPARK, TENSORFLOW, "keras", "pandas", "matplotlib"}
    names = ("schemas", "records", "errors", "settings.loading", "cli")
    assert not heavy & loaded_by(*(f"framejury.{name}" for name in names))


@cache
def imports_of(path: Path) -> set[str]:
    """Full names of every module that the file imports anywhere, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def uses(path: Path, package: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for name in imports_of(path))


def relative(paths: list[Path]) -> list[str]:
    return [path.relative_to(LIB).as_posix() for path in paths]


SOURCES = sorted(LIB.rglob("*.py"))


def test_only_the_tables_room_imports_spark() -> None:
    allowed = {f"commands/{name}.py" for name in ("report", "evidence", "doctor")}
    outside = [
        path for path in SOURCES if path.relative_to(LIB).parts[0] not in ("tables", "night")
    ]
    found = {
        name
        for path, name in zip(outside, relative(outside), strict=True)
        if uses(path, SPARK) or uses(path, "py4j") or uses(path, "framejury.tables")
    }
    assert found <= allowed
    assert uses(LIB / "tables" / "session.py", SPARK)  # the check itself sees imports


def test_only_network_code_imports_tensorflow() -> None:
    found = {
        path.relative_to(LIB).as_posix()
        for path in SOURCES
        if uses(path, TENSORFLOW) or uses(path, "keras")
    }
    rooms = {name.partition("/")[0] for name in found}
    assert rooms <= {"model", "faces", "commands", "maintainer"}
    assert not {f"model/{name}.py" for name in ("bundle", "manifest", "runtime", "source")} & found
    assert "model/network.py" in found


@pytest.mark.parametrize("room", ["media", "faces", "signals", "archive", "model"])
def test_lower_rooms_do_not_reach_up(room: str) -> None:
    above = ["framejury.tables", "framejury.jobs", "framejury.commands", "framejury.cli.options"]
    offenders = [
        (path.name, name)
        for path in sorted((LIB / room).rglob("*.py"))
        for name in imports_of(path)
        if any(name == upper or name.startswith(f"{upper}.") for upper in above)
    ]
    assert offenders == []


def test_no_script_state_at_module_level() -> None:
    """No clock, random draw or argument parsing happens when a module is imported."""
    forbidden = {"now", "time", "monotonic", "perf_counter", "parse_args", "default_rng", "seed"}
    offenders = []
    for path in SOURCES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.If):
                continue
            for call in ast.walk(node):
                if isinstance(call, ast.Call):
                    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
                    if name in forbidden:
                        offenders.append((path.name, name))
    assert offenders == []


def test_jobs_are_installed_beside_the_library() -> None:
    assert importlib.util.find_spec("framejury.jobs.nightly") is not None
