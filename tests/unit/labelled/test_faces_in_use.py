"""A rule is fitted, and figures are made, on the faces by which videos are judged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from framejury.labelled.faces_in_use import (
    faces_in_use,
    few_frames_note,
    fit_rule_in_use,
    left_out_note,
    rule_note,
)
from framejury.labelled.measure import fit_rule_on
from framejury.labelled.scoring import SCORED_FACES
from framejury.labelled.videos import LabelledVideo
from framejury.settings import SamplingSettings, VerdictSettings
from framejury.verdict.rule import Rule

FRAMES = 96
SAMPLED_S = ((np.arange(FRAMES) + 0.5) * 60 / FRAMES).tolist()
SETTINGS = VerdictSettings()


def video(name: str, label: str = "REAL", *, known: bool = True) -> LabelledVideo:
    row = {"video_id": name, "path": name, "label": label, "group": name, "layout": "plain"}
    extraction = {"sampled_s": SAMPLED_S if known else None, "duration_s": 60.0}
    extraction |= {"frames_total": 1500}
    return LabelledVideo(row, extraction)


def scored(scores: dict[str, Sequence[float]]) -> pa.Table:
    rows = [
        {
            "video_id": name,
            "frame_index": number,
            "pts_s": SAMPLED_S[number],
            "face_index": 0,
            "person": 0,
            "score": score,
        }
        for name, those in sorted(scores.items())
        for number, score in enumerate(those)
    ]
    return pa.Table.from_pylist(rows, schema=SCORED_FACES)


def counts(table: pa.Table) -> dict[str, int]:
    found = table.group_by("video_id").aggregate([("score", "count")])
    return dict(zip(found["video_id"].to_pylist(), found["score_count"].to_pylist(), strict=True))


WAVERING = [0.2, 0.8] * (FRAMES // 2)
SURE = [0.1] * FRAMES


def test_each_video_keeps_the_faces_of_its_rounds() -> None:
    faces = scored({"sure": SURE, "wavering": WAVERING, "old": WAVERING})
    videos = [video("sure"), video("wavering"), video("old", known=False)]
    rounds = SamplingSettings(rounds=(11, 32, 64))
    kept = faces_in_use(faces, videos, rounds, Rule(), SETTINGS)
    assert counts(kept) == {"sure": 11, "wavering": 64, "old": FRAMES}
    fixed = faces_in_use(faces, videos, SamplingSettings(frames=24), Rule(), SETTINGS)
    assert counts(fixed) == {"sure": 24, "wavering": 24, "old": FRAMES}
    assert faces_in_use(faces, videos, SamplingSettings(mode="all"), Rule(), SETTINGS) == faces


def test_no_faces_are_no_faces() -> None:
    nothing = scored({})
    assert faces_in_use(nothing, [], SamplingSettings(), Rule(), SETTINGS).num_rows == 0


def test_the_rule_is_that_of_the_frames_in_use() -> None:
    """Fewer frames per video give other means, and so another rule."""
    rng = np.random.default_rng(0)
    scores, videos = {}, []
    for number in range(24):
        label = "FAKE" if number % 2 else "REAL"
        name = f"{label}-{number:02}"
        videos.append(video(name, label))
        level = 0.5 if label == "FAKE" else 0.0
        scores[name] = (rng.uniform(0.1, 0.4, FRAMES) + level).tolist()
    faces, few = scored(scores), SamplingSettings(frames=8)
    fitted = fit_rule_in_use(faces, videos, few, SETTINGS, data="made")
    alone = fit_rule_on(
        faces_in_use(faces, videos, few, Rule(), SETTINGS), videos, SETTINGS, data="made"
    )
    assert fitted.rule == alone.rule
    assert fitted.rule != fit_rule_on(faces, videos, SETTINGS, data="made").rule


def test_a_report_states_that_faces_are_left_out() -> None:
    assert left_out_note(10, 10) == ()
    (note,) = left_out_note(1200, 300)
    assert note.startswith("Videos are judged by 300 of 1,200 stored faces")


def stored(frames: int, total: int = 1500) -> LabelledVideo:
    extraction = {"sampled_s": SAMPLED_S[:frames], "duration_s": 60.0, "frames_total": total}
    return LabelledVideo({}, extraction)


def test_a_rule_fitted_on_fewer_frames_than_it_judges_by_is_noted() -> None:
    rounds = SamplingSettings(rounds=(11, 32, 96))
    (note,) = rule_note([stored(11), stored(11), stored(96)], rounds)
    assert note == (
        "Its rule was fitted on 11 frames per video, and it judges by up to 96. Extract with "
        "--set sampling.frames=96 or more."
    )
    (note,) = few_frames_note([stored(11)], SamplingSettings(frames=24))
    assert "only 11 stored frames here, but the bundle judges by 24," in note


def test_frames_enough_are_not_noted() -> None:
    rounds = SamplingSettings(rounds=(11, 32, 96))
    assert rule_note([stored(11), stored(96), stored(96)], rounds) == ()
    assert rule_note([stored(11)], SamplingSettings(frames=11)) == ()
    assert rule_note([stored(11)], SamplingSettings(mode="all")) == ()
    short = [stored(20, total=20), stored(30, total=30)]
    assert rule_note(short, rounds) == few_frames_note(short, rounds) == ()
    pairs = SamplingSettings(rounds=(11, 32), pairs=True)
    assert rule_note([stored(10, total=21)], pairs) == ()


def test_faces_of_face_sets_have_no_sampled_times() -> None:
    assert rule_note([video("set", known=False), LabelledVideo({}, None)], SamplingSettings()) == ()
