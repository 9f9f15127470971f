"""modality: find out what was changed in each fake, picture or sound, by its original."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from framejury.archive.originals import Originals, Row, pairs_of
from framejury.cli.options import run_command, settings_of
from framejury.clock import now
from framejury.logs import for_terminal, say
from framejury.pages.text_table import counted
from framejury.parsers.label_modalities import parser
from framejury.runs.provenance import versions
from framejury.schemas.statuses import Modality
from framejury.schemas.tables import MODALITIES
from framejury.settings import Settings
from framejury.tables.modalities import compare_pairs, unchanged
from framejury.tables.session import spark_session
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts

_MEANING = {
    Modality.VIDEO: "the picture was changed, the sound was not",
    Modality.AUDIO: "only the sound was changed",
    Modality.BOTH: "picture and sound were changed",
    Modality.NONE: "no difference was found",
    Modality.UNKNOWN: "the files could not be compared; --all tries again",
}


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    warehouse = Warehouse.open(args.warehouse)
    warehouse.require("videos")
    with warehouse.locked("modality", now(), say):
        videos = warehouse.read_snapshot("videos")
        found = pairs_of(videos.to_pylist())
        _say_alone(found)
        if not found.pairs:
            say("  no fake in this archive has its original here; nothing to compare")
            return 0
        kept = [] if args.all else _kept(warehouse, found)
        rows = _written(warehouse, settings, found, kept)
    for line in summary(rows, {row["video_id"]: row["path"] for row in videos.to_pylist()}):
        print(for_terminal(line))
    return 0


def _kept(warehouse: Warehouse, found: Originals) -> list[Row]:
    """Return rows of the last run that are still valid."""
    runs = warehouse.with_table("modalities")
    if not runs:
        return []
    before = warehouse.read_run(runs[-1].run_id, "modalities")
    videos_run = runs[-1].facts.videos_run
    if videos_run is None:
        return []
    videos_before = warehouse.read_run(videos_run, "videos")
    return unchanged(found.pairs, before, videos_before)


def _written(
    warehouse: Warehouse, settings: Settings, found: Originals, kept: Sequence[Row]
) -> pa.Table:
    """Compare the other pairs and commit the whole table, because readers take the latest run's."""
    done = {row["video_id"] for row in kept}
    todo = [pair for pair in found.pairs if pair.fake["video_id"] not in done]
    if done:
        say(
            f"  unchanged since the last run: {counted(len(done), 'pair')}; --all compares them too"
        )
    if not todo and len(kept) == warehouse.with_table("modalities")[-1].tables["modalities"]:
        say("  nothing new to compare")
        return pa.Table.from_pylist(list(kept), schema=MODALITIES)
    videos_run = warehouse.require("videos")[-1].run_id
    with warehouse.running("modality", now()) as run:
        fresh = MODALITIES.empty_table()
        if todo:
            with spark_session("modality") as spark:
                fresh = compare_pairs(spark, todo, settings, run.run_id)
        old = [{**row, "run_id": run.run_id} for row in kept]
        rows = pa.concat_tables([fresh, pa.Table.from_pylist(old, schema=MODALITIES)])
        warehouse.write(run, "modalities", rows.sort_by("video_id"))
        warehouse.commit(
            run,
            now(),
            settings=settings.model_dump(mode="json"),
            facts=CommitFacts(videos_run=videos_run, compared=len(todo), versions=versions()),
        )
    say(f"  {counted(len(todo), 'fake')} compared with the original; run {run.run_id} committed")
    return rows


def _say_alone(found: Originals) -> None:
    if found.alone:
        say(f"  {counted(len(found.alone), 'fake')} without an original here")


def summary(rows: pa.Table, paths: dict[str, str]) -> list[str]:
    """Return the number of fakes per modality, and the fakes of which only the sound was changed.

    Args:
        rows: of `modalities`.
        paths: of the videos, by `video_id`.
    """
    counts = Counter(rows["modality"].to_pylist())
    lines = [f"{counts[one.value]:>9,}  {one.value:<9}{_MEANING[one]}" for one in Modality]
    silent = [row for row in rows.to_pylist() if row["modality"] == Modality.AUDIO.value]
    if silent:
        lines += ["", "only the sound was changed:"]
        lines += sorted(f"  {paths[row['video_id']]}" for row in silent)
    return lines


if __name__ == "__main__":
    sys.exit(main())
