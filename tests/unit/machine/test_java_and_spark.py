"""Java and Spark: what is missing is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from framejury.machine import java_and_spark
from tests.builders.programs import script


def fake_java(home: Path, version: str, modules: str = "java.base jdk.incubator.vector") -> str:
    lines = [
        'case "$1" in',
        f"-version) echo 'openjdk version \"{version}\" 2025-01-01' >&2;;",
        f"--list-modules) echo '{modules}';;",
        "esac",
    ]
    return str(script(home / "bin" / "java", "\n".join(lines)))


@pytest.mark.parametrize("version", ["17.0.15", "21", "25.0.1"])
def test_java_that_works(machine: Path, version: str) -> None:
    assert java_and_spark.check_java(fake_java(machine, version)).state == "ok"


@pytest.mark.parametrize(
    ("version", "modules", "words"),
    [
        ("11.0.2", "java.base jdk.incubator.vector", "11.0.2"),
        ("1.8.0_402", "java.base jdk.incubator.vector", "1.8.0_402"),
        ("17.0.15", "java.base", "lacks jdk.incubator.vector"),
    ],
)
def test_java_that_does_not(machine: Path, version: str, modules: str, words: str) -> None:
    check = java_and_spark.check_java(fake_java(machine, version, modules))
    assert check.state == "problem"
    assert words in check.found
    assert "Java 17" in check.to_do


def test_java_that_is_absent_or_broken(machine: Path) -> None:
    assert java_and_spark.check_java(None).found == "none found"
    assert java_and_spark.check_java(str(machine / "bin" / "java")).state == "problem"
    assert java_and_spark.check_java(str(script(machine / "java", "exit 3"))).state == "problem"


def test_java_is_looked_for_where_spark_looks(machine: Path) -> None:
    on_path = fake_java(machine / "path", "17")
    path = {"PATH": str(Path(on_path).parent)}
    noted = machine / "spark-env.sh"
    noted.write_text(': "${JAVA_HOME:=/noted}"\n', encoding="utf-8")
    assert java_and_spark.java_command({"JAVA_HOME": "/set", **path}, noted) == "/set/bin/java"
    assert java_and_spark.java_command(path, noted) == "/noted/bin/java"
    assert java_and_spark.java_command(path, None) == on_path
    assert java_and_spark.java_command({"PATH": str(machine)}, None) is None


def test_another_spark_home(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyspark

    assert java_and_spark.check_spark().state == "ok"
    monkeypatch.setenv("SPARK_HOME", str(machine))
    assert java_and_spark.check_spark().state == "warning"
    (machine / "RELEASE").write_text(f"Spark {pyspark.__version__} built for Hadoop 3.4\n")
    assert java_and_spark.check_spark().state == "ok"
    monkeypatch.setenv("SPARK_HOME", str(Path(pyspark.__file__).parent))
    assert java_and_spark.check_spark().state == "ok"
