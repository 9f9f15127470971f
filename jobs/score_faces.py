"""score: score kept face crops with a model bundle, on the executors."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict

from pyspark.sql import functions as F  # noqa: N812

from framejury.cli.judging_options import load_bundle_of
from framejury.cli.options import (
    run_command,
    settings_of,
)
from framejury.clock import now
from framejury.errors import BundleError
from framejury.logs import say
from framejury.model.ensemble_scorer import require_one_framing
from framejury.model.framing import lacking_frames, needs_landmarks
from framejury.model.input_contract import Framing
from framejury.model.manifest import Bundle
from framejury.pages.text_table import counted
from framejury.parsers.score_faces import parser
from framejury.runs.provenance import bundle_facts, remember_bundle
from framejury.tables.evidence_pictures import pictures_of_faces
from framejury.tables.resources import ship_bundle
from framejury.tables.score import score_faces
from framejury.tables.session import spark_session
from framejury.tables.store import Store
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    bundle = load_bundle_of(args)
    settings = settings_of(args, judging=True, of_bundle=bundle.judging)
    warehouse = Warehouse.open(args.warehouse)
    warehouse.require("extractions")
    require_one_framing(bundle)
    _check_framing(warehouse, bundle)
    with spark_session("score") as spark:
        store = Store(spark, warehouse, settings.spark.row_group_bytes)
        faces = store.faces()
        if older := store.crops_are_older().count():
            say(
                f"warning: the latest extraction of {counted(older, 'video')} kept no crops, so "
                "older crops are scored, and their verdicts can rest on fewer frames than before. "
                "framejury nightly --all judges the videos themselves"
            )
        with warehouse.running("score", now(), say) as run:
            remember_bundle(warehouse, bundle)
            shipped = ship_bundle(spark, bundle.directory, bundle.model_id)
            scoring, evidence = settings.scoring, settings.evidence
            scores = score_faces(faces, shipped, run.run_id, scoring.threads, scoring.batch_size)
            store.write(scores, run, "face_scores")
            if evidence.faces:
                scored = store.of_run(run, "face_scores")
                scored = scored.where(F.col("model_id") == bundle.model_id)
                pictures = pictures_of_faces(faces, scored, shipped, run.run_id, evidence)
                store.write(pictures, run, "pictures")
            commit = warehouse.commit(
                run,
                now(),
                model_id=bundle.model_id,
                settings=settings.model_dump(mode="json"),
                facts=CommitFacts(bundle=bundle_facts(bundle)),
            )
    count = commit.tables.get("face_scores", 0) // (1 + len(bundle.members))
    say(f"  {count:,} faces scored by {bundle.model_id}; run {run.run_id} committed")
    return 0


def _check_framing(warehouse: Warehouse, bundle: Bundle) -> None:
    """Check that crops were cut as the network was trained: other margins invalidate its scores.

    Raises:
        BundleError: crops, frames or detector of a run do not suit the bundle.
    """
    for commit in warehouse.with_table("faces"):
        found = Framing.of_settings(commit.settings)
        if found != bundle.framing:
            has = ", ".join(f"{name} {value}" for name, value in asdict(found).items())
            raise BundleError(
                f"run {commit.run_id} cut crops with {has}; {bundle.model_id} needs other values: "
                f"extract again with --all --bundle {bundle.directory}"
            )
        if lacking := lacking_frames(bundle, commit.settings["sampling"]):
            raise BundleError(
                f"run {commit.run_id} sampled other frames than {bundle.model_id} looks at: "
                f"extract again with --all --bundle {bundle.directory}: {', '.join(lacking)}"
            )
        detector = commit.settings["detection"]["detector"]
        if needs_landmarks(bundle) and detector != "mtcnn":
            raise BundleError(
                f"run {commit.run_id} found faces with {detector}; {bundle.model_id} needs "
                "landmarks: extract again with --all --set detection.detector=mtcnn"
            )


if __name__ == "__main__":
    sys.exit(main())
