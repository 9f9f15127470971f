"""What waits for a decision of a person, and how often people agreed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from framejury.decisions.by_night import Night, NightOutcome, outcomes_by_night
from framejury.decisions.decided import Agreement, VideoDecisions, agreement_of
from framejury.decisions.decisions_csv import CONTENT_DIGITS
from framejury.evaluation.rows import outcome_column
from framejury.pages.text_table import counted
from framejury.redaction import printable
from framejury.report.actions import look_at
from framejury.report.wording import day_word
from framejury.schemas.statuses import Decision, Verdict

TO_DECIDE_CSV = "to_decide.csv"
TO_DECIDE_ROWS = 10_000
"""Most videos in `to_decide.csv`."""

BIAS = (
    "People decide after they have seen the verdict, so they agree with it more often than they "
    "would without it."
)

_NEEDS = ("label", "decision", "verdict", "p_fake", "path", "video_id")


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """Videos without a label that no person has decided on.

    Attributes:
        table: rows of the predictions: new fakes, older fakes, inconclusive ones, each by falling
            score.
        new_fakes, older_fakes, inconclusive: how many of each.
        labelled: videos called fake or inconclusive that have a label, and so do not wait, count.
    """

    table: pa.Table
    new_fakes: int
    older_fakes: int
    inconclusive: int
    labelled: int

    @property
    def total(self) -> int:
        return int(self.table.num_rows)

    def kind(self, rank: int) -> str:
        """Return what waits at this place of the table, from 0."""
        if rank < self.new_fakes:
            return "new fake"
        return "fake" if rank < self.new_fakes + self.older_fakes else "inconclusive"


@dataclass(frozen=True, slots=True, eq=False)
class Review:
    """Decisions of people, for a report.

    Attributes:
        waiting: what waits for one.
        agreement: how often people agreed with what they saw.
        outdated: videos whose only decisions are about earlier content, count.
        by_night: how verdicts held up against decisions, latest night last.
        against_label: rows of the predictions whose decision contradicts the label, by path.
        problems: what could not be used of a file of decisions, as sentences.
    """

    waiting: Waiting
    agreement: Agreement
    outdated: int
    against_label: pa.Table
    problems: tuple[str, ...] = ()
    by_night: tuple[NightOutcome, ...] = ()


def find_waiting(table: pa.Table, new: Collection[str] | None = None) -> Waiting:
    """Return the videos that wait for a decision.

    Args:
        table: columns `_NEEDS` and those of `outcome_column`; `label` and `decision` may be null.
        new: ids of the videos that count as new if they are called fake; None: none.
    """
    outcome = outcome_column(table)
    open_ones = pa.array([Verdict.FAKE.value, Verdict.INCONCLUSIVE.value], pa.string())
    undecided = pc.and_(pc.is_in(outcome, open_ones), pc.is_null(table["decision"]))
    asked = pc.and_(undecided, pc.is_null(table["label"]))
    rows, what = table.filter(asked), outcome.filter(asked)
    is_fake = pc.equal(what, Verdict.FAKE.value)
    is_new = pc.and_(is_fake, pc.is_in(rows["video_id"], pa.array(sorted(new or ()), pa.string())))
    rank = pc.if_else(is_new, 0, pc.if_else(is_fake, 1, 2))
    keys = pa.table(
        {"rank": rank, "score": pc.fill_null(rows["p_fake"], -1.0), "path": rows["path"]}
    )
    falling = [("rank", "ascending"), ("score", "descending"), ("path", "ascending")]
    fakes, new_fakes = (pc.sum(one).as_py() or 0 for one in (is_fake, is_new))
    return Waiting(
        rows.take(pc.sort_indices(keys, sort_keys=falling)),
        new_fakes=new_fakes,
        older_fakes=fakes - new_fakes,
        inconclusive=rows.num_rows - fakes,
        labelled=(pc.sum(undecided).as_py() or 0) - rows.num_rows,
    )


def find_review(
    predictions: pa.Table,
    decisions: Mapping[str, VideoDecisions],
    problems: tuple[str, ...] = (),
    nights: Mapping[str, Night] | None = None,
) -> Review:
    """Return what waits and what was decided, of the videos that a report counts.

    Args:
        predictions: one row per video, columns `predictions.COLUMNS`.
        decisions: video_id -> decisions.
        problems: as the attribute of `Review`.
        nights: run -> its night; None: not known.
    """
    was_fake = pc.fill_null(pc.equal(predictions["before"], Verdict.FAKE.value), False)
    is_new = pc.and_(pc.fill_null(predictions["judged_now"], False), pc.invert(was_fake))
    new = frozenset(predictions["video_id"].filter(is_new).to_pylist())
    here = [decisions[one] for one in predictions["video_id"].to_pylist() if one in decisions]
    current = [now for one in here if (now := one.current) is not None]
    clear = pa.array([Decision.FAKE.value, Decision.REAL.value], pa.string())
    against = pc.and_(
        pc.is_in(predictions["decision"], clear),
        pc.not_equal(pc.utf8_upper(predictions["decision"]), predictions["label"].cast("string")),
    )
    return Review(
        find_waiting(predictions, new),
        agreement_of(current),
        outdated=sum(is_outdated(one) for one in here),
        against_label=predictions.filter(pc.fill_null(against, False)).sort_by("path"),
        problems=problems,
        by_night=outcomes_by_night(current, nights or {}),
    )


def is_outdated(decisions: VideoDecisions) -> bool:
    """Return whether the latest decision on the video is about earlier content."""
    last = decisions.history[-1] if decisions.history else None
    return (
        last is not None
        and decisions.current is None
        and last.decision != Decision.WITHDRAWN
        and not last.is_about(decisions.content_id)
    )


def waiting_sentence(waiting: Waiting) -> str:
    """Return how many videos wait, by kind."""
    if not waiting.total:
        labelled = ""
        if waiting.labelled:
            words = counted(waiting.labelled, "video")
            labelled = f" {words} would, but the archive labels them."
            if waiting.labelled == 1:
                labelled = " One video would, but the archive labels it."
        return f"Nothing waits for a decision.{labelled}"
    kinds = {
        "newly called fake": waiting.new_fakes,
        "called fake before": waiting.older_fakes,
        "inconclusive": waiting.inconclusive,
    }
    listed = [f"{count:,} {kind}" for kind, count in kinds.items() if count]
    wait = counted(waiting.total, "video waits", "videos wait")
    return f"{wait} for a decision: {', '.join(listed)}."


def unclear_lines(rows: pa.Table, most: int) -> list[str]:
    """Return the videos that somebody found unclear, with a heading; empty without any.

    Args:
        rows: columns `path`, `label` and `exports.DECISION_COLUMNS`.
        most: videos that are named, count.
    """
    unclear = pc.fill_null(pc.equal(rows["decision"], Decision.UNCLEAR.value), False)
    found = rows.filter(pc.and_(unclear, pc.is_null(rows["label"]))).sort_by("path")
    if not found.num_rows:
        return []
    words = counted(found.num_rows, "video is unclear: it needs", "videos are unclear: each needs")
    more = found.num_rows - most
    return [
        f"{words} the original, or a second person.",
        *(
            f"  {printable(row['path'])} ({printable(row['reviewer'])}, "
            f"{day_word(row['decided_at'])})"
            for row in found.slice(0, most).to_pylist()
        ),
        *([f"  and {more:,} more"] if more > 0 else []),
    ]


def agreement_sentences(review: Review) -> list[str]:
    """Return how often people agreed with the verdict that they saw; empty without decisions."""
    a = review.agreement
    found = []
    if a.decided:
        kinds = ((a.fakes_agreed, a.fakes, "fake"), (a.reals_agreed, a.reals, "real"))
        agreed = [
            f"they agreed with {right:,} of {counted(total, 'verdict')} of {word}"
            for right, total, word in kinds
            if total
        ]
        parts = [f"People decided on {counted(a.decided, 'video')}", *agreed]
        if a.unclear:
            parts.append(f"{a.unclear:,} stayed unclear")
        found.append(f"{'; '.join(parts)}. {BIAS}")
    if review.outdated:
        words = counted(review.outdated, "decision is", "decisions are")
        found.append(f"{words} about a file that was replaced since, and no longer counts.")
    return found


def to_decide_table(
    waiting: Waiting, contents: Mapping[str, str | None], judges: str = "face"
) -> pa.Table:
    """Return the rows of `to_decide.csv`: what waits, with empty columns for decisions.

    Args:
        waiting: what waits.
        contents: video_id -> `content_id`.
        judges: face, or frame where the model scores whole frames.
    """
    rows = waiting.table.slice(0, TO_DECIDE_ROWS).to_pylist()
    texts: Mapping[str, Sequence[Any]] = {
        "file": [row["path"] for row in rows],
        **{name: [""] * len(rows) for name in ("decision", "by", "note")},
        "verdict": [waiting.kind(rank) for rank in range(len(rows))],
        "p_fake": [None if row["p_fake"] is None else f"{row['p_fake']:.3f}" for row in rows],
        "look_at": [look_at(row, judges) for row in rows],
        "content": [(contents.get(row["video_id"]) or "")[:CONTENT_DIGITS] for row in rows],
    }
    return pa.table({name: pa.array(values, pa.string()) for name, values in texts.items()})
