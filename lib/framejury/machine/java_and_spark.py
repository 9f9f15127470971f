"""Spark, and the Java that it needs."""

from __future__ import annotations

import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from framejury.machine.check import Check, output_of


def check_spark() -> Check:
    """Check that PySpark imports and that SPARK_HOME names no other Spark."""
    try:
        import pyspark
    except ImportError as error:
        return Check("Spark", "problem", f"pyspark cannot be imported: {error}", "run: make setup")
    home = os.environ.get("SPARK_HOME")
    own = Path(pyspark.__file__).resolve().parent
    if home is None or Path(home).resolve() == own:
        return Check("Spark", "ok", f"{pyspark.__version__} in {own}")
    release = Path(home, "RELEASE")
    found = f"SPARK_HOME is {home}, pyspark is {pyspark.__version__}"
    if release.is_file() and f"Spark {pyspark.__version__} " in release.read_text("utf-8"):
        return Check("Spark", "ok", found)
    return Check("Spark", "warning", found, "unset SPARK_HOME unless both are the same version")


def spark_env_file() -> Path | None:
    """Find the `spark-env.sh` that spark-submit reads; None if there is none."""
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        return None
    home = Path(os.environ.get("SPARK_HOME", Path(spec.origin).parent))
    file = Path(os.environ.get("SPARK_CONF_DIR", home / "conf")) / "spark-env.sh"
    return file if file.is_file() else None


def java_command(environ: os._Environ[str] | dict[str, str], spark_env: Path | None) -> str | None:
    """Find the `java` that Spark uses: by JAVA_HOME, the note of `make setup`, or PATH."""
    home = environ.get("JAVA_HOME")
    if not home and spark_env is not None:
        noted = re.search(r'JAVA_HOME:=([^"}]+)', spark_env.read_text("utf-8"))
        home = noted[1] if noted else None
    if home:
        return str(Path(home) / "bin" / "java")
    return shutil.which("java", path=environ.get("PATH"))


def check_java(java: str | None) -> Check:
    """Check for Java 17 or newer with the module that Spark's Arrow support needs."""
    to_do = "install Java 17 or 21 (make setup does it, or prints how) and set JAVA_HOME to it"
    if java is None:
        return Check("Java", "problem", "none found", to_do)
    version = output_of(java, "-version")
    # Java 8 calls itself 1.8, which is too old either way.
    number = re.search(r'version "(\d+)', version or "")
    if version is None or number is None:
        return Check("Java", "problem", f"{java} does not run", to_do)
    found = f"{version.splitlines()[0]} ({java})"
    if int(number[1]) < 17:
        return Check("Java", "problem", found, to_do)
    if "jdk.incubator.vector" not in (output_of(java, "--list-modules") or ""):
        return Check("Java", "problem", f"{found} lacks jdk.incubator.vector", to_do)
    return Check("Java", "ok", found)
