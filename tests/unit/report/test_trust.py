"""The sentence on how far to trust a model, and where readers meet it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

from framejury.model.bundle import load_bundle
from framejury.report.bundle_info import BundleInfo
from framejury.report.evidence.scan_pages import IndexEntry, index_html
from framejury.report.evidence.sentences import called
from framejury.report.evidence.video_page import evidence_html
from framejury.report.report import build_report
from framejury.report.trust import NO_SIGN, Rate, reader_word, trust_of
from framejury.verdict.rule import Rule
from tests.builders.evidence_rows import ABOUT, evidence, score_rows
from tests.builders.reports import Page, mixed_rows, report
from tests.builders.rows import verdict_row

SHIPPED = Path(__file__).resolve().parents[3] / "models" / "detector"


def figure(value: float, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "level": None if low is None else 0.95}


TEST = {
    "real_videos": figure(40),
    "fake_videos": figure(50),
    "video_fpr": figure(0.1, 0.02, 0.2),
    "video_recall_fake": figure(0.6, 0.45, 0.7),
    "video_accuracy": figure(0.5),  # not asked where the share of fakes is there
}


def info(test: dict[str, Any] | None = None, **fields: Any) -> BundleInfo:
    base = BundleInfo("detector", "", {"test": TEST if test is None else test})
    return replace(base, **fields)


def test_the_sentence_of_a_card_with_both_figures() -> None:
    found = trust_of(info())
    assert found.sentence == (
        "Tested on videos kept out of its training, this model called 10.0% of 40 real videos fake "
        "(95% interval 2.0% to 20.0%) and found 60.0% of 50 fakes (95% interval 45.0% to 70.0%)."
    )
    assert (found.real_videos, found.fake_videos) == (40, 50)
    assert found.false_alarm_rate == Rate(0.1, 0.02, 0.2, 0.95)
    assert found.found_rate == Rate(0.6, 0.45, 0.7, 0.95)


def test_the_false_alarms_to_expect_follow_unless_settings_changed_the_rule() -> None:
    expected = "In archives like those its threshold was fitted on, expect 5.0% of real videos."
    assert trust_of(info(expected=expected)).sentence == f"{trust_of(info()).sentence} {expected}"
    assert expected not in trust_of(info(expected=expected, own_rule=False)).sentence


def test_the_model_that_ships_says_what_the_readme_says() -> None:
    """README, from the same bundle: 0 of 11 reals are called fake, 4 of 15 fakes are found."""
    bundle = load_bundle(SHIPPED)
    found = trust_of(BundleInfo.of_bundle(bundle, bundle.rule))
    alarms, share = found.false_alarm_rate, found.found_rate
    assert alarms is not None and share is not None
    wilson = binomtest(0, 11).proportion_ci(0.95, "wilson")
    assert alarms.value == 0 and alarms.high == pytest.approx(wilson.high)
    assert share.value == pytest.approx(4 / 15)
    card = bundle.metrics["test"]["video_recall_fake"]
    assert (share.low, share.high) == (card.low, card.high)
    assert "0.0% of 11 real videos" in found.sentence and "of 15 fakes" in found.sentence


@pytest.mark.parametrize("wrong", [0, 3])
def test_without_an_interval_on_the_card_it_is_wilsons(wrong: int) -> None:
    """Above all "0 of 3", which would read as if it were never wrong."""
    test = TEST | {"real_videos": figure(3), "video_fpr": figure(wrong / 3)}
    rate = trust_of(info(test)).false_alarm_rate
    wilson = binomtest(wrong, 3).proportion_ci(0.95, "wilson")
    assert rate is not None
    assert (rate.low, rate.high) == pytest.approx((wilson.low, wilson.high), abs=1e-9)


def test_the_share_of_fakes_is_not_made_up() -> None:
    """Of 90 videos some have no score: accuracy and false alarms are of fewer, and do not add."""
    test = TEST | {"video_accuracy": figure(0.77), "video_fpr": figure(0.1)}
    del test["video_recall_fake"]
    found = trust_of(info(test))
    assert found.found_rate is None
    assert "has no figure for the share of fakes it finds" in found.sentence


@pytest.mark.parametrize(
    ("bundle", "why"),
    [
        (None, "its bundle is not available"),
        (info(metrics=None), "its model card has no figures"),
        (info(metrics={"val": TEST}), "its model card has no figures"),
        (info({}), "its model card has no figures"),
        (info(purpose="demo"), "it is a demo model"),
        (info(leak="Split by face."), "it was also trained on"),
    ],
)
def test_a_bundle_without_figures_says_so(bundle: BundleInfo | None, why: str) -> None:
    found = trust_of(bundle)
    assert found.sentence.startswith("How often the verdicts of this model are wrong is not known")
    assert why in found.sentence
    assert found.false_alarm_rate is None and found.found_rate is None


UNKNOWN = "The training data of X are unknown. The videos judged here may be among them."


@pytest.mark.parametrize("bundle", [info(), info({}), info(leak="Split by face.")])
def test_what_is_not_known_of_the_training_is_said_with_every_figure(bundle: BundleInfo) -> None:
    found = trust_of(replace(bundle, training=UNKNOWN))
    assert found.sentence.endswith(UNKNOWN) and UNKNOWN not in trust_of(bundle).sentence
    assert "kept out of" not in found.sentence
    assert found.false_alarm_rate == trust_of(bundle).false_alarm_rate


def test_figures_of_another_rule_do_not_hold() -> None:
    assert "do not hold here" in trust_of(info(own_rule=False)).sentence
    assert "do not hold here" not in trust_of(info()).sentence
    bundle = load_bundle(SHIPPED)
    other = replace(bundle.rule, threshold=0.5)
    assert BundleInfo.of_bundle(bundle, bundle.rule).own_rule
    assert BundleInfo.of_bundle(bundle, replace(bundle.rule, remark="read from a commit")).own_rule
    assert not BundleInfo.of_bundle(bundle, other).own_rule


def test_it_stands_above_the_counts_on_every_page() -> None:
    sentence = trust_of(info()).sentence
    files = build_report(report(mixed_rows(), bundle=info()), page_rows=3)
    text = files["report.txt"].decode()
    page = Page(files["report.html"].decode()).text
    assert 0 < text.index(sentence) < text.index("5 videos")
    assert 0 < page.index(sentence) < page.index("5 videos")
    assert sentence in Page(files["verdicts-0002.html"].decode()).text
    trust = json.loads(files["report.json"])["trust"]
    assert trust["sentence"] == sentence
    assert trust["false_alarm_rate"] == {"value": 0.1, "low": 0.02, "high": 0.2, "level": 0.95}
    one = Page(evidence_html(evidence(score_rows([0.9] * 3)), replace(ABOUT, bundle=info()))).text
    assert one.index(sentence) < one.index("framejury calls this video")
    index = index_html([IndexEntry(verdict_row(0), "001.html")], ABOUT.created_at, sentence)
    assert index.index(sentence) < index.index("clips/000.mp4")


def test_an_evidence_page_of_another_model_borrows_no_figures() -> None:
    about = replace(ABOUT, bundle=info(), model_id="other-000000000000", rule=Rule())
    page = Page(evidence_html(evidence(score_rows([0.9] * 3)), about)).text
    assert trust_of(None).sentence in page and trust_of(info()).sentence not in page


def test_real_means_that_nothing_was_found() -> None:
    row = verdict_row(0, p_fake=0.1)
    assert row["verdict"] == "real" and reader_word(row) == NO_SIGN
    assert reader_word(verdict_row(0, p_fake=0.9)) == "fake"
    assert called(row) == "framejury found no sign of manipulation in this video."
    files = build_report(report([row]))
    assert "1 video: 0 called fake, no sign of manipulation found in 1" in (
        files["report.txt"].decode()
    )
    assert json.loads(files["predictions.json"])[0]["verdict"] == "real"


def test_one_headline_and_no_figure_against_it() -> None:
    """The undecided real lies above the threshold, and is not called fake."""
    rows = [
        verdict_row(0, label="REAL", p_fake=0.52, verdict="inconclusive"),
        verdict_row(1, label="REAL", p_fake=0.1),
        verdict_row(2, label="FAKE", p_fake=0.9),
    ]
    files = build_report(report(rows))
    for text in (files["report.txt"].decode(), Page(files["report.html"].decode()).text):
        assert "3 videos are labelled. framejury decided 2 of them and got all 2 right." in text
        assert "1 of 2 real videos and 1 of 1 fake scored at or above the threshold." in text
        assert "called fake, no" in text
        assert "called fake;" not in text and "reals called fake" not in text
