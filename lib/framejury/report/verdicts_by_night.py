"""How verdicts held up against what people decided, night by night. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from framejury.decisions.by_night import Night, NightOutcome
from framejury.model.card_tables import few_marked
from framejury.pages.text_table import counted, grid, heading
from framejury.report.waiting import BIAS, Review
from framejury.report.wording import day_word, percent
from framejury.schemas.outcomes import FEW_VIDEOS

TITLE = "Verdicts against decisions, night by night"
HEADER = (
    *("judged", "run", "decided", "agreed", "called fake, decided real"),
    *("called real, decided fake", "inconclusive", "agreed, of those called"),
)
MOST_NIGHTS = 30
"""Latest nights shown; `report.json` has all."""

NOTE = (
    "Each video counts for the night whose verdict the person saw, even if it was judged again. "
    "Videos called real do not wait for a decision, so missed fakes show up only where somebody "
    f"looked anyway. {BIAS}"
)


def night_rows(nights: Sequence[NightOutcome]) -> list[tuple[str, ...]]:
    """Return one row of `HEADER` per night, latest first; no share of fewer than 10 videos.

    A night whose model is not that of the night before names it, as figures may jump there.
    """
    with_earlier = list(zip(nights, (*nights[:1], *nights), strict=False))
    return [
        (
            day_word(one.night.judged_at),
            one.night.run_id + _model_after(earlier.night, one.night),
            few_marked(one.decided),
            *(f"{n:,}" for n in (one.agreed, one.accused, one.missed, one.inconclusive)),
            percent(one.agreed / one.called) if one.called >= FEW_VIDEOS else "too few",
        )
        for one, earlier in reversed(with_earlier[-MOST_NIGHTS:])
    ]


def _model_after(earlier: Night, night: Night) -> str:
    same = night.model_id == earlier.model_id
    return "" if same else f" (model: {night.model_id or 'not known'})"


def nights_sentence(nights: Sequence[NightOutcome]) -> str:
    """Compare the latest night with those before it; empty without decisions."""
    if not nights:
        return ""
    *before, last = nights
    day = day_word(last.night.judged_at)
    if not last.called:
        videos = counted(last.inconclusive, "video")
        return (
            f"In the latest night with decisions ({day}), no verdict of fake or real was decided "
            f"on, only {videos} with an inconclusive one{_before(before, 'people disagreed ')}."
        )
    sentence = (
        f"In the latest night with decisions ({day}), people disagreed with {last.wrong:,} of "
        f"{counted(last.called, 'verdict')} of fake or real{_before(before)}"
    )
    few = last.called < FEW_VIDEOS
    return f"{sentence}.{f' Fewer than {FEW_VIDEOS} verdicts say little.' if few else ''}"


def _before(nights: Sequence[NightOutcome], who: str = "") -> str:
    """Return the part on earlier nights; empty where none of their verdicts was fake or real."""
    wrong, total = sum(one.wrong for one in nights), sum(one.called for one in nights)
    return f"; in the nights before, {who}with {wrong:,} of {total:,}" if total else ""


def held_up(review: Review | None) -> dict[str, Any] | None:
    """Return the section of `report.html`; None without decisions."""
    if review is None or not review.by_night:
        return None
    return {
        "title": TITLE,
        "sentence": nights_sentence(review.by_night),
        "header": HEADER,
        "rows": night_rows(review.by_night),
        "left_out": max(len(review.by_night) - MOST_NIGHTS, 0),
        "note": NOTE,
    }


def nights_text(nights: Sequence[NightOutcome]) -> str:
    """Return the block of `report.txt`; nothing without decisions."""
    if not nights:
        return ""
    table = grid(HEADER, night_rows(nights), "ll" + "r" * (len(HEADER) - 2))
    return "\n".join([heading(TITLE), nights_sentence(nights), table, NOTE])
