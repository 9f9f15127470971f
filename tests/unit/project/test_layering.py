"""Which room may import which. `docs/architecture.md` shows the same picture in words."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

LIB = Path(__file__).resolve().parents[3] / "lib" / "framejury"
SPARK, TENSORFLOW = "pyspark", "tensorflow"

ROOT = {"__init__", "errors", "records", "logs", "redaction", "storage", "clock", "hdfs"}
"""The modules at the root, which every room may import, and no further ones; but `hdfs` is a part
of `storage`, which alone imports it."""

MAY_IMPORT = {
    "schemas": "",
    "settings": "",
    "sandbox": "",
    "verdict": "schemas settings",
    "media": "schemas settings",
    "faces": "settings",
    "signals": "settings",
    "audio": "media schemas settings",
    "archive": "schemas settings",
    "augmentation": "settings",
    "model": "archive schemas settings signals verdict",
    "training": "archive audio augmentation faces model schemas settings signals",
    "examine": "audio faces media model sandbox schemas settings signals verdict",
    "decisions": "archive schemas",
    "warehouse": "decisions schemas",
    "runs": "model schemas settings verdict warehouse",
    "publishing": "decisions runs schemas settings warehouse",
    "cli": "audio model settings verdict",
    "parsers": "cli schemas",
    "pages": "",
    "evaluation": "schemas verdict",
    "report": "decisions evaluation examine faces model pages schemas settings verdict",
    "labelled": "archive audio cli decisions evaluation examine model pages report schemas "
    "settings training verdict warehouse",
    "recipes": "archive evaluation faces labelled model pages runs schemas settings signals "
    "training verdict warehouse",
    "inspection": "audio examine faces media pages report schemas settings signals",
    "protocol": "archive augmentation cli evaluation examine faces model schemas settings verdict",
    "adoption": "evaluation examine faces inspection machine media model pages protocol sandbox "
    "schemas settings signals training verdict",
    "tables": "archive cli examine faces inspection media model recipes sandbox schemas settings "
    "signals verdict warehouse",
    "night": "archive cli decisions examine model pages publishing report runs schemas settings "
    "tables verdict warehouse",
    "demo": "pages schemas warehouse",
    "machine": "examine faces media model sandbox schemas settings training warehouse",
    "commands": "adoption archive audio cli decisions evaluation examine faces inspection "
    "labelled machine model night pages parsers protocol publishing report runs schemas settings "
    "signals tables training verdict warehouse",
}
"""Room -> rooms it may import, besides the root. A room imports itself, and nothing else."""

SPARK_ROOMS = {"tables", "night"}
_ASKS_FOR_SPARK = "framejury.machine.java_and_spark"
TENSORFLOW_ROOMS = {"training", "machine"}


def rooms() -> list[str]:
    return sorted(path.name for path in LIB.iterdir() if (path / "__init__.py").is_file())


@cache
def modules() -> dict[str, Path]:
    """Every module by its full name."""
    found = {}
    for path in sorted(LIB.rglob("*.py")):
        parts = ("framejury", *path.relative_to(LIB).with_suffix("").parts)
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def room_of(name: str) -> str | None:
    """The room of a module; None for those at the root."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in MAY_IMPORT else None


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Full names of what the file imports anywhere, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules() else node.module for name in full}
    return frozenset(found)


def uses(path: Path, *packages: str) -> bool:
    return any(name.partition(".")[0] in packages for name in imports_of(path))


def crossings(room: str) -> Iterator[tuple[str, str]]:
    """(module, imported module of another room) of every import that leaves a room."""
    for name, path in modules().items():
        if room_of(name) == room:
            for imported in sorted(imports_of(path)):
                if imported.startswith("framejury.") and room_of(imported) not in (None, room):
                    yield name, imported


def test_every_room_is_in_the_table() -> None:
    assert rooms() == sorted(MAY_IMPORT)
    named = {name for allowed in MAY_IMPORT.values() for name in allowed.split()}
    assert named <= MAY_IMPORT.keys()


def test_the_architecture_page_shows_the_table() -> None:
    page = LIB.parents[1] / "docs" / "architecture.md"
    rows = re.findall(r"^\| `(\w+)` \| .* \|([ `\w]*)\|$", page.read_text("utf-8"), re.MULTILINE)
    shown = {room: set(re.findall(r"`(\w+)`", allowed)) for room, allowed in rows}
    assert shown == {room: set(allowed.split()) for room, allowed in MAY_IMPORT.items()}


