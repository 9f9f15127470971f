"""Every file of a report says how the model does on methods it knows and on others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from framejury.report.findings import find
from framejury.report.known import NOT_RECORDED, TITLE
from framejury.report.report import BundleInfo, build_report
from framejury.report.report_figures import ReportFigure
from tests.builders.reports import Page, report
from tests.builders.rows import METHOD_ROWS, verdict_row


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, ReportFigure] = {}
    monkeypatch.setattr("framejury.report.report.report_figures", lambda findings: drawn)


def files_of(methods: Mapping[str, int] | None, rows: list[dict[str, Any]]) -> tuple[str, str, Any]:
    bundle = BundleInfo("detector", "", methods=methods)
    files = build_report(report(rows, bundle=bundle))
    page = Page(files["report.html"].decode()).text
    return files["report.txt"].decode(), page, json.loads(files["report.json"])["known_methods"]


def test_both_kinds_are_told_apart() -> None:
    text, page, found = files_of({"old": 3, "older": 1, "not named": 2}, METHOD_ROWS)
    assert TITLE in text
    for said in (text, page):
        assert "known: old, older" in said
        assert "unknown: new" in said
        assert "1 fake here has no named method" in said
        assert "The method of 2 training fakes is not named" in said
    assert found["known"]["methods"] == ["old", "older"]
    assert found["known"]["scored"] == {"reals": 3, "fakes": 2}
    assert found["known"]["videos"]["auc"]["value"] == 1.0
    assert found["unknown"]["methods"] == ["new"]
    assert (found["unnamed"], found["trained_unnamed"]) == (1, 2)


def test_each_method_says_whether_it_was_in_training() -> None:
    files = build_report(
        report(METHOD_ROWS, bundle=BundleInfo("detector", "", methods={"old": 3, "gone": 1}))
    )
    (line,) = [row for row in files["report.txt"].decode().splitlines() if " older " in row][:1]
    assert "unknown" in line and "1 (few)" in line
    page = Page(files["report.html"].decode()).text
    for said in (files["report.txt"].decode(), page):
        assert "Not tested here: methods it was trained on (gone), sound." in said
    assert json.loads(files["report.json"])["not_tested"].startswith("Not tested here: ")


def test_what_was_heard_counts_as_tested() -> None:
    rows = [verdict_row(0, label="FAKE", method="a", sound="scored"), verdict_row(1, label="REAL")]
    found = find(report(rows, bundle=BundleInfo("detector", "", methods={"b": 1})))
    assert found.not_tested == "Not tested here: methods it was trained on (b)."
    nothing = find(report([verdict_row(0, label=None)]))
    assert nothing.not_tested is None


def test_the_rate_that_the_threshold_is_meant_for_stands_beside_what_was_measured() -> None:
    meant = "The threshold is meant to call at most 5.0% of real videos fake."
    for rows, is_said in ((METHOD_ROWS, True), ([verdict_row(0, label=None)], False)):
        files = build_report(report(rows, bundle=BundleInfo("detector", "", target_fpr=0.05)))
        assert (meant in files["report.txt"].decode()) is is_said
        assert (meant in Page(files["report.html"].decode()).text) is is_said
    facts = {"purpose": "detector", "card": "", "metrics": {}, "target_fpr": 0.05}
    assert BundleInfo.of_facts(facts).target_fpr == 0.05
    assert BundleInfo.of_facts(facts, own_rule=False).target_fpr is None


def test_an_old_bundle_is_said_to_have_recorded_nothing() -> None:
    text, page, found = files_of(None, METHOD_ROWS)
    assert NOT_RECORDED in text and NOT_RECORDED in page
    assert found == {"note": NOT_RECORDED, "known": None, "unknown": None}


@pytest.mark.parametrize("methods", [None, {"old": 1}])
def test_nothing_is_said_where_no_fake_has_a_method(methods: Mapping[str, int] | None) -> None:
    rows = [verdict_row(0, label="FAKE", p_fake=0.9), verdict_row(1, label="REAL")]
    text, page, found = files_of(methods, rows)
    assert TITLE not in text
    assert NOT_RECORDED not in page and "unknown:" not in page
    assert found == {"note": None, "known": None, "unknown": None}


def test_a_commit_of_before_methods_were_recorded_has_none() -> None:
    facts = {"purpose": "detector", "card": "", "metrics": {}}
    assert BundleInfo.of_facts(facts).methods is None
    assert BundleInfo.of_facts(facts | {"methods": {"a": 1}}).methods == {"a": 1}


def test_without_the_bundle_nothing_is_said() -> None:
    files = build_report(report(METHOD_ROWS, bundle=None))
    assert TITLE not in files["report.txt"].decode()
