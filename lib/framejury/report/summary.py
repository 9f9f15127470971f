"""The sentences at the top of a report."""

from __future__ import annotations

from dataclasses import dataclass

from framejury.evaluation.breakdown import VerdictCounts
from framejury.model.foreign import FEW_WORDS
from framejury.pages.text_table import counted
from framejury.report.findings import Findings
from framejury.report.seen_videos import seen_sentence
from framejury.report.trust import NO_SIGN
from framejury.report.wording import (
    day_word,
    interval_text,
    outcome_word,
    percent,
    status_word,
)
from framejury.schemas.statuses import DecidedBy, Label


@dataclass(frozen=True, slots=True)
class Change:
    """A verdict that differs from the one before this run."""

    video_id: str
    path: str
    before: str
    now: str
    p_before: float | None
    p_now: float | None


def summary_sentences(f: Findings) -> list[str]:
    """Return the outcomes, the news and the accuracy, as far as they are known."""
    accuracy = [*accuracy_sentences(f), apart_sentence(f)]
    sentences = [_what(f.videos, f.outcomes), *_by_sound(f), *_news(f)]
    sentences.append(" ".join(accuracy).strip())
    return [one for one in sentences if one]


def deltas(f: Findings) -> dict[str, int] | None:
    """Return how many more videos than before each outcome has; None if nothing was before."""
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
    """Return `since 2026-02-28 02:31 UTC`, or `since the previous run` if its time is unknown."""
    day = None if f.since is None else f.since.ended_at
    return "since the previous run" if day is None else f"since {day_word(day)}"


def changes(f: Findings, limit: int) -> list[Change]:
    """Return the first changed verdicts, highest score first."""
    if f.since is None:
        return []
    return [
        Change(
            video_id=row["video_id"],
            path=row["path"],
            before=status_word(row["before"]),
            now=outcome_word(row),
            p_before=row["p_fake_before"],
            p_now=row["p_fake"],
        )
        for row in f.since.changed.slice(0, limit).to_pylist()
    ]


def _what(videos: int, o: VerdictCounts) -> str:
    return f"{counted(videos, 'video')}: {outcome_counts(o)}."


def outcome_counts(o: VerdictCounts) -> str:
    """Return the number of videos of each outcome in readers' words."""
    return (
        f"{o.fake:,} called fake, {NO_SIGN} in {o.real:,}, {o.inconclusive:,} inconclusive, "
        f"{o.not_scored:,} not scored"
    )


def _by_sound(f: Findings) -> list[str]:
    count = f.predictions["decided_by"].to_pylist().count(DecidedBy.SOUND.value)
    return [f"{counted(count, 'video is', 'videos are')} fake by the sound."] if count else []


def _news(f: Findings) -> list[str]:
    news = []
    if f.judged_now is not None:
        news.append(f"{counted(f.judged_now, 'video was', 'videos were')} judged in this run")
    if f.since is not None:
        news.append(f"{counted(f.since.changed.num_rows, 'verdict')} changed {since_words(f)}")
        if f.since.new:
            news.append(f"{counted(f.since.new, 'video is', 'videos are')} new")
        if f.since.gone:
            news.append(f"{counted(f.since.gone, 'video is', 'videos are')} gone")
    return [f"{'; '.join(news)}."] if news else []


def accuracy_sentences(f: Findings) -> list[str]:
    """Return how many labelled verdicts are right; empty where none can be."""
    c, wrong = f.video.overall.coverage, f.mistakes
    if f.why_no_accuracy:
        return []
    labelled = f"{counted(c.labelled, 'video is', 'videos are')} labelled."
    if f.seen.labelled:
        labelled = f"Apart from those that the model had seen, {labelled}"
        if not f.seen.unrecorded:
            new = counted(c.labelled, "labelled video is", "labelled videos are")
            labelled = f"{new} new to the model."
    if not c.decided:
        return [f"{labelled} framejury decided none of them."]
    which = f"{c.decided:,} of them"
    if c.decided == c.labelled:
        which = "it" if c.decided == 1 else "all of them"
    right = c.decided - wrong.count
    if not wrong.count:
        got = "it right" if c.decided == 1 else f"all {right:,} right"
    else:
        got = "it wrong" if c.decided == 1 else f"{right:,} right ({_share(f)})"
    sentences = [f"{labelled} framejury decided {which} and got {got}."]
    if wrong.count:
        sentences.append(
            f"{counted(wrong.accused.num_rows, 'real video was', 'real videos were')} called fake; "
            f"{counted(wrong.missed.num_rows, 'fake video was', 'fake videos were')} called real."
        )
    if f.run.bundle is not None and f.run.bundle.training and f.seen.unrecorded:
        sentences.append(FEW_WORDS)
    return sentences


def apart_sentence(f: Findings) -> str:
    """Return how many labelled videos the model had seen; empty where nothing is known."""
    return seen_sentence(f.seen, f.video.overall.coverage.labelled)


def _share(f: Findings) -> str:
    overall = f.video.overall
    interval = interval_text(overall.coverage.accuracy_decided_interval, percent)
    share = percent(overall.coverage.accuracy_decided)
    return f"{share}, {overall.bootstrap.level:.0%} interval {interval}" if interval else share


def undecided_sentence(f: Findings) -> str:
    """Return the accuracy with undecided videos counted as misses."""
    share = percent(f.video.overall.coverage.correct_share)
    return f"Counting undecided videos as misses: {share}."


def label_sentences(f: Findings) -> list[str]:
    """Return what the videos of each label were called, in counts; reals first."""
    verdicts = f.video.overall.verdicts
    labelled = ((label, verdicts[label]) for label in (Label.REAL.value, Label.FAKE.value))
    return [
        f"{counted(v.total, 'video')} labelled {label}: {v.fake:,} called fake, {v.real:,} called "
        f"real, {v.inconclusive:,} inconclusive, {v.not_scored:,} not scored."
        for label, v in labelled
        if v.total
    ]


def limits_sentence(f: Findings) -> str:
    """Return what false-alarm rate the threshold is meant for, and what was not tested."""
    target = None if f.run.bundle is None else f.run.bundle.target_fpr
    if f.why_no_accuracy or target is None:
        return f.not_tested or ""
    meant = f"The threshold is meant to call at most {percent(target)} of real videos fake."
    return f"{meant} {f.not_tested or ''}".rstrip()


def by_score_sentence(f: Findings) -> str:
    """Return what the figures by score count, so that they do not seem to contradict verdicts."""
    c = f.video.overall.scored.confusion
    return (
        "Figures by score also count inconclusive videos: "
        f"{c.fp:,} of {counted(c.reals, 'real video')} and {c.tp:,} of {counted(c.fakes, 'fake')} "
        "scored at or above the threshold."
    )
