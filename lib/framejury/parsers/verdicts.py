"""verdicts: print or export the latest committed verdict on every video of the archive.

One row per video in the archive, by path: its uri, its label, and every column of the table
`verdicts` (docs/data_dictionary.md).

  framejury verdicts --warehouse DIR --output verdicts.parquet
  framejury verdicts --warehouse DIR --format jsonl | jq -r .uri

With --frames, one row per face behind these verdicts instead: uri, label, video_id, model_id,
frame_index, time_s, person (its face track), score (not calibrated, so not comparable with p_fake
and threshold) and box, in pixels of the frame. Rows are streamed in the order of the runs.
"""

from __future__ import annotations

from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser

FORMATS = ("table", "csv", "parquet", "jsonl", "json")


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("verdicts", __doc__, ["report"])
    add_warehouse(options)
    options.add_argument(
        "--format",
        metavar="FORMAT",
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
        type=Place("file"),
        help="local file to write, replaced in one step (default: print to the terminal)",
    )
    return options
