"""import: turn face sets in Parquet (pictures of one face each) into a warehouse to train on."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from framejury.archive.face_sets import FaceSetRow, pictures_of, read_face_sets
from framejury.archive.video_rows import video_id_of, videos_table
from framejury.cli.options import run_command, workers_of
from framejury.clock import now
from framejury.errors import UsageError
from framejury.examine.face_images import FaceImage, extract_face_images, joined_extraction
from framejury.examine.messages import VideoJob
from framejury.logs import say
from framejury.parsers.import_faces import parser
from framejury.schemas.tables import EXTRACTIONS, FACES
from framejury.settings import Settings
from framejury.settings.loading import load_settings
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts, Run

_COMMAND_DEFAULTS = (
    "crops.margin_ratio=-0.07",
    "crops.shift_ratio=0.07",
    "detection.threshold=0.8",
)
_AT_ONCE = 64
_ROW_GROUP = 512  # pictures of some 10 KB
_SAY_EVERY = 2_000


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    settings = load_settings(args.preset, args.config, args.set, command_defaults=_COMMAND_DEFAULTS)
    workers = workers_of(args)
    folder = Path(args.folder).resolve()
    warehouse = Warehouse.open_or_plan(args.warehouse)
    if warehouse.commits():
        raise UsageError(
            f"{warehouse.location.uri} already has runs, whose videos an import would replace; "
            "give the face sets a --warehouse of their own"
        )
    rows = read_face_sets(folder)
    say(f"  {len(rows):,} pictures in {len({row.file for row in rows}):,} files")
    with warehouse.running("import", now(), say) as run:
        entries = {row.entry.file.path: row.entry for row in rows}
        warehouse.write(run, "videos", videos_table([*entries.values()], run.run_id))
        statuses = _extract(warehouse, run, rows, settings, workers)
        totals: Counter[str] = Counter()
        for (_, status), count in statuses.items():
            totals[status] += count
        warehouse.commit(
            run,
            now(),
            archive=str(folder),
            settings=settings.model_dump(mode="json"),
            facts=CommitFacts(keeps_crops=True, statuses=dict(sorted(totals.items()))),
        )
    for (layout, status), count in sorted(statuses.items()):
        say(f"  {layout:<13} {count:>6,} {status}")
    say(f"  run {run.run_id} committed to {warehouse.location.uri}")
    return 0


def _extract(
    warehouse: Warehouse, run: Run, rows: list[FaceSetRow], settings: Settings, workers: int
) -> Counter[tuple[str, str]]:
    """Write `extractions` and `faces`; return counts of videos by layout and status."""
    layouts = {video_id_of(row.entry.file.path): row.entry.layout for row in rows}
    extractions: dict[str, dict[str, Any]] = {}
    pictures = 0
    with _FacesWriter(warehouse, run) as writer:
        for done in extract_face_images(_batches(rows), run.run_id, settings, workers):
            for outcome in done:
                row = outcome.extraction
                before = extractions.get(row["video_id"])
                extractions[row["video_id"]] = (
                    row if before is None else joined_extraction(before, row)
                )
                if outcome.face is not None:
                    writer.add(outcome.face)
                pictures += 1
                if pictures % _SAY_EVERY == 0:
                    say(f"  {pictures:,} of {len(rows):,} pictures")
    outcomes = list(extractions.values())
    warehouse.write(run, "extractions", pa.Table.from_pylist(outcomes, schema=EXTRACTIONS))
    return Counter((layouts[row["video_id"]], row["status"]) for row in outcomes)


def _batches(rows: list[FaceSetRow]) -> Iterator[list[FaceImage]]:
    """Yield the pictures of each file with their bytes, in batches."""
    for file, of_file in groupby(rows, key=lambda row: row.file):
        pictures = (
            FaceImage(_job(row), data, row.rank, row.pts_s)
            for row, data in zip(of_file, pictures_of(file), strict=True)
        )
        while batch := list(islice(pictures, _AT_ONCE)):
            yield batch


def _job(row: FaceSetRow) -> VideoJob:
    file = row.entry.file
    return VideoJob(video_id_of(file.path), file.uri, file.size_bytes, file.modified_at)


class _FacesWriter:
    """Writer of `faces` in row groups small enough to draw at random."""

    def __init__(self, warehouse: Warehouse, run: Run) -> None:
        self._place = warehouse.table_location(run.run_id, "faces")
        self._waiting: list[dict[str, Any]] = []
        self._writer: parquet.ParquetWriter | None = None

    def __enter__(self) -> _FacesWriter:
        filesystem = self._place.filesystem
        filesystem.create_dir(self._place.path, recursive=True)
        self._writer = parquet.ParquetWriter(
            self._place.child("part-0.parquet").path,
            FACES,
            filesystem=filesystem,
            compression="zstd",
        )
        return self

    def __exit__(self, *error: object) -> None:
        assert self._writer is not None
        if error[0] is None:
            self._flush()
        self._writer.close()

    def add(self, row: dict[str, Any]) -> None:
        self._waiting.append(row)
        if len(self._waiting) == _ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        assert self._writer is not None
        if self._waiting:
            self._writer.write_table(pa.Table.from_pylist(self._waiting, schema=FACES))
            self._waiting.clear()


if __name__ == "__main__":
    sys.exit(main())
