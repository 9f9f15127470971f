"""Evaluation protocol on an archive of labelled videos: `framejury evaluate --archive`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from framejury.archive.csv_files import read_pins
from framejury.cli.archive_options import in_layout
from framejury.cli.options import bundle_dir_of, warn_of_demo, workers_of
from framejury.clock import now
from framejury.errors import UsageError
from framejury.evaluation.protocol_numbers import ProtocolData
from framejury.examine.messages import ExaminePlan
from framejury.labelled.decided_videos import decided_labels, decided_sentence
from framejury.logs import say
from framejury.model.bundle import load_bundle, read_seen
from framejury.model.curves import read_curves
from framejury.model.ensemble_scorer import require_one_framing, scorer_for
from framejury.model.framing import framed_for
from framejury.model.manifest import Bundle
from framejury.model.seen import Recognised, known_video, recognise, seen_ids
from framejury.protocol.examination import VideoScores, examine_all
from framejury.protocol.frames import ProtocolFrames
from framejury.protocol.robustness import CONDITIONS, Condition
from framejury.protocol.selection import (
    DATA_SET_RULE,
    Selection,
    data_sets_of,
    labelled_videos_of,
    on_pinned_side,
)
from framejury.protocol.verdicts import VideoJudge, face_histogram
from framejury.report.inputs import Context
from framejury.report.report import BundleInfo, RunInfo, RunReport, build_report, write_files
from framejury.report.steps import SECTIONS, steps_of, used_by
from framejury.runs.provenance import bundle_facts, versions
from framejury.schemas.statuses import Label, Side
from framejury.settings import Settings
from framejury.settings.loading import load_settings
from framejury.verdict.judge import face_threshold
from framejury.verdict.rule import rule_facts
from framejury.warehouse import Warehouse


def evaluate_archive(args: argparse.Namespace) -> int:
    """Measure the bundle on the labelled videos of `args.archive` and write the report.

    Raises:
        UsageError: archive, splits, bundle or settings cannot be used; nothing is written.
    """
    bundle = load_bundle(bundle_dir_of(args))
    warn_of_demo(bundle)
    settings = framed_for(bundle, _settings_of(args, bundle))
    protocol = ProtocolFrames.of(settings.sampling)
    name = Path(args.archive).resolve().name or "archive"
    judge = VideoJudge(bundle, settings.verdict, f"evaluate-{bundle.model_id}-{name}")
    warehouse = None if args.warehouse is None else Warehouse.open(args.warehouse)
    labels: Mapping[str, Label] = {}
    if args.decisions:
        if warehouse is None:
            raise UsageError("--decisions needs --warehouse DIR with the decisions")
        labels = decided_labels(warehouse)
    selection = _select(args, settings, labels)
    conditions = () if args.quick else CONDITIONS
    if conditions:  # perturbs kept crops
        require_one_framing(bundle)
    started_s = time.monotonic()
    plan = ExaminePlan(
        judge.run_id,
        settings.without_evidence()
        .model_copy(update={"sampling": protocol.sampling})
        .model_dump(mode="json"),
        str(bundle.directory),
        keep_crops=bool(conditions),
    )
    videos = examine_all(
        selection.videos,
        plan,
        workers_of(args),
        model_id=bundle.model_id,
        scorer=(
            scorer_for(bundle, settings.scoring.threads, settings.scoring.batch_size)
            if conditions
            else None
        ),
        conditions=conditions,
        frames=protocol.headline,
    )
    examined_s = time.monotonic() - started_s
    seen = _seen(bundle, selection, videos)
    known = seen_ids(seen)
    new = [one for one in videos if one.video["video_id"] not in known]
    data = protocol_data(new, judge, protocol, conditions)
    info = RunInfo(
        run_id=judge.run_id,
        created_at=now(),
        archive=selection.archive,
        warehouse="none" if warehouse is None else warehouse.location.uri,
        model_id=bundle.model_id,
        bundle=BundleInfo.of_facts(
            bundle_facts(bundle),
            tuple(map(asdict, read_curves(bundle))),
            own_rule=rule_facts(judge.rule) == rule_facts(bundle.rule),
        ),
        steps=steps_of(
            {step: {judge.run_id: len(videos)} for step in SECTIONS},
            {
                judge.run_id: used_by(
                    settings.model_dump(mode="json"), bundle.model_id, rule_facts(judge.rule)
                )
            },
            {bundle.model_id: bundle.settings},
        ),
        versions=versions(),
        seconds={"examine": examined_s},
    )
    report = RunReport(
        _headline_table(judge, videos, protocol),
        face_histogram(new),
        info,
        title=f"Evaluation of {bundle.model_id} on {name}",
        notes=_notes(selection, judge),
        face_threshold=face_threshold(judge.rule),
        protocol=data,
        context=Context(seen=seen),
    )
    files = build_report(report, csv_mark=settings.report.csv_mark)
    sys.stdout.write(files["protocol.txt"].decode())
    place = _write(args, warehouse, judge.run_id, files)
    say(f"  report: {place}/report.html")
    say(f"  figures: {place}/metrics.json")
    return 0


def protocol_data(
    videos: Sequence[VideoScores],
    judge: VideoJudge,
    frames: ProtocolFrames,
    conditions: Sequence[Condition],
) -> ProtocolData:
    """Judge examined videos by frames per video, in rounds, and by perturbation.

    Args:
        videos: examined with these frames and conditions.
        judge: gives the verdicts.
        frames: per video.
        conditions: perturbations.
    """
    headline = frames.headline
    perturbed: dict[str, dict[float, object]] = {}
    for condition in conditions:
        table = judge.perturbed_table(videos, condition, headline)
        perturbed.setdefault(condition.family, {})[condition.strength] = table
    return ProtocolData(
        headline=headline,
        by_frames={count: judge.table(videos, count) for count in frames.by_frames},
        data_sets=[data_sets_of(one.video) for one in videos],
        data_set_rule=DATA_SET_RULE,
        face_scores=np.concatenate([np.zeros(0), *(one.score for one in videos)]),
        face_videos=np.repeat(
            np.arange(len(videos)), np.array([len(one.score) for one in videos], np.int64)
        ),
        perturbed=perturbed,
        rounds=frames.rounds,
        in_use=_headline_table(judge, videos, frames),
        mode=frames.sampling.mode,
    )


def _headline_table(
    judge: VideoJudge, videos: Sequence[VideoScores], frames: ProtocolFrames
) -> pa.Table:
    if frames.rounds:
        return judge.table_in_rounds(videos, frames.rounds)
    return judge.table(videos, frames.judged)


def _settings_of(args: argparse.Namespace, bundle: Bundle) -> Settings:
    """Return the settings by which the bundle judges, as for `framejury scan`."""
    return load_settings(args.preset, args.config, args.set, judging=True, of_bundle=bundle.judging)


def _select(
    args: argparse.Namespace, settings: Settings, decided: Mapping[str, Label]
) -> Selection:
    selection = labelled_videos_of(args.archive, in_layout(settings.index, args), decided)
    if args.sides is None and args.side not in (None, "all"):
        raise UsageError(
            f"--side {args.side} needs --sides FILE with the split of each video (or --warehouse "
            "alone, which has a split)"
        )
    if args.sides is not None:
        side = Side(args.side or "test") if args.side != "all" else None
        selection = on_pinned_side(selection, read_pins(args.sides), side)
    if args.decisions:
        by_people = sum(video["video_id"] in selection.decided for video in selection.videos)
        note = decided_sentence(by_people, len(selection.videos))
        selection = replace(selection, notes=(*selection.notes, note))
    counts = Counter(video["label"] for video in selection.videos)
    listed = ", ".join(f"{count:,} {label}" for label, count in sorted(counts.items()))
    say(f"  {len(selection.videos):,} labelled videos: {listed}")
    for note in selection.notes:
        say(f"  note: {note}")
    return selection


def _seen(bundle: Bundle, selection: Selection, videos: Sequence[VideoScores]) -> Recognised | None:
    """Return which videos the bundle has seen; None if it has no record of it."""
    record = read_seen(bundle)
    if record is None:
        return None
    known = [
        known_video(one.video, one.extraction["content_id"], selection.archive) for one in videos
    ]
    ids = [one.video["video_id"] for one in videos]
    return recognise({bundle.model_id: record}, ids, [bundle.model_id] * len(ids), known)


def _notes(selection: Selection, judge: VideoJudge) -> tuple[str, ...]:
    return (*selection.notes, judge.rule.remark) if judge.rule.remark else selection.notes


def _write(
    args: argparse.Namespace, warehouse: Warehouse | None, name: str, files: Mapping[str, bytes]
) -> str:
    """Write the files; return their folder."""
    if args.output is None and warehouse is not None:
        return str(warehouse.write_report(name, files).uri)
    place = Path("out") / name if args.output is None else Path(args.output)
    write_files(files, place)
    return str(place.absolute())
