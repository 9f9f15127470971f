"""scan: judge single video files, without Spark and without a warehouse."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from framejury.cli.judging_options import Judging
from framejury.cli.options import run_command
from framejury.cli.video_files import video_places
from framejury.errors import SetupError
from framejury.examine.messages import TABLE_COLUMN, ExaminePlan, VideoJob, face_scores_of
from framejury.examine.worker import Examiner
from framejury.logs import say
from framejury.model.manifest import Bundle
from framejury.pages.text_table import counted
from framejury.parsers.scan import parser
from framejury.redaction import printable
from framejury.report.bundle_info import BundleInfo
from framejury.report.evidence.suspicious_tracks import (
    DescribedTrack,
    suspicious_tracks,
    tracks_by_score,
)
from framejury.report.evidence.video_evidence import evidence_of, tracks_of
from framejury.report.sound_words import decided_word
from framejury.report.trust import reader_word, trust_of
from framejury.schemas.notes import VideoNote, from_text
from framejury.schemas.statuses import SOUND_MEANING, Note, SoundOutcome, Status, Verdict
from framejury.settings import VerdictSettings
from framejury.verdict.judge import FaceScores, face_threshold, judge, unscored
from framejury.verdict.members import agreement, member_verdict
from framejury.verdict.members import in_words as members_in_words
from framejury.verdict.rule import Rule
from framejury.verdict.stretches import in_words
from framejury.verdict.with_sound import joined

if TYPE_CHECKING:
    from framejury.report.evidence.scan_pages import ScanPages

NOT_ALL_JUDGED = 3
"""Exit code: some files got no score."""


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    places = video_places(args.files)
    judging = Judging.from_args(args)
    bundle, settings, rule = judging.bundle, judging.settings, judging.rule
    pages = None if args.html is None else _pages(args.html, len(args.files))
    if pages is None:  # no page shows pictures
        settings = settings.without_evidence()
    plan = ExaminePlan(
        "scan",
        settings.model_dump(mode="json"),
        str(bundle.directory),
        keep_crops=False,
        sound_dir=None if judging.sound is None else str(judging.sound.directory),
    )
    say(trust_of(BundleInfo.of_bundle(bundle, rule)).sentence)
    code = 0
    with Examiner(plan) as examiner:
        for place in places:
            rows = examiner.examine(VideoJob(video_id=place, uri=place))
            verdict = _verdict(place, rows, bundle, rule, settings.verdict)
            verdict |= _tracks(verdict, rows, rule)
            if verdict["p_fake"] is None and verdict["sound_p_fake"] is None:
                code = NOT_ALL_JUDGED
            if pages is not None:
                pages.add(verdict, rows, bundle, rule, settings.verdict)
            if args.frames:
                verdict |= {"frames": _frames(rows, bundle.model_id)}
            print(json.dumps(verdict) if args.json else _words(verdict, bundle), flush=True)
    if pages is not None:
        say(f"  evidence: {pages.finish()}")
    return code


def _pages(target: str, files: int) -> ScanPages:
    """Check where the pages go, before anything is judged.

    Raises:
        SetupError: the libraries of the report are not installed.
        UsageError: the pages cannot be written there.
    """
    try:
        from framejury.report.evidence.scan_pages import ScanPages
    except ImportError as error:
        raise SetupError(
            f"--html needs further libraries ({error}); pip install 'framejury[report]'"
        ) from error
    return ScanPages(Path(target), files)


def _verdict(
    uri: str, rows: pa.RecordBatch, bundle: Bundle, rule: Rule, settings: VerdictSettings
) -> dict[str, Any]:
    """Return the uri and the columns of `verdicts` that apply without a run."""
    extraction, *others = rows.to_pylist()
    scores = face_scores_of(others, bundle.model_id)
    sound = next((row for row in others if row[TABLE_COLUMN] == "sounds"), None)
    if scores:
        result = judge(_faces(scores), rule, settings)
        said = [
            member_verdict(one, _faces(face_scores_of(others, one.model_id)))
            for one in bundle.member_rules
        ]
        result = replace(result, members=said or None)
    else:
        result = unscored(Status(extraction["status"]))
    decided, heard = joined(result.verdict, result.p_fake, rule.threshold, sound)
    return {
        "uri": uri,
        "status": result.status.value,
        "error": extraction["error"],
        "verdict": decided.value,
        "p_fake": result.p_fake,
        "p_fake_low": result.p_fake_low,
        "p_fake_high": result.p_fake_high,
        "faces_scored": result.faces_scored,
        "frames_scored": result.frames_scored,
        "frames_sampled": extraction["frames_sampled"],
        "rounds": extraction["rounds"],
        "persons": result.persons,
        "worst_person": result.worst_person,
        "worst_person_score": result.worst_person_score,
        "threshold": rule.threshold,
        "reducer": rule.reducer.name,
        "model_id": bundle.model_id,
        "origin": extraction["origin"],
        "notes": [asdict(note) for note in from_text(extraction["notes"])],
        **{name: asdict(result)[name] for name in ("stretches", "members")},
        **heard,
    }


def _faces(scores: Sequence[Mapping[str, Any]]) -> FaceScores:
    names = [part.name for part in fields(FaceScores)]
    return FaceScores(**{name: [row[name] for row in scores] for name in names})


def _tracks(verdict: dict[str, Any], rows: pa.RecordBatch, rule: Rule) -> dict[str, Any]:
    """Return the face tracks, the highest-scoring one first, and those that are suspicious."""
    scores = face_scores_of(rows.to_pylist(), verdict["model_id"])
    worst = verdict["worst_person"]
    tracks = tracks_of(evidence_of(verdict, None, scores, ()).faces, worst)
    found = suspicious_tracks(verdict, tracks, face_threshold(rule))
    return {
        "tracks": [asdict(one) for one in tracks_by_score(tracks, worst)],
        "suspicious_tracks": [asdict(one) for one in found],
    }


def _frames(rows: pa.RecordBatch, model_id: str) -> list[dict[str, Any]]:
    """Return the score of each face, by frame and track; columns as in `FRAME_SCORES`."""
    scores = face_scores_of(rows.to_pylist(), model_id)
    names = {"frame_index": "frame_index", "time_s": "pts_s", "person": "person"}
    names |= {"score": "score", "box": "box"}
    frames = [{name: row[column] for name, column in names.items()} for row in scores]
    return sorted(frames, key=lambda face: (face["frame_index"], face["person"]))


def _words(verdict: dict[str, Any], bundle: Bundle) -> str:
    called = f"{reader_word(verdict)}{decided_word(verdict)}"
    if verdict["p_fake"] is None:
        text = f"{called}  ({verdict['status']})"
    else:
        seen = counted(verdict["faces_scored"], bundle.framing.judges)
        text = (
            f"{called}  p_fake {verdict['p_fake']:.3f} "
            f"({verdict['p_fake_low']:.2f} to {verdict['p_fake_high']:.2f}, threshold "
            f"{verdict['threshold']:.2f}, {seen})"
        )
    if verdict["sound"] is not None:
        text += f"; {_sound_words(verdict)}"
    error = f"  {verdict['error']}" if verdict["error"] else ""
    lines = [f"{verdict['uri']}: {text}{error}"]
    if (verdict["rounds"] or 1) > 1:
        lines.append(f"  sampled: {verdict['frames_sampled']} frames in {verdict['rounds']} rounds")
    lines += [
        f"  note: {VideoNote(Note(note['code']), note['detail']).sentence}"
        for note in verdict["notes"]
    ]
    if verdict["members"]:
        said = "; ".join(members_in_words(verdict["members"]))
        lines.append(f"  {agreement(verdict['members'])}: {said}")
    lines += _track_words(verdict)
    # Where the video as a whole is not suspicious, neither is a part of it.
    part = "high scores" if verdict["verdict"] == Verdict.REAL else "suspicious"
    lines += [f"  {part}: {in_words(stretch)}" for stretch in verdict["stretches"] or ()]
    lines += [
        f"  frame {face['frame_index']}  {face['time_s']:.2f} s  track {face['person']}  "
        f"score {face['score']:.3f}"
        for face in verdict.get("frames", ())
    ]
    return "\n".join(printable(line) for line in lines)


def _track_words(verdict: dict[str, Any]) -> list[str]:
    """Name the suspicious tracks; if none of several is, the highest."""
    named = [DescribedTrack(**one) for one in verdict["suspicious_tracks"]]
    if not named and len(verdict["tracks"]) > 1:
        highest = DescribedTrack(**verdict["tracks"][0])
        return [f"  highest of {len(verdict['tracks'])} tracks: {highest.in_words}"]
    return [f"  suspicious {one.in_words}" for one in named]


def _sound_words(verdict: dict[str, Any]) -> str:
    if verdict["sound_p_fake"] is None:
        return f"sound not judged: {SOUND_MEANING[SoundOutcome(verdict['sound'])]}"
    return f"sound {verdict['sound_p_fake']:.3f} (threshold {verdict['sound_threshold']:.2f})"


if __name__ == "__main__":
    sys.exit(main())
