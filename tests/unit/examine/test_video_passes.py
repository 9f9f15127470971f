"""Rounds of frames: when one follows, and that several give what one pass gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framejury.examine.child import examine_video
from framejury.examine.faces import ExaminedFace, FaceExaminer
from framejury.examine.messages import TABLE_COLUMN, ExaminePlan, VideoJob
from framejury.examine.toolbox import Examined, Toolbox
from framejury.examine.video_passes import TimeBudget
from framejury.examine.worker import Examiner
from framejury.media.decode import VideoFile
from framejury.model.manifest import Bundle
from framejury.records import Image, Size
from framejury.schemas.notes import from_text
from framejury.schemas.statuses import Note, Status
from framejury.settings.loading import settings_from
from tests.builders import clips
from tests.builders.bundles import brightness_bundle

ROUNDS = (5, 12, 30)
HALF = Size(240, 240)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return brightness_bundle(tmp_path_factory.mktemp("bundle") / "b")


@pytest.fixture(scope="module")
def two_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds; the left one is there at first, for less than a second, and at the end."""
    faces, empty = clips.face_frames(50, HALF), clips.plain_frames(50, HALF)
    frames: list[Image] = [
        np.concatenate(
            [
                (face if index < 4 or index >= 25 else nobody) // 2,
                face if index >= 6 else nobody,
            ],
            axis=1,
        )
        for index, (face, nobody) in enumerate(zip(faces, empty, strict=True))
    ]
    return clips.write_clip(tmp_path_factory.mktemp("two") / "a.mp4", frames, fps=5)


def plan(bundle: Bundle | None, rounds: Sequence[int] = ROUNDS, **sections: Any) -> ExaminePlan:
    haar = {"detector": "haar", "min_face_px": 60}
    values = {"sampling": {"rounds": rounds}, "detection": haar} | sections
    directory = None if bundle is None else str(bundle.directory)
    settings = settings_from(values).model_dump(mode="json")
    return ExaminePlan("run-1", settings, directory, keep_crops=False)


def tools(bundle: Bundle | None, rounds: Sequence[int] = ROUNDS, **sections: Any) -> Toolbox:
    return Toolbox.load(plan(bundle, rounds, **sections))


def doubtful(bundle: Bundle, path: Path) -> dict[str, Any]:
    """Settings under which the interval crosses the threshold, however many frames there are."""
    mean = np.mean([face.score for face in examined(path, tools(bundle, [30])).faces])
    return {"verdict": {"threshold": float(mean), "confidence_level": 0.9999}}


def examined(path: Path, chosen: Toolbox, **options: Any) -> Examined:
    found = examine_video(path, "key", chosen, **options)
    assert found.outcome.sampled_s == sorted(found.outcome.sampled_s)
    assert len(set(found.outcome.sampled_s)) == found.outcome.frames_sampled
    return found


def rounds_and_frames(found: Examined) -> tuple[int | None, int]:
    return found.outcome.rounds, found.outcome.frames_sampled


# ---------------------------------------------------------------- when a round follows


@pytest.mark.parametrize("threshold", [0.01, 0.99])
def test_a_settled_verdict_takes_one_round(
    bundle: Bundle, two_people: Path, threshold: float
) -> None:
    found = examined(two_people, tools(bundle, verdict={"threshold": threshold}))
    assert rounds_and_frames(found) == (1, 5)


def test_a_doubtful_verdict_takes_all_rounds(bundle: Bundle, two_people: Path) -> None:
    found = examined(two_people, tools(bundle, **doubtful(bundle, two_people)))
    assert rounds_and_frames(found) == (3, 30)


def test_rounds_end_as_soon_as_there_are_faces_enough(bundle: Bundle, two_people: Path) -> None:
    few = {"threshold": 0.01, "min_faces": 10}
    found = examined(two_people, tools(bundle, verdict=few))
    assert rounds_and_frames(found) == (2, 12) and len(found.faces) >= 10


def test_rounds_end_with_the_video(bundle: Bundle, two_people: Path) -> None:
    sections = doubtful(bundle, two_people)
    found = examined(two_people, tools(bundle, [12, 80, 90], **sections))
    assert rounds_and_frames(found) == (2, 50)


def test_a_video_without_a_face_gets_one_more_round(bundle: Bundle, tmp_path: Path) -> None:
    path = clips.write_clip(tmp_path / "a.mp4", clips.plain_frames(50), fps=5)
    found = examined(path, tools(bundle))
    assert found.outcome.status is Status.NO_FACE
    assert rounds_and_frames(found) == (2, 12)


