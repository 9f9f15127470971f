"""Figures of a split, by data set and by method of the fakes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from framejury.archive.face_sets import FACE_SET_LAYOUTS, SAMPLED_LAYOUT
from framejury.labelled.measure import FrameLabels, figures_for_card, judge_labelled
from framejury.labelled.videos import LabelledVideo
from framejury.model.figure_sets import OF_FAKES, FigureSet, Kind
from framejury.model.manifest import Bundle, Measurement
from framejury.schemas.statuses import Label, Side
from framejury.settings import VerdictSettings
from framejury.verdict.judge import face_threshold

_FIGURES_OF_FAKES = ("real_videos", "fake_videos", "video_auc", "video_recall_fake")


def figures_by_set(
    scored: pa.Table,
    bundle: Bundle,
    videos: Sequence[LabelledVideo],
    settings: VerdictSettings,
    *,
    side: Side,
    in_use: pa.Table | None = None,
    frame_labels: FrameLabels | None = None,
) -> dict[str, dict[str, Measurement]]:
    """Return the figures of a split and of each data set in it, by name.

    Of split test, also the figures of each method of its fakes, and of known and unknown methods
    (`model.figure_sets`). Face sets have one to a few pictures per video, so they get figures of
    their own and are left out of the figures of the split, unless it has no other videos.

    Args:
        scored: from `labelled.scoring.score_faces`.
        bundle: judges.
        videos: of the split.
        settings: as of `judge_labelled`.
        side: the split, which names the figures: `test`, and `test, SET` for each data set.
        in_use, frame_labels: as of `judge_labelled`.
    """
    whole = [video for video in videos if video.row["layout"] not in FACE_SET_LAYOUTS]
    sampled = [video for video in videos if video.row["layout"] == SAMPLED_LAYOUT]
    sets: dict[str, list[LabelledVideo]] = {}
    for video in sorted(videos, key=lambda video: video.dataset):
        sets.setdefault(video.dataset, []).append(video)
    parts = {FigureSet(side.value): whole or list(videos)}
    if len(sets) > 1:
        parts |= {FigureSet(side.value, "data set", name): some for name, some in sets.items()}
    if side is Side.TEST:
        parts |= _of_methods(sets, whole or list(videos))
        if bundle.data.methods is not None:
            parts |= _known_and_unknown(whole, sampled, bundle.data.methods)
    figures = {}
    for which, members in parts.items():
        ids = pa.array([video.row["video_id"] for video in members], pa.string())
        faces, judged = (
            None if some is None else some.filter(pc.is_in(some["video_id"], value_set=ids))
            for some in (scored, in_use)
        )
        verdicts, counts = judge_labelled(
            faces,
            bundle,
            members,
            settings,
            run_id=str(which),
            in_use=judged,
            frame_labels=frame_labels,
        )
        found = figures_for_card(verdicts, counts, face_threshold(bundle.rule))
        kept = _FIGURES_OF_FAKES if which.kind in OF_FAKES else tuple(found)
        figures[str(which)] = {name: figure for name, figure in found.items() if name in kept}
    return figures


def _of_methods(
    sets: Mapping[str, Sequence[LabelledVideo]], everything: Sequence[LabelledVideo]
) -> dict[FigureSet, list[LabelledVideo]]:
    """Return the test fakes of each method, with reals.

    Args:
        sets: data set -> its videos.
        everything: of the split, as its figures count them.
    """
    all_reals = _reals(everything)
    parts: dict[FigureSet, list[LabelledVideo]] = {}
    for data_set, members in sets.items():
        reals = _reals(members) or all_reals
        for method, fakes in sorted(_by_method(members).items()):
            which = FigureSet(Side.TEST.value, "method", data_set, method)
            parts[which] = [*fakes, *reals]
    return parts


def _known_and_unknown(
    whole: Sequence[LabelledVideo], sampled: Sequence[LabelledVideo], trained: Collection[str]
) -> dict[FigureSet, list[LabelledVideo]]:
    """Return the test fakes of known and of unknown methods, each with all reals.

    Args:
        whole: the whole videos of the split.
        sampled: its videos of which only sampled faces are stored; where there are any, they are
            added under a name of their own.
        trained: methods of the training fakes.
    """
    scopes: list[tuple[Sequence[LabelledVideo], tuple[Kind, Kind]]] = [
        (whole, ("known methods", "unknown methods"))
    ]
    if sampled:
        names: tuple[Kind, Kind] = (
            "known methods with sampled faces",
            "unknown methods with sampled faces",
        )
        scopes.append(([*whole, *sampled], names))
    parts: dict[FigureSet, list[LabelledVideo]] = {}
    for videos, (known, unknown) in scopes:
        kinds: dict[Kind, list[LabelledVideo]] = {known: [], unknown: []}
        for method, fakes in _by_method(videos).items():
            kinds[known if method in trained else unknown] += fakes
        for kind, some in kinds.items():
            if some:
                parts[FigureSet(Side.TEST.value, kind)] = [*some, *_reals(videos)]
    return parts


def _reals(videos: Sequence[LabelledVideo]) -> list[LabelledVideo]:
    return [video for video in videos if video.row["label"] == Label.REAL]


def _by_method(videos: Sequence[LabelledVideo]) -> dict[str, list[LabelledVideo]]:
    """Return method -> its fakes; fakes without a named method are left out."""
    found: dict[str, list[LabelledVideo]] = {}
    for video in videos:
        if video.row["label"] == Label.FAKE and video.row["method"] is not None:
            found.setdefault(str(video.row["method"]), []).append(video)
    return found
