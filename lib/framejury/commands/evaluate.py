"""evaluate: measure a bundle on labelled videos and write a report."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from framejury.cli.chatter import quiet_tensorflow
from framejury.cli.options import (
    WAREHOUSE_VARIABLE,
    bundle_dir_of,
    run_command,
    settings_of,
    stand_in,
    warn_of_demo,
)
from framejury.cli.outputs import Place, check_place, check_warehouse_written
from framejury.clock import now
from framejury.errors import ConfigError
from framejury.labelled.bundling import bundle_of_weights
from framejury.labelled.committed_split import (
    labelled_source,
    only_side,
    training_source,
    videos_of,
    with_frame_labels,
)
from framejury.labelled.decided_videos import decided_notes, without_decided
from framejury.labelled.faces_in_use import faces_in_use, few_frames_note, left_out_note
from framejury.labelled.learned import known_videos
from framejury.labelled.measure import judge_labelled
from framejury.labelled.recipe_outputs import measured_files, write_outputs
from framejury.labelled.scoring import score_faces
from framejury.labelled.videos import LabelledVideo, labelled_videos
from framejury.labelled.worst_faces import worst_faces
from framejury.logs import say
from framejury.model.bundle import load_bundle, read_seen
from framejury.model.curves import read_curves
from framejury.model.ensemble_scorer import require_one_framing, scorer_for
from framejury.model.manifest import Bundle
from framejury.model.seen import Recognised, recognise, seen_ids
from framejury.parsers.evaluate import parser
from framejury.runs.provenance import bundle_facts, versions
from framejury.schemas.statuses import Side
from framejury.settings import Settings
from framejury.storage import locate
from framejury.training.mixture import require_mixture
from framejury.training.source import FaceSource
from framejury.training.source_counts import count_faces
from framejury.verdict.judge import face_threshold
from framejury.verdict.rule import rule_facts, rule_in_use
from framejury.warehouse import Warehouse

if TYPE_CHECKING:
    from framejury.report.steps import Step


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    if args.archive is not None:
        from framejury.commands.evaluate_archive import evaluate_archive

        check_warehouse_written(args)
        if args.warehouse is None and args.output is None:
            check_place("--output (default)", "out", Place("folder"))
        return evaluate_archive(args)
    args.warehouse = args.warehouse or stand_in(WAREHOUSE_VARIABLE)
    check_warehouse_written(args)
    if args.weights is None:
        return _evaluate_warehouse(args, load_bundle(bundle_dir_of(args)))
    warehouse = Warehouse.open(args.warehouse)
    threshold = settings_of(args, judging=True).verdict.threshold_or(0.5)
    with quiet_tensorflow(), tempfile.TemporaryDirectory() as scratch:
        bundle = bundle_of_weights(
            Path(args.weights),
            Path(scratch) / "bundle",
            warehouse,
            training_source(warehouse),
            threshold,
        )
        return _evaluate_warehouse(args, bundle)


def _evaluate_warehouse(args: argparse.Namespace, bundle: Bundle) -> int:
    from framejury.report.inputs import Context
    from framejury.report.predictions import whose_faces
    from framejury.report.report import BundleInfo, RunInfo, RunReport, build_report, write_files

    warn_of_demo(bundle)
    require_one_framing(bundle)
    settings = settings_of(args, judging=True, of_bundle=bundle.judging)
    warehouse = Warehouse.open(args.warehouse)
    side = args.side or ("test" if warehouse.with_table("splits") else "all")
    videos = labelled_videos(warehouse, decided=args.decisions)
    if side == "all":
        source = labelled_source(warehouse, decided=args.decisions)
        if args.frame_labels is not None:
            source = with_frame_labels(source, [warehouse], args.frame_labels)
        notes = (*_note_for_all(bundle), *_note_of_sound(videos))
    else:
        whole = training_source(warehouse, decided=args.decisions)
        if args.frame_labels is not None:
            whole = with_frame_labels(whole, [warehouse], args.frame_labels)
        labels_only = without_decided(whole, videos)
        source = only_side(whole, Side(side))
        videos = videos_of(source, videos)
        notes = _note_for_side(bundle, side, trained_fingerprint(bundle, labels_only), whole.leak)
    notes += decided_notes([warehouse], videos, used=args.decisions)
    scorer = scorer_for(bundle, settings.scoring.threads, settings.scoring.batch_size)
    name = f"evaluate-{bundle.model_id}-{side}"
    scored = score_faces(scorer, source)
    rule = rule_in_use(bundle.rule, settings.verdict)
    in_use = faces_in_use(scored, videos, settings.sampling, rule, settings.verdict)
    notes += left_out_note(scored.num_rows, in_use.num_rows)
    notes += few_frames_note(videos, settings.sampling)
    seen = _seen(bundle, warehouse, videos)
    verdicts, counts = judge_labelled(
        scored,
        bundle,
        videos,
        settings.verdict,
        run_id=name,
        in_use=in_use,
        frame_labels=source.frame_labels,
        apart=seen_ids(seen),
    )
    shown = worst_faces(source, in_use, whose_faces(verdicts, settings.report.rows))
    history = tuple(map(asdict, read_curves(bundle)))
    info = RunInfo(
        run_id=name,
        created_at=now(),
        archive=warehouse.archive or "",
        warehouse=warehouse.location.uri,
        model_id=bundle.model_id,
        bundle=BundleInfo.of_facts(
            bundle_facts(bundle), history, own_rule=rule_facts(rule) == rule_facts(bundle.rule)
        ),
        steps=_steps(warehouse, videos, name, settings, bundle),
        versions=versions(),
    )
    report = RunReport(
        verdicts,
        counts,
        info,
        title=f"Evaluation of {bundle.model_id} on {side} videos",
        notes=(*notes, rule.remark) if rule.remark else notes,
        face_threshold=face_threshold(rule),
        context=Context(faces=shown, seen=seen),
    )
    files = build_report(report, page_rows=settings.report.rows, csv_mark=settings.report.csv_mark)
    if args.output is None:
        root, place = warehouse.location, warehouse.write_report(name, files).uri
    else:
        place = str(Path(args.output).absolute())
        root = locate(place)
        write_files(files, Path(place))
    if settings.report.outputs == "face_frames":
        which = "all labelled" if side == "all" else f"split {side}"
        published = measured_files(
            scored, videos, verdicts, rule, frame_labels=source.frame_labels, which=which
        )
        folder = write_outputs(root, "evaluate", bundle.model_id, published)
        say(f"  published files: {folder.uri}")
    sys.stdout.write(files["report.txt"].decode())
    say(f"  report: {place}/report.html")
    return 0


def _steps(
    warehouse: Warehouse,
    videos: Sequence[LabelledVideo],
    name: str,
    settings: Settings,
    bundle: Bundle,
) -> tuple[Step, ...]:
    """Return the settings behind the figures: the faces' from their runs, the others are given."""
    from framejury.report.steps import EXTRACTION, SCORING, VERDICTS, steps_of, used_by

    used = {commit.run_id: commit.settings for commit in warehouse.commits()}
    rule = rule_facts(rule_in_use(bundle.rule, settings.verdict))
    used[name] = used_by(settings.model_dump(mode="json"), bundle.model_id, rule)
    found = [video.extraction["run_id"] for video in videos if video.extraction is not None]
    here = {name: len(videos)}
    made = {EXTRACTION: Counter(found), SCORING: here, VERDICTS: here}
    return steps_of(made, used, {bundle.model_id: bundle.settings})


