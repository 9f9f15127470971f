"""The data dictionary: every table and column in words, printed from `framejury.schemas`.

`python -m framejury.schemas.dictionary > docs/data_dictionary.md` (`make docs`) writes the file;
a test compares it with this output.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as kinds

from framejury.schemas import statuses
from framejury.schemas.statuses import SOUND_MEANING, STATUS_MEANING, Side, SoundOutcome, Verdict
from framejury.schemas.tables import TABLE_MEANING, TABLES

_HEAD = """\
# Data dictionary

Every table of the warehouse. `make docs` prints this page from `lib/framejury/schemas/`; do not
edit it. A table is a set of Parquet files below `runs/<run_id>/table=<name>/`;
[architecture.md](architecture.md) explains which runs count. "Always" means never null.
"""

VERDICT_MEANING = {
    Verdict.FAKE: "`p_fake` and its whole interval are at or above `threshold`",
    Verdict.REAL: "`p_fake` and its whole interval are below `threshold`",
    Verdict.INCONCLUSIVE: "not scored, fewer faces than `verdict.min_faces`, or an interval "
    "that crosses the threshold",
}
SIDE_MEANING = {
    Side.TRAIN: "the network learns from it",
    Side.VAL: "the best checkpoint, the threshold and the calibration are chosen on it",
    Side.TEST: "held out, for measuring only",
    Side.EXCLUDED: "not used; `reason` gives the cause",
    Side.MIXED: "each face is in one of the first three, drawn with `split.seed`; such a split "
    "leaks, and reports warn about it",
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
    """Return a column's type in plain words.

    Raises:
        ValueError: a type that no table had so far; add it to `_PLAIN`.
    """
    for is_kind, words in _PLAIN:
        if is_kind(kind):
            return words
    if kinds.is_list(kind):
        return f"list of {in_words(kind.value_type)}"
    if kinds.is_struct(kind):
        # Name parts of one type together: (x, y, width, height: number, 32 bit).
        grouped: dict[str, list[str]] = {}
        for part in kind.fields:
            grouped.setdefault(in_words(part.type), []).append(part.name)
        parts = [f"{', '.join(names)}: {words}" for words, names in grouped.items()]
        return f"({'; '.join(parts)})"
    raise ValueError(f"no words for the type {kind}")


def data_dictionary() -> str:
    """Return the text of `docs/data_dictionary.md`, Markdown."""
    parts = [_HEAD, _contents()]
    parts += [_table(name, schema) for name, schema in TABLES.items()]
    parts.append(
        _values(
            "Status", "The outcome of a video, in `extractions` and `verdicts`.", STATUS_MEANING
        )
    )
    parts.append(_values("Verdict", "The verdict on a video, in `verdicts`.", VERDICT_MEANING))
    parts.append(
        _values(
            "Side", "The part of a split that a video is assigned to, in `splits`.", SIDE_MEANING
        )
    )
    parts.append(
        _values("SoundOutcome", "How judging the sound ended, in `sounds`.", SOUND_MEANING)
    )
    parts.append(_retries())
    return "\n".join(parts)


def _contents() -> str:
    rows = [f"| [`{name}`](#{name}) | {meaning} |" for name, meaning in TABLE_MEANING.items()]
    return "\n".join(["| table | rows |", "|---|---|", *rows]) + "\n"


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
    meanings: dict[statuses.Status, str]
    | dict[Verdict, str]
    | dict[Side, str]
    | dict[SoundOutcome, str],
) -> str:
    rows = [f"| `{value}` | {_cell(meaning)} |" for value, meaning in meanings.items()]
    return "\n".join([f"## {title}", "", doc, "", "| value | meaning |", "|---|---|", *rows]) + "\n"


def _retries() -> str:
    names = ", ".join(f"`{status}`" for status in statuses.RETRYABLE_STATUSES)
    return f"Later runs try videos that ended as {names} again, `limits.tries` times in all.\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(data_dictionary(), end="")
