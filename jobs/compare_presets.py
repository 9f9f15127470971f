"""compare-presets: train and judge several presets on one archive, and print one table.

All presets learn from and are measured on the same videos: the archive is divided once, by source,
whatever a preset's own split settings are. Each preset gets a warehouse, a bundle and a report in
the output folder. An interrupted comparison resumes when it is started again, and presets already
measured are not repeated.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from pyspark.sql import functions as F  # noqa: N812

from framejury import logs
from framejury.archive.csv_files import read_pins
from framejury.cli.judging_options import Judging
from framejury.cli.options import check_has_network, make_parser, run_command
from framejury.clock import now
from framejury.errors import UsageError
from framejury.logs import say
from framejury.model.manifest import Bundle
from framejury.night.night import NightlyRun, judge, report
from framejury.night.plan import REASON, make_plan
from framejury.recipes.comparison_table import text_table
from framejury.recipes.preset_comparison import COMMAND, PresetComparison
from framejury.recipes.preset_outcome import Failure
from framejury.redaction import redacted
from framejury.schemas.statuses import Reason
from framejury.settings import Settings
from framejury.settings.loading import load_settings
from framejury.storage import is_local, local_path
from framejury.tables.index import check_archive
from framejury.tables.session import spark_session
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Commit

RECIPES = ("face_frames", "random_frames", "flow_fusion", "all_frames")
"""Published recipes with a network."""

_SHARES = ("split.train=0.5", "split.val=0.2", "split.test=0.3")
"""More test videos than for training alone, because intervals need sources."""
_SECTIONS = ("sampling", "detection", "crops", "split", "training", "verdict", "spark")


def parser() -> argparse.ArgumentParser:
    options = make_parser(COMMAND, __doc__, _SECTIONS, presets=RECIPES)
    options.add_argument(
        "archive", metavar="ARCHIVE", help="folder or Hadoop URI with labelled videos"
    )
    options.add_argument(
        "--output",
        metavar="DIR",
        required=True,
        help="local folder for bundles, the shared split and the table (required)",
    )
    options.add_argument(
        "--warehouses",
        metavar="DIR",
        help="folder or URI that gets one warehouse per preset (default: in --output)",
    )
    options.add_argument(
        "--sides",
        metavar="FILE",
        help="CSV pattern,side that fixes the split of matching videos and of their groups "
        f"(default: divided by source, {' '.join(_SHARES)})",
    )
    return options


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    presets = list(dict.fromkeys(args.preset or RECIPES))
    for preset in presets:
        check_has_network(preset)
    if not is_local(args.output):
        raise UsageError(f"--output {redacted(args.output)} is not a local folder; give a path")
    output = local_path(args.output)
    output.mkdir(parents=True, exist_ok=True)
    archive = check_archive(args.archive)
    comparison = PresetComparison(
        archive,
        output,
        str(args.warehouses or output),
        args.config,
        args.set,
        load_settings(None, args.config, args.set, command_defaults=_SHARES),
        partial(_judge, archive),
        None if args.sides is None else read_pins(args.sides),
    )
    for preset in presets:  # a wrong setting must fail now, not after hours of work
        comparison.settings_of(preset)
    rows = []
    for number, preset in enumerate(presets, start=1):
        logs.start(COMMAND)
        say(f"[{number} of {len(presets)}: {preset}]")
        rows.append(comparison.row_of(preset))
    logs.start(COMMAND)
    sys.stdout.write(text_table(rows))
    comparison.write(rows)
    say(f"  page: {output}/comparison.html")
    failed = sum(isinstance(row, Failure) for row in rows)
    if failed:
        say(f"  {failed} of {len(rows)} presets failed; fix the cause and run again")
    return 1 if failed else 0


def _judge(
    archive: str, bundle: Bundle, settings: Settings, warehouse: Warehouse, video_ids: Sequence[str]
) -> Sequence[Commit]:
    """Judge these videos, and report on them, as a nightly run would."""
    night = NightlyRun(COMMAND, archive, Judging.of(bundle, settings), warehouse)
    with warehouse.locked(COMMAND, now(), say), spark_session(COMMAND) as night.spark:
        chosen = night.store.snapshot("videos").where(F.col("video_id").isin(list(video_ids)))
        planned = chosen.withColumn(REASON, F.lit(Reason.SELECTED.value))
        judge(night, make_plan(planned, settings, warehouse.commits()))
        report(night, chosen)
    return night.commits


if __name__ == "__main__":
    sys.exit(main())
