"""Decisions of people, and which of them counts. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import pyarrow as pa

from framejury.schemas.exports import DECISION_COLUMNS
from framejury.schemas.statuses import Decision, Label


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision; fields as in the table `decisions`."""

    content_id: str | None
    decision: Decision
    reviewer: str
    note: str | None
    decided_at: datetime
    source: str
    seen_verdict: str | None
    seen_p_fake: float | None
    seen_model_id: str | None
    seen_run_id: str | None

    def is_about(self, content_id: str | None) -> bool:
        """Return whether it is about this content; content that is not known matches any."""
        return None in (self.content_id, content_id) or self.content_id == content_id


@dataclass(frozen=True, slots=True)
class VideoDecisions:
    """The decisions on one video.

    Attributes:
        history: every decision, oldest first.
        content_id: of the file as it was examined last; None: not known.
    """

    history: tuple[Decided, ...]
    content_id: str | None = None

    @property
    def current(self) -> Decided | None:
        """Return the decision that counts: the latest on this content, unless withdrawn."""
        about = [one for one in self.history if one.is_about(self.content_id)]
        return about[-1] if about and about[-1].decision != Decision.WITHDRAWN else None


def in_order(rows: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Decided, ...]]:
    """Return video_id -> its decisions, oldest first by `decided_at`.

    Args:
        rows: of the table `decisions`, in the order of their commits, which breaks ties.
    """
    found: dict[str, list[Decided]] = defaultdict(list)
    names = [field.name for field in fields(Decided)]
    for row in rows:
        values = {name: row[name] for name in names}
        values["decision"] = Decision(row["decision"])
        found[row["video_id"]].append(Decided(**values))
    return {
        video_id: tuple(sorted(some, key=lambda one: one.decided_at))
        for video_id, some in found.items()
    }


def decisions_of(
    rows: Iterable[Mapping[str, Any]], contents: Mapping[str, str | None]
) -> dict[str, VideoDecisions]:
    """Return video_id -> its decisions.

    Args:
        rows: as for `in_order`.
        contents: video_id -> `content_id` of the file as it was examined last.
    """
    return {
        video_id: VideoDecisions(history, contents.get(video_id))
        for video_id, history in in_order(rows).items()
    }


def decision_columns(
    video_ids: pa.ChunkedArray, decisions: Mapping[str, VideoDecisions]
) -> dict[str, pa.Array]:
    """Return `exports.DECISION_COLUMNS` by name: the current decision, null without one.

    Args:
        video_ids: text, (n,); each array has as many values.
        decisions: by video_id.
    """
    empty = VideoDecisions(())
    current = [decisions.get(video_id, empty).current for video_id in video_ids.to_pylist()]
    return {
        field.name: pa.array(
            [None if one is None else getattr(one, field.name) for one in current], field.type
        )
        for field in DECISION_COLUMNS
    }


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often people agreed with the verdict that they saw, of their current decisions.

    Attributes:
        decided: current decisions, count.
        unclear: of them, decisions of unclear.
        fakes: videos called fake that people decided to be fake or real; fakes_agreed: fake.
        reals: videos called real that people decided to be fake or real; reals_agreed: real.
    """

    decided: int = 0
    unclear: int = 0
    fakes: int = 0
    fakes_agreed: int = 0
    reals: int = 0
    reals_agreed: int = 0


def agreement_of(current: Sequence[Decided]) -> Agreement:
    """Count how often people agreed with what they saw."""
    clear = [one for one in current if one.decision in (Decision.FAKE, Decision.REAL)]
    fakes = [one for one in clear if one.seen_verdict == Decision.FAKE]
    reals = [one for one in clear if one.seen_verdict == Decision.REAL]
    return Agreement(
        decided=len(current),
        unclear=len(current) - len(clear),
        fakes=len(fakes),
        fakes_agreed=sum(one.decision == Decision.FAKE for one in fakes),
        reals=len(reals),
        reals_agreed=sum(one.decision == Decision.REAL for one in reals),
    )


def label_of(decided: VideoDecisions | None) -> Label | None:
    """Return the label that the current decision gives; None without one, or if it is unclear."""
    current = None if decided is None else decided.current
    if current is None or current.decision not in (Decision.FAKE, Decision.REAL):
        return None
    return Label(current.decision.value.upper())
