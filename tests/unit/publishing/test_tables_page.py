"""docs/tables.md: its columns are those that are published, and its SQL answers its questions."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable

from framejury.publishing.publication import Publication
from framejury.publishing.publish_tables import targets_of
from framejury.schemas.published_tables import PUBLISHED, PUBLISHED_MEANING
from framejury.schemas.tables import TABLES
from framejury.settings import PublishSettings
from tests.builders.postgres import Server
from tests.builders.three_questions import ANSWERS, PAGE, asked_warehouse, plain, statements


def columns_in_words() -> str:
    """Return the part of the page that lists tables and columns."""
    lines = ["| table | rows | columns |", "|---|---|---|"]
    for name, schema in PUBLISHED.items():
        columns = ", ".join(f"`{column}`" for column in schema.names)
        lines.append(f"| `{name}` | {PUBLISHED_MEANING[name]} | {columns} |")
    lines += ["", "| column | meaning |", "|---|---|"]
    known = {*TABLES["verdicts"].names, *TABLES["videos"].names, *TABLES["decisions"].names}
    own = {
        field.name: field.metadata[b"doc"].decode()
        for schema in PUBLISHED.values()
        for field in schema
        if field.name not in known
    }
    return "\n".join([*lines, *(f"| `{name}` | {doc} |" for name, doc in own.items())])


def test_the_page_lists_every_column() -> None:
    assert columns_in_words() in PAGE.read_text(encoding="utf-8"), columns_in_words()


def test_duckdb_answers_the_three_questions_on_delta_tables(tmp_path: Path) -> None:
    warehouse = asked_warehouse(tmp_path / "warehouse")
    (target,) = targets_of(PublishSettings(delta=str(tmp_path / "delta")))
    target.publish(Publication(warehouse))
    session = duckdb.connect()
    for name in PUBLISHED:
        # What `delta_scan` does, without DuckDB's extension, which is not in its package.
        session.register(name, DeltaTable(str(tmp_path / "delta" / name)).to_pyarrow_dataset())
    answers = [plain(session.sql(text).fetchall()) for text in statements()]
    assert answers == [[pytest.approx(row) for row in rows] for rows in ANSWERS]


def test_postgresql_answers_the_three_questions(
    server: Server, database: str, tmp_path: Path
) -> None:
    warehouse = asked_warehouse(tmp_path / "warehouse")
    (target,) = targets_of(PublishSettings(database=database))
    target.publish(Publication(warehouse))
    there = f"{database}&options=-csearch_path%3Dframejury"
    answers = [plain(server.query(there, text)) for text in statements()]
    assert answers == [[pytest.approx(row) for row in rows] for rows in ANSWERS]
