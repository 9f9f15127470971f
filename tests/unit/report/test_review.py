"""What waits for a decision, what to do about it, and what people decided, in every output."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from framejury.commands import compare
from framejury.commands import decide as decide_command
from framejury.decisions.decided import Decided, VideoDecisions, label_of
from framejury.pages.style import sentence_figure
from framejury.redaction import printable
from framejury.report.actions import CHOICES, Place, Step, look_at, what_to_do
from framejury.report.evidence.decision_block import page_key
from framejury.report.evidence.video_evidence import evidence_of
from framejury.report.evidence.video_page import evidence_html
from framejury.report.findings import Findings, find
from framejury.report.inputs import Context, ReportFace, RunReport
from framejury.report.report import ReportFiles, build_report
from framejury.report.report_figures import ReportFigure
from framejury.report.waiting import agreement_sentences, find_waiting, waiting_sentence
from framejury.schemas.statuses import Decision
from tests.builders.evidence_rows import ABOUT, extraction_row, score_rows
from tests.builders.reports import ATTACKS, RUN, before_table, extractions, jpeg
from tests.builders.rows import verdict_row, verdict_table

NOW = datetime(2026, 11, 30, 14, tzinfo=UTC)
PART = {"start_s": 7.2, "end_s": 11.6, "person": 2, "mean_score": 0.9}
WAREHOUSE = Place("/data/my warehouse")


@pytest.fixture(autouse=True)
def _quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    blank = ReportFigure(sentence_figure("Quick", "Drawn elsewhere."), "What it shows")
    monkeypatch.setattr("framejury.report.report.report_figures", lambda findings: {"roc": blank})


def decided(decision: Decision = Decision.FAKE, **fields: Any) -> Decided:
    values = {
        "content_id": None,
        "decision": decision,
        "reviewer": "Ann",
        "note": None,
        "decided_at": NOW,
        "source": "command",
        "seen_verdict": "fake",
        "seen_p_fake": 0.9,
        "seen_model_id": "m",
        "seen_run_id": "r",
    }
    return Decided(**(values | fields))


def by(*decisions: Decided, content_id: str | None = None) -> VideoDecisions:
    return VideoDecisions(decisions, content_id)


def video(number: int, p_fake: float | None, **fields: Any) -> dict[str, Any]:
    return verdict_row(number, p_fake=p_fake, label=None, **fields)


ROWS = [
    video(0, 0.95),  # an older fake
    video(1, 0.8, stretches=[PART]),  # a new fake
    video(2, 0.6, verdict="inconclusive"),
    video(3, 0.1),  # real
    video(4, None, status="timeout"),
    verdict_row(5, p_fake=0.99, label="REAL"),  # a mistake that is known
    video(6, 0.9),  # decided
    video(7, 0.7),  # a fake judged again in this run
    verdict_row(8, p_fake=0.2, label="REAL"),  # labelled, and decided to be fake
]
IDS = [row["video_id"] for row in ROWS]
DECISIONS = {
    IDS[6]: by(decided(Decision.REAL)),
    IDS[8]: by(decided(Decision.FAKE, seen_verdict="real")),
    IDS[2]: by(decided(content_id="old"), content_id="new"),
}


def report_of(rows: list[dict[str, Any]] = ROWS, **changes: Any) -> RunReport:
    ids = [row["video_id"] for row in rows]
    seen = extractions([{"content_id": f"{n:064x}"} for n in range(len(rows))])
    context = Context(
        judged_now=frozenset({ids[1], ids[7]}) if len(ids) > 7 else frozenset(),
        before=before_table([row for row in rows if row is not rows[1]]) if len(ids) > 7 else None,
        decisions=DECISIONS,
        extractions=seen,
        faces={one: (ReportFace(jpeg(), 0.9, 1.0),) for one in ids[:2]},
    )
    run = replace(RUN, warehouse="/data/my warehouse")
    return RunReport(verdict_table(rows), None, run, context=replace(context, **changes))


def findings(**changes: Any) -> Findings:
    return find(report_of(**changes))


def files(report: RunReport) -> ReportFiles:
    return build_report(report, csv_mark=False)


# ---------------------------------------------------------------- what waits


def test_new_fakes_wait_first_then_older_ones_then_what_is_inconclusive() -> None:
    review = findings().review
    assert review is not None
    waiting = review.waiting
    assert waiting.table["video_id"].to_pylist() == [IDS[1], IDS[0], IDS[7], IDS[2]]
    assert (waiting.new_fakes, waiting.older_fakes, waiting.inconclusive) == (1, 2, 1)
    assert [waiting.kind(rank) for rank in range(4)] == ["new fake", "fake", "fake", "inconclusive"]
    assert waiting.labelled == 1
    assert waiting_sentence(waiting) == (
        "4 videos wait for a decision: 1 newly called fake, 2 called fake before, 1 inconclusive."
    )


def test_what_a_file_of_decisions_could_not_tell_is_said_where_decisions_are() -> None:
    problem = "decisions.csv line 5: no video 'a<b>.mp4' in this warehouse"
    made = files(replace(report_of(), decision_problems=(problem,)))
    page = made["report.html"].decode()
    (block,) = re.findall(r'<section aria-labelledby="waiting">.*?</section>', page, re.DOTALL)
    escaped = problem.replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;")
    assert page.count(escaped) == block.count(escaped) == 1
    text = made["report.txt"].decode().partition("Waiting for a decision")[2]
    assert problem in text
    document = json.loads(made["report.json"])
    assert document["review"]["problems"] == [problem]
    assert problem not in document["notes"]


def test_nothing_waits() -> None:
    review = find(report_of([ROWS[3], ROWS[4], ROWS[5]])).review
    assert review is not None
    said = waiting_sentence(review.waiting)
    assert said.startswith(
        "Nothing waits for a decision. One video would, but the archive labels it"
    )
    empty = find_waiting(verdict_table([]).append_column("decision", pa.array([], pa.string())))
    assert waiting_sentence(empty) == "Nothing waits for a decision."


def test_how_often_people_agreed() -> None:
    review = findings().review
    assert review is not None
    a = review.agreement
    assert (a.decided, a.fakes, a.fakes_agreed, a.reals, a.reals_agreed) == (2, 1, 0, 1, 0)
    assert review.outdated == 1
    first, second = agreement_sentences(review)
    assert first.startswith(
        "People decided on 2 videos; they agreed with 0 of 1 verdict of fake; they agreed with 0 "
        "of 1 verdict of real. People decide after they have seen the verdict"
    )
    assert second == "1 decision is about a file that was replaced since, and no longer counts."
    assert review.against_label["video_id"].to_pylist() == [IDS[8]]


def test_a_withdrawn_decision_is_none() -> None:
    both = by(decided(), decided(Decision.WITHDRAWN))
    assert both.current is None and label_of(both) is None
    assert label_of(by(decided(Decision.UNCLEAR))) is None
    assert label_of(by(decided(Decision.REAL))) == "REAL"


# ---------------------------------------------------------------- what to do


def words(row: dict[str, Any], place: Place = WAREHOUSE, *mine: Decided) -> str:
    return " | ".join(map(str, what_to_do(row, place, by(*mine) if mine else None)))


def test_each_verdict_has_an_action() -> None:
    record = "framejury decide clips/001.mp4 [--fake | --real | --unclear] --note WHY --warehouse "
    record += "'/data/my warehouse'"
    assert words(ROWS[1]) == (
        "Look at 0:07 to 0:12 (face track 2). | If you have the original, compare them: framejury "
        "compare /archive/clips/001.mp4 ORIGINAL --output DIR | Then record your decision: "
        f"{record}"
    )
    assert words(ROWS[0]).startswith("Watch all of it: no seconds are more suspicious")
    assert words(ROWS[2]).startswith("framejury could not decide. Watch all of it")
    assert words(ROWS[3]).startswith("Nothing needs to be done. No sign of manipulation is not")
    assert words(ROWS[4]).startswith("Try again with more time")
    assert "its label" not in words(ROWS[5]) and "needs no decision" in words(ROWS[5])
    by_sound = words(ROWS[0] | {"decided_by": "sound", "verdict": "fake", "p_fake": None})
    assert by_sound.startswith("Listen to all of it")
    done = words(ROWS[1], WAREHOUSE, decided(Decision.UNCLEAR))
    assert done.startswith(
        "Ann could not tell (2026-11-30 14:00 UTC). It needs the original, or a second person."
    )
    done = words(ROWS[1], WAREHOUSE, decided(Decision.REAL))
    assert done.startswith("Ann decided real on 2026-11-30 14:00 UTC, so nothing is left to do.")
    known = words(ROWS[1], Place("/w", original="/archive/o.mp4"))
    assert "framejury compare /archive/clips/001.mp4 /archive/o.mp4 --output DIR" in known
    assert "framejury decide" not in words(ROWS[1], Place()), "a scan has no warehouse"


def test_seconds_to_look_at() -> None:
    parts = [PART | {"start_s": float(at), "end_s": at + 0.2} for at in (0, 59, 3600, 4000)]
    row = ROWS[1] | {"stretches": parts}
    assert look_at(row) == (
        "0:00 to 0:01 (face track 2), 0:59 to 1:00 (face track 2), "
        "1:00:00 to 1:00:01 (face track 2) and 1 more"
    )
    assert look_at(ROWS[1], "frame") == "0:07 to 0:12"


@pytest.mark.parametrize("path", ["it's.mp4", "a b/$(x).mp4", "-c.mp4", "two\nlines.mp4", *ATTACKS])
def test_commands_can_be_typed_whatever_the_file_is_called(path: str) -> None:
    row = ROWS[1] | {"path": path, "uri": f"/archive/{path}"}
    commands = [shlex.split(step.command) for step in what_to_do(row, WAREHOUSE) if step.command]
    parsers = {"compare": compare.parser(), "decide": decide_command.parser()}
    for program, name, *words in commands:
        assert program == "framejury"
        rest = words
        if name == "decide":
            start, end = words.index("[--fake"), words.index("--unclear]")
            assert words[start : end + 1] == CHOICES.split(), "a shell finds no --fake to run"
            rest = [*words[:start], "--fake", *words[end + 1 :]]
        args = parsers[name].parse_args(rest)
        if name == "decide":
            assert args.videos in ([path], [row["video_id"]])
        assert all(printable(word) == word for word in rest)


# ---------------------------------------------------------------- in every output


def test_the_report_opens_with_it() -> None:
    page = files(report_of())["report.html"].decode()
    opening = page.index('id="waiting"')
    assert page.index('class="note trust"') < opening < page.index('id="summary"')
    order = [page.index(f'data-waiting="{IDS[at]}"') for at in (1, 0, 7, 2)]
    assert order == sorted(order)
    assert "Look at 0:07 to 0:12 (face track 2)." in page
    assert "People decided on 2 videos" in page and 'id="against-labels"' in page
    assert "framejury decide clips/001.mp4 [--fake | --real | --unclear]" in page


def test_a_report_of_an_evaluation_asks_for_nothing() -> None:
    made = files(report_of(decisions=None))
    assert "to_decide.csv" not in made
    assert 'id="waiting"' not in made["report.html"].decode()
    assert "decision" not in made["report.txt"].decode()
    assert json.loads(made["report.json"])["review"] is None


def test_the_other_files_tell_it_too() -> None:
    made = files(report_of())
    text = made["report.txt"].decode()
    assert text.index("Waiting for a decision") < text.index("9 videos\n")
    assert "new fake 0.800 0:07 to 0:12 (face track 2) clips/001.mp4" in " ".join(text.split())
    review = json.loads(made["report.json"])["review"]
    assert review["waiting"]["total"] == 4 and review["agreement"]["decided"] == 2
    assert review["waiting"]["videos"][0]["look_at"] == "0:07 to 0:12 (face track 2)"
    rows = {row["video_id"]: row for row in json.loads(made["predictions.json"])}
    assert rows[IDS[6]]["decision"] == "real" and rows[IDS[6]]["reviewer"] == "Ann"
    assert rows[IDS[6]]["decided_at"] == NOW.isoformat()
    assert rows[IDS[2]]["decision"] is None, "about an earlier file"


def test_the_list_to_fill_in() -> None:
    made = files(report_of())["to_decide.csv"].decode()
    rows = list(csv.DictReader(io.StringIO(made)))
    assert [row["file"] for row in rows] == [f"clips/{n:03d}.mp4" for n in (1, 0, 7, 2)]
    assert {row[name] for row in rows for name in ("decision", "by", "note")} == {""}
    assert rows[0]["look_at"] == "0:07 to 0:12 (face track 2)"
    assert rows[0]["content"] == f"{1:064x}"[:16]


def test_the_table_shows_decisions() -> None:
    page = files(report_of())["report.html"].decode()
    assert '<th scope="col" data-key="decision"' in page
    assert 'real <span class="quiet">by <bdi>Ann</bdi></span>' in page
    none = files(report_of(decisions={}))["report.html"].decode()
    assert 'data-key="decision"' not in none


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_words_stay_words(attack: str) -> None:
    words = " ".join(attack.split())
    mine = {IDS[6]: by(decided(reviewer=words, note=words)), IDS[8]: by(decided(reviewer=words))}
    made = files(report_of(decisions=mine))
    row = ROWS[6]
    evidence = replace(
        evidence_of(row, extraction_row(), score_rows([0.9] * 11, 0, 0), []),
        decisions=mine[IDS[6]],
    )
    pages = [made["report.html"].decode(), evidence_html(evidence, ABOUT)]
    for page in pages:
        assert "<script>alert" not in page and "<img src=x" not in page
        assert "onmouseover='alert" not in page and "<svg/onload" not in page
    for text in (*pages, made["report.txt"].decode()):
        assert not {"\x1b", "\u202e", "\r", "\x00"} & set(text)
    for cells in csv.reader(io.StringIO(made["predictions.csv"].decode())):
        assert not any(cell.startswith(("=", "@", "+")) for cell in cells)


# ---------------------------------------------------------------- on an evidence page


def page_of(row: dict[str, Any], decisions: VideoDecisions | None) -> str:
    evidence = evidence_of(row, extraction_row(), score_rows([0.9] * 11, 0, 0), [])
    about = replace(ABOUT, warehouse="/data/w")
    return evidence_html(replace(evidence, decisions=decisions), about)


def test_an_evidence_page_tells_what_was_decided_and_what_to_do() -> None:
    waits = page_of(ROWS[1], None)
    assert "This video waits for a decision." in waits
    assert "[--fake | --real | --unclear] --note WHY --warehouse /data/w" in waits
    history = by(
        decided(content_id="old", note="first <b>look</b>"),
        decided(Decision.REAL, content_id="new", reviewer="Bob", seen_p_fake=None),
        content_id="new",
    )
    page = page_of(ROWS[1], history)
    assert "<b>real</b>, decided by <bdi>Bob</bdi> on 2026-11-30 14:00 UTC" in page
    assert "first &lt;b&gt;look&lt;/b&gt;" in page and "(outdated: about an earlier file)" in page
    assert f'<meta name="framejury-decisions" content="{page_key(history)}">' in page[:400]
    assert "contradicts" not in page
    assert "contradicts the decision" in page_of(ROWS[8], by(decided()))


def test_a_page_is_written_again_when_decisions_change() -> None:
    keys = {
        page_key(one)
        for one in (
            by(decided(), content_id="a"),
            by(decided(), decided(Decision.REAL), content_id="a"),
            by(decided(), content_id="b"),
        )
    }
    assert len(keys) == 3 and page_key(None) == page_key(by()) == ""


def test_a_step_is_one_line() -> None:
    assert str(Step("Do it", "framejury scan x")) == "Do it: framejury scan x"
    assert str(Step("Wait.")) == "Wait."
