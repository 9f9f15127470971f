"""Figures of the evaluation protocol: one bundle on many labelled videos, broken down.

All figures exist for all videos, each data set, each method, each number of frames per video and
each perturbation, with intervals by resampling groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from framejury.evaluation.binary import (
    BinaryMetrics,
    DetCurve,
    Floats,
    Integers,
    binary_metrics,
    det_points,
)
from framejury.evaluation.bootstrap import (
    Bootstrap,
    Interval,
    bootstrap_intervals,
    share_interval,
)
from framejury.evaluation.metrics import SliceMetrics, slice_metrics
from framejury.evaluation.reliability import Reliability, error_by_chance, reliability
from framejury.evaluation.rows import NOT_SCORED, VideoRows, is_known, video_rows
from framejury.schemas.statuses import Label, Verdict

FACE_FIGURES = (
    "auc",
    "eer",
    "average_precision",
    "log_loss",
    "ece",
    "tpr_at_fpr_1",
    "tpr_at_fpr_5",
)
"""Figures of single faces: those without a threshold, because the threshold is for videos."""

CALL_FIGURES = (
    *FACE_FIGURES,
    "accuracy",
    "balanced_accuracy",
    "recall_real",
    "recall_fake",
)
"""Figures of the call at the threshold over all scored videos, decided or not."""

VERDICT_FIGURES = (
    "reals_called_fake",
    "reals_inconclusive",
    "fakes_called_real",
    "fakes_inconclusive",
    "coverage",
)
"""Figures of the three-way verdict. The first four are shares of the scored videos of a class;
coverage is the share of all labelled videos with verdict fake or real."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ProtocolData:
    """Measurements of the protocol.

    Attributes:
        headline: frames per video behind the headline, and behind `perturbed`; a key of
            `by_frames` unless that is empty.
        by_frames: frames per video -> verdicts, columns `rows.REPORT_COLUMNS`; all tables have
            the same labelled videos in the same order. Empty where frames are not evenly spread.
        data_sets: the data sets of each video, the widest first.
        data_set_rule: sentence on how they are named.
        face_scores: float64 (n,), score of each face; face_videos: int64 (n,), the row of
            its video.
        perturbed: family -> strength -> verdicts as above, strengths from mild to strong;
            family `none` has one entry, the unperturbed faces. Empty: not measured.
        rounds: frames per video after each round; () where the headline is not judged in rounds.
        in_use: the headline's verdicts as above, where it is judged in rounds or by all frames
            of another mode; None: those of `by_frames`.
        mode: how frames are sampled (`sampling.mode`).
    """

    headline: int
    by_frames: Mapping[int, pa.Table]
    data_sets: Sequence[Sequence[str]]
    data_set_rule: str
    face_scores: Floats
    face_videos: Integers
    perturbed: Mapping[str, Mapping[float, pa.Table]] = field(default_factory=dict)
    rounds: Sequence[int] = ()
    in_use: pa.Table | None = None
    mode: str = "uniform"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its interval; None where the data do not define it."""

    value: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class ProtocolSlice:
    """All figures of one set of videos.

    Attributes:
        name: of the set.
        metrics: counts, confusion and bootstrap.
        videos: `CALL_FIGURES` and `VERDICT_FIGURES` by name.
        faces: `FACE_FIGURES` by name; empty where faces are not measured separately.
        face_count: faces, count.
    """

    name: str
    metrics: SliceMetrics
    videos: dict[str, Estimate]
    faces: dict[str, Estimate]
    face_count: int


@dataclass(frozen=True, slots=True)
class MethodSlice:
    """Fakes of one method in one data set, against reals.

    Attributes:
        reals_of: data set of the reals, or "all data sets" where this one has no reals.
    """

    data_set: str
    method: str
    reals_of: str
    figures: ProtocolSlice


@dataclass(frozen=True, slots=True, eq=False)
class ProtocolFindings:
    """All figures of the protocol.

    Attributes:
        headline: frames per video behind `robustness`, and without rounds also behind `overall`,
            `data_sets`, `methods` and the curves.
        rounds, mode: as in `ProtocolData`.
        by_frames: frames per video -> figures; robustness: family -> strength -> figures.
        ece_by_chance: calibration error of perfectly calibrated scores on as many videos; None
            without a scored video.
        det_videos, det_faces: None when a class is missing.
    """

    headline: int
    rounds: tuple[int, ...]
    mode: str
    overall: ProtocolSlice
    data_sets: tuple[ProtocolSlice, ...]
    data_set_rule: str
    methods: tuple[MethodSlice, ...]
    by_frames: dict[int, ProtocolSlice]
    robustness: dict[str, dict[float, ProtocolSlice]]
    reliability: Reliability
    ece_by_chance: float | None
    det_videos: DetCurve | None
    det_faces: DetCurve | None

    @property
    def headline_frames(self) -> str:
        """The frames per video of the headline, in words."""
        if self.mode != "uniform":
            return f"the frames of sampling.mode={self.mode}"
        if not self.rounds:
            return f"{self.headline} frames"
        counts = ", ".join(map(str, self.rounds))
        return f"{self.rounds[0]} to {self.rounds[-1]} frames, in rounds ({counts})"


def find_protocol(data: ProtocolData) -> ProtocolFindings:
    """Compute all figures.

    Raises:
        ValueError: as `rows.video_rows`, or a video has no label or no data set.
    """
    own = data.by_frames[data.headline] if data.in_use is None else data.in_use
    rows = video_rows(own)
    if not rows.known.all():
        raise ValueError("a video has no label; the protocol measures labelled videos only")
    sets = [tuple(names) for names in data.data_sets]
    if len(sets) != len(rows):
        raise ValueError(f"{len(rows)} videos have verdicts, but {len(sets)} have data sets")
    everything = np.ones(len(rows), np.bool_)
    scored = rows.where(rows.scored)
    faces_fake = rows.fake[data.face_videos]
    return ProtocolFindings(
        headline=data.headline,
        rounds=tuple(data.rounds),
        mode=data.mode,
        overall=protocol_slice("all videos", rows, everything, data),
        data_sets=tuple(
            protocol_slice(name, rows, np.array([name in names for names in sets], np.bool_), data)
            for name in sorted({name for names in sets for name in names})
        ),
        data_set_rule=data.data_set_rule,
        methods=_methods(rows, np.array([names[0] for names in sets], object)),
        by_frames={
            count: protocol_slice(f"{count} frames", video_rows(table), everything)
            for count, table in sorted(data.by_frames.items())
        },
        robustness={
            family: {
                strength: protocol_slice(f"{family} {strength:g}", video_rows(table), everything)
                for strength, table in tables.items()
            }
            for family, tables in data.perturbed.items()
        },
        reliability=reliability(scored.fake, scored.scores),
        ece_by_chance=error_by_chance(scored.scores) if len(scored) else None,
        det_videos=det_points(scored.fake, scored.scores),
        det_faces=det_points(faces_fake, data.face_scores),
    )


def protocol_slice(
    name: str, rows: VideoRows, mask: Flags, data: ProtocolData | None = None
) -> ProtocolSlice:
    """Compute the figures of some videos.

    Args:
        name: of the slice.
        rows: labelled videos, or at least those in `mask`.
        mask: bool (n,), the videos to measure.
        data: also measure their faces; None: videos only.
    """
    mine = rows.where(mask)
    metrics = slice_metrics(name, mine)
    faces: dict[str, Estimate] = {}
    count = 0
    if data is not None:
        here = mask[data.face_videos]
        videos = data.face_videos[here]
        count = len(videos)
        scores, fake = data.face_scores[here], rows.fake[videos]
        _, groups = np.unique(rows.group_numbers[videos], return_inverse=True)
        found = binary_metrics(fake, scores, 0.5)
        intervals = bootstrap_intervals(fake, scores, scores >= 0.5, groups)
        faces = _estimates(FACE_FIGURES, found, intervals)
    return ProtocolSlice(
        name=name,
        metrics=metrics,
        videos=_estimates(CALL_FIGURES, metrics.scored, metrics.bootstrap) | _verdicts(mine),
        faces=faces,
        face_count=count,
    )


def _estimates(
    names: Sequence[str], metrics: BinaryMetrics, bootstrap: Bootstrap
) -> dict[str, Estimate]:
    return {name: Estimate(getattr(metrics, name), bootstrap.intervals[name]) for name in names}


def _verdicts(rows: VideoRows) -> dict[str, Estimate]:
    """Return `VERDICT_FIGURES` of labelled videos."""
    scored = rows.outcomes != NOT_SCORED
    reals = rows.where(scored & (rows.labels == Label.REAL.value))
    fakes = rows.where(scored & (rows.labels == Label.FAKE.value))
    undecided = Verdict.INCONCLUSIVE.value
    decided = np.isin(rows.outcomes, [Verdict.FAKE.value, Verdict.REAL.value])
    return {
        "reals_called_fake": _share(reals, reals.outcomes == Verdict.FAKE.value),
        "reals_inconclusive": _share(reals, reals.outcomes == undecided),
        "fakes_called_real": _share(fakes, fakes.outcomes == Verdict.REAL.value),
        "fakes_inconclusive": _share(fakes, fakes.outcomes == undecided),
        "coverage": _share(rows, decided),
    }


def _share(rows: VideoRows, flags: Flags) -> Estimate:
    if not len(rows):
        return Estimate(None, None)
    return Estimate(float(flags.mean()), share_interval(flags, rows.group_numbers))


def _methods(rows: VideoRows, sets: npt.NDArray[np.object_]) -> tuple[MethodSlice, ...]:
    """Return one slice per data set and named method, with reals of the same data set if any."""
    fake = (rows.labels == Label.FAKE.value) & is_known(rows.methods)
    real = rows.labels == Label.REAL.value
    found = []
    for data_set, method in sorted(set(zip(sets[fake], rows.methods[fake], strict=True))):
        mine = fake & (sets == data_set) & (rows.methods == method)
        near = real & (sets == data_set)
        chosen, reals_of = (near, data_set) if near.any() else (real, "all data sets")
        figures = protocol_slice(f"{data_set}, {method}", rows, mine | chosen)
        found.append(MethodSlice(data_set, method, reals_of, figures))
    return tuple(found)
