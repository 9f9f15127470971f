"""Drift of scores: what is told apart from chance, and what is compared with what."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, ks_2samp, kstwobign

from framejury.runs.drift import (
    BINS,
    CHANCE,
    MIN_VIDEOS,
    REFERENCE_RUNS,
    SMOOTHING,
    Counts,
    Drift,
    ScoreHistograms,
    compare,
    drift_of,
    histogram,
    night_of,
    summed,
)
from framejury.settings import SamplingSettings
from framejury.verdict.rule import Reducer, Rule, rule_facts
from framejury.warehouse.commits import Commit, CommitFacts, ScoreFacts

MODEL = "b0-1"
LEARNED = Reducer(name="learned", quantiles=(0.2, 0.8), weights=(1.0, 2.0), intercept=-1.0)
RULE = rule_facts(Rule(reducer=LEARNED))


def counts(**at: int) -> Counts:
    """`b3=7`: seven scores in bin 3."""
    filled = [0] * BINS
    for name, count in at.items():
        filled[int(name[1:])] = count
    return tuple(filled)


def commit(
    sequence: int,
    videos: Counts,
    faces: Counts | None = None,
    model_id: str = MODEL,
    sampling: dict[str, object] | None = None,
    **facts: object,
) -> Commit:
    scores = ScoreHistograms(videos, videos if faces is None else faces).to_facts()
    made = CommitFacts.model_validate({"scores": scores, **facts})
    settings = {"sampling": sampling} if sampling else {}
    record = Commit(sequence, f"r{sequence}", "nightly", "", {}, None, model_id, settings, made)
    return Commit.of_record(json.loads(json.dumps(record.to_record())))  # as it is read back


def found(drift: Drift | None) -> Drift:
    assert drift is not None
    return drift


# ---------------------------------------------------------------- histograms


def test_bins() -> None:
    edges = [0.0, 0.049999, 0.05, 0.5, 0.999, 1.0]
    assert histogram(edges) == counts(b0=2, b1=1, b10=1, b19=2)
    assert histogram([]) == (0,) * BINS
    assert histogram(np.float32([0.05])) == histogram([float(np.float32(0.05))])


@pytest.mark.parametrize("score", [-0.001, 1.001, math.nan, math.inf])
def test_no_score_outside_is_counted(score: float) -> None:
    with pytest.raises(ValueError, match=r"0\.\.1"):
        histogram([0.5, score])


@pytest.mark.parametrize("bad", [(1,) * 19, (1,) * 21, (-1, *(0,) * 19)])
def test_histograms_are_checked(bad: Counts) -> None:
    with pytest.raises(ValueError, match="20 counts"):
        ScoreHistograms(videos=bad, faces=(0,) * BINS)
    with pytest.raises(ValueError, match="20 counts"):
        ScoreHistograms(videos=(0,) * BINS, faces=bad)


def test_sums() -> None:
    parts = [ScoreHistograms(counts(b0=1), counts(b1=2)), ScoreHistograms(counts(b0=3), counts())]
    assert summed(parts) == ScoreHistograms(counts(b0=4), counts(b1=2))
    assert summed([]) == ScoreHistograms(counts(), counts())


# ---------------------------------------------------------------- figures


def test_psi_by_hand() -> None:
    drift = found(
        compare(counts(b0=80, b19=20), [counts(b0=50, b19=50)], videos=100, reference_videos=100)
    )
    a, b = (80 + SMOOTHING) / 101, (50 + SMOOTHING) / 101
    expected = (a - b) * math.log(a / b) + (b - a) * math.log((1 - a) / (1 - b))
    assert drift.psi == pytest.approx(expected)
    assert drift.ks == pytest.approx(0.3)
    # Two bins are in use, so one degree of freedom.
    assert drift.psi_expected == pytest.approx(0.02)
    assert drift.psi_chance == pytest.approx(chi2.isf(CHANCE, 1) * 0.02)
    assert drift.ks_chance == pytest.approx(kstwobign.isf(CHANCE) * math.sqrt(0.02))
    assert drift.is_beyond_chance
    assert drift.to_plain()["is_beyond_chance"] is True


def test_ks_agrees_with_scipy_at_the_edges() -> None:
    draw = np.random.default_rng(1)
    a, b = draw.beta(1, 3, 300), draw.beta(1, 2, 500)
    drift = found(compare(histogram(a), [histogram(b)], videos=300, reference_videos=500))
    floored = ks_2samp(np.floor(a * BINS), np.floor(b * BINS)).statistic
    assert drift.ks == pytest.approx(floored)


@pytest.mark.parametrize(("videos", "before"), [(60, 800), (200, 2_800), (2_000, 2_000)])
def test_chance_is_what_it_says(videos: int, before: int) -> None:
    """Without drift the mean is as stated and the bound is rarely passed."""
    draw = np.random.default_rng(7)
    drifts = [
        found(
            compare(
                histogram(draw.beta(0.3, 0.6, videos)),
                [histogram(draw.beta(0.3, 0.6, before))],
                videos=videos,
                reference_videos=before,
            )
        )
        for _ in range(2_000)
    ]
    mean = np.mean([drift.psi for drift in drifts])
    expected = np.mean([drift.psi_expected for drift in drifts])
    assert 0.7 * expected < mean < 1.05 * expected
    assert sum(drift.is_beyond_chance for drift in drifts) <= 8  # 2 or 4 of 2,000 in the mean
    if videos > 60:
        # And no slack either: the 5% quantile of the same law is passed by some 5%.
        ratio = chi2.isf(0.05, BINS - 1) / chi2.isf(CHANCE, BINS - 1)
        passed = np.mean([drift.psi > ratio * drift.psi_chance for drift in drifts])
        assert 0.02 < passed < 0.08


def test_real_drift_is_seen() -> None:
    draw = np.random.default_rng(3)
    for _ in range(50):
        drift = compare(
            histogram(draw.beta(0.6, 0.6, 500)),
            [histogram(draw.beta(0.3, 0.6, 5_000))],
            videos=500,
            reference_videos=5_000,
        )
        assert found(drift).is_beyond_chance


def test_one_bin_leaves_nothing_to_chance() -> None:
    drift = found(compare(counts(b3=60), [counts(b3=600)], videos=60, reference_videos=600))
    assert (drift.psi, drift.psi_expected, drift.psi_chance, drift.ks) == (0, 0, 0, 0)
    assert not drift.is_beyond_chance


def test_either_figure_is_enough() -> None:
    teeth, flat = (40, 20) * (BINS // 2), (300,) * BINS
    drift = found(compare(teeth, [flat], videos=600, reference_videos=6_000))
    assert drift.psi > drift.psi_chance and drift.ks < drift.ks_chance
    assert drift.is_beyond_chance
    # All a little higher: no bin has changed much, but all of them to the same side.
    rising, flat = tuple(range(91, 111)), (1_000,) * BINS
    drift = found(compare(rising, [flat], videos=sum(rising), reference_videos=20_000))
    assert not drift.is_beyond_chance
    rising = tuple(range(50, 150, 5))
    drift = found(compare(rising, [flat], videos=250, reference_videos=20_000))
    assert drift.psi < drift.psi_chance and drift.ks > drift.ks_chance
    assert drift.is_beyond_chance


def test_faces_of_few_videos_are_few_witnesses() -> None:
    many_faces, before = counts(b0=6_000, b19=4_000), [counts(b0=50_000, b19=50_000)]
    few = found(compare(many_faces, before, videos=60, reference_videos=600))
    assert not few.is_beyond_chance
    assert found(
        compare(many_faces, before, videos=10_000, reference_videos=100_000)
    ).is_beyond_chance


COUNTS = st.lists(st.integers(0, 500), min_size=BINS, max_size=BINS).map(tuple)


@given(COUNTS, COUNTS)
@settings(max_examples=200, deadline=None)
def test_figures_are_finite_and_in_range(now: Counts, then: Counts) -> None:
    drift = compare(now, [then], videos=sum(now), reference_videos=sum(then))
    if drift is None:
        assert min(sum(now), sum(then)) < MIN_VIDEOS
        return
    json.dumps(drift.to_plain(), allow_nan=False)
    assert drift.psi >= 0 and 0 <= drift.ks <= 1 and 0 <= drift.ks_chance <= 1
    same = found(compare(now, [now], videos=sum(now), reference_videos=sum(now)))
    assert (same.psi, same.ks, same.is_beyond_chance) == (0, 0, False)


# ---------------------------------------------------------------- with what


def test_too_few_videos_give_none() -> None:
    enough, few = counts(b3=MIN_VIDEOS), counts(b3=MIN_VIDEOS - 1)
    for now, then in ((few, enough), (enough, few)):
        scores = ScoreHistograms(now, now)
        assert drift_of(scores, [commit(1, then)], MODEL).to_plain() == {
            "videos": None,
            "faces": None,
        }
    assert drift_of(ScoreHistograms(enough, enough), [], MODEL).videos is None
    assert compare(counts(), [enough], videos=60, reference_videos=60) is None
    both = drift_of(ScoreHistograms(enough, enough), [commit(1, enough)], MODEL)
    assert both.videos is not None and both.faces is not None


def test_only_runs_of_the_same_model_count() -> None:
    now = ScoreHistograms(counts(b0=60), counts(b0=600))
    commits = [
        commit(1, counts(b0=100), counts(b0=1_000)),
        commit(2, counts(b19=100), model_id="other"),
        Commit(3, "r3", "index", "", {}),
        Commit(4, "r4", "nightly", "", {}, None, MODEL),  # before scores were kept
        commit(5, counts()),  # nothing scored that night
    ]
    drift = drift_of(now, commits, MODEL)
    assert (found(drift.videos).runs, found(drift.videos).reference_videos) == (1, 100)
    assert found(drift.videos).psi == found(drift.faces).psi == 0
    assert found(drift.faces).reference_videos == 100  # videos, not faces


def test_the_latest_runs_count() -> None:
    old = [commit(number, counts(b19=100)) for number in range(1, 6)]
    new = [commit(number, counts(b0=100)) for number in range(6, 6 + REFERENCE_RUNS)]
    drift = found(drift_of(ScoreHistograms(counts(b0=60), counts(b0=60)), old + new, MODEL).videos)
    assert (drift.runs, drift.reference_videos, drift.psi) == (REFERENCE_RUNS, 1_400, 0)


def test_the_batches_of_a_night_are_one_night() -> None:
    old = [commit(number, counts(b19=100)) for number in range(1, 4)]
    batches = [
        commit(number, counts(b0=1), batch={"night": f"n{number // 2}", "number": 1, "of": 2})
        for number in range(4, 4 + 2 * REFERENCE_RUNS)
    ]
    now = ScoreHistograms(counts(b0=60), counts(b0=60))
    assert drift_of(now, old + batches, MODEL).videos is None  # 28 videos in 14 nights
    drift = found(drift_of(now, old + batches[: -2 * 2], MODEL).videos)
    assert (drift.runs, drift.reference_videos) == (REFERENCE_RUNS, 2 * 100 + 24)
    assert night_of(batches[0]) == night_of(batches[1]) == "n2"
    assert night_of(old[0]) == "r1"


def test_videos_are_compared_under_one_rule_only() -> None:
    now = ScoreHistograms(counts(b0=60), counts(b0=60))
    same = commit(1, counts(b0=100), rule=RULE)
    other = commit(2, counts(b0=100), rule=RULE | {"threshold": 0.6})
    strange = commit(3, counts(b0=100), rule={"reducer": {"name": "oracle"}, "threshold": 0.5})
    drift = drift_of(now, [same, other, strange, commit(4, counts(b0=100))], MODEL, RULE)
    assert (found(drift.videos).runs, found(drift.faces).runs) == (1, 4)


def test_a_parameter_that_an_upgrade_adds_ends_no_comparison() -> None:
    now = ScoreHistograms(counts(b0=60), counts(b0=60))
    mean = rule_facts(Rule())
    before = mean | {"reducer": {"name": "mean", "trim_ratio": None, "top_ratio": None}}
    sampling = SamplingSettings(mode="uniform", frames=11).model_dump(mode="json")
    older = {"mode": "uniform", "frames": 11}
    old = commit(1, counts(b0=100), rule=before, sampling=older)
    assert found(drift_of(now, [old], MODEL, mean, sampling).videos).runs == 1


def test_runs_that_sampled_otherwise_are_not_compared() -> None:
    now = ScoreHistograms(counts(b0=60), counts(b0=60))
    commits = [
        commit(1, counts(b0=100), rule=RULE, sampling={"frames": 11}),
        commit(2, counts(b19=100), rule=RULE, sampling={"frames": 32}),
        commit(3, counts(b19=100), rule=RULE, sampling={"frames": "by a newer framejury"}),
        commit(4, counts(b19=100), rule=RULE),
    ]
    drift = drift_of(now, commits, MODEL, RULE, {"frames": 11})
    assert (found(drift.videos).runs, found(drift.faces).runs) == (1, 1)
    assert found(drift.faces).psi == 0


def test_a_histogram_of_other_bins_is_passed_over() -> None:
    record = commit(1, counts(b0=100))
    finer = ScoreFacts(videos=(1,) * 40, faces=(1,) * 40)
    odd = replace(record, facts=CommitFacts(scores=finer))
    now = ScoreHistograms(counts(b0=60), counts(b0=60))
    assert drift_of(now, [odd], MODEL).videos is None
