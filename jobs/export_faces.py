"""export-faces: write the kept faces as picture files, for tools that read folders.

  --as folders   MIX_1/{0,1} for split train, MIX_2 for val, MIX_3 for test: the class folders
                 that Keras' directory loaders read
  --as frames    VIDEO/VIDEO-001.jpeg, counted from 1, and labels.csv with name,label; for whole
                 frames extract with detection.detector=frame
  --as sets      VIDEO/faces, VIDEO/marked_faces, prepared_dataset/{fake,real} and
                 split_dataset/{train,val,test}/{fake,real}, as recipe face_frames; with
                 --signal marked the sets hold marked faces
  --as arrays    per chunk of split.chunk_videos videos train_images, train_labels (all faces),
                 tr_faces and tr_labs (those that balancing kept), each NAME_PART_CHUNK.npy, as
                 recipe random_frames: float32, BGR, 0 to 1
  --as optical_fusion
                 optical_fusion/{training,validation,test}/{original,altered}/VIDEO-0.jpg: fused
                 pictures of 224 pixels, as recipe flow_fusion stores them

--signal writes what a network sees of a face instead of its crop, such as its marked landmarks.

Executors write the files; an interrupted export resumes when it is started again in the same way.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from framejury.cli.options import add_warehouse, make_parser, run_command, settings_of
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
from framejury.model.needs import require_signal
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
from framejury.warehouse import Warehouse


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
        choices=["folders", "frames", "sets", "arrays", "optical_fusion"],
        default="folders",
        help="layout of the pictures (default: folders)",
    )
    options.add_argument(
        "--side-names",
        metavar="TRAIN,VAL,TEST",
        default="MIX_1,MIX_2,MIX_3",
        help="folders of the three splits (default: MIX_1,MIX_2,MIX_3)",
    )
    options.add_argument(
        "--fake-is",
        type=int,
        choices=[0, 1],
        default=1,
        help="class of fakes (default: 1)",
    )
    options.add_argument(
        "--frame-labels",
        metavar="FILE",
        help="CSV video,frame,label with labels of single frames, as for train (default: none)",
    )
    options.add_argument(
        "--signal",
        choices=["marked", "delta", "flow_fusion"],
        help="what the pictures show instead of the crops (default: the crops; flow_fusion with "
        "--as optical_fusion)",
    )
    options.add_argument(
        "--size-px",
        metavar="N",
        type=int,
        help="resize each picture to a square of N pixels (default: as stored; arrays: 252)",
    )
    options.add_argument(
        "--part",
        metavar="N",
        type=int,
        default=0,
        help="number of the archive in the names of arrays (default: 0)",
    )
    options.add_argument(
        "--format",
        choices=["png", "jpeg"],
        default="png",
        help="format of resized pictures (default: png, which is lossless)",
    )
    return options


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
