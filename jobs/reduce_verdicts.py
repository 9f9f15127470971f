"""reduce: aggregate face scores to one verdict per video by the bundle's rule, and report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from framejury.cli.options import run_command, say_remark, settings_of
from framejury.clock import now
from framejury.logs import say
from framejury.night.publish import Publisher
from framejury.parsers.reduce_verdicts import parser
from framejury.runs.provenance import latest_bundle, versions
from framejury.settings.loading import settings_from
from framejury.tables.reduce import VerdictRules, reconcile, reduce_verdicts
from framejury.tables.session import spark_session
from framejury.tables.store import Store
from framejury.tables.tallies import count_by, sentence
from framejury.verdict.members import members_of_facts
from framejury.verdict.rule import rule_facts, rule_in_use, rule_of_facts
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    warehouse = Warehouse.open(args.warehouse)
    warehouse.require("videos")
    bundle = latest_bundle(warehouse)
    settings = settings_of(args, judging=True, of_bundle=bundle.get("judging"))
    rule = rule_in_use(rule_of_facts(bundle), settings.verdict)
    say_remark(rule)
    say_other_threshold(warehouse, rule.threshold)
    with spark_session("reduce") as spark:
        store = Store(spark, warehouse, settings.spark.row_group_bytes)
        videos = store.without_forgotten(store.snapshot("videos"))
        members = members_of_facts(bundle)
        scores = store.face_scores(bundle["model_id"], [one.model_id for one in members])
        with warehouse.running("reduce", now(), say) as run:
            rules = VerdictRules(run.run_id, bundle["model_id"], rule, settings.verdict, members)
            verdicts = reduce_verdicts(
                videos, store.latest("extractions"), scores, rules, store.sounds()
            )
            store.write(verdicts, run, "verdicts")
            written = store.of_run(run, "verdicts")
            reconcile(videos, written)
            statuses, counts = count_by(written, "status"), count_by(written, "verdict")
            commit = warehouse.commit(
                run,
                now(),
                model_id=bundle["model_id"],
                settings=settings.model_dump(mode="json"),
                facts=CommitFacts(
                    bundle=bundle, rule=rule_facts(rule), statuses=statuses, versions=versions()
                ),
            )
        publisher = Publisher(store, warehouse, commit, videos, settings.report, now())
        folder = publisher.publish(store.latest("verdicts").cache())
    say(f"  verdicts: {sentence(counts)}; run {run.run_id} committed")
    say(f"  report: {folder.child('report.html').uri}")
    return 0


def say_other_threshold(warehouse: Warehouse, threshold: float) -> None:
    """Say so if the latest frames in rounds were chosen under another threshold."""
    for commit in reversed(warehouse.with_table("extractions")):
        if commit.facts.rule is not None:
            break
    else:
        return
    before = commit.facts.rule["threshold"]
    in_rounds = len(settings_from(commit.settings).sampling.counts) > 1
    if in_rounds and before != threshold:
        say(
            f"note: run {commit.run_id} chose frames in rounds under threshold {before:g}, not "
            f"{threshold:g}. framejury nightly --all with the new threshold chooses them anew"
        )


if __name__ == "__main__":
    sys.exit(main())
