"""docs/data_dictionary.md says what the schemas say."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from framejury.schemas import statuses, tables
from framejury.schemas.dictionary import SIDE_MEANING, VERDICT_MEANING, data_dictionary, in_words

PRINTED = Path(__file__).resolve().parents[3] / "docs" / "data_dictionary.md"


def test_printed_file_is_up_to_date() -> None:
    assert PRINTED.read_text(encoding="utf-8") == data_dictionary(), "run: make docs"


def test_every_column_has_a_row_with_its_sentence() -> None:
    sections = data_dictionary().split("\n## ")[1:]
    by_name = {text.split("\n", 1)[0]: text for text in sections}
    for name, schema in tables.TABLES.items():
        rows = [line for line in by_name[name].splitlines() if line.startswith("| `")]
        assert len(rows) == len(schema)
        for row, field in zip(rows, schema, strict=True):
            _, column, words, there, doc, _ = (cell.strip() for cell in row.split(" | ".strip()))
            assert column == f"`{field.name}`"
            assert words == in_words(field.type)
            assert (there == "maybe null") == field.nullable
            assert doc.startswith(field.metadata[b"doc"].decode())


def test_every_value_of_a_closed_set_is_explained() -> None:
    text = data_dictionary()
    assert set(VERDICT_MEANING) == set(statuses.Verdict)
    assert set(SIDE_MEANING) == set(statuses.Side)
    assert set(statuses.STATUS_MEANING) == set(statuses.Status)
    for value in [*statuses.Status, *statuses.Verdict, *statuses.Side]:
        assert f"| `{value}` |" in text


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (pa.list_(pa.string()), "list of text"),
        (tables.BOX, "(x, y, width, height: number, 32 bit)"),
        (
            pa.struct([("name", pa.string()), ("at", pa.float64())]),
            "(name: text; at: number, 64 bit)",
        ),
    ],
)
def test_types_in_words(kind: pa.DataType, words: str) -> None:
    assert in_words(kind) == words


def test_unknown_type_is_an_error() -> None:
    with pytest.raises(ValueError, match="no words for the type"):
        in_words(pa.date32())
