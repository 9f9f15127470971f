"""Fitting a verdict rule: what is learned, what is never looked at, what a threshold promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framejury.errors import CalibrationError
from framejury.evaluation import rule_fitting
from framejury.evaluation.crossfit import ScoredVideo, reduced_scores, sample_of
from framejury.evaluation.estimators import (
    Floats,
    Integers,
    Method,
    fit_calibration,
    fit_learned,
    log_losses,
    real_limit,
)
from framejury.evaluation.rule_fitting import (
    FIXED_REDUCERS,
    SMALL_SAMPLE_MARGIN,
    candidate_table,
    choose,
    fit_rule,
)
from framejury.verdict.calibration import calibrated
from framejury.verdict.judge import reduced
from framejury.verdict.rule import Reducer

MEAN = Reducer(name="mean")


def archive(
    seed: int,
    groups: int = 40,
    *,
    apart: float = 2.0,
    faces: int = 11,
    spiky: bool = False,
) -> list[ScoredVideo]:
    """A real and a fake video a group; scores on the logit: class, group, video, frame.

    With `spiky` a fake shows in a quarter of its frames only.
    """
    rng = np.random.default_rng(seed)
    videos = []
    for group in range(groups):
        of_group = rng.normal(0, 0.5)
        for label in (0, 1):
            shown = rng.random(faces) < (0.25 if spiky else 1.0)
            centre = np.where(shown, label - 0.5, -0.5) * apart + of_group + rng.normal(0, 0.5)
            z = centre + rng.normal(0, 0.7, faces)
            scores = (1 / (1 + np.exp(-z))).astype(np.float32)
            videos.append(ScoredVideo(scores, [0] * faces, label, f"g{group:03d}"))
    return videos


def means_of(videos: list[ScoredVideo]) -> tuple[Floats, Integers]:
    scores = np.array([reduced(video.score, video.person, MEAN) for video in videos])
    return scores, np.array([video.label for video in videos])


# ---------------------------------------------------------------- calibrations


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_calibration_mends_scores_that_are_too_sure(method: Method) -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(0, 1, (2, 500))
    labels = (rng.random((2, 500)) < 1 / (1 + np.exp(-truth))).astype(np.int64)
    scores = 1 / (1 + np.exp(-4 * truth))
    fitted = fit_calibration(scores[0], labels[0], method)
    before, after, best = (
        log_losses(labels[1], p).mean()
        for p in (scores[1], calibrated(scores[1], fitted), 1 / (1 + np.exp(-truth[1])))
    )
    assert after < before - 0.3
    assert after < best + 0.06


def test_platt_finds_the_true_slope() -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(0, 2, 20_000)
    labels = (rng.random(len(z)) < 1 / (1 + np.exp(-(0.5 * z)))).astype(np.int64)
    fitted = fit_calibration(1 / (1 + np.exp(-z)), labels, "platt")
    assert (fitted.slope, fitted.intercept) == pytest.approx((0.5, 0.0), abs=0.05)


def test_classes_weigh_the_same_whatever_their_numbers() -> None:
    scores, labels = means_of(archive(4, 100))
    few_reals = (labels == 1) | (np.arange(len(labels)) % 10 == 0)
    whole = calibrated(0.5, fit_calibration(scores, labels, "platt"))
    skewed = calibrated(0.5, fit_calibration(scores[few_reals], labels[few_reals], "platt"))
    assert skewed == pytest.approx(whole, abs=0.12)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_scores_that_separate_few_videos_become_no_certainty(method: Method) -> None:
    scores = np.r_[np.full(10, 0.1), np.full(10, 0.9)]
    fitted = fit_calibration(scores, np.repeat([0, 1], 10), method)
    assert calibrated(np.array([0.1, 0.9]), fitted) == pytest.approx([1 / 12, 11 / 12], abs=1e-4)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_scores_turned_round_are_made_level_never_falling(method: Method) -> None:
    scores, labels = means_of(archive(5))
    fitted = fit_calibration(1 - scores, labels, method)
    found = calibrated(np.linspace(0, 1, 11), fitted)
    assert np.all(np.diff(found) >= 0)
    assert found == pytest.approx(np.full(11, 0.5), abs=0.1)


@settings(deadline=None)
@given(
    scores=st.lists(st.integers(0, 50).map(lambda n: n / 50), min_size=4, max_size=40),
    method=st.sampled_from(["platt", "isotonic"]),
)
def test_any_scores_give_a_calibration_that_holds(scores: list[float], method: Method) -> None:
    labels = np.arange(len(scores)) % 2
    found = calibrated(np.linspace(0, 1, 51), fit_calibration(np.array(scores), labels, method))
    assert np.all(np.diff(found) >= 0) and 0 <= found[0] <= found[-1] <= 1


def test_the_learned_reducer_finds_where_the_evidence_is() -> None:
    """Only the highest quantile tells; the lowest points the wrong way and gets nothing."""
    rng = np.random.default_rng(6)
    labels = np.repeat([0, 1], 200)
    quantiles = np.sort(rng.random((400, 5)) * 0.5, axis=1)
    quantiles[:, 4] = 0.5 + 0.3 * labels + 0.1 * rng.random(400)
    quantiles[:, 0] *= 1 - 0.5 * labels
    reducer = fit_learned(quantiles, labels)
    assert reducer.weights[0] == 0.0
    assert reducer.weights[4] > 2 * max(reducer.weights[:4])


# ---------------------------------------------------------------- cross-fitting


def test_a_group_is_never_judged_by_its_own_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flip the labels of one group: everyone else is judged otherwise, it itself is not."""
    videos = archive(7, 12)
    seen: list[Floats] = []
    inner = rule_fitting.cross_fitted

    def spy(*args: object) -> Floats:
        seen.append(inner(*args))  # type: ignore[arg-type]
        return seen[-1]

    monkeypatch.setattr(rule_fitting, "cross_fitted", spy)
    fit_rule(videos)
    before = seen[:]
    seen.clear()
    flipped = [
        ScoredVideo(v.score, v.person, 1 - v.label, v.group) if v.group == "g005" else v
        for v in videos
    ]
    fit_rule(flipped)
    own = np.array([video.group == "g005" for video in videos])
    assert len(seen) == len(before) > 20
    for first, second in zip(before, seen, strict=True):
        assert np.array_equal(first[own], second[own])
    assert sum(not np.array_equal(a[~own], b[~own]) for a, b in zip(before, seen, strict=True)) > 10