def test_the_root_does_not_fill_again() -> None:
    assert {path.stem for path in LIB.glob("*.py")} == ROOT
    texts = {path.name: path.read_text() for path in LIB.rglob("*.py")}
    imports = ("framejury.hdfs", "framejury import hdfs")
    users = {name for name, text in texts.items() if any(one in text for one in imports)}
    assert users == {"storage.py"}


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_what_the_table_allows(room: str) -> None:
    allowed = set(MAY_IMPORT[room].split())
    outside = [(name, got) for name, got in crossings(room) if room_of(got) not in allowed]
    assert outside == []
    # Whoever removes the last such import also shortens the table.
    assert {room_of(imported) for _, imported in crossings(room)} == allowed


def test_no_room_reaches_up_to_the_jobs() -> None:
    """`commands.inspect` hands an archive to its job by name; nothing imports a job."""
    found = [
        (name, imported)
        for name, path in modules().items()
        for imported in imports_of(path)
        if imported.startswith("framejury.jobs")
    ]
    assert found == []


def test_the_table_has_no_cycle() -> None:
    left = {room: set(allowed.split()) for room, allowed in MAY_IMPORT.items()}
    while left:
        free = {room for room, allowed in left.items() if not allowed & left.keys()}
        assert free, f"these rooms import each other in a circle: {sorted(left)}"
        left = {room: allowed for room, allowed in left.items() if room not in free}


def test_a_base_name_occurs_once() -> None:
    """Commands and their options are named after the command; all else leads to one file."""
    names = Counter(
        path.stem
        for name, path in modules().items()
        if room_of(name) not in ("commands", "parsers") and not path.stem.startswith("__")
    )
    assert {name for name, count in names.items() if count > 1} == set()


def test_only_two_rooms_import_spark() -> None:
    found = {name for name, path in modules().items() if uses(path, SPARK, "py4j")}
    # `framejury doctor` asks whether Spark can be imported.
    assert {room_of(name) for name in found - {_ASKS_FOR_SPARK}} == SPARK_ROOMS
    assert _ASKS_FOR_SPARK in found


def test_only_network_code_imports_tensorflow() -> None:
    found = {name for name, path in modules().items() if uses(path, TENSORFLOW, "keras")}
    assert {room_of(name) for name in found} <= TENSORFLOW_ROOMS
    assert "framejury.training.network" in found


def loaded_by(names: list[str]) -> set[str]:
    """Top-level packages that are loaded after importing `names` in a fresh process."""
    code = "; ".join([f"import {name}" for name in names])
    code += "; import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def all_of(*names: str) -> list[str]:
    return [name for name in modules() if room_of(name) in names and "__main__" not in name]


@pytest.mark.parametrize(
    "names",
    [
        all_of("media", "faces", "signals", "sandbox", "archive", "audio", "machine"),
        all_of("examine", "verdict", "decisions", "warehouse", "runs"),
        all_of("inspection", "protocol", "evaluation", "report", "pages"),
        all_of("model", "augmentation"),
        [
            f"framejury.commands.{name}"
            for name in (
                "scan",
                "verdicts",
                "decide",
                "doctor",
                "runs",
                "inspect",
                "compare",
                "evaluate",
            )
        ],
    ],
    ids=lambda names: names[0],
)
def test_neither_spark_nor_tensorflow_is_loaded(names: list[str]) -> None:
    assert not {SPARK, TENSORFLOW, "keras"} & loaded_by(names)


def test_reviewing_needs_the_core_alone() -> None:
    """Whoever decides has not installed what reports and training need."""
    extras = {"jinja2", "sklearn", "scipy", "matplotlib", "PIL", SPARK, TENSORFLOW}
    assert not extras & loaded_by([f"framejury.commands.{name}" for name in ("decide", "verdicts")])


def test_the_training_room_needs_no_spark() -> None:
    loaded = loaded_by(all_of("training"))
    assert SPARK not in loaded
    # Or this test would not have loaded the modules that it is about.
    assert TENSORFLOW in loaded


def test_declarations_are_light() -> None:
    heavy = {"cv2", "onnxruntime", "av", SPARK, TENSORFLOW, "keras", "pandas", "matplotlib"}
    names = ("schemas.tables", "records", "errors", "settings.loading", "cli.main")
    assert not heavy & loaded_by([f"framejury.{name}" for name in names])


def test_no_script_state_at_module_level() -> None:
    """No clock, random draw or argument parsing happens when a module is imported."""
    forbidden = {"now", "time", "monotonic", "perf_counter", "parse_args", "default_rng", "seed"}
    offenders = []
    for path in modules().values():
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