@pytest.mark.parametrize(
    ("sampling", "frames"),
    [
        ({"rounds": []}, 11),
        ({"frames": 7}, 7),
        ({"rounds": ROUNDS, "mode": "random"}, 5),
        ({"rounds": ROUNDS, "mode": "strided", "skip_frames": 0, "skip_frames_short": 0}, 5),
        ({"rounds": ROUNDS, "mode": "every_s", "every_s": 1.0}, 10),
    ],
)
def test_there_is_one_round_where_the_settings_have_no_others(
    bundle: Bundle, two_people: Path, sampling: dict[str, Any], frames: int
) -> None:
    sections = doubtful(bundle, two_people) | {"sampling": sampling}
    assert rounds_and_frames(examined(two_people, tools(bundle, **sections))) == (1, frames)


def test_there_is_one_round_without_a_network(two_people: Path) -> None:
    assert rounds_and_frames(examined(two_people, tools(None))) == (1, 5)


def test_no_round_is_begun_for_which_time_may_not_suffice(bundle: Bundle, two_people: Path) -> None:
    sections = doubtful(bundle, two_people)
    in_haste = examined(two_people, tools(bundle, **sections), left_s=0.01)
    assert rounds_and_frames(in_haste) == (1, 5) and in_haste.outcome.status is Status.EXTRACTED
    (note,) = from_text(in_haste.outcome.notes)
    assert note.code is Note.ROUNDS_LEFT_OUT and "half of limits.timeout_s" in note.sentence
    cpu = examined(two_people, tools(bundle, **sections, limits={"cpu_s": 0.01}))
    assert rounds_and_frames(cpu) == (1, 5)


def test_a_video_that_failed_is_tried_again_in_one_round(bundle: Bundle, two_people: Path) -> None:
    sections = doubtful(bundle, two_people)
    found = examined(two_people, tools(bundle, **sections), in_one_round=True)
    assert rounds_and_frames(found) == (1, 5) and found.outcome.status is Status.EXTRACTED
    assert found.outcome.notes == "rounds_left_out: an earlier try failed"
    sure = tools(bundle, verdict={"threshold": 0.01})
    assert not examined(two_people, sure, in_one_round=True).outcome.notes


def test_a_settled_video_has_no_note_on_rounds(bundle: Bundle, two_people: Path) -> None:
    sure = tools(bundle, verdict={"threshold": 0.01})
    assert not examined(two_people, sure, left_s=0.01).outcome.notes


def test_what_happens_in_a_later_round_costs_no_faces(bundle: Bundle, tmp_path: Path) -> None:
    """The last two frames are larger than allowed; only a later round meets them."""
    frames = clips.face_frames(50, HALF)
    large = [np.repeat(np.repeat(frame, 2, axis=0), 2, axis=1) for frame in frames[48:]]
    path = clips.write_size_change(tmp_path / "a.ts", frames[:48], large)
    limits = {"frame_px": HALF.height * HALF.width}
    sections = {"verdict": {"min_faces": 1000, "confidence_level": None}, "limits": limits}
    once = examined(path, tools(bundle, [5], **sections))
    assert once.outcome.error is None and len(once.faces) >= 5
    found = examined(path, tools(bundle, [5, 50], **sections))
    assert found.outcome.status is Status.EXTRACTED
    assert found.outcome.rounds == 2 and len(found.faces) == found.outcome.faces_kept > 40
    assert found.outcome.error is not None
    assert "round 2 of frames ended early" in found.outcome.error
    places = [(face.frame_index, face.face_index) for face in found.faces]
    assert places == sorted(set(places))
    assert all(face.score is not None for face in found.faces)


def test_rounds_without_a_sampled_frame_do_not_count(bundle: Bundle, tmp_path: Path) -> None:
    path = clips.write_text(tmp_path / "a.mp4")
    assert rounds_and_frames(examine_video(path, "key", tools(bundle))) == (None, 0)


def test_time_is_estimated_from_what_was_used() -> None:
    assert TimeBudget(60, 60).allows(100)
    assert not TimeBudget(60, 60).allows(1e9)
    assert not TimeBudget(1e-9, 60).allows(2) and not TimeBudget(60, 1e-9).allows(2)


# ---------------------------------------------------------------- as in one pass


