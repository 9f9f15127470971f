"""What a nightly run tells people at its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from framejury.night.run_summary import MOST_LINES, exit_meaning, summary_lines
from framejury.runs.run_metrics import NewFake, NotScored, RunCounts, RunMetrics

STARTED = datetime(2026, 11, 20, 2, tzinfo=UTC)
COUNTS = RunCounts(
    videos_in_archive=1_204,
    planned={"new": 3, "changed": 1, "missing": 2},
    statuses={"scored": 3, "timeout": 1, "missing": 2},
    verdicts={"fake": 1, "real": 2, "inconclusive": 3},
)
METRICS = RunMetrics(
    job="nightly",
    exit_code=3,
    started_at=STARTED,
    ended_at=STARTED + timedelta(seconds=130),
    warehouse="/warehouse",
    archive="/videos",
    run_ids=("20261120T020000Z-abcdef",),
    counts=COUNTS,
    meaning="the run is complete, but ...",
    new_fakes=(NewFake("news/a.mp4", 0.98),),
    not_scored=(NotScored("news/b.mp4", "timeout"),),
    archive_verdicts={"fake": 31, "real": 1_100, "inconclusive": 3, "not_scored": 70},
    waiting=1,
    report="/warehouse/reports/20261120T020000Z-abcdef/report.html",
)


def fakes(count: int) -> tuple[NewFake, ...]:
    return tuple(NewFake(f"{'folder/' * 30}{number:05}.mp4", 0.9) for number in range(count))


def test_what_each_of_several_networks_took_is_said() -> None:
    def judged(scoring_s: dict[str, float]) -> str:
        counts = COUNTS.model_copy(update={"scoring_s": scoring_s})
        return summary_lines(replace(METRICS, counts=counts))[1]

    assert judged({"a": 12.34, "b": 0.5}).endswith("Scoring took 12.3 s a, 0.5 s b.")
    assert "Scoring" not in judged({"a": 12.34})


def test_each_fact_has_its_line() -> None:
    assert summary_lines(METRICS) == [
        "To judge: 3 new, 1 changed, 2 deleted of 1,204 videos in /videos.",
        # Deleted files were not judged, though their verdict is inconclusive.
        "Judged 4 videos in 0:02:10: 1 fake, 2 real, 1 not scored.",
        "New fakes: 1, highest score first.",
        "  0.98  news/a.mp4",
        "Failures: 1 timeout. The videos and reasons: framejury runs show 20261120T020000Z-abcdef "
        "--warehouse /warehouse",
        "Not scored: news/b.mp4 (timeout).",
        "Archive: 31 fake, 1,100 real, 3 inconclusive, 70 not scored.",
        "Report: /warehouse/reports/20261120T020000Z-abcdef/report.html",
        "1 video waits for a decision: framejury decide --warehouse /warehouse",
        "Exit code 3: the run is complete, but ...",
    ]


DONE = {"target": "Delta Lake", "place": "/d", "runs": 3, "seconds": 1.0, "error": None}
DOWN = {"target": "PostgreSQL", "place": "db", "runs": 0, "seconds": 1.0, "error": "no route"}


def test_where_tables_were_published_is_said() -> None:
    lines = summary_lines(replace(METRICS, published=(DONE, DOWN)))
    assert "Published: Delta Lake (3 runs)." in lines
    assert any(line.startswith("Not published: PostgreSQL;") for line in lines)


@pytest.mark.parametrize("count", [0, 1, 5, 6, 100_000])
def test_no_archive_makes_it_longer(count: int) -> None:
    unscored = tuple(NotScored(one.path, "not_video") for one in fakes(count))
    told = replace(METRICS, new_fakes=fakes(count), not_scored=unscored, decision_problems=("a",))
    told = replace(told, published=(DONE, DOWN))
    lines = summary_lines(told, width=100)
    assert len(lines) <= MOST_LINES
    named = [line for line in lines if line.startswith("  0.90")]
    assert all(len(line) < 100 and line.endswith(".mp4") for line in named)
    more = [line for line in lines if "more; the report lists them" in line]
    assert len(named) + (int(more[0].split()[1].replace(",", "")) if more else 0) == count
    assert len(more) == (count > 5)


def test_names_that_attack_the_terminal_or_hold_secrets() -> None:
    evil = NewFake("\x1b[2Ja\nb.mp4", None)
    lines = summary_lines(replace(METRICS, new_fakes=(evil,), archive="s3://key:Secret@bucket/a"))
    assert all(line.isprintable() for line in lines)
    assert "Secret" not in "".join(lines)
    assert any(line.startswith("   --   ") for line in lines)  # judged by its sound


def test_an_idle_night() -> None:
    idle = replace(
        METRICS,
        exit_code=0,
        counts=RunCounts(videos_in_archive=1_204),
        meaning=exit_meaning(RunCounts(), 0.2, too_many=False),
        is_idle=True,
        new_fakes=(),
        not_scored=(),
        waiting=0,
    )
    assert summary_lines(idle) == [
        "Nothing new: 0 of 1,204 videos to judge in /videos.",
        "Archive: 31 fake, 1,100 real, 3 inconclusive, 70 not scored.",
        "Report: /warehouse/reports/20261120T020000Z-abcdef/report.html (the last one; nothing "
        "changed)",
        "Exit code 0: there was nothing to judge.",
    ]


def test_a_broken_file_is_named_and_is_not_inconclusive() -> None:
    counts = RunCounts(
        planned={"new": 6},
        statuses={"scored": 5, "not_video": 1},
        verdicts={"fake": 3, "real": 1, "inconclusive": 2},
    )
    broken = (NotScored("broken.mp4", "not_video"),)
    lines = summary_lines(replace(METRICS, counts=counts, not_scored=broken))
    assert lines[1].endswith(": 3 fake, 1 real, 1 inconclusive, 1 not scored.")
    assert "Not scored: broken.mp4 (not a video)." in lines
    many = tuple(NotScored(f"{number}.mp4", "no_face") for number in range(1_203))
    (line,) = [
        line
        for line in summary_lines(replace(METRICS, counts=counts, not_scored=many))
        if line.startswith("Not scored: ")
    ]
    assert line == ("Not scored: 0.mp4 (no face), 1.mp4 (no face), 2.mp4 (no face) and 1,200 more.")


def test_decisions_of_a_file() -> None:
    nothing = RunCounts(videos_in_archive=3)
    told = replace(
        METRICS,
        exit_code=0,
        counts=nothing,
        meaning=exit_meaning(nothing, 0.2, too_many=False, decisions=2),
        decisions=2,
        decision_problems=("decisions.csv line 4: no video 'x' in this warehouse",),
    )
    lines = summary_lines(told)
    assert (
        "Decisions: 2 recorded; not used: decisions.csv line 4: no video 'x' in this warehouse."
        in lines
    )
    assert lines[-1] == "Exit code 0: 2 decisions recorded; there was nothing to judge."
    several = replace(told, decisions=0, decision_problems=("line 4: a.", "line 5: b."))
    assert (
        "Decisions: 0 recorded; not used: line 4: a. The report's notes list 2."
        in summary_lines(several)
    )
    assert not any("Decisions" in line for line in summary_lines(replace(METRICS, decisions=0)))
    plain = told.to_plain()
    assert (plain["decisions_recorded"], len(plain["decision_problems"])) == (2, 1)
    assert (plain["not_scored"], plain["waiting"]) == (1, 1)
    assert plain["not_scored_videos"] == [{"path": "news/b.mp4", "status": "timeout"}]


def test_what_exit_codes_mean() -> None:
    assert exit_meaning(COUNTS, 0.2, too_many=True) == (
        "the run is complete, but 25.0% of the videos opened failed (without retries), more than "
        "run.failures_ratio = 20.0%."
    )
    assert exit_meaning(COUNTS, 0.3, too_many=False) == "the run is complete; 1 video failed."
    fine = RunCounts(planned={"new": 1}, statuses={"scored": 1})
    assert exit_meaning(fine, 0.2, too_many=False) == "the run is complete."