def test_scores_of_chance_are_called_chance() -> None:
    """Fitted and judged on the same videos, isotonic would claim to have learned something."""
    fitted = fit_rule(archive(8, 30, apart=0.0))
    scores, labels = means_of(archive(8, 30, apart=0.0))
    own = log_losses(labels, calibrated(scores, fit_calibration(scores, labels, "isotonic"))).mean()
    crossed = next(
        c for c in fitted.candidates if c.rule.reducer.name == "mean" and c.method == "isotonic"
    )
    assert own < np.log(2) - 0.02
    assert crossed.log_loss > np.log(2) - 0.01


# ---------------------------------------------------------------- the choice


def test_the_baseline_with_platts_stays_unless_another_is_clearly_better() -> None:
    fitted = fit_rule(archive(9, 40), learned=False, reducers=FIXED_REDUCERS[:1])
    isotonic = next(c for c in fitted.candidates if c.method == "isotonic")
    assert isotonic.gain <= isotonic.gain_error
    assert (fitted.rule.reducer.name, fitted.chosen.method) == ("per_person", "platt")


def test_a_reducer_that_is_clearly_better_is_taken() -> None:
    fitted = fit_rule(archive(10, 60, apart=4.0, spiky=True))
    mean = fitted.candidates[0]
    assert fitted.rule.reducer.name in ("top_share", "learned")
    assert fitted.chosen.auc > mean.auc + 0.05
    assert fitted.chosen.log_loss < mean.log_loss


def beside_a_real_person(videos: list[ScoredVideo], others: list[ScoredVideo]) -> list[ScoredVideo]:
    """Each video with a second, real person in every frame, from the same group of `others`."""
    real = {video.group: video.score for video in others if video.label == 0}
    return [
        ScoredVideo(
            np.r_[video.score, real[video.group]],
            [0] * len(video.score) + [1] * len(real[video.group]),
            video.label,
            video.group,
            frames=len(video.score),
        )
        for video in videos
    ]


def test_per_person_finds_the_fake_one_of_two() -> None:
    videos = beside_a_real_person(archive(20, 60, apart=2.5), archive(21, 60, apart=2.5))
    fitted = fit_rule(videos, reducers=[FIXED_REDUCERS[0], MEAN], learned=False)
    own, pooled = (c for c in fitted.candidates if c.method == "platt")
    assert fitted.rule.reducer.name == "per_person"
    assert own.log_loss < pooled.log_loss - 0.015 and own.auc > pooled.auc + 0.005


def test_company_is_corrected_as_pairs_of_real_videos_need_it() -> None:
    """Fitted on videos of one person, and on reals only; frames count, tracks do not."""
    videos = archive(24, 60)
    loose = Reducer(name="per_person", shrink_faces=0, company_shift=0.0)
    fitted = fit_rule(videos, reducers=[loose], learned=False).rule.reducer
    assert fitted.company_shift is not None and fitted.company_shift > 0.3
    shrunk = fit_rule(videos, reducers=[replace(loose, shrink_faces=40)], learned=False)
    assert shrunk.rule.reducer.company_shift == 0.0
    other = [replace(v, score=v.score**2) if v.label else v for v in videos]
    assert fit_rule(other, reducers=[loose], learned=False).rule.reducer == fitted
    pair = beside_a_real_person(videos, archive(25, 60))
    together, in_turn = (
        reduced_scores(sample_of([replace(v, frames=frames) for v in pair]), fitted)
        for frames in (11, 22)
    )
    assert np.all(together < in_turn)


