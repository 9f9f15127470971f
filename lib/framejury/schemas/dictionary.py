"""The data dictionary: every table and column in words, printed from `framejury.schemas`.

`python -m framejury.schemas.dictionary > docs/data_dictionary.md` (`make docs`); a test
checks that the file is what this prints.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as kinds

from framejury.schemas import statuses
from framejury.schemas.statuses import STATUS_MEANING, Side, Verdict
from framejury.schemas.tables import TABLE_MEANING, TABLES

_HEAD = """\
# Data dictionary

Every table of the warehouse, printed from `lib/framejury/schemas/` by `make docs`; do not
edit. A table is a set of Parquet files below `runs/<run_id>/table=<name>/`; which runs count
is told in [architecture.md](architecture.md). "Always" means never null.
"""

VERDICT_MEANING = {
    Verdict.FAKE: "`p_fake` is at or above `threshold`, and so is its whole interval",
    Verdict.REAL: "`p_fake` is below `threshold`, and so is its whole interval",
    Verdict.INCONCLUSIVE: "not scored, fewer faces than `verdict.min_faces`, or an interval "
    "that crosses the threshold",
}
SIDE_MEANING = {
    Side.TRAIN: "the network learns from it",
    Side.VAL: "the best checkpoint, the threshold and the calibration are chosen by it",
    Side.TEST: "held out; only measured",
    Side.EXCLUDED: "not used; `reason` says why",
    Side.MIXED: "each of its faces stands on one of the first three, drawn under `split.seed`; "
    "such a split leaks, and reports say so",
}

_PLAIN = (
    (kinds.is_string, "text"),
    (kinds.is_binary, "bytes"),
    (kinds.is_boolean, "true or false"),
    (kinds.is_timestamp, "time, UTC, microseconds"),
    (kinds.is_float32, "number, 32 bit"),
    (kinds.is_float64, "number, 64 bit"),
    (kinds.is_int16, "whole number, 16 bit"),
    (kinds.is_int32, "whole number, 32 bit"),
    (kinds.is_int64, "whole number, 64 bit"),
)


def in_words(kind: pa.DataType) -> str:
    """A column's type in plain words.

    Raises:
        ValueError: a type that no table had so far; add it to `_PLAIN`.
    """
    for is_kind, words in _PLAIN:
        if is_kind(kind):
            return words
    if kinds.is_list(kind):
        return f"list of {in_words(kind.value_type)}"
    if kinds.is_struct(kind):
        # Parts of one type are named together: (x, y, width, height: number, 32 bit).
        grouped: dict[str, list[str]] = {}
        for part in kind.fields:
            grouped.setdefault(in_words(part.type), []).append(part.name)
        parts = [f"{', '.join(names)}: {words}" for words, names in grouped.items()]
        return f"({'; '.join(parts)})"
    raise ValueError(f"no words for the type {kind}")


def data_dictionary() -> str:
    """The text of `docs/data_dictionary.md`, Markdown."""
    parts = [_HEAD, _contents()]
    parts += [_table(name, schema) for name, schema in TABLES.items()]
    parts.append(_values("Status", "How a video ended: `extractions`, `verdicts`.", STATUS_MEANING))
    parts.append(_values("Verdict", "What framejury says: `verdicts`.", VERDICT_MEANING))
    parts.append(_values("Side", "Where a split puts a video: `splits`.", SIDE_MEANING))
    parts.append(_retries())
    return "\n".join(parts)


def _contents() -> str:
    rows = [f"| [`{name}`](#{name}) | {meaning} |" for name, meaning in TABLE_MEANING.items()]
    return "\n".join(["| table | one row |", "|---|---|", *rows]) + "\n"


def _table(name: str, schema: pa.Schema) -> str:
    rows = []
    for field in schema:
        there = "maybe null" if field.nullable else "always"
        doc = _cell(field.metadata[b"doc"].decode())
        rows.append(f"| `{field.name}` | {in_words(field.type)} | {there} | {doc} |")
    head = [f"## {name}", "", TABLE_MEANING[name], ""]
    return (
        "\n".join([*head, "| column | type | there | meaning |", "|---|---|---|---|", *rows]) + "\n"
    )


def _values(
    title: str,
    doc: str,
    meanings: dict[statuses.Status, str] | dict[Verdict, str] | dict[Side, str],
) -> str:
    rows = [f"| `{value}` | {_cell(meaning)} |" for value, meaning in meanings.items()]
    return "\n".join([f"## {title}", "", doc, "", "| value | meaning |", "|---|---|", *rows]) + "\n"


def _retries() -> str:
    names = ", ".join(f"`{status}`" for status in statuses.RETRYABLE_STATUSES)
    return f"Videos that ended as {names} are tried again by later runs, up to `limits.tries`.\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(data_dictionary(), end="")
