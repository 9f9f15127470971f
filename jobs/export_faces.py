"""export-faces: write the kept faces as picture files, for tools that read folders."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from framejury.cli.options import run_command, settings_of
from framejury.cli.progress import progress
from framejury.errors import UsageError
from framejury.labelled.committed_split import (
    chunks_of,
    labelled_source,
    training_source,
    with_frame_labels,
)
from framejury.labelled.videos import labelled_videos
from framejury.logs import say
from framejury.parsers.export_faces import parser
from framejury.recipes.export_plan import (
    FUSION_FOLDERS,
    SIDES,
    ExportPlan,
    begun,
    export_notes,
    exported_videos,
    marker_of,
    record_of,
    side_folders,
)
from framejury.recipes.face_files import LABELS_CSV
from framejury.settings import Signal
from framejury.storage import check_no_secret, locate
from framejury.tables.face_export import (
    chosen_faces,
    write_arrays,
    write_faces,
    write_labels,
)
from framejury.tables.session import spark_session
from framejury.tables.store import Store
from framejury.training.needs import require_signal
from framejury.warehouse import Warehouse


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    folders = side_folders(args.side_names)
    if args.size_px is not None and not 1 <= args.size_px <= 4096:
        raise UsageError(f"--size-px must be 1 to 4096, got {args.size_px}")
    output = locate(check_no_secret(args.output))
    warehouse = Warehouse.open(args.warehouse)
    source = labelled_source(warehouse) if args.form == "frames" else training_source(warehouse)
    signal: Signal | None = args.signal
    if signal is None and args.form == "optical_fusion":
        signal = "flow_fusion"
    if signal is not None:
        require_signal(source, signal)
    if args.frame_labels is not None:
        source = with_frame_labels(source, [warehouse], args.frame_labels)
    videos = labelled_videos(warehouse)
    chunk_of = chunks_of(warehouse, videos) if args.form == "arrays" else {}
    truth = exported_videos(videos, source, args.form, chunk_of)
    if not truth.num_rows:
        raise UsageError("no labelled video has faces to export; run framejury extract")
    plan = ExportPlan(
        output.uri,
        args.form,
        args.fake_is,
        args.size_px,
        args.format,
        {"folders": folders, "optical_fusion": FUSION_FOLDERS}.get(args.form, {}),
        next((one.draw for one in source.videos.values() if one.draw is not None), None),
        source.frame_labels,
        next((one.cut.seed for one in source.videos.values() if one.cut is not None), 0),
        args.part,
        signal=signal,
    )
    plan = begun(output, plan, record_of(plan, warehouse, source), args.output)
    for note in export_notes(args.form, warehouse, videos, source):
        say(f"  note: {note}")
    with spark_session("export-faces") as spark:
        store = Store(spark, warehouse, settings.spark.row_group_bytes)
        chosen = chosen_faces(store.faces(), truth, plan)
        done = spark.sparkContext.accumulator(0)
        write = write_arrays if args.form == "arrays" else write_faces
        rows = write(chosen, plan, done).persist()
        with progress("faces", chosen.drop("crop").count(), lambda: done.value):
            counted = rows.groupBy("side", "label").count().collect()
        if args.form == "frames":
            write_labels(rows, output.child(LABELS_CSV))
        rows.unpersist()
    output.filesystem.delete_file(marker_of(output).path)
    _say_counts(counted, plan, truth.num_rows)
    say(f"  written to {output.uri}")
    return 0


def _say_counts(counted: Iterable[Any], plan: ExportPlan, videos: int) -> None:
    counts = {(row[0], row[1]): row[2] for row in counted}
    fake, real = plan.fake_is, 1 - plan.fake_is
    files = "arrays" if plan.form == "arrays" else "pictures"
    say(f"  {sum(counts.values()):,} {files} of {videos:,} videos")
    if plan.form == "arrays":
        return
    for side in [None] if plan.form == "frames" else SIDES:
        name = LABELS_CSV if side is None else plan.side_folders.get(side.value, side.value)
        say(
            f"  {name:<11}{counts.get((side, real), 0):>9,} real "
            f"{counts.get((side, fake), 0):>9,} fake"
        )


if __name__ == "__main__":
    sys.exit(main())
