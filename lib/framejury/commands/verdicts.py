"""verdicts: print or export the latest committed verdict on every video of the archive.

One row per video of the current listing, by path, with its uri, its label and every column of the
table `verdicts` (docs/data_dictionary.md):

{columns}

  framejury verdicts --warehouse warehouse/
  framejury verdicts --warehouse warehouse/ --output verdicts.parquet
  framejury verdicts --warehouse warehouse/ --format jsonl | jq -r 'select(.verdict=="fake").uri'
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from framejury.cli.options import add_warehouse, make_parser, run_command, settings_of
from framejury.errors import UsageError
from framejury.logs import say
from framejury.pages.spreadsheet import csv_bytes
from framejury.pages.text_table import UNKNOWN, columns
from framejury.redaction import printable
from framejury.report.sound_words import decided_word
from framejury.schemas.tables import VERDICTS
from framejury.storage import is_local, local_path, replace_file
from framejury.warehouse import Warehouse

COLUMNS = ("uri", "label", *VERDICTS.names)
FORMATS = ("table", "csv", "parquet", "jsonl", "json")
ENDINGS = {"csv": "csv", "parquet": "parquet", "jsonl": "jsonl", "ndjson": "jsonl", "json": "json"}
_SHOWN = ("uri", "label", "verdict", "p_fake", "interval", "faces_scored", "status", "error")


def parser() -> argparse.ArgumentParser:
    options = make_parser("verdicts", _described(), ["report"])
    add_warehouse(options)
    options.add_argument(
        "--format",
        choices=FORMATS,
        help="table: for people; csv, parquet, jsonl (one JSON object per line), json: all "
        "columns; csv puts an apostrophe before text that a spreadsheet would run as a formula "
        "(default: by the ending of --output, else table)",
    )
    options.add_argument(
        "--output",
        metavar="FILE",
        help="local file to write, replaced in one step (default: print to the terminal)",
    )
    return options


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _described() -> str:
    """Return the first paragraphs of the help, with the columns."""
    listed = textwrap.fill(
        ", ".join(COLUMNS), 78, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
    )
    return str(__doc__).format(columns=listed)


def latest_verdicts(warehouse: Warehouse) -> pa.Table:
    """Return the latest verdict on every video of the current snapshot, `COLUMNS`, by path.

    Raises:
        WarehouseError: nothing has been judged yet.
    """
    verdicts = warehouse.read_latest("verdicts")
    videos = warehouse.read_snapshot("videos").select(["video_id", "path", "uri", "label"])
    both = videos.join(verdicts, keys="video_id", join_type="inner").sort_by("path")
    return both.select(list(COLUMNS))


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
    table = latest_verdicts(Warehouse.open(args.warehouse))
    if form == "table":
        print("\n".join(columns([_SHOWN, *map(_words, table.to_pylist())])))
    elif output is None:
        sys.stdout.write(exported(table, form).decode())
    else:
        try:
            replace_file(output, exported(table, form, csv_mark=mark))
        except OSError as error:
            raise UsageError(f"cannot write {printable(args.output)}: {error.strerror}") from error
        say(f"  {table.num_rows:,} verdicts: {output}")
    return 0


def exported(table: pa.Table, form: str, *, csv_mark: bool = False) -> bytes:
    """Return verdicts as the bytes of a file.

    Args:
        table: columns `COLUMNS`.
        form: csv, parquet, jsonl or json.
        csv_mark: whether CSV begins with a byte-order mark.
    """
    if form == "csv":
        return csv_bytes(table, mark=csv_mark)
    if form == "parquet":
        sink = pa.BufferOutputStream()
        parquet.write_table(table, sink, compression="zstd")
        return bytes(sink.getvalue().to_pybytes())
    rows = table.to_pylist()
    if form == "json":
        return (json.dumps(rows, indent=1, allow_nan=False) + "\n").encode()
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows).encode()


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


def _words(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a row in the table for people, in the order of `_SHOWN`."""
    scored = row["p_fake"] is not None
    return (
        row["uri"],
        row["label"] or UNKNOWN,
        row["verdict"] + decided_word(row),
        f"{row['p_fake']:.3f}" if scored else UNKNOWN,
        f"{row['p_fake_low']:.2f}..{row['p_fake_high']:.2f}" if scored else UNKNOWN,
        str(row["faces_scored"]),
        row["status"],
        row["error"] or "",
    )


if __name__ == "__main__":
    sys.exit(main())
