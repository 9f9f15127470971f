"""ensemble: make one bundle of several, with equal, given or fitted weights."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from framejury.cli.archive_options import in_layout
from framejury.cli.options import run_command, settings_of, warn_of_demo, workers_of
from framejury.errors import CalibrationError
from framejury.evaluation.rule_fitting import candidate_table, fit_rule
from framejury.evaluation.stacking import AucFigure, Stacking, fit_weights
from framejury.examine.messages import ExaminePlan
from framejury.labelled.member_scores import (
    MemberScores,
    judged_by_all,
    scored_by,
    stacked,
    unseen,
)
from framejury.logs import say
from framejury.model.bundle import check_may_replace, load_bundle, with_rule
from framejury.model.ensemble import check_together, equal_weights, write_ensemble
from framejury.model.framing import framed_for
from framejury.model.manifest import Bundle, Measurement
from framejury.model.seen import SeenVideos, known_video
from framejury.pages.text_table import counted
from framejury.parsers.ensemble import parser
from framejury.protocol.examination import examine_all
from framejury.protocol.selection import labelled_videos_of
from framejury.schemas.statuses import Side
from framejury.settings import Settings
from framejury.verdict.rule import NOT_CALIBRATED
from framejury.warehouse import Warehouse


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    output = Path(args.output).absolute()
    check_may_replace(output)
    parts = [load_bundle(folder) for folder in args.bundles]
    check_together(parts)
    for part in parts:
        warn_of_demo(part)
    if args.warehouse is None and args.archive is None:
        written = write_ensemble(output, parts, args.weights or equal_weights(parts))
        say("note: its score is not calibrated: --warehouse or --archive fits weights and rule")
    else:
        written = _fitted(args, parts, output)
    shares = ", ".join(f"{one.weight:.3f} {one.model_id}" for one in written.members)
    say(f"  ensemble {written.model_id} written to {output}: {shares}")
    return 0


@dataclass(frozen=True)
class _FitData:
    """The videos of a fit, which they are in words, and how they were judged."""

    videos: Sequence[MemberScores]
    words: str
    settings: Settings
    sampling: Mapping[str, Any] | None = None
    """How the ensemble shall choose frames; None: as its first member."""

    @property
    def fakes(self) -> int:
        return sum(one.label for one in self.videos)

    @property
    def reals(self) -> int:
        return len(self.videos) - self.fakes


def _fitted(args: argparse.Namespace, parts: Sequence[Bundle], output: Path) -> Bundle:
    """Fit weights and rule, and write the ensemble."""
    with tempfile.TemporaryDirectory() as scratch:
        equal = write_ensemble(Path(scratch) / "equal", parts, equal_weights(parts))
        settings = settings_of(args, judging=True, of_bundle=equal.judging)
        if args.warehouse is not None:
            videos, which = judged_by_all(Warehouse.open(args.warehouse), parts)
            data = _FitData(videos, f"{which} of {args.warehouse}", settings)
        else:
            videos = _judged_here(args, equal, settings)
            data = _FitData(
                *(videos, f"all labelled videos of {args.archive}", settings),
                settings.sampling.model_dump(mode="json"),
            )
        data = replace(data, videos=_not_learned(videos, parts))
        say(f"  fitting on {data.words}: {data.reals:,} real and {data.fakes:,} fake videos")
        found = fit_weights(stacked(data.videos), [part.model_id for part in parts])
        weights = found.weights if found.gains else equal_weights(parts)
        print("\n".join(_table(found)))
        for line in _conclusions(found):
            say(f"  {line}")
        draft = write_ensemble(Path(scratch) / "draft", parts, weights)
        return _with_rule(draft, output, data, found, args.target_fpr)


def _with_rule(
    draft: Bundle, output: Path, data: _FitData, found: Stacking, target_fpr: float
) -> Bundle:
    """Fit the rule by which the ensemble judges; without enough videos it stays uncalibrated."""
    weights = [one.weight for one in draft.members]
    notes = tuple(_conclusions(found))
    try:
        fitted = fit_rule(
            scored_by(data.videos, draft),
            target_fpr=target_fpr,
            min_faces=data.settings.verdict.min_faces,
            data=data.words,
            threshold=data.settings.verdict.threshold,
        )
    except CalibrationError as error:
        say(f"note: {NOT_CALIBRATED}{error}")
        return write_ensemble(output, draft.parts, weights, (f"{NOT_CALIBRATED}{error}.", *notes))
    print(candidate_table(fitted))
    chosen = found.fitted if found.gains else found.equal
    metrics = {
        Side.VAL.value: {
            "real_videos": Measurement(value=data.reals),
            "fake_videos": Measurement(value=data.fakes),
            "video_auc_cross_fitted": _measured(chosen),
        }
    }
    fitted_on = SeenVideos.of((Side.VAL, one.known) for one in data.videos)
    return with_rule(
        *(draft, output, fitted.rule, fitted.fit, metrics),
        fitted_on=fitted_on,
        notes=notes,
        sampling=data.sampling,
    )


def _judged_here(
    args: argparse.Namespace, bundle: Bundle, settings: Settings
) -> list[MemberScores]:
    """Judge the labelled videos of a local archive with all members."""
    settings = framed_for(bundle, settings)
    selection = labelled_videos_of(args.archive, in_layout(settings.index, args))
    for note in selection.notes:
        say(f"  note: {note}")
    values = settings.without_evidence().model_dump(mode="json")
    plan = ExaminePlan("ensemble", values, str(bundle.directory), keep_crops=False)
    found = examine_all(selection.videos, plan, workers_of(args), model_id=bundle.model_id)
    return [
        MemberScores(
            dict(one.video),
            known_video(one.video, one.extraction["content_id"], selection.archive),
            np.stack([one.members[part.model_id] for part in bundle.parts], 1).astype(np.float64),
            one.person.tolist(),
            one.frame_index.tolist(),
        )
        for one in found
        if len(one.score)
    ]


def _not_learned(videos: Sequence[MemberScores], parts: Sequence[Bundle]) -> list[MemberScores]:
    """Leave out videos that a member was trained on, where it would look better than it is."""
    kept = list(videos)
    for part in parts:
        before, kept = len(kept), unseen(kept, part)
        if before > len(kept):
            left_out = counted(before - len(kept), "video")
            say(f"  {left_out} left out: {part.model_id} was trained on them or their sources")
        if part.seen_path is None:
            say(
                f"warning: {part.model_id} has no record of what it was trained on. If these "
                "videos are among it, its weight is too high and the figures flatter"
            )
    return kept


def _table(found: Stacking) -> list[str]:
    """Return the figures of all choices, one per line, and the weights."""
    shares = dict(zip((one.name for one in found.members), found.weights, strict=True))
    rows = [*found.members, found.equal, found.fitted]
    width = max(len(one.name) for one in rows)
    lines = [f"{'':{width}}  AUC; fitted weights are cross-fitted by group"]
    for one in rows:
        weight = f"   weight {shares[one.name]:.3f}" if one.name in shares else ""
        lines.append(f"{one.name:{width}}  {one.in_words}{weight}")
    return lines


def _conclusions(found: Stacking) -> list[str]:
    """Return what follows from the figures, as sentences."""
    lines = []
    if not found.gains:
        lines.append(
            f"Fitted weights are no better than equal ones here (AUC {found.fitted.auc:.3f} and "
            f"{found.equal.auc:.3f}), so the weights are equal."
        )
    best, used = found.best_member, found.fitted if found.gains else found.equal
    if best.auc >= used.auc:
        lines.append(
            f"{best.name} alone does as well on these videos (AUC {best.auc:.3f}, together "
            f"{used.auc:.3f}) and costs less."
        )
    if found.gains:
        lines += [
            f"{one.name} got the weight 0: leave it out, and videos cost less."
            for one, weight in zip(found.members, found.weights, strict=True)
            if weight == 0
        ]
    return lines


def _measured(figure: AucFigure) -> Measurement:
    ends = figure.interval
    if ends is None:
        return Measurement(value=figure.auc)
    return Measurement(value=figure.auc, low=ends.low, high=ends.high, level=0.95)


if __name__ == "__main__":
    sys.exit(main())
