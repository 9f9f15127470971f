"""What tests of several checks share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A place without Java settings, GPU or another Spark."""
    for name in ("JAVA_HOME", "SPARK_HOME", "SPARK_CONF_DIR", "SPARK_LOCAL_DIRS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path
