"""The data dictionary: every table and column in words, printed from `framejury.schemas`.

`python -m framejury.schemas.dictionary > docs/data_dictionary.md` (`make docs`) writes the file;
a test compares it with this output.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as kinds

from framejury.schemas import statuses
from framejury.schemas.exports import CURRENT, CURRENT_FACES_LIMIT, CURRENT_MEANING
from framejury.schemas.statuses import (
    DECISION_MEANING,
    SOUND_MEANING,
    STATUS_MEANING,
    Decision,
    Side,
    SoundOutcome,
    Verdict,
)
from framejury.schemas.tables import FORMER_NAMES, TABLE_MEANING, TABLES

_HEAD = """\
# Data dictionary

Every table of the warehouse. `make docs` prints this page from `lib/framejury/schemas/`; do not
edit it. "Always" means never null. [Reading without framejury](#reading-without-framejury) explains
where the files are and which of them count.
"""

_READING = """\
## Reading without framejury

**The latest state** is in three plain files, which DuckDB, pandas and Spark read as they are:

{files}

Each commit replaces them, each in one step. The metadata of each file names the commit that it
shows (`framejury_sequence`). While they are replaced, and after a run that was killed just then,
one may be a commit older than another; the next run, or `framejury report`, brings them up to
date. Above {limit} faces, `faces.parquet` is left out, and the run says so; read
`face_scores` as below.

```sql
select path, verdict, p_fake from read_parquet('WAREHOUSE/current/verdicts.parquet')
order by p_fake desc
```

**Every run** is below `runs/`. A file there counts only if a commit record,
`commits/<sequence>.json`, leads to it: never read `runs/` with a wildcard. The rows that a run
wrote to a table are in one of two places:

* `runs/<run_id>/table=<name>/*.parquet`: where the run wrote them.
* `runs/<other_run_id>/merged/table=<name>/*.parquet`: small files of many runs, merged into few
  by a later run. The commit record of that run holds the place and the runs whose rows moved there
  (`merged`). If several records name a run, the last one counts. The old files stay for a day, for
  readers that are still at work.

```python
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset


def read_table(warehouse, table):  # all committed rows of a table, each once
    commits = sorted(Path(warehouse, "commits").glob("*.json"))
    records = [json.loads(path.read_text()) for path in commits]
    places = {{
        record["run_id"]: f"runs/{{record['run_id']}}/table={{table}}"
        for record in records
        if record["tables"].get(table)
    }}
    for record in records:
        moved = record.get("merged", {{}}).get(table)
        if moved:
            places.update(dict.fromkeys(moved["runs"], moved["place"]))
    folders = [Path(warehouse, place) for place in dict.fromkeys(places.values())]
    return pa.concat_tables(
        [pyarrow.dataset.dataset(folder, format="parquet").to_table() for folder in folders],
        promote_options="permissive",
    )
```

Which of these rows count, by the sequence of the commit of their `run_id`: of `videos`, `splits`
and `modalities` those of the latest run that has any; of the other tables, for each video, those
of the latest run that has any for it (of `face_scores` and `pictures`: by the verdict's model, no
later than the verdict; of `decisions`, all rows count as history, and the latest by `decided_at`
that is about the file's current `content_id` holds). Rows of a video that is in `forgotten` count
only if they are later than its last row there.
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
    parts = [_HEAD, _contents(), _reading()]
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
    parts.append(
        _values("Decision", "What a person found, in `decisions`.", DECISION_MEANING),
    )
    parts.append(_retries())
    return "\n".join(parts)


def _contents() -> str:
    rows = [f"| [`{name}`](#{name}) | {meaning} |" for name, meaning in TABLE_MEANING.items()]
    return "\n".join(["| table | rows |", "|---|---|", *rows]) + "\n"


def _reading() -> str:
    files = ["| file | rows | columns |", "|---|---|---|"]
    for name, schema in CURRENT.items():
        columns = ", ".join(f"`{column}`" for column in schema.names)
        files.append(f"| `current/{name}.parquet` | {CURRENT_MEANING[name]} | {columns} |")
    return _READING.format(files="\n".join(files), limit=f"{CURRENT_FACES_LIMIT:,}")


def _table(name: str, schema: pa.Schema) -> str:
    rows = []
    for field in schema:
        there = "maybe null" if field.nullable else "always"
        doc = _cell(field.metadata[b"doc"].decode())
        if then := FORMER_NAMES.get(name, {}).get(field.name):
            doc += f" Files of earlier versions call it `{then}`."
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
    | dict[SoundOutcome, str]
    | dict[Decision, str],
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