def in_one_pass(path: Path, chosen: Toolbox, times_s: Sequence[float]) -> FaceExaminer:
    """Examine frames of these times as one round would."""
    examiner = chosen.face_examiner()
    with VideoFile(path, chosen.settings.limits) as video:
        ranks = np.searchsorted(video.facts.times_s, np.array(times_s) - 1e-6)
        for sample in video.samples(ranks, None, chosen.settings.sampling.offsets):
            examiner.examine(sample)
    examiner.finish()
    return examiner


def assert_same_faces(one: Sequence[ExaminedFace], other: Sequence[ExaminedFace]) -> None:
    """Compare all but scores and similarities exactly; batches of a network may round."""
    assert len(one) == len(other) > 0
    for a, b in zip(one, other, strict=True):
        assert replace(a, score=None, ssim=None) == replace(b, score=None, ssim=None)
        assert a.score == pytest.approx(b.score, abs=1e-6)
        assert a.ssim == pytest.approx(b.ssim, abs=1e-6)


@pytest.mark.parametrize("pairs", [False, True])
def test_rounds_give_what_one_pass_over_their_frames_gives(
    bundle: Bundle, two_people: Path, pairs: bool
) -> None:
    rounds = [3, 8, 20] if pairs else ROUNDS
    sections = doubtful(bundle, two_people) | {"sampling": {"rounds": rounds, "pairs": pairs}}
    chosen = tools(bundle, **sections, evidence={"faces": 3})
    found = examined_pairs(two_people, chosen) if pairs else examined(two_people, chosen)
    assert found.outcome.rounds == 3
    whole = in_one_pass(two_people, chosen, found.outcome.sampled_s)
    assert_same_faces(found.faces, whole.faces)
    pictures = whole.pictures(chosen.settings.evidence.occlusion_s)
    for one, other in zip(found.pictures, pictures, strict=True):
        assert one == other | {"score": pytest.approx(other["score"], abs=1e-6)}
    assert {face.person for face in found.faces} >= {0, 1}


def examined_pairs(path: Path, chosen: Toolbox) -> Examined:
    found = examine_video(path, "key", chosen)
    assert 2 * len(set(found.outcome.sampled_s)) == found.outcome.frames_sampled
    return found


def test_tracks_are_numbered_by_time_not_by_round(bundle: Bundle, two_people: Path) -> None:
    """The first round misses the one who is there for the first second only."""
    alone = examined(two_people, tools(bundle, ROUNDS[:1])).faces
    assert min(face.frame_index for face in alone if face.person == 0) >= 4
    assert all(face.face.box.x > HALF.width / 2 for face in alone if face.person == 0)
    found = examined(two_people, tools(bundle, **doubtful(bundle, two_people))).faces
    assert min(face.frame_index for face in found if face.person == 0) < 4
    assert all(face.face.box.x < HALF.width / 2 for face in found if face.person == 0)


def test_damaged_frames_are_stood_in_for_once(
    bundle: Bundle, two_people: Path, tmp_path: Path
) -> None:
    content = bytearray(two_people.read_bytes())
    body = clips.mp4_boxes(content)["mdat"]
    middle = range(body.start + len(body) // 3, body.start + len(body) // 2)
    content[middle.start : middle.stop] = bytes(len(middle))
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    found = examined(path, tools(bundle, **doubtful(bundle, two_people)))
    assert found.outcome.rounds == 3 and found.outcome.error is not None
    assert found.outcome.error.count("damaged") <= 2
    places = [(face.frame_index, face.face_index) for face in found.faces]
    assert places == sorted(set(places)) and len(places) > 10


# ---------------------------------------------------------------- through the child


def test_a_worker_gets_the_faces_of_all_rounds(bundle: Bundle, two_people: Path) -> None:
    with Examiner(plan(bundle, **doubtful(bundle, two_people))) as examiner:
        rows = examiner.examine(VideoJob("video-1", str(two_people))).to_pylist()
    extraction, *others = rows
    assert (extraction["rounds"], extraction["frames_sampled"]) == (3, 30)
    assert extraction["frames_decoded"] >= 30
    scores = [row for row in others if row[TABLE_COLUMN] == "face_scores"]
    assert len(scores) == extraction["faces_kept"] > 30
    assert {row["frame_index"] for row in scores if row["person"] == 1} >= {45}
    kinds = {row["kind"] for row in others if row[TABLE_COLUMN] == "pictures"}
    assert {"face", "frame"} <= kinds
