"""compare-presets: train and judge several presets on one archive, and print one table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from pyspark.sql import functions as F  # noqa: N812

from framejury import logs
from framejury.archive.csv_files import read_pins
from framejury.cli.judging_options import Judging
from framejury.cli.options import check_has_network, run_command
from framejury.clock import now
from framejury.errors import UsageError
from framejury.logs import say
from framejury.model.manifest import Bundle
from framejury.night.night import NightlyRun, judge, report
from framejury.night.plan import REASON, make_plan
from framejury.parsers.compare_presets import RECIPES, SHARES, parser
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
        load_settings(None, args.config, args.set, command_defaults=SHARES),
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
