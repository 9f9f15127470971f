"""export-faces: write the kept faces as picture files, for tools that read folders.

  --as folders   MIX_1/{0,1} for side train of the split, MIX_2 for val, MIX_3 for test: the classes
                 that Keras' directory loaders read
  --as frames    VIDEO/VIDEO-007.jpeg, and labels.csv with name,label; for whole frames extract
                 with detection.detector=frame

Executors write; a killed export goes on where it was when it is started in the same way.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame

from framejury.cli.options import add_warehouse, make_parser, run_command, settings_of
from framejury.cli.progress import progress
from framejury.errors import UsageError
from framejury.labelled.committed_split import labelled_source, training_source, with_frame_labels
from framejury.labelled.videos import LabelledVideo, labelled_videos
from framejury.logs import say
from framejury.model.source import FaceSource
from framejury.recipes.face_files import LABELS_CSV, folder_names
from framejury.redaction import printable
from framejury.schemas.statuses import Side
from framejury.storage import Location, check_no_secret, locate, write_whole
from framejury.tables.face_export import (
    TRUTH,
    ExportPlan,
    begun,
    chosen_faces,
    marker_of,
    record_of,
    write_faces,
)
from framejury.tables.session import spark_session
from framejury.tables.store import Store
from framejury.warehouse import Warehouse

_SIDES = (Side.TRAIN, Side.VAL, Side.TEST)


def parser() -> argparse.ArgumentParser:
    options = make_parser("export-faces", __doc__, ["spark"])
    add_warehouse(options)
    options.add_argument(
        "--output",
        metavar="DIR",
        required=True,
        help="new or empty folder or URI that every executor reaches (required)",
    )
    options.add_argument(
        "--as",
        dest="form",
        choices=["folders", "frames"],
        default="folders",
        help="how the pictures are laid out (default: folders)",
    )
    options.add_argument(
        "--side-names",
        metavar="TRAIN,VAL,TEST",
        default="MIX_1,MIX_2,MIX_3",
        help="folders of the three sides (default: MIX_1,MIX_2,MIX_3)",
    )
    options.add_argument(
        "--fake-is",
        type=int,
        choices=[0, 1],
        default=1,
        help="the class that fakes are (default: 1)",
    )
    options.add_argument(
        "--frame-labels",
        metavar="FILE",
        help="CSV video,frame,label that labels single frames by hand, as of train (default: none)",
    )
    options.add_argument(
        "--size-px",
        metavar="N",
        type=int,
        help="resize each picture to a square of N pixels (default: as it is stored)",
    )
    options.add_argument(
        "--format",
        choices=["png", "jpeg"],
        default="png",
        help="how resized pictures are stored (default: png, which loses nothing)",
    )
    return options


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    side_folders = _side_folders(args.side_names)
    if args.size_px is not None and not 1 <= args.size_px <= 4096:
        raise UsageError(f"--size-px must be 1 to 4096, got {args.size_px}")
    output = locate(check_no_secret(args.output))
    warehouse = Warehouse.open(args.warehouse)
    source = training_source(warehouse) if args.form == "folders" else labelled_source(warehouse)
    if args.frame_labels is not None:
        source = with_frame_labels(source, [warehouse], args.frame_labels)
    videos = labelled_videos(warehouse)
    truth = _truth(videos, source, args.form)
    if not truth.num_rows:
        raise UsageError("no labelled video has faces to export")
    plan = ExportPlan(
        output.uri,
        args.form,
        args.fake_is,
        args.size_px,
        args.format,
        side_folders if args.form == "folders" else {},
        next((one.draw for one in source.videos.values() if one.draw is not None), None),
        source.frame_labels,
    )
    record = record_of(plan, warehouse, source)
    plan = begun(output, plan, record, args.output)
    for note in _notes(args.form, warehouse, videos, source):
        say(f"  note: {note}")
    with spark_session("export-faces") as spark:
        store = Store(spark, warehouse, settings.spark.row_group_bytes)
        chosen = chosen_faces(store.faces(), truth)
        done = spark.sparkContext.accumulator(0)
        rows = write_faces(chosen, plan, done).persist()
        with progress("pictures", chosen.drop("crop").count(), lambda: done.value):
            counted = rows.groupBy("side", "label").count().collect()
        if args.form == "frames":
            _write_labels(output, rows)
        rows.unpersist()
    output.filesystem.delete_file(marker_of(output).path)
    _tell(counted, plan, truth.num_rows)
    say(f"  written to {output.uri}")
    return 0


def _side_folders(names: str) -> dict[str, str]:
    """Side -> folder.

    Raises:
        UsageError: they are not three different plain names.
    """
    folders = names.split(",")
    plain = [name for name in folders if name and name[0] != "." and not set(name) & set("/\\\0")]
    if len(plain) != len(_SIDES) or len({name.casefold() for name in plain}) != len(_SIDES):
        raise UsageError(
            f"--side-names needs three different plain names with commas between them, got "
            f"{printable(names)}"
        )
    return {side.value: name for side, name in zip(_SIDES, folders, strict=True)}


def _truth(videos: Sequence[LabelledVideo], source: FaceSource, form: str) -> pa.Table:
    """Which videos are exported; rows `TRUTH`."""
    wanted = [
        video
        for video in videos
        if (truth := source.videos.get(video.row["video_id"])) is not None
        and truth.side is not Side.EXCLUDED
        and not truth.still
        and video.why_not is None
    ]
    names: dict[str, str] = {}
    if form == "frames":
        names = folder_names({video.row["video_id"]: video.row["path"] for video in wanted})
    rows = []
    for video in wanted:
        video_id = video.row["video_id"]
        truth = source.videos[video_id]
        rows.append(
            {
                "video_id": video_id,
                "fake": truth.label,
                "side": truth.side.value,
                "folder": names.get(video_id),
            }
        )
    return pa.Table.from_pylist(rows, schema=TRUTH)


def _notes(
    form: str, warehouse: Warehouse, videos: Sequence[LabelledVideo], source: FaceSource
) -> list[str]:
    """What is not exported, or should be known of what is."""
    notes = [] if source.leak is None else [source.leak]
    unlabelled = warehouse.read_snapshot("videos").num_rows - len(videos)
    if form == "frames" and unlabelled:
        notes.append(f"{unlabelled:,} videos have no label and are left out")
    silent = Counter(video.why_not for video in videos if video.why_not is not None)
    notes += [f"{count:,} fakes are left out: {why}" for why, count in sorted(silent.items())]
    if form == "folders":
        sides = warehouse.read_snapshot("splits")["side"].to_pylist()
        excluded = sides.count(Side.EXCLUDED.value)
        if excluded:
            notes.append(f"{excluded:,} videos stand on no side of the split and are left out")
    return notes


def _write_labels(output: Location, rows: DataFrame) -> None:
    """The table of names and labels, by name; a partition at a time is on the driver."""
    with tempfile.TemporaryFile() as file:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["name", "label"])
        ordered = rows.select("name", "label").orderBy("name")
        table.writerows((row[0], row[1]) for row in ordered.toLocalIterator())
        text.flush()
        file.seek(0)
        write_whole(output.child(LABELS_CSV), file)
        text.detach()


def _tell(counted: Iterable[Any], plan: ExportPlan, videos: int) -> None:
    counts = {(row[0], row[1]): row[2] for row in counted}
    fake, real = plan.fake_is, 1 - plan.fake_is
    say(f"  {sum(counts.values()):,} pictures of {videos:,} videos")
    for side in _SIDES if plan.form == "folders" else [None]:
        name = plan.side_folders[side.value] if side else LABELS_CSV
        say(
            f"  {name:<11}{counts.get((side, real), 0):>9,} real "
            f"{counts.get((side, fake), 0):>9,} fake"
        )


if __name__ == "__main__":
    sys.exit(main())
