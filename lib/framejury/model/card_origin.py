"""The part of a model card about a network that was trained elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from pydantic import JsonValue

from framejury.model.card_tables import markdown_table
from framejury.model.manifest import Adopted


def origin_of(adopted: Adopted) -> list[str]:
    """Return what is known of a network that was trained elsewhere, and how its file is read."""
    rows = [
        ("name", adopted.name),
        ("source", adopted.source or "not given"),
        ("licence", adopted.licence or "not given"),
        ("training data", adopted.trained_on or "unknown"),
        ("format of the file", adopted.file_format),
        ("SHA-256 of the file", adopted.file_sha256),
    ]
    reading = [
        (name, value if isinstance(value, str) else json.dumps(value))
        for name, value in _flat(adopted.reading)
    ]
    return [
        "## Where it comes from",
        _facts_table(("fact", "as given when it was adopted"), rows),
        "## How its file is read",
        _facts_table(("description", "value"), reading),
    ]


def _flat(values: Mapping[str, JsonValue], above: str = "") -> Iterator[tuple[str, JsonValue]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _facts_table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of texts that come from anywhere: each in one line."""
    return markdown_table(head, [[" ".join(cell.split()) for cell in row] for row in rows])
