"""index: list the videos of an archive with their labels and sources, as table `videos`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

from framejury.archive.layouts import ArchiveIndex
from framejury.archive.video_rows import check_share_missing, videos_table, with_missing
from framejury.cli.archive_options import in_layout
from framejury.cli.live_line import pass_by, say_some
from framejury.cli.options import run_command, settings_of
from framejury.clock import now
from framejury.logs import say
from framejury.parsers.index_videos import parser
from framejury.settings import IndexSettings
from framejury.storage import is_local
from framejury.tables.index import check_archive, check_same_archive, index_archive
from framejury.tables.session import spark_session
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def index_settings(args: argparse.Namespace) -> IndexSettings:
    return in_layout(settings_of(args).index, args)


def describe(found: ArchiveIndex) -> None:
    """Print what the archive holds."""
    labels = Counter(entry.label.value if entry.label else "no label" for entry in found.videos)
    layouts = Counter(entry.layout for entry in found.videos)
    pass_by(
        f"  {len(found.videos):,} videos: "
        + ", ".join(f"{count:,} {name}" for name, count in sorted(labels.items()))
        + "; layouts: "
        + ", ".join(f"{name} {count:,}" for name, count in sorted(layouts.items()))
    )
    say_some([f"  note: {note}" for note in found.notes])


def _run(args: argparse.Namespace) -> int:
    settings = index_settings(args)
    archive = check_archive(args.archive)
    warehouse = Warehouse.open_or_plan(args.warehouse)
    check_same_archive(warehouse, archive, moved=args.moved)
    with ExitStack() as stack:
        stack.enter_context(warehouse.locked("index", now(), say))
        # Only listing a Hadoop URI needs the JVM.
        spark = None if is_local(archive) else stack.enter_context(spark_session("index"))
        found = index_archive(spark, archive, settings)
        describe(found)
        before = warehouse.read_snapshot("videos") if warehouse.with_table("videos") else None
        run = stack.enter_context(warehouse.running("index", now()))
        videos = with_missing(videos_table(found.videos, run.run_id), before, now())
        check_share_missing(videos, before, settings.missing_ratio)
        warehouse.write(run, "videos", videos)
        warehouse.commit(
            run,
            now(),
            archive=archive,
            settings=settings_of(args).model_dump(mode="json"),
            facts=CommitFacts(left_out=found.left_out),
        )
    say(f"  run {run.run_id} committed to {warehouse.location.uri}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