def test_what_differs_by_rounding_only_is_not_better() -> None:
    """Pooling the one person of a video changes nothing, so the rule stays per person."""
    candidates = fit_rule(archive(23, 60), reducers=FIXED_REDUCERS[:2], learned=False).candidates
    own, pooled = (c for c in candidates if c.method == "platt")
    assert pooled.log_loss == pytest.approx(own.log_loss, abs=1e-6)
    lucky = [replace(c, gain=1e-9, gain_error=1e-10) if c is pooled else c for c in candidates]
    assert choose(lucky).rule.reducer.name == "per_person"


def test_better_by_less_than_a_standard_error_is_not_better() -> None:
    candidates = fit_rule(archive(10, 60, apart=4.0, spiky=True)).candidates
    hazy = [replace(c, gain_error=c.gain + 1.0) for c in candidates]
    assert choose(hazy) is hazy[0]
    assert all(c.method != "none" for c in (choose(candidates), choose(hazy)))


def test_only_a_named_reducer_and_a_given_threshold() -> None:
    fitted = fit_rule(archive(11), reducers=[Reducer(name="median")], learned=False, threshold=0.42)
    assert {c.rule.reducer.name for c in fitted.candidates} == {"median"}
    assert (fitted.rule.threshold, fitted.fit.threshold_from) == (0.42, "given")
    with pytest.raises(ValueError, match="no aggregation"):
        fit_rule(archive(11), reducers=[], learned=False)


def test_the_table_marks_the_chosen_one() -> None:
    fitted = fit_rule(archive(12))
    lines = candidate_table(fitted).splitlines()
    assert len(lines) == 3 + 3 * (len(FIXED_REDUCERS) + 1)
    assert lines[-1] == fitted.fit.expected
    (marked,) = [line for line in lines if line.startswith("* ")]
    assert fitted.rule.reducer.name in marked and fitted.chosen.method in marked
    assert "40 real videos in 40 groups, 40 fake in 40" in lines[0]


# ---------------------------------------------------------------- the threshold


@pytest.mark.parametrize("target", [0.05, 0.2])
def test_the_threshold_keeps_its_promise_on_new_videos(target: float) -> None:
    """In the mean over fits; one fit on 60 reals may be off."""
    rates, found = [], []
    for seed in range(12):
        rule = fit_rule(archive(seed, 60), target_fpr=target, reducers=[MEAN], learned=False).rule
        scores, labels = means_of(archive(1000 + seed, 150))
        called = calibrated(scores, rule.calibration) >= rule.threshold
        rates.append(called[labels == 0].mean())
        found.append(called[labels == 1].mean())
    assert target - 0.03 < np.mean(rates) < target + 0.01
    assert np.mean(found) > 0.6


def test_the_rank_of_split_conformal_prediction() -> None:
    reals = np.arange(1, 100) / 100  # 99 of them: rank 95 of 100 for 5%
    assert real_limit(reals, 0.05).score == 0.95
    assert real_limit(reals, 0.05).source == "quantile"
    assert real_limit(np.arange(1, 20) / 20, 0.05).source == "quantile"  # 19 are just enough
    few = real_limit(np.arange(1, 19) / 20, 0.05)
    assert (few.score, few.source) == (0.9, "maximum")


def test_with_few_reals_the_threshold_stands_above_all_of_them() -> None:
    videos = archive(13, 12)
    fitted = fit_rule(videos, reducers=[MEAN], learned=False)
    assert fitted.fit.threshold_from == "maximum"
    scores, labels = means_of(videos)
    highest = calibrated(scores, fitted.rule.calibration)[labels == 0].max()
    assert fitted.rule.threshold == pytest.approx(highest + SMALL_SAMPLE_MARGIN, abs=1e-8)
    assert fitted.chosen.fpr == 0.0


# ---------------------------------------------------------------- too little


def test_videos_with_few_faces_are_left_out() -> None:
    videos = archive(14, 20)
    short = [ScoredVideo(v.score[:2], v.person[:2], v.label, v.group) for v in archive(15, 9)]
    assert fit_rule([*videos, *short]).fit == fit_rule(videos).fit


@pytest.mark.parametrize(
    ("videos", "said"),
    [
        (archive(16, 9), "at least 3 faces each; real videos: 9, their groups: 9 "),
        ([v for v in archive(16, 30) if v.label == 0], "fake videos: 0, their groups: 0 "),
        ([], "real videos: 0, their groups: 0 "),
        (
            [ScoredVideo(v.score, v.person, v.label, v.group[-1:]) for v in archive(16, 4) * 5],
            "real videos: 20, their groups: 4 ",
        ),
        (archive(16, 30, faces=2), "real videos: 0, their groups: 0 (of 60"),
    ],
    ids=["videos", "class", "nothing", "groups", "faces"],
)
def test_too_little_is_an_error_that_counts(videos: list[ScoredVideo], said: str) -> None:
    with pytest.raises(CalibrationError) as caught:
        fit_rule(videos)
    assert said in str(caught.value)


@pytest.mark.parametrize("target", [0.0, 1.0, -0.1])
def test_a_share_that_is_none(target: float) -> None:
    with pytest.raises(ValueError, match="target_fpr"):
        fit_rule(archive(17), target_fpr=target)
