"""verdicts: print or export the latest committed verdict on every video of the archive.

One row per video that is in the archive, by path, with its uri, its label, every column of the
table `verdicts` and the current decision of a person (docs/data_dictionary.md):

{columns}

  framejury verdicts --warehouse warehouse/
  framejury verdicts --warehouse warehouse/ --output verdicts.parquet
  framejury verdicts --warehouse warehouse/ --format jsonl | jq -r 'select(.verdict=="fake").uri'

With --frames one row per face behind these verdicts instead: uri, label, video_id, model_id,
frame_index, time_s, person (its face track), score (not calibrated, so not comparable with p_fake
and threshold) and box, in pixels of the frame (in CSV box_x, box_y, box_width, box_height). Rows
are streamed in the order of the runs.

  framejury verdicts --warehouse warehouse/ --frames --output frames.csv
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from framejury.cli.options import add_warehouse, make_parser, run_command, settings_of
from framejury.errors import UsageError
from framejury.evaluation.rows import joined
from framejury.logs import say
from framejury.pages.spreadsheet import csv_bytes
from framejury.pages.text_table import UNKNOWN, columns, left_out_sentences
from framejury.redaction import printable
from framejury.report.sound_words import decided_word
from framejury.schemas.exports import DECISION_COLUMNS
from framejury.schemas.tables import VERDICTS
from framejury.storage import is_local, local_path, replace_file
from framejury.warehouse import Warehouse
from framejury.warehouse.deciding import with_decisions
from framejury.warehouse.frame_scores import FRAME_SCORES, frame_scores

COLUMNS = ("uri", "label", *VERDICTS.names, *(field.name for field in DECISION_COLUMNS))
FORMATS = ("table", "csv", "parquet", "jsonl", "json")
ENDINGS = {"csv": "csv", "parquet": "parquet", "jsonl": "jsonl", "ndjson": "jsonl", "json": "json"}
_SHOWN_FRAMES = ("uri", "frame", "time_s", "track", "score", "box, pixels")
_BLOCK_BYTES = 2**20
_SHOWN = (
    "uri",
    "label",
    "verdict",
    "decision",
    "p_fake",
    "interval",
    "faces_scored",
    "status",
    "error",
)


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
        "--frames",
        action="store_true",
        help="give one row per frame and face track (default: one per video)",
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
    """Return the latest verdict on every video that is in the archive, `COLUMNS`, by path.

    Raises:
        WarehouseError: nothing has been judged yet.
    """
    verdicts = warehouse.read_latest("verdicts")
    videos = warehouse.read_snapshot("videos")
    videos = videos.filter(videos["missing_since"].is_null())
    videos = videos.select(["video_id", "path", "uri", "label"])
    rows = with_decisions(warehouse, joined(videos.sort_by("path"), verdicts))
    return rows.select(list(COLUMNS))


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
    rows = _Counted(_frames(warehouse) if args.frames else iter([latest_verdicts(warehouse)]))
    if form == "table":
        head, words = (_SHOWN_FRAMES, _frame_words) if args.frames else (_SHOWN, _words)
        for table in rows:
            if table.num_rows or not args.frames:
                print("\n".join(columns([head, *map(words, table.to_pylist())])))
    elif output is None:
        for part in exported(rows, form):
            sys.stdout.write(part.decode())
    else:
        try:
            replace_file(output, exported(rows, form, csv_mark=mark))
        except OSError as error:
            raise UsageError(f"cannot write {printable(args.output)}: {error.strerror}") from error
        say(f"  {rows.count:,} {'faces' if args.frames else 'verdicts'}: {output}")
    for sentence in _left_out(warehouse):
        say(f"  {sentence}")
    return 0


def _left_out(warehouse: Warehouse) -> list[str]:
    forgotten = warehouse.forgotten()
    videos = warehouse.read_snapshot("videos")
    gone = videos.filter(videos["missing_since"].is_valid())["video_id"].to_pylist()
    return left_out_sentences(len(set(gone) - forgotten.keys()), len(forgotten))


def _frames(warehouse: Warehouse) -> Iterator[pa.Table]:
    """Yield the scores of single faces, first an empty table for their columns."""
    found = frame_scores(warehouse)
    first = next(found, None)
    yield FRAME_SCORES.empty_table()
    if first is not None:
        yield first
    yield from found


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


def _words(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a row in the table for people, in the order of `_SHOWN`."""
    scored = row["p_fake"] is not None
    return (
        row["uri"],
        row["label"] or UNKNOWN,
        row["verdict"] + decided_word(row),
        row["decision"] or "",
        f"{row['p_fake']:.3f}" if scored else UNKNOWN,
        f"{row['p_fake_low']:.2f}..{row['p_fake_high']:.2f}" if scored else UNKNOWN,
        str(row["faces_scored"]),
        row["status"],
        row["error"] or "",
    )


def _frame_words(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a face in the table for people, in the order of `_SHOWN_FRAMES`."""
    box = row["box"]
    where = "{width:.0f} x {height:.0f} at {x:.0f}, {y:.0f}"
    return (
        row["uri"],
        str(row["frame_index"]),
        f"{row['time_s']:.2f}",
        str(row["person"]),
        f"{row['score']:.3f}",
        UNKNOWN if box is None else where.format(**box),
    )


if __name__ == "__main__":
    sys.exit(main())
