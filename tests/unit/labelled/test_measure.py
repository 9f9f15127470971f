"""Figures of a side and of the data sets on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from framejury.labelled.measure import fit_rule_on, judge_labelled, scored_videos
from framejury.labelled.scoring import SCORED_FACES
from framejury.labelled.split_figures import figures_by_set
from framejury.labelled.videos import LabelledVideo
from framejury.model.card import model_card
from framejury.schemas.statuses import Side
from framejury.settings import VerdictSettings
from framejury.verdict.rule import RuleFit
from tests.builders.bundles import MANIFEST, brightness_bundle


def video(path: str, label: str, layout: str = "plain", method: str | None = None) -> LabelledVideo:
    row = {"video_id": path, "path": path, "uri": f"/archive/{path}", "layout": layout}
    row |= {"label": label, "method": method, "group": path}
    return LabelledVideo(row, None)


def faces(path: str, *scores: float) -> list[dict[str, object]]:
    return [
        {
            "video_id": path,
            "frame_index": number,
            "pts_s": float(number),
            "face_index": 0,
            "person": 0,
            "score": score,
        }
        for number, score in enumerate(scores)
    ]


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    """Set `easy` is judged rightly, `hard` wrongly; `faces` has one picture per video."""
    videos, scored = [], []
    for number in range(6):
        for name, real, fake, layout, count in (
            ("easy", 0.1, 0.9, "plain", 4),
            ("hard", 0.8, 0.2, "plain", 4),
            ("faces", 0.4, 0.6, "face_set", 1),
        ):
            for label, score in (("REAL", real), ("FAKE", fake)):
                path = f"{name}/{label}-{number}"
                videos.append(video(path, label, layout))
                scored += faces(path, *[score + number / 100] * count)
    table = pa.Table.from_pylist(scored, schema=SCORED_FACES)
    folder: Path = tmp_path_factory.mktemp("measure")
    bundle = brightness_bundle(folder / "bundle")
    made = figures_by_set(table, bundle, videos, VerdictSettings(), side=Side.TEST)
    return {name: {k: f.value for k, f in one.items()} for name, one in made.items()}


def test_a_fit_knows_how_many_people_share_a_frame_and_the_data_set() -> None:
    both = faces("news/two", 0.2, 0.3) + [
        row | {"face_index": 1, "person": 1, "score": 0.9} for row in faces("news/two", 0.0)
    ]
    table = pa.Table.from_pylist(both, schema=SCORED_FACES)
    (found,) = scored_videos(table, [video("news/two", "FAKE")])
    assert (len(found.score), found.frames, sorted(found.person)) == (3, 2, [0, 0, 1])
    assert (found.source, found.label, found.group) == ("news", 1, "news/two")


def test_each_set_has_its_own_figures(figures: dict[str, dict[str, float]]) -> None:
    assert list(figures) == ["test", "test, easy", "test, faces", "test, hard"]
    assert figures["test, easy"]["video_auc"] == 1
    assert figures["test, hard"]["video_auc"] == 0
    assert figures["test, faces"]["face_auc"] == 1


def test_the_true_class_has_its_mean_probability(figures: dict[str, dict[str, float]]) -> None:
    """Reals score 0.1 and fakes 0.9, each and 0.01 per video more: 0.025 on average."""
    easy = figures["test, easy"]
    assert easy["face_p_true_real"] == pytest.approx(1 - 0.125)
    assert easy["face_p_true_fake"] == pytest.approx(0.925)
    assert easy["face_p_true"] == pytest.approx((0.875 + 0.925) / 2)
    assert figures["test, hard"]["face_p_true_fake"] == pytest.approx(0.225)


def test_pictures_do_not_count_among_the_videos(figures: dict[str, dict[str, float]]) -> None:
    # Of 36 pairs (easy and hard reals by fakes of both): easy real < any fake, easy fake > any
    # real, hard real > hard fake: three quarters are in order.
    assert figures["test"]["video_auc"] == pytest.approx(0.75)


def test_each_method_is_measured_against_reals_of_its_set(tmp_path: Path) -> None:
    """Set `wild` has no reals of its own, so its fakes are measured against all reals."""
    videos, scored = [], []
    for path, label, method, score in (
        ("own/r0", "REAL", None, 0.1),
        ("own/r1", "REAL", None, 0.6),
        ("own/f0", "FAKE", "old", 0.7),
        ("own/f1", "FAKE", "new", 0.3),
        ("own/f2", "FAKE", None, 0.0),
        ("wild/f0", "FAKE", "new", 0.9),
        ("wild/f1", "FAKE", "new", 0.2),
    ):
        videos.append(video(path, label, method=method))
        scored += faces(path, *[score] * 4)
    table = pa.Table.from_pylist(scored, schema=SCORED_FACES)
    bundle = brightness_bundle(tmp_path / "bundle")
    bundle = replace(bundle, data=replace(bundle.data, methods={"old": 1}))

    def found(side: Side) -> dict[str, dict[str, float]]:
        made = figures_by_set(table, bundle, videos, VerdictSettings(), side=side)
        return {name: {k: f.value for k, f in one.items()} for name, one in made.items()}

    test = found(Side.TEST)
    new = {"real_videos": 2, "fake_videos": 1, "video_auc": 0.5, "video_recall_fake": 0.0}
    assert test["test, own, method new"] == new
    assert test["test, own, method old"]["video_auc"] == 1.0
    assert test["test, wild, method new"] == new | {
        "fake_videos": 2,
        "video_auc": 0.75,
        "video_recall_fake": 0.5,
    }
    assert test["test, known methods"]["fake_videos"] == 1
    assert test["test, unknown methods"]["fake_videos"] == 3
    assert list(found(Side.VAL)) == ["val", "val, own", "val, wild"]


def test_sampled_faces_have_figures_of_their_own(tmp_path: Path) -> None:
    """The corpus is judged rightly; of `wild`, with three faces per video, no fake is found."""
    videos, scored = [], []
    for name, layout, count, fake, methods in (
        ("corpus", "plain", 20, 0.9, ("old", "old")),
        ("wild", "sampled_faces", 3, 0.2, ("VASA-1", "old")),
    ):
        for number in range(2):
            for label, score in (("REAL", 0.1), ("FAKE", fake)):
                path = f"{name}/{label}-{number}"
                method = methods[number] if label == "FAKE" else None
                videos.append(video(path, label, layout, method))
                scored += faces(path, *[score] * count)
    table = pa.Table.from_pylist(scored, schema=SCORED_FACES)
    bundle = brightness_bundle(tmp_path / "bundle")
    bundle = replace(bundle, data=replace(bundle.data, methods={"old": 1}))

    def found(some: list[LabelledVideo]) -> dict[str, dict[str, float]]:
        made = figures_by_set(table, bundle, some, VerdictSettings(), side=Side.TEST)
        return {name: {k: f.value for k, f in one.items()} for name, one in made.items()}

    test = found(videos)
    assert (test["test"]["real_videos"], test["test"]["fake_videos"]) == (2, 2)
    assert test["test"]["video_recall_fake"] == 1.0
    assert test["test, wild"]["video_recall_fake"] == 0.0
    missed = {"real_videos": 2, "fake_videos": 1, "video_auc": 1.0, "video_recall_fake": 0.0}
    assert test["test, wild, method VASA-1"] == missed
    # Of whole videos there is no unknown method, so only its scope with sampled faces has figures.
    assert test["test, known methods"]["fake_videos"] == 2
    assert "test, unknown methods" not in test
    assert test["test, known methods with sampled faces"]["fake_videos"] == 3
    assert test["test, unknown methods with sampled faces"] == missed | {"real_videos": 4}
    # Without whole videos, the figures of the split are those of the sampled faces.
    alone = found(videos[4:])
    assert alone["test"]["fake_videos"] == 2 and "test, known methods" not in alone
    assert alone["test, unknown methods with sampled faces"]["fake_videos"] == 1


def test_sampled_faces_count_in_the_fit_and_the_rule_says_so() -> None:
    rng = np.random.default_rng(0)
    videos, scored = [], []
    for number in range(24):
        sampled = number % 2 == 1
        for label, score in (("REAL", 0.3), ("FAKE", 0.7)):
            path = f"{'wild' if sampled else 'corpus'}/{label}-{number}"
            videos.append(video(path, label, "sampled_faces" if sampled else "plain"))
            count = (3 if number < 12 else 6) if sampled else 20
            scored += faces(path, *rng.uniform(score - 0.25, score + 0.25, count))
    # Too short for the rule, so it is not among the videos of the fit.
    videos.append(video("wild/short", "REAL", "sampled_faces"))
    scored += faces("wild/short", 0.1, 0.1)
    table = pa.Table.from_pylist(scored, schema=SCORED_FACES)

    def fit(some: list[LabelledVideo]) -> RuleFit:
        return fit_rule_on(table, some, VerdictSettings(), data="split val of it").fit

    both = fit(videos)
    assert (both.real_videos, both.fake_videos, both.sampled_videos) == (24, 24, 24)
    said = "Of these videos, 24 are of face sets, with 3 to 6 sampled faces each."
    assert both.sampled_in_words == said
    assert said in model_card(replace(MANIFEST, rule_fit=both), "b0-1")
    whole = fit([one for one in videos if one.row["layout"] == "plain"])
    assert (whole.sampled_videos, whole.sampled_in_words) == (0, None)
    assert "face sets, with" not in model_card(replace(MANIFEST, rule_fit=whole), "b0-1")


def test_faces_count_though_verdicts_come_from_some_of_them(tmp_path: Path) -> None:
    """The frames in use show nobody of `gone`, as if it had been sampled by them alone."""
    videos = [video("set/f", "FAKE"), video("set/r", "REAL"), video("set/gone", "REAL")]
    rows = [*faces("set/f", 0.9, 0.9, 0.9, 0.0), *faces("set/r", 0.1, 0.1, 0.1, 1.0)]
    scored = pa.Table.from_pylist([*rows, *faces("set/gone", 0.3)], schema=SCORED_FACES)
    in_use = pa.Table.from_pylist([*rows[:3], *rows[4:7]], schema=SCORED_FACES)
    bundle = brightness_bundle(tmp_path / "bundle")
    by_hand = {("set/f", 3): 0}
    verdicts, counts = judge_labelled(
        scored,
        bundle,
        videos,
        VerdictSettings(),
        run_id="r",
        in_use=in_use,
        frame_labels=by_hand,
    )
    found = {row["video_id"]: row for row in verdicts.to_pylist()}
    assert {name: row["status"] for name, row in found.items()} == {
        "set/f": "scored",
        "set/r": "scored",
        "set/gone": "no_face",
    }
    assert found["set/f"]["faces_scored"] == found["set/r"]["faces_scored"] == 3
    tally = sorted((row["label"], row["score"], row["faces"]) for row in counts.to_pylist())
    assert sum(faces for _, _, faces in tally) == 9
    assert ("REAL", 0.0, 1) in tally and ("REAL", 1.0, 1) in tally
    made = figures_by_set(scored, bundle, videos, VerdictSettings(), side=Side.TEST, in_use=in_use)[
        "test"
    ]
    assert made["video_auc"].value == 1 and made["face_auc"].value < 0.9


def test_hand_labels_judge_faces_and_leave_videos(tmp_path: Path) -> None:
    """Frames 0 and 1 of a fake are real, and look so; its other two look fake."""
    videos = [video("set/f", "FAKE"), video("set/r", "REAL")]
    scored = pa.Table.from_pylist(
        [*faces("set/f", 0.1, 0.2, 0.8, 0.9), *faces("set/r", 0.3, 0.3, 0.3, 0.3)],
        schema=SCORED_FACES,
    )
    bundle = brightness_bundle(tmp_path / "bundle")
    by_hand = {("set/f", 0): 0, ("set/f", 1): 0, ("set/r", 7): 1, ("elsewhere", 0): 1}
    made = {}
    for name, labels in (("without", None), ("with", by_hand)):
        _, counts = judge_labelled(
            scored, bundle, videos, VerdictSettings(), run_id="r", frame_labels=labels
        )
        rows = counts.to_pylist()
        made[name] = sorted((r["label"], r["score"], r["faces"]) for r in rows)
        found = figures_by_set(
            scored, bundle, videos, VerdictSettings(), side=Side.TEST, frame_labels=labels
        )
        assert found["test"]["fake_videos"].value == 1
        assert found["test"]["face_auc"].value == (1 if labels else 0.5)
    assert made["without"] == [
        *(("FAKE", p, 1) for p in (0.1, 0.2, 0.8, 0.9)),
        ("REAL", 0.3, 4),
    ]
    assert made["with"] == [
        ("FAKE", 0.8, 1),
        ("FAKE", 0.9, 1),
        ("REAL", 0.1, 1),
        ("REAL", 0.2, 1),
        ("REAL", 0.3, 4),
    ]
