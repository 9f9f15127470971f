"""The few sentences that whoever reads nothing else reads."""

from __future__ import annotations

from dataclasses import dataclass

from framejury.evaluation.breakdown import VerdictCounts
from framejury.report.evidence.sentences import counted
from framejury.report.findings import Findings
from framejury.report.wording import day_word, interval_text, percent


@dataclass(frozen=True, slots=True)
class Change:
    """A verdict that is another than before this run."""

    video_id: str
    path: str
    before: str
    now: str
    p_before: float | None
    p_now: float | None


def summary_sentences(f: Findings) -> list[str]:
    """What there is, what is new, and how right it is; one sentence each, where it is known."""
    return [_what(f.videos, f.outcomes), *_news(f), *_rightness(f)]


def deltas(f: Findings) -> dict[str, int] | None:
    """Outcome in words, and `videos` -> how many more than before; None without a before."""
    if f.since is None:
        return None
    now, before = f.outcomes, f.since.before
    return {
        "videos": now.total - before.total,
        "fake": now.fake - before.fake,
        "real": now.real - before.real,
        "inconclusive": now.inconclusive - before.inconclusive,
        "not scored": now.not_scored - before.not_scored,
    }


def since_words(f: Findings) -> str:
    """`since 2026-02-28 02:31 UTC`, or without a day."""
    day = None if f.since is None else f.since.ended_at
    return "since the run before" if day is None else f"since {day_word(day)}"


def changes(f: Findings, limit: int) -> list[Change]:
    """The first changed verdicts, most suspicious first."""
    if f.since is None:
        return []
    return [
        Change(
            video_id=row["video_id"],
            path=row["path"],
            before=row["before"].replace("_", " "),
            now="not scored" if row["p_fake"] is None else row["verdict"],
            p_before=row["p_fake_before"],
            p_now=row["p_fake"],
        )
        for row in f.since.changed.slice(0, limit).to_pylist()
    ]


def _what(videos: int, o: VerdictCounts) -> str:
    return (
        f"{counted(videos, 'video')}: {o.fake:,} fake, {o.real:,} real, "
        f"{o.inconclusive:,} inconclusive, {o.not_scored:,} not scored."
    )


def _news(f: Findings) -> list[str]:
    said = []
    if f.judged_now is not None:
        was = "was" if f.judged_now == 1 else "were"
        said.append(f"{f.judged_now:,} {was} judged in this run")
    if f.since is not None:
        number = f.since.changed.num_rows
        said.append(f"{counted(number, 'verdict')} changed {since_words(f)}")
        if f.since.new:
            said.append(f"{counted(f.since.new, 'video is', 'videos are')} new")
        if f.since.gone:
            said.append(f"{counted(f.since.gone, 'verdict is', 'verdicts are')} gone")
    return [f"{'; '.join(said)}."] if said else []


def _rightness(f: Findings) -> list[str]:
    c = f.video.overall.coverage
    if not c.labelled or not c.decided:
        return []
    interval = interval_text(c.accuracy_decided_interval, percent)
    level, wrong = f.video.overall.bootstrap.level, f.mistakes
    return [
        f"Of {counted(c.labelled, 'video')} whose truth is known {c.decided:,} got a verdict of "
        f"fake or real, and {percent(c.accuracy_decided)} of those are right"
        + (f" ({level:.0%} interval {interval})" if interval else "")
        + f"; {counted(wrong.accused.num_rows, 'real is', 'reals are')} called fake, "
        f"{counted(wrong.missed.num_rows, 'fake is', 'fakes are')} called real."
    ]
