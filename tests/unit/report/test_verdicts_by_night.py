"""How verdicts held up against decisions, night by night, in every output."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from framejury.decisions.by_night import Night, NightOutcome
from framejury.decisions.decided import Decided, VideoDecisions
from framejury.report.figures import decisions_figure
from framejury.report.findings import find
from framejury.report.inputs import Context, RunReport
from framejury.report.report import build_report
from framejury.report.report_figures import report_figures
from framejury.report.verdicts_by_night import (
    HEADER,
    MOST_NIGHTS,
    NOTE,
    TITLE,
    held_up,
    night_rows,
    nights_sentence,
    nights_text,
)
from framejury.schemas.statuses import Decision
from tests.builders.reports import RUN, Page
from tests.builders.rows import verdict_row, verdict_table

START = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)


def night(number: int, **counts: int) -> NightOutcome:
    return NightOutcome(Night(f"run-{number}", START + timedelta(days=number)), **counts)


NIGHTS = (night(0, agreed=18, accused=1, missed=1, inconclusive=2), night(1, agreed=6, accused=3))


def report() -> RunReport:
    """Two nights; of the second, people agreed with one verdict, and not with another one."""
    rows = [verdict_row(n, p_fake=0.9, label=None) for n in range(4)]
    judging = {f"r{n}": one.night for n, one in enumerate(NIGHTS)}

    def by(decision: Decision, run: str) -> VideoDecisions:
        one = Decided(None, decision, "Ann", None, START, "command", "fake", 0.9, "m", run)
        return VideoDecisions((one,))

    decisions = {
        rows[0]["video_id"]: by(Decision.FAKE, "r0"),
        rows[1]["video_id"]: by(Decision.FAKE, "r1"),
        rows[2]["video_id"]: by(Decision.REAL, "r1"),
        "of a video that is gone": by(Decision.REAL, "r1"),
    }
    context = Context(decisions=decisions, judging_nights=judging)
    return RunReport(verdict_table(rows), None, RUN, context=context)


def test_the_latest_night_is_first_and_few_decisions_give_no_share() -> None:
    assert night_rows(NIGHTS) == [
        ("2026-03-02 02:30 UTC", "run-1", "9 (few)", "6", "3", "0", "0", "too few"),
        ("2026-03-01 02:30 UTC", "run-0", "22", "18", "1", "1", "2", "90.0%"),
    ]
    many = [night(n, agreed=1) for n in range(MOST_NIGHTS + 2)]
    assert [row[1] for row in night_rows(many)][-1] == "run-2"


def test_the_sentence_compares_and_warns() -> None:
    said = nights_sentence(NIGHTS)
    wrong = "people disagreed with 3 of 9 verdicts of fake or real"
    assert f"{wrong}; in the nights before, with 2 of 20." in said
    assert said.endswith("Fewer than 10 verdicts say little.")
    alone = nights_sentence(NIGHTS[:1])
    assert alone.endswith("people disagreed with 2 of 20 verdicts of fake or real.")
    assert nights_sentence(()) == "" == nights_text(())


def test_nights_of_inconclusive_verdicts_only_are_not_compared_with_nothing() -> None:
    open_ones, more = night(2, inconclusive=3), night(3, inconclusive=1)
    said = nights_sentence((*NIGHTS, open_ones))
    only = "no verdict of fake or real was decided on, only 3 videos with an inconclusive one"
    assert said.endswith(f"{only}; in the nights before, people disagreed with 5 of 29.")
    assert nights_sentence((open_ones,)).endswith(f"{only}.")
    last = nights_sentence((open_ones, more))
    assert last.endswith("only 1 video with an inconclusive one.")
    after = nights_sentence((open_ones, NIGHTS[0]))
    assert after.endswith("people disagreed with 2 of 20 verdicts of fake or real.")
    assert night_rows((open_ones,))[0][2:] == ("3 (few)", "0", "0", "0", "3", "too few")


def test_a_new_model_is_named_where_it_begins() -> None:
    models = ("a", "a", "b", None, "b")
    nights = [
        replace(one, night=replace(one.night, model_id=model))
        for model, one in zip(models, (night(n, agreed=1) for n in range(5)), strict=True)
    ]
    runs = [row[1] for row in reversed(night_rows(nights))]
    new = ("", "", " (model: b)", " (model: not known)", " (model: b)")
    assert runs == [f"run-{n}{words}" for n, words in enumerate(new)]
    # The night before the first one shown counts, too.
    shown = [replace(nights[0], agreed=n) for n in range(MOST_NIGHTS)]
    assert "(model" not in night_rows((nights[1], *shown))[-1][1]
    assert "(model: a)" in night_rows((nights[2], *shown))[-1][1]


def test_every_output_has_the_nights(monkeypatch: pytest.MonkeyPatch) -> None:
    files = build_report(report(), csv_mark=False)
    page, text = files["report.html"].decode(), files["report.txt"].decode()
    for said in (Page(page).text, text):
        assert TITLE in said and "1 of 2 verdicts" in said and NOTE in said
    assert 'aria-label="Videos that people decided on, by nightly run' in page
    assert {"decisions.png", "decisions.svg"} <= set(files)
    found = json.loads(files["report.json"])["review"]["nights"]
    counts: dict[str, Any] = {"missed": 0, "inconclusive": 0}
    assert [one | {"judged_at": None} for one in found] == [
        {"run_id": "run-0", "judged_at": None, "decided": 1, "agreed": 1, "accused": 0} | counts,
        {"run_id": "run-1", "judged_at": None, "decided": 2, "agreed": 1, "accused": 1} | counts,
    ]


def test_without_decisions_nothing_is_said() -> None:
    none = replace(report(), context=Context(decisions={}))
    files = build_report(none, csv_mark=False)
    assert TITLE not in files["report.html"].decode() + files["report.txt"].decode()
    assert "decisions.png" not in files
    assert held_up(None) is None


def test_one_night_is_a_table_without_a_chart() -> None:
    one = report()
    nights = {"r0": NIGHTS[0].night}
    found = find(replace(one, context=replace(one.context, judging_nights=nights)))
    assert found.review is not None and len(found.review.by_night) == 1
    assert "decisions" not in report_figures(found)


def test_bars_stack_up_to_what_was_decided() -> None:
    (axes,) = decisions_figure(NIGHTS).axes
    tops = [0.0, 0.0]
    for bars in axes.containers:
        for place, bar in enumerate(bars):
            assert bar.get_y() == tops[place]
            tops[place] += bar.get_height()
    assert tops == [22, 9]
    assert len(HEADER) == len(night_rows(NIGHTS)[0])
