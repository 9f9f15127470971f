"""The faces that verdicts in use would come from, and a rule fitted on them.

Labelled videos are sampled densely to train on, and in few frames or in rounds to judge
(`sampling.rounds`). Rule and figures are those of judging: docs/decisions/0027-rounds-of-frames.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from framejury.evaluation.rule_fitting import TARGET_FPR, FittedRule
from framejury.examine.simulated_rounds import Flags, frames_of_rounds, judged_faces
from framejury.labelled.measure import fit_rule_on
from framejury.labelled.videos import LabelledVideo
from framejury.logs import say
from framejury.model.bundle import ABOUT_FIT
from framejury.settings import SamplingSettings, VerdictSettings
from framejury.verdict.judge import FaceScores
from framejury.verdict.rule import Rule
from framejury.verdict.settled import is_settled

_COLUMNS = ("score", "frame_index", "pts_s", "person")


def faces_in_use(
    scored: pa.Table,
    videos: Sequence[LabelledVideo],
    sampling: SamplingSettings,
    rule: Rule,
    settings: VerdictSettings,
) -> pa.Table:
    """Keep the faces of the frames that would have been sampled before verdicts were settled.

    Args:
        scored: from `labelled.scoring.score_faces`.
        videos: of these faces.
        sampling: under which videos are judged. Only mode uniform can be simulated; in others, and
            for videos whose sampled times are not known, all faces are kept.
        rule: by which they are judged.
        settings: minimum faces and interval.
    """
    if sampling.mode != "uniform" or scored.num_rows == 0:
        return scored
    extraction_of = {video.row["video_id"]: video.extraction or {} for video in videos}
    ids = np.asarray(scored["video_id"].to_pylist(), object)
    kept = np.ones(len(ids), np.bool_)
    # `score_faces` sorts by video.
    changes = np.flatnonzero(ids[1:] != ids[:-1]) + 1
    for first, stop in pairwise([0, *changes.tolist(), len(ids)]):
        faces = scored.slice(first, stop - first)
        extraction = extraction_of.get(ids[first], {})
        if extraction.get("sampled_s") and extraction.get("duration_s"):
            kept[first:stop] = _judged(faces, extraction, sampling, rule, settings)
    return scored.filter(pa.array(kept))


def left_out_note(faces: int, in_use: int) -> tuple[str, ...]:
    """Return a note for a report on faces of which `faces_in_use` kept some; () if it kept all."""
    if in_use == faces:
        return ()
    return (
        f"Videos are judged by {in_use:,} of {faces:,} stored faces: those of the frames that "
        "sampling.frames or sampling.rounds would sample. Figures of single faces are of all.",
    )


def few_frames_note(videos: Sequence[LabelledVideo], sampling: SamplingSettings) -> tuple[str, ...]:
    """Return a note for a report on videos with fewer stored frames than judging takes, or ()."""
    frames = _too_few_frames(videos, sampling)
    if frames is None:
        return ()
    return (
        f"Most videos have only {frames} stored frames here, but the bundle judges by "
        f"{_frames_in_words(sampling)}, so verdicts in use can differ. {_remedy(sampling)}",
    )


def rule_note(videos: Sequence[LabelledVideo], sampling: SamplingSettings) -> tuple[str, ...]:
    """Warn of a rule fitted on fewer frames than it will judge by; return the bundle's note, or ().

    Args:
        videos: that the rule was fitted on. Videos whose sampled times are not known, such as
            sampled faces of face sets, do not count.
        sampling: under which the bundle judges.
    """
    frames = _too_few_frames(videos, sampling)
    if frames is None:
        return ()
    note = (
        f"{ABOUT_FIT}{frames} frames per video, and it judges by {_frames_in_words(sampling)}. "
        f"{_remedy(sampling)}"
    )
    say(f"warning: {note}")
    return (note,)


def _too_few_frames(videos: Sequence[LabelledVideo], sampling: SamplingSettings) -> int | None:
    """Return the median stored frames per video; None if most have as many as the last round."""
    if sampling.mode != "uniform":
        return None
    stored, short = [], 0
    for video in videos:
        extraction = video.extraction or {}
        if extraction.get("sampled_s") and extraction.get("frames_total"):
            stored.append(len(extraction["sampled_s"]))
            short += stored[-1] < frames_of_rounds(extraction["frames_total"], sampling)
    return int(np.median(stored)) if 2 * short > len(stored) else None


def _frames_in_words(sampling: SamplingSettings) -> str:
    counts = sampling.counts
    return f"up to {counts[-1]}" if len(counts) > 1 else str(counts[-1])


def _remedy(sampling: SamplingSettings) -> str:
    return f"Extract with --set sampling.frames={sampling.counts[-1]} or more."


def fit_rule_in_use(
    scored: pa.Table,
    videos: Sequence[LabelledVideo],
    sampling: SamplingSettings,
    settings: VerdictSettings,
    *,
    data: str,
    target_fpr: float = TARGET_FPR,
) -> FittedRule:
    """Fit a rule on the faces by which it will judge; arguments and errors as `fit_rule_on`.

    When a video is settled depends on the rule, so it is fitted twice: on all faces, then on those
    by which the first one would have judged.

    Args:
        sampling: as in `faces_in_use`.
    """
    first = fit_rule_on(scored, videos, settings, data=data, target_fpr=target_fpr)
    in_use = faces_in_use(scored, videos, sampling, first.rule, settings)
    return fit_rule_on(in_use, videos, settings, data=data, target_fpr=target_fpr)


def _judged(
    faces: pa.Table,
    extraction: Mapping[str, Any],
    sampling: SamplingSettings,
    rule: Rule,
    settings: VerdictSettings,
) -> Flags:
    columns = {name: np.asarray(faces[name].to_pylist()) for name in _COLUMNS}

    def settled(chosen: Flags, rounds: int) -> bool:
        some = FaceScores(**{name: values[chosen].tolist() for name, values in columns.items()})
        return is_settled(some, rule, settings, rounds=rounds)

    return judged_faces(
        columns["pts_s"],
        extraction["sampled_s"],
        extraction["duration_s"],
        sampling.counts,
        settled,
    )
