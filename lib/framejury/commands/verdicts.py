"""verdicts: print or export the latest committed verdict on every video of the archive."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from framejury.cli.options import run_command, settings_of
from framejury.commands.verdicts_table import print_table
from framejury.errors import UsageError
from framejury.logs import say
from framejury.pages.spreadsheet import csv_bytes
from framejury.pages.text_table import left_out_sentences
from framejury.parsers.verdicts import parser
from framejury.redaction import printable
from framejury.runs.chosen_verdicts import Choice, chosen_verdicts
from framejury.schemas.exports import SORT_COLUMNS, VERDICT_COLUMNS
from framejury.storage import is_local, local_path, replace_file
from framejury.warehouse import Warehouse
from framejury.warehouse.frame_scores import FRAME_SCORES, frame_scores

COLUMNS = VERDICT_COLUMNS
ENDINGS = {"csv": "csv", "parquet": "parquet", "jsonl": "jsonl", "ndjson": "jsonl", "json": "json"}
_BLOCK_BYTES = 2**20
_ROWS_AT_ONCE = 32_768


def _choice_of(args: argparse.Namespace) -> Choice:
    for name in args.sort:
        if name.removeprefix("-") not in SORT_COLUMNS:
            listed = ", ".join(SORT_COLUMNS)
            raise UsageError(f"--sort {name!r} is not a column; choose from {listed}")
    return Choice(
        verdicts=args.verdict,
        statuses=args.status,
        since=args.since,
        run=args.run,
        sort=args.sort,
        reverse=args.reverse,
        limit=args.limit,
    )


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    output = None if args.output is None else _output(args.output)
    form = args.format or ("table" if output is None else _format_of(output))
    if form == "parquet" and output is None:
        raise UsageError("parquet is binary and cannot be printed; add --output FILE")
    if form == "table" and output is not None:
        raise UsageError(
            "--format table only prints; with --output use csv, parquet, jsonl or json"
        )
    mark = settings_of(args).report.csv_mark
    warehouse = Warehouse.open(args.warehouse)
    choice = _choice_of(args)
    found = chosen_verdicts(warehouse, choice)
    exports = partial(_frames, warehouse) if args.frames else partial(_sliced, list(COLUMNS))
    if form == "table":
        print_table(partial(exports, found), args.frames, warehouse.archive)
    elif output is None:
        for part in exported(exports(found), form):
            sys.stdout.write(part.decode())
    else:
        rows = _Counted(exports(found))
        try:
            replace_file(output, exported(rows, form, csv_mark=mark))
        except OSError as error:
            raise UsageError(f"cannot write {printable(args.output)}: {error.strerror}") from error
        say(f"  {rows.count:,} {'faces' if args.frames else 'verdicts'}: {output}")
    if choice.is_filtered and not found.num_rows:
        say("  no verdict matches these filters")
    for sentence in _left_out(warehouse):
        say(f"  {sentence}")
    return 0


def _left_out(warehouse: Warehouse) -> list[str]:
    forgotten = warehouse.forgotten()
    videos = warehouse.read_snapshot("videos", ["video_id", "missing_since"])
    gone = videos.filter(videos["missing_since"].is_valid())["video_id"].to_pylist()
    return left_out_sentences(len(set(gone) - forgotten.keys()), len(forgotten))


def _sliced(names: list[str], table: pa.Table) -> Iterator[pa.Table]:
    """Yield these columns of some thousand rows at a time, at least one table."""
    for start in range(0, max(table.num_rows, 1), _ROWS_AT_ONCE):
        yield table.select(names).slice(start, _ROWS_AT_ONCE)


def _frames(warehouse: Warehouse, verdicts: pa.Table) -> Iterator[pa.Table]:
    """Yield the scores of single faces, first an empty table for their columns."""
    yield FRAME_SCORES.empty_table()
    yield from frame_scores(warehouse, verdicts)


class _Counted:
    """Tables, and the number of their rows so far."""

    def __init__(self, tables: Iterator[pa.Table]) -> None:
        self.count = 0
        self._tables = tables

    def __iter__(self) -> Iterator[pa.Table]:
        for table in self._tables:
            self.count += table.num_rows
            yield table


def exported(tables: Iterable[pa.Table], form: str, *, csv_mark: bool = False) -> Iterator[bytes]:
    """Yield the parts of a file, one table in memory at a time.

    Args:
        tables: of the same columns, at least one.
        form: csv, parquet, jsonl or json.
        csv_mark: whether CSV begins with a byte-order mark.
    """
    if form == "csv":
        for number, table in enumerate(tables):
            yield csv_bytes(table, mark=csv_mark and number == 0, header=number == 0)
    elif form == "parquet":
        yield from _parquet(tables)
    elif form == "jsonl":
        for row in _rows(tables):
            yield (_json(row) + "\n").encode()
    else:
        before = "["
        for row in _rows(tables):
            text = textwrap.indent(_json(row, indent=1), " ")
            yield f"{before}\n{text}".encode()
            before = ","
        yield b"[]\n" if before == "[" else b"\n]\n"


def _json(row: Mapping[str, Any], indent: int | None = None) -> str:
    return json.dumps(row, indent=indent, allow_nan=False, default=datetime.isoformat)


def _rows(tables: Iterable[pa.Table]) -> Iterator[dict[str, Any]]:
    for table in tables:
        yield from table.to_pylist()


def _parquet(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """Yield the parts of a Parquet file; it is written to the disk first, not to memory."""
    with tempfile.TemporaryFile() as file:
        writer = None
        for table in tables:
            writer = writer or parquet.ParquetWriter(file, table.schema, compression="zstd")
            if table.num_rows:
                writer.write_table(table)
        if writer is not None:
            writer.close()
        file.seek(0)
        while part := file.read(_BLOCK_BYTES):
            yield part


def _output(name: str) -> Path:
    if not is_local(name):
        raise UsageError(
            f"--output {printable(name)} is not a local file; write to one, then copy it"
        )
    return local_path(name)


def _format_of(output: Path) -> str:
    """Return the format that the ending of the file names.

    Raises:
        UsageError: the ending is unknown.
    """
    ending = output.suffix.lower().lstrip(".")
    found = ENDINGS.get(ending)
    if found is None:
        known = " or ".join(f".{one}" for one in ENDINGS)
        raise UsageError(f"{printable(output.name)} does not end with {known}; add --format")
    return found


if __name__ == "__main__":
    sys.exit(main())
