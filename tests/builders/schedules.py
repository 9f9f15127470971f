"""What the ready schedules of conf/schedule/ would run, read as their own tools read them."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

SCHEDULES = Path(__file__).resolve().parents[2] / "conf" / "schedule"
CRONTAB = SCHEDULES / "crontab"
SERVICE = SCHEDULES / "framejury.service"
TIMER = SCHEDULES / "framejury.timer"
DAG = SCHEDULES / "airflow_dag.py"
KUBERNETES = SCHEDULES / "kubernetes.yaml"
CRONJOB = SCHEDULES / "kubernetes-cronjob.yaml"
MAIL = SCHEDULES / "framejury-mail@.service"
LOGROTATE = SCHEDULES / "logrotate"


def cron_lines() -> list[tuple[str, str]]:
    """The five fields and the command of each line that starts something."""
    lines = [line.strip() for line in CRONTAB.read_text().splitlines()]
    jobs = [line for line in lines if line and not re.match(r"#|\w+ *=", line)]
    return [(" ".join(line.split()[:5]), line.split(maxsplit=5)[5]) for line in jobs]


def unit(path: Path) -> dict[str, list[str]]:
    """`Section.Key` of a systemd unit with its values, in order."""
    values, section = defaultdict(list), ""
    for line in re.sub(r"\\\n *", "", path.read_text()).splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            values[f"{section}.{key}"].append(value)
    return dict(values)


def kubernetes() -> dict[str, Any]:
    """The manifest, aliases resolved."""
    loaded: dict[str, Any] = yaml.safe_load(KUBERNETES.read_text())
    return loaded


def dag_constants() -> dict[str, Any]:
    """Constants of the DAG file by name, without importing it."""
    values: dict[str, Any] = {}
    for node in ast.parse(DAG.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                values[ast.unparse(target)] = node.value.value
    return values


def dag_call(name: str) -> dict[str, Any]:
    """Keywords of the DAG file's one call of `name`, constants filled in; others as source."""
    constants = dag_constants()
    calls = [
        node
        for node in ast.walk(ast.parse(DAG.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name
    ]
    (call,) = calls
    found = {}
    for keyword in call.keywords:
        try:
            value: Any = _value(keyword.value, constants)
        except ValueError:
            value = ast.unparse(keyword.value)
        found[str(keyword.arg)] = value
    return found


def _value(node: ast.expr, constants: dict[str, Any]) -> Any:
    """Literals, lists and dictionaries of them, names of constants, f-strings of those."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Name() if node.id in constants:
            return constants[node.id]
        case ast.List():
            return [_value(item, constants) for item in node.elts]
        case ast.Dict():
            keys = [_value(key, constants) for key in node.keys if key is not None]
            return dict(zip(keys, [_value(item, constants) for item in node.values], strict=True))
        case ast.JoinedStr():
            return "".join(str(_value(part, constants)) for part in node.values)
        case ast.FormattedValue():
            return _value(node.value, constants)
    raise ValueError(ast.unparse(node))


def shell_words(command: str) -> list[str]:
    """The words of the first command of a shell line, without what it redirects."""
    words = shlex.split(command)
    end = next((i for i, word in enumerate(words) if word in ("||", "&&", ";", "|")), len(words))
    return [word for word in words[:end] if not re.match(r"\d*>", word)]


def nightly_options(argv: Sequence[str]) -> argparse.Namespace:
    """`argv` as the parser of `framejury nightly` takes it; SystemExit when it does not."""
    from framejury.jobs import nightly

    taken: list[argparse.Namespace] = []

    def only_parse(parser: argparse.ArgumentParser, argv: Sequence[str], body: object) -> int:
        taken.append(parser.parse_args(argv))
        return 0

    with mock.patch.object(nightly, "run_command", only_parse):
        nightly.main(argv)
    (options,) = taken
    return options