def _seen(
    bundle: Bundle, warehouse: Warehouse, videos: Sequence[LabelledVideo]
) -> Recognised | None:
    """Return which videos the bundle has seen; None if it has no record of it."""
    record = read_seen(bundle)
    if record is None:
        return None
    ids = [video.row["video_id"] for video in videos]
    models = [bundle.model_id] * len(ids)
    return recognise({bundle.model_id: record}, ids, models, known_videos(warehouse, videos))


def _note_for_all(bundle: Bundle) -> tuple[str, ...]:
    if bundle.seen_path is not None or bundle.adopted is not None:  # the report says it then
        return ()
    return (
        "All labelled videos, including any that the bundle was trained on "
        f"({bundle.data.description}); figures on those do not carry over to new videos.",
    )


def _note_of_sound(videos: Sequence[LabelledVideo]) -> tuple[str, ...]:
    from framejury.pages.text_table import counted

    count = sum(video.why_not is not None for video in videos)
    if not count:
        return ()
    return (
        f"The pictures of {counted(count, 'fake')} are unchanged (at most the sound was changed). "
        "Calling such a video real is reasonable, but counts as an error.",
    )


def trained_fingerprint(bundle: Bundle, source: FaceSource) -> str | None:
    """Return the fingerprint of a training on these faces with the mixture of a bundle.

    None: the faces lack a data set of the mixture.
    """
    section = bundle.settings.get("training")
    mixture = section.get("mixture") if isinstance(section, dict) else None
    found = mixture.items() if isinstance(mixture, dict) else ()
    odds = {name: float(one) for name, one in found if isinstance(one, int | float)}
    try:
        drawn = require_mixture(source, odds)
    except ConfigError:
        return None
    return count_faces(drawn, mixed=bool(odds)).fingerprint


def _note_for_side(
    bundle: Bundle, side: str, fingerprint: str | None, leak: str | None
) -> tuple[str, ...]:
    if bundle.adopted is not None:  # the report says that its training data are unknown
        return () if leak is None else (leak,)
    if bundle.data.fingerprint != fingerprint:
        known = "it is unknown whether it was trained on these videos"
        if bundle.seen_path is not None:
            known = "videos that it had seen are shown separately"
        other = (
            f"The bundle was trained on other data or on another split, so {known}. (If it was "
            "trained with labels set by hand, give them with --frame-labels.)"
        )
        return (other,) if leak is None else (other, leak)
    if side == "train":
        return (
            "The bundle was trained on these videos; the figures do not carry over to new videos.",
        )
    if side == "val":
        return ("Training chose its best epoch on these videos; the figures are too optimistic.",)
    if leak is not None:
        return (f"Not held out. {leak}",)
    return ("Held out: the bundle was not trained on any source of these videos.",)


if __name__ == "__main__":
    sys.exit(main())
