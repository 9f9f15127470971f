"""calibrate: fit the verdict rule on labelled videos and write a bundle with it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from framejury.cli.options import (
    bundle_dir_of,
    run_command,
    settings_of,
    warn_of_demo,
)
from framejury.errors import BundleError, UsageError
from framejury.evaluation.rule_fitting import candidate_table
from framejury.labelled.committed_split import only_side, training_source, videos_of
from framejury.labelled.decided_videos import decided_notes
from framejury.labelled.faces_in_use import faces_in_use, fit_rule_in_use, rule_note
from framejury.labelled.learned import record_of
from framejury.labelled.measure import (
    cross_fitted_figures,
    figures_for_card,
    judge_labelled,
)
from framejury.labelled.scoring import score_faces
from framejury.labelled.videos import (
    LabelledVideo,
    describe_data,
    labelled_parts,
    labelled_videos,
)
from framejury.logs import say
from framejury.model.bundle import check_may_replace, load_bundle, with_rule
from framejury.model.ensemble_scorer import require_one_framing, scorer_for
from framejury.model.foreign import training_remark
from framejury.model.framing import lacking_frames
from framejury.model.input_contract import Framing
from framejury.model.manifest import Bundle
from framejury.pages.text_table import counted
from framejury.parsers.calibrate import parser
from framejury.schemas.statuses import Side
from framejury.settings.loading import load_settings
from framejury.training.source import FaceSource
from framejury.verdict.judge import face_threshold
from framejury.warehouse import Warehouse


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    side = Side(args.side)
    if side is Side.TEST:
        raise UsageError(
            "--side test: a rule fitted on the test videos would make their figures worthless; "
            "fit on val"
        )
    if not 0 < args.target_fpr < 1:
        raise UsageError(f"--target-fpr must be above 0 and below 1, got {args.target_fpr}")
    settings = settings_of(args)
    bundle = load_bundle(bundle_dir_of(args))
    require_one_framing(bundle)
    output = Path(args.output).absolute()
    check_may_replace(output)
    warn_of_demo(bundle)
    if (remark := training_remark(bundle)) is not None:
        say(f"note: {remark}")
    warehouses = [Warehouse.open(uri) for uri in args.warehouse]
    whole = training_source(*warehouses, decided=args.decisions)
    if whole.leak is not None:
        say(f"warning: {whole.leak}")
    everything = labelled_videos(*warehouses, decided=args.decisions)
    source, videos = _of_side(everything, whole, side)
    decided_notes(warehouses, videos, used=args.decisions)
    _check_framing(warehouses, source, bundle)
    if side is Side.TRAIN and bundle.adopted is None:
        say(
            "warning: the network was trained on split train and is overconfident there; "
            "calibrate on val"
        )
    scorer = scorer_for(bundle, settings.scoring.threads, settings.scoring.batch_size)
    say(f"  scoring {counted(len(source.videos), 'video')} of split {side.value}")
    scored = score_faces(scorer, source)
    data = f"split {side.value} of {describe_data(warehouses, everything)}"
    # Judging would sample fewer frames than training; the rule is fitted on those.
    sampling = settings_of(args, judging=True, of_bundle=bundle.judging).sampling
    carried = load_settings(judging=True, of_bundle=bundle.judging).sampling
    fitted = fit_rule_in_use(
        scored, videos, sampling, settings.verdict, data=data, target_fpr=args.target_fpr
    )
    rule = fitted.rule
    judge = replace(
        bundle, reducer=rule.reducer, calibration=rule.calibration, threshold=rule.threshold
    )
    own = settings.verdict.model_copy(update={"reducer": None, "threshold": None})
    in_use = faces_in_use(scored, videos, sampling, rule, own)
    verdicts, counts = judge_labelled(scored, judge, videos, own, run_id="calibrate", in_use=in_use)
    figures = figures_for_card(verdicts, counts, face_threshold(rule))
    metrics = {side.value: figures | cross_fitted_figures(fitted)}
    fitted_on = record_of(labelled_parts(warehouses, decided=args.decisions), source)
    written = with_rule(
        bundle,
        output,
        rule,
        fitted.fit,
        metrics,
        fitted_on=fitted_on,
        notes=rule_note(videos, sampling),
        sampling=None if sampling == carried else sampling.model_dump(mode="json"),
    )
    print(candidate_table(fitted))
    dropped = sorted(set(bundle.metrics) - {side.value})
    if dropped:
        say(
            f"  note: figures on {', '.join(dropped)} belong to the old rule and are left out; "
            "measure them again with framejury evaluate"
        )
    say(f"  bundle {written.model_id} written to {output} (from {bundle.model_id})")
    return 0


def _of_side(
    labelled: Sequence[LabelledVideo], whole: FaceSource, side: Side
) -> tuple[FaceSource, list[LabelledVideo]]:
    """Return faces and videos of one split, without stills."""
    source = only_side(whole, side)
    videos = videos_of(source, labelled)
    if not videos:
        raise UsageError(f"split {side.value} has no videos with faces; run framejury split")
    return source, videos


def _check_framing(warehouses: Sequence[Warehouse], source: FaceSource, bundle: Bundle) -> None:
    """Raise unless the faces are cropped, in all frames, as the network was trained with."""
    used = {truth.run_id for truth in source.videos.values()}
    for warehouse in warehouses:
        for commit in warehouse.with_table("faces"):
            if commit.run_id not in used:
                continue
            cut = Framing.of_settings(commit.settings) == bundle.framing
            if not cut or lacking_frames(bundle, commit.settings["sampling"]):
                raise BundleError(
                    f"faces of run {commit.run_id} are not cropped as {bundle.model_id} needs "
                    f"them; run: framejury extract --warehouse {warehouse.location.uri} --all "
                    f"--bundle {bundle.directory}"
                )


if __name__ == "__main__":
    sys.exit(main())
