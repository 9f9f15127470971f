"""A warehouse to publish, and the places where it is published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from framejury.warehouse import Warehouse
from tests.builders.postgres import Server, programs, running_server


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse.open_or_plan(str(tmp_path / "warehouse"))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    with running_server() as found:
        yield found


@pytest.fixture
def database(server: Server) -> str:
    """URI of an empty database."""
    return server.database()
