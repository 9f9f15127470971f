"""evaluate: score the labelled faces of a warehouse with a bundle, with figures and report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from framejury.commandline import (
    add_bundle,
    add_warehouse,
    bundle_dir_of,
    make_parser,
    now,
    run_command,
    say,
    settings_of,
    warn_of_demo,
)
from framejury.facts import bundle_facts, versions
from framejury.labelled import (
    labelled_source,
    labelled_videos,
    only_side,
    training_source,
)
from framejury.measure import judge_labelled, on_side
from framejury.model.bundle import load_bundle
from framejury.model.counts import count_faces
from framejury.model.manifest import Bundle
from framejury.model.runtime import Scorer
from framejury.schemas import Side
from framejury.warehouse import Warehouse


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser("evaluate", __doc__, ["scoring", "verdict"])
    add_warehouse(parser)
    add_bundle(parser)
    parser.add_argument(
        "--side",
        choices=["train", "val", "test", "all"],
        help="side of the split; all ignores the split "
        "(default: test when there is a split, else all)",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="local folder of the report (default: below the warehouse's reports)",
    )
    return run_command(parser, argv, _run)


def _run(args: argparse.Namespace) -> int:
    from framejury.evaluation.report import (
        BundleInfo,
        RunInfo,
        RunReport,
        build_report,
        write_files,
    )

    settings = settings_of(args)
    bundle = load_bundle(bundle_dir_of(args))
    warn_of_demo(bundle)
    warehouse = Warehouse.open(args.warehouse)
    side = args.side or ("test" if warehouse.with_table("splits") else "all")
    videos = labelled_videos(warehouse)
    if side == "all":
        source = labelled_source(warehouse)
        notes = _note_for_all(bundle)
    else:
        whole = training_source(warehouse)
        source = only_side(whole, Side(side))
        videos = on_side(videos, whole, Side(side))
        notes = _note_for_side(bundle, side, count_faces(whole).fingerprint)
    scorer = Scorer(bundle, settings.scoring.threads, settings.scoring.batch_size)
    name = f"evaluate-{bundle.model_id}-{side}"
    verdicts, counts = judge_labelled(scorer, source, videos, settings.verdict, name)
    facts = bundle_facts(bundle)
    info = RunInfo(
        run_id=name,
        created_at=now(),
        archive=warehouse.archive or "",
        warehouse=warehouse.location.uri,
        model_id=bundle.model_id,
        bundle=BundleInfo(facts["purpose"], facts["card"], facts["metrics"]),
        settings=settings.model_dump(mode="json"),
        versions=versions(),
    )
    title = f"Evaluation of {bundle.model_id} on {side} videos"
    files = build_report(RunReport(verdicts, counts, info, title=title, notes=notes))
    if args.output is None:
        place = warehouse.write_report(name, files).uri
    else:
        place = str(Path(args.output).absolute())
        write_files(files, Path(place))
    sys.stdout.write(files["report.txt"].decode())
    say(f"  report: {place}/report.html")
    return 0


def _note_for_all(bundle: Bundle) -> tuple[str, ...]:
    return (
        "All labelled videos, also any that the bundle was trained on "
        f"({bundle.data.description}): figures on those say nothing about new videos.",
    )


def _note_for_side(bundle: Bundle, side: str, fingerprint: str) -> tuple[str, ...]:
    if bundle.data.fingerprint != fingerprint:
        return (
            "The bundle was trained on other data or another split than this one; whether it "
            "has seen these videos is not known here.",
        )
    if side == "train":
        return ("The bundle was trained on these very videos; the figures say nothing.",)
    if side == "val":
        return ("The training chose its best epoch by these videos; the figures flatter.",)
    return ("Held out: no source of these videos was trained on.",)


if __name__ == "__main__":
    sys.exit(main())
