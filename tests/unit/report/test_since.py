"""What is new since the night before, wrong verdicts, and where the time went: counted by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from framejury.evaluation.breakdown import VerdictCounts
from framejury.report.effort import KINDS, SLOWEST, find_effort
from framejury.report.findings import find
from framejury.report.inputs import Context, RunReport
from framejury.report.predictions import find_mistakes, predictions_table
from framejury.report.since import find_runs, find_since
from framejury.report.summary import deltas, summary_sentences
from framejury.report.text import text_report
from framejury.report.wording import bytes_word, delta_word, took_word
from tests.builders.reports import ENDED, RUN, before_table, context, extractions, now_rows
from tests.builders.rows import verdict_row, verdict_table


def number(row: dict[str, Any]) -> int:
    return int(row["video_id"], 16)


def test_verdicts_are_compared_with_those_before() -> None:
    found = find_since(predictions_table(verdict_table(now_rows()), context()), context())
    assert found is not None
    assert (found.new, found.gone, found.ended_at) == (1, 1, ENDED)
    assert found.before == VerdictCounts(fake=2, real=2, inconclusive=0, not_scored=2)
    changed = found.changed.to_pylist()
    assert [number(row) for row in changed] == [0, 3, 2]
    assert [row["before"] for row in changed] == ["real", "not_scored", "real"]
    assert [row["p_fake_before"] for row in changed] == [0.3, None, 0.2]


def test_without_a_before_nothing_is_said() -> None:
    predictions = predictions_table(verdict_table(now_rows()))
    assert find_since(predictions, Context()) is None
    for name in ("judged_now", "before", "p_fake_before"):
        assert predictions[name].null_count == len(now_rows())
    report = RunReport(verdict_table(now_rows()), None, RUN)
    assert deltas(find(report)) is None
    assert "since" not in text_report(find(report), max_rows=5)


def test_predictions_say_what_was_judged_now() -> None:
    rows = predictions_table(verdict_table(now_rows()), context()).to_pylist()
    assert {number(row) for row in rows if row["judged_now"]} == {0, 2, 3, 4}
    assert {number(row) for row in rows if row["judged_now"] is False} == {1, 5}


def test_the_first_night_has_an_empty_before() -> None:
    nothing = context(before=before_table([]), earlier=())
    found = find_since(predictions_table(verdict_table(now_rows()), nothing), nothing)
    assert found is not None and found.new == 6 and found.changed.num_rows == 0


def test_nights_count_failures_apart() -> None:
    predictions = predictions_table(verdict_table(now_rows()), context())
    run = replace(RUN, seconds={"index": 1.5, "judge": 2.5})
    earlier, this = find_runs(predictions, context(), run)
    # Failed videos have the verdict inconclusive in the table; here they are not scored.
    assert earlier.outcomes == VerdictCounts(fake=1, real=2, inconclusive=3, not_scored=2)
    assert this.is_this and this.ended_at == RUN.created_at and this.wall_s == 4.0
    assert this.outcomes == VerdictCounts(fake=1, real=2, inconclusive=0, not_scored=1)
    later = replace(run, ended_at=ENDED)  # `framejury report` wrote the page days after the run
    assert find_runs(predictions, context(), later)[-1].ended_at == ENDED
    assert find_runs(predictions, context(earlier=()), run) == ()
    assert len(find_runs(predictions, context(judged_now=None), run)) == 1


def test_sentences_and_differences() -> None:
    report = RunReport(verdict_table(now_rows()), None, RUN, context=context())
    findings = find(report)
    what, news, rightness = summary_sentences(findings)
    assert what == (
        "6 videos: 2 called fake, no sign of manipulation found in 2, 0 inconclusive, 2 not scored."
    )
    assert news == (
        "4 videos were judged in this run; 3 verdicts changed since 2026-02-28 02:31 UTC; "
        "1 video is new; 1 video is gone."
    )
    assert rightness == (
        "6 videos are labelled. framejury decided 4 of them and got 2 right (50.0%). "
        "2 real videos were called fake; 0 fake videos were called real."
    )
    expected = {"videos": 0, "fake": 0, "real": 0, "inconclusive": 0, "not scored": 0}
    assert deltas(findings) == expected
    more = find(replace(report, context=context(before=before_table(now_rows()[2:3]))))
    assert deltas(more) == {
        "videos": 5,
        "fake": 2,
        "real": 2,
        "inconclusive": 0,
        "not scored": 1,
    }


def test_text_and_json_tell_the_same() -> None:
    report = RunReport(verdict_table(now_rows()), None, RUN, context=context())
    text = text_report(find(report), max_rows=2)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "Verdicts that changed since 2026-02-28 02:31 UTC: 3" in lines
    assert "real 0.300 fake 0.900 clips/000.mp4" in lines
    assert "First 2; predictions.csv has all, in the column before." in lines
    past = lines.index("2026-02-28 02:31 UTC night-1 8 1 2 3 2 1 min 0 s")
    assert lines[past - 1] == "2026-03-01 02:31 UTC run-1 (this run) 4 1 2 0 1 1.2 s"
    assert "timeout: " in text and "What to do:" in lines
    from framejury.report.document import json_report

    document = json.loads(json_report(find(report)))
    assert document["since"]["changed"] == 3
    assert document["since"]["changes"][0] == {
        "video_id": verdict_row(0)["video_id"],
        "path": "clips/000.mp4",
        "before": "real",
        "now": "fake",
        "p_before": 0.3,
        "p_now": 0.9,
    }
    assert [night["outcomes"]["not_scored"] for night in document["nights"]] == [2, 1]
    assert document["judged_now"] == 4
    assert document["mistakes"]["reals_called_fake"] == [verdict_row(n)["video_id"] for n in (0, 1)]


# ---------------------------------------------------------------- mistakes


def test_mistakes_come_by_confidence_and_open_verdicts_are_none() -> None:
    rows = [
        verdict_row(0, p_fake=0.7, label="REAL"),
        verdict_row(1, p_fake=0.99, label="REAL"),
        verdict_row(2, p_fake=0.2, label="FAKE"),
        verdict_row(3, p_fake=0.01, label="FAKE"),
        verdict_row(4, p_fake=0.52, label="REAL", verdict="inconclusive"),
        verdict_row(5, p_fake=0.9, label="FAKE"),
        verdict_row(6, p_fake=0.9, label=None),
        verdict_row(7, p_fake=None, label="FAKE"),
    ]
    found = find_mistakes(predictions_table(verdict_table(rows)))
    assert [number(row) for row in found.accused.to_pylist()] == [1, 0]
    assert [number(row) for row in found.missed.to_pylist()] == [3, 2]
    assert found.count == 4


# ---------------------------------------------------------------- effort


def test_rates_are_of_this_run() -> None:
    run = replace(RUN, seconds={"index": 30.0, "judge": 90.0})
    work = {
        "videos": 60.0,
        "faces_scored": 1200.0,
        "read_bytes": 5e9,
        "videos_cpu_s": 180.0,
        "videos_wall_s": 240.0,
    }
    predictions = predictions_table(verdict_table(now_rows()))
    found = find_effort(predictions, Context(work=work), run)
    assert [(one.name, one.share) for one in found.phases] == [("index", 0.25), ("judge", 0.75)]
    assert found.rates == {
        "wall_s": 120.0,
        "videos_per_minute": 30.0,
        "faces_per_s": 10.0,
        "read_bytes": 5e9,
        "cpu_s_per_video": 3.0,
        "wall_s_per_video": 4.0,
    }
    nothing = find_effort(predictions, Context(), replace(RUN, seconds={}))
    assert (nothing.phases, nothing.rates, nothing.slowest, nothing.kinds) == ((), {}, (), {})


def test_slowest_videos_and_kinds() -> None:
    codecs = ["h264"] * 9 + ["vp9"] + [f"odd-{i:02d}" for i in range(KINDS)] + [None]
    sizes = [{"width_px": 640, "height_px": 360}] * 3 + [{}] * (len(codecs) - 3)
    rows = [
        {"codec": codec, "wall_s": None if i == 5 else float(i % 15), **size}
        for i, (codec, size) in enumerate(zip(codecs, sizes, strict=True))
    ]
    videos = [verdict_row(i, p_fake=0.1) for i in range(len(rows)) if i != 14]
    found = find_effort(
        predictions_table(verdict_table(videos)), Context(extractions=extractions(rows)), RUN
    )
    times = [row["wall_s"] for row in found.slowest]
    assert times == sorted(times, reverse=True) and len(times) == SLOWEST
    assert found.slowest[0]["path"] == "clips/013.mp4"  # 14, slower, has no verdict any more
    assert next(iter(found.kinds["codec"].items())) == ("h264", 9)
    assert len(found.kinds["codec"]) == KINDS and found.unlisted["codec"] == 2
    assert found.kinds["resolution"] == {"640 x 360": 3}
    assert found.kinds["container"] == {}


@pytest.mark.parametrize(
    ("seconds", "word"),
    [
        (0.04, "0.040 s"),
        (0.314, "0.31 s"),
        (4.06, "4.1 s"),
        (59, "59 s"),
        (75.4, "1 min 15 s"),
        (3900, "1 h 5 min"),
    ],
)
def test_lengths_of_time(seconds: float, word: str) -> None:
    assert took_word(seconds) == word


def test_small_words() -> None:
    assert [delta_word(n) for n in (2, -1, 0)] == ["+2", "-1", "same number as before"]
    assert [bytes_word(n) for n in (12, 1500, 5e9)] == ["12 bytes", "1.5 kB", "5.0 GB"]
