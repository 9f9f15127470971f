"""Labelled videos with the scores that each member of an ensemble gave their faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from framejury.errors import WarehouseError
from framejury.evaluation.crossfit import ScoredVideo
from framejury.evaluation.stacking import StackedVideos
from framejury.labelled.videos import NO_FAKE_PICTURE, LabelledVideo, modalities_of
from framejury.model.bundle import read_seen
from framejury.model.ensemble import centres_of, combined
from framejury.model.manifest import Bundle
from framejury.model.seen import KnownVideo, known_video
from framejury.schemas.statuses import Label, Side
from framejury.verdict.calibration import logit
from framejury.warehouse import Warehouse
from framejury.warehouse.frame_scores import faces_behind

_FACE = ["video_id", "frame_index", "face_index"]
_READ = [*_FACE, "model_id", "run_id", "person", "score"]


@dataclass(frozen=True, eq=False)
class MemberScores:
    """One labelled video, n faces >= 1.

    Attributes:
        row: its row of `videos`.
        known: what it can be recognised by.
        scores: float64 (n, m), by each member.
        person, frame_index: (n,), face track and frame of each face.
    """

    row: dict[str, Any]
    known: KnownVideo
    scores: npt.NDArray[np.float64]
    person: Sequence[int]
    frame_index: Sequence[int]

    @property
    def label(self) -> int:
        """1 for FAKE, 0 for REAL."""
        return int(self.row["label"] == Label.FAKE)


def stacked(videos: Sequence[MemberScores]) -> StackedVideos:
    """Return the videos as the fit of weights takes them."""
    return StackedVideos(
        np.array([logit(one.scores).mean(axis=0) for one in videos]),
        np.array([one.label for one in videos], np.int64),
        np.array([one.row["group"] for one in videos]),
    )


def scored_by(videos: Sequence[MemberScores], ensemble: Bundle) -> list[ScoredVideo]:
    """Return the videos scored by the ensemble, as the fit of a rule takes them."""
    weights = [member.weight for member in ensemble.members]
    centres = centres_of(ensemble.parts)
    return [
        ScoredVideo(
            score=combined(one.scores, weights, centres).astype(np.float32),
            person=one.person,
            label=one.label,
            group=one.row["group"],
            frames=len(set(one.frame_index)),
            source=LabelledVideo(one.row, None).dataset,
        )
        for one in videos
    ]


def judged_by_all(warehouse: Warehouse, parts: Sequence[Bundle]) -> tuple[list[MemberScores], str]:
    """Return labelled videos of a warehouse whose faces every member scored, and which they are.

    Where the warehouse has a split, only its videos of val count. Fakes whose pictures are
    unchanged do not.

    Args:
        warehouse: in which the members judged, as an ensemble or one after the other.
        parts: the members.

    Returns:
        the videos, by path, and `split val` or `all labelled videos`.

    Raises:
        WarehouseError: a member has no scores there.
    """
    rows = {row["video_id"]: row for row in warehouse.read_snapshot("videos").to_pylist()}
    modalities = modalities_of(warehouse)
    sides, which = None, "all labelled videos"
    if warehouse.with_table("splits"):
        found = warehouse.read_snapshot("splits").select(["video_id", "side"]).to_pylist()
        sides, which = {row["video_id"]: row["side"] for row in found}, f"split {Side.VAL.value}"
    chosen = {
        video_id: row
        for video_id, row in rows.items()
        if row["label"] is not None
        and row["missing_since"] is None
        and (sides is None or sides.get(video_id) == Side.VAL.value)
        and modalities.get(video_id) not in NO_FAKE_PICTURE
    }
    faces = _faces(warehouse, pa.array(list(chosen), pa.string()), parts)
    names = [f"score_{number}" for number in range(len(parts))]
    contents = warehouse.read_latest("extractions", ["content_id"])
    content_of = {row["video_id"]: row["content_id"] for row in contents.to_pylist()}
    by_video = faces.group_by("video_id").aggregate(
        [(name, "list") for name in ("person", "frame_index", *names)]
    )
    videos = [
        MemberScores(
            chosen[one["video_id"]],
            known_video(
                chosen[one["video_id"]], content_of.get(one["video_id"]), warehouse.archive
            ),
            np.array([one[f"{name}_list"] for name in names], np.float64).T,
            one["person_list"],
            one["frame_index_list"],
        )
        for one in by_video.to_pylist()
    ]
    return sorted(videos, key=lambda one: str(one.row["path"])), which


def unseen(videos: Sequence[MemberScores], part: Bundle) -> list[MemberScores]:
    """Leave out the videos that a member was trained on, as far as it has a record."""
    record = read_seen(part)
    if record is None:
        return list(videos)
    sides = record.sides_of([one.known for one in videos])
    return [one for one, side in zip(videos, sides, strict=True) if side != Side.TRAIN.value]


def _faces(warehouse: Warehouse, ids: pa.Array, parts: Sequence[Bundle]) -> pa.Table:
    """Return the faces that all members scored: `_FACE`, person, and a score per member."""
    verdicts = warehouse.read_latest("verdicts", ["run_id", "faces_scored"])
    verdicts = verdicts.filter(pc.is_in(verdicts["video_id"], ids))
    joined: pa.Table | None = None
    for number, part in enumerate(parts):
        model = pa.array([part.model_id] * verdicts.num_rows, pa.string())
        behind = faces_behind(warehouse, verdicts.append_column("model_id", model), _READ)
        tables = [table for table, _ in behind]
        if not tables:
            raise WarehouseError(
                f"{warehouse.location.uri} has no labelled video that {part.model_id} judged; run: "
                f"framejury nightly {warehouse.archive or 'ARCHIVE'} --warehouse "
                f"{warehouse.location.uri} --rescore "
                + " ".join(f"--bundle {one.directory}" for one in parts)
            )
        scored = pa.concat_tables(tables).rename_columns({"score": f"score_{number}"})
        if joined is None:
            joined = scored.select([*_FACE, "person", f"score_{number}"])
        else:
            joined = joined.join(
                scored.select([*_FACE, f"score_{number}"]), _FACE, join_type="inner"
            )
    assert joined is not None
    return joined.sort_by([(name, "ascending") for name in _FACE])
