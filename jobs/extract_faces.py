"""extract: open each indexed video once, detect its faces and keep their crops."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from framejury.cli.options import run_command, settings_of
from framejury.clock import now
from framejury.examine.messages import ExaminePlan, settings_id
from framejury.logs import say
from framejury.model.bundle import load_bundle
from framejury.model.framing import framed_for
from framejury.night.plan import videos_to_extract
from framejury.parsers.extract_faces import parser
from framejury.settings import Settings
from framejury.tables.extract import write_examined
from framejury.tables.session import spark_session
from framejury.tables.store import Store
from framejury.tables.tallies import count_by, sentence
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    # Without a network, no verdict asks for a further round.
    settings = _settings_of(args).in_one_round()
    warehouse = Warehouse.open(args.warehouse)
    warehouse.require("videos")
    with spark_session("extract") as spark:
        store = Store(spark, warehouse, settings.spark.row_group_bytes)
        videos = store.without_forgotten(store.snapshot("videos"))
        planned = videos_to_extract(
            videos,
            store.extractions_with_crops(),
            settings_id(settings),
            settings.limits.tries,
            everything=args.all,
        ).cache()
        count = planned.count()
        if count == 0:
            say("  no new or changed videos to extract")
            return 0
        say(f"  extracting {count:,} of {videos.count():,} videos")
        with warehouse.running("extract", now(), say) as run:
            plan = ExaminePlan(run.run_id, settings.model_dump(mode="json"), None, keep_crops=True)
            write_examined(store, run, planned, plan)
            statuses = count_by(store.of_run(run, "extractions"), "status")
            facts = CommitFacts(keeps_crops=True, statuses=statuses)
            warehouse.commit(run, now(), settings=settings.model_dump(mode="json"), facts=facts)
    say(f"  {sentence(statuses)}; run {run.run_id} committed")
    return 0


def _settings_of(args: argparse.Namespace) -> Settings:
    """Return the settings, with the crops that the network of `--bundle` needs."""
    if args.bundle is None:
        return settings_of(args)
    bundle = load_bundle(args.bundle)
    return framed_for(bundle, settings_of(args, of_bundle=bundle.judging))


if __name__ == "__main__":
    sys.exit(main())
