from __future__ import annotations

import math

import numpy as np
import pyarrow.compute as pc
import pytest

from framejury.evaluation.binary import Confusion
from framejury.evaluation.breakdown import VerdictCounts
from framejury.evaluation.metrics import (
    face_metrics,
    face_roc,
    video_metrics,
    video_roc,
)
from tests.builders.rows import face_table, realistic_run, verdict_row, verdict_table


def small_table():
    """Two right, one wrong, one right call left undecided, two failed, one without a label."""
    return verdict_table(
        [
            verdict_row(0, label="FAKE", p_fake=0.9, method="swap", layout="ffpp"),
            verdict_row(1, label="FAKE", p_fake=0.2, method="swap", layout="ffpp"),
            verdict_row(2, label="FAKE", p_fake=0.6, verdict="inconclusive", layout="dfdc"),
            verdict_row(3, label="FAKE", p_fake=None, status="crashed", layout="dfdc"),
            verdict_row(4, label="REAL", p_fake=0.1, layout="ffpp"),
            verdict_row(5, label="REAL", p_fake=None, status="no_face", layout="ffpp"),
            verdict_row(6, label=None, p_fake=0.99, layout="plain"),
        ]
    )


def test_failures_and_doubts_are_counted_where_they_belong():
    found = video_metrics(small_table())
    assert (found.videos, found.unlabelled) == (7, 1)
    overall = found.overall
    assert overall.scored.confusion == Confusion(tn=1, fp=0, fn=1, tp=2)
    assert overall.verdicts == {
        "FAKE": VerdictCounts(fake=1, real=1, inconclusive=1, not_scored=1),
        "REAL": VerdictCounts(fake=0, real=1, inconclusive=0, not_scored=1),
    }
    coverage = overall.coverage
    assert (coverage.labelled, coverage.scored, coverage.decided) == (6, 4, 3)
    assert coverage.scored_share == pytest.approx(4 / 6)
    assert coverage.decided_share == pytest.approx(3 / 6)
    assert coverage.accuracy_decided == pytest.approx(2 / 3)
    assert coverage.correct_share == pytest.approx(2 / 6)  # neither failure nor doubt is right


def test_a_failure_is_never_a_score_of_one_half():
    """Failed fakes and reals leave every number at the threshold as it was."""
    table = small_table()
    clean = verdict_table([row for row in table.to_pylist() if row["p_fake"] is not None])
    assert video_metrics(table).overall.scored == video_metrics(clean).overall.scored


def test_each_layout_has_its_own_numbers():
    layouts = {one.name: one for one in video_metrics(small_table()).layouts}
    assert sorted(layouts) == ["dfdc", "ffpp"]
    assert layouts["dfdc"].scored.confusion == Confusion(tn=0, fp=0, fn=0, tp=1)
    assert layouts["dfdc"].scored.auc is None
    assert layouts["ffpp"].scored.auc == pytest.approx(1.0)
    assert layouts["ffpp"].coverage.labelled == 4


def test_methods_say_which_reals_they_were_compared_with():
    rows = {
        (row.layout, row.truth, row.method): row for row in video_metrics(small_table()).methods
    }
    assert set(rows) == {
        ("dfdc", "FAKE", "not named"),
        ("ffpp", "FAKE", "swap"),
        ("ffpp", "REAL", "original"),
    }
    swap = rows["ffpp", "FAKE", "swap"]
    assert (swap.scored, swap.correct) == (2, 0.5)
    assert swap.mean_score == pytest.approx(0.55)
    assert (swap.auc, swap.auc_against, swap.auc_reals) == (1.0, "the same layout", 1)
    dfdc = rows["dfdc", "FAKE", "not named"]
    assert (dfdc.auc, dfdc.auc_against, dfdc.auc_reals) == (1.0, "all layouts", 1)
    assert dfdc.verdicts == VerdictCounts(fake=0, real=0, inconclusive=1, not_scored=1)
    original = rows["ffpp", "REAL", "original"]
    assert (original.scored, original.correct, original.auc) == (1, 1.0, None)


def test_reals_of_another_layout_do_not_enter_where_there_are_own_ones():
    table = verdict_table(
        [
            verdict_row(0, label="FAKE", p_fake=0.6, layout="ffpp"),
            verdict_row(1, label="REAL", p_fake=0.3, layout="ffpp"),
            verdict_row(2, label="REAL", p_fake=0.9, verdict="fake", layout="dfdc"),
        ]
    )
    fake = next(row for row in video_metrics(table).methods if row.truth == "FAKE")
    assert (fake.auc, fake.auc_reals) == (1.0, 1)
    assert video_metrics(table).overall.scored.auc == pytest.approx(0.5)


def test_methods_have_the_intervals_of_their_own_videos_and_reals():
    """The same as those of a table that holds nothing else."""
    table, _ = realistic_run()
    methods = {(one.layout, one.method): one for one in video_metrics(table).methods}
    swap = methods["ffpp", "FaceSwap"]
    layout, label = pc.field("layout") == "ffpp", pc.field("label") == "REAL"
    alone = table.filter(layout & (label | (pc.field("method") == "FaceSwap")))
    intervals = video_metrics(alone).overall.bootstrap.intervals
    assert swap.auc_interval is not None and swap.auc_interval == intervals["auc"]
    assert swap.correct_interval is not None
    assert swap.correct_interval.low <= swap.correct <= swap.correct_interval.high
    assert methods["ffpp", "original"].auc_interval is None
    # Without reals of its own, against those of all layouts.
    others = table.filter(~(layout & label))
    far = next(one for one in video_metrics(others).methods if one.method == "FaceSwap")
    both = others.filter(label | (pc.field("method") == "FaceSwap"))
    assert far.auc_against == "all layouts"
    assert far.auc_interval == video_metrics(both).overall.bootstrap.intervals["auc"]


def test_intervals_rest_on_groups():
    table, _ = realistic_run()
    boot = video_metrics(table).overall.bootstrap
    assert boot.groups == 37
    accuracy = video_metrics(table).overall.scored.accuracy
    interval = boot.intervals["accuracy"]
    assert interval is not None
    assert accuracy is not None
    assert interval.low < accuracy < interval.high


def test_rows_judged_by_different_thresholds_are_judged_each_by_its_own():
    table = verdict_table(
        [
            verdict_row(0, label="FAKE", p_fake=0.6, threshold=0.7, verdict="real"),
            verdict_row(1, label="REAL", p_fake=0.6, threshold=0.5, verdict="fake"),
        ]
    )
    scored = video_metrics(table).overall.scored
    assert scored.confusion == Confusion(tn=0, fp=1, fn=1, tp=0)
    assert scored.threshold is None


def test_a_score_at_the_threshold_is_called_fake_everywhere():
    rows = [verdict_row(i, label="FAKE", p_fake=0.5 if i % 2 else 0.4) for i in range(20)]
    found = video_metrics(verdict_table(rows))
    assert found.overall.scored.recall_fake == 0.5
    assert found.methods[0].correct == 0.5
    interval = found.overall.bootstrap.intervals["recall_fake"]
    assert interval is not None
    assert interval.low < 0.5 < interval.high


def test_faces_are_weighed_by_their_count():
    table = face_table(
        [
            ("FAKE", "swap", "ffpp", 0.9, 30),
            ("FAKE", "swap", "ffpp", 0.2, 10),
            ("REAL", None, "ffpp", 0.2, 50),
            ("REAL", None, "dfdc", 0.9, 10),
            (None, None, "plain", 0.9, 5),
        ]
    )
    found = face_metrics(table, 0.5)
    assert (found.faces, found.unlabelled) == (105, 5)
    assert found.labelled.confusion == Confusion(tn=50, fp=10, fn=10, tp=30)
    pairs = 40 * 60
    assert found.labelled.auc == pytest.approx((30 * 50 + (30 * 10 + 10 * 50) / 2) / pairs)
    swap = next(row for row in found.methods if row.method == "swap")
    assert (swap.scored, swap.auc_reals, swap.verdicts) == (40, 50, None)
    assert swap.mean_score == pytest.approx((0.9 * 30 + 0.2 * 10) / 40)
    curve = face_roc(table)
    assert curve is not None
    assert np.interp(0.0, curve.fpr[:1], curve.tpr[:1]) == 0
    assert curve.tpr[curve.thresholds == 0.9] == pytest.approx([0.75])


def test_a_rounded_face_score_of_zero_is_half_a_step_and_no_infinity():
    found = face_metrics(face_table([("FAKE", None, "plain", 0.0, 1)]), 0.5)
    assert found.labelled.log_loss == pytest.approx(-math.log(0.00005))


@pytest.mark.parametrize("keep", ["FAKE", "REAL", None])
def test_one_class_or_none_has_no_ranking(keep: str | None):
    rows = [row | {"label": keep} for row in small_table().to_pylist()]
    found = video_metrics(verdict_table(rows))
    assert found.overall.scored.auc is None
    assert video_roc(verdict_table(rows)) is None
    if keep is None:
        assert found.unlabelled == 7
        assert found.overall.scored.accuracy is None
        assert found.overall.coverage.correct_share is None
        assert found.methods == ()


def test_an_empty_table_has_no_numbers():
    found = video_metrics(verdict_table([]))
    assert (found.videos, found.layouts, found.methods) == (0, (), ())
    assert found.overall.scored.accuracy is None
    assert face_metrics(face_table([]), 0.5).labelled.total == 0
