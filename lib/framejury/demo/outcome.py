"""`python -m framejury.demo.outcome WAREHOUSE`: how the verdicts compare with the labels, by name.

`make demo` ends with it, so that nobody takes its verdicts for more than they are.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from framejury.errors import FramejuryError
from framejury.pages.text_table import counted
from framejury.redaction import printable
from framejury.schemas.statuses import Label, Verdict
from framejury.warehouse import Warehouse

_NAMED = 12
_WIDTH = 92
_NO_PROOF = "A verdict of fake is a reason to look at a video, never proof."


@dataclass(frozen=True)
class Judged:
    """One video of the archive.

    Attributes:
        path: path below the archive.
        label: its label; None without one.
        verdict: its verdict.
        status: its status, which gives the reason for a missing score.
        is_scored: whether its pictures have a score.
    """

    path: str
    label: str | None
    verdict: str
    status: str
    is_scored: bool = True


def main(argv: Sequence[str] | None = None) -> int:
    """Print the outcome; return 0, or 2 if there is none to print."""
    parser = argparse.ArgumentParser(
        prog="python -m framejury.demo.outcome",
        description="Print how the verdicts of a warehouse compare with the labels, by name.",
    )
    parser.add_argument("warehouse", help="the warehouse that a nightly run filled")
    parser.add_argument(
        "--generated",
        action="store_true",
        help="the archive is the one that python -m framejury.demo makes (default: one of yours)",
    )
    args = parser.parse_args(argv)
    try:
        videos = judged_videos(Warehouse.open(args.warehouse))
    except FramejuryError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for paragraph in outcome(videos, generated=args.generated):
        print(textwrap.fill(paragraph, _WIDTH, break_long_words=False, break_on_hyphens=False))
    return 0


def judged_videos(warehouse: Warehouse) -> list[Judged]:
    """Return the latest verdicts on the videos that are in the archive, by path.

    Raises:
        WarehouseError: nothing was judged yet, or it cannot be read.
    """
    verdicts = warehouse.read_latest("verdicts", ["verdict", "status", "p_fake"]).to_pylist()
    by_id = {row["video_id"]: row for row in verdicts}
    there = warehouse.read_snapshot("videos").to_pylist()
    found = [
        Judged(
            video["path"],
            video["label"],
            row["verdict"],
            row["status"],
            row["p_fake"] is not None,
        )
        for video in there
        if video["missing_since"] is None and (row := by_id.get(video["video_id"])) is not None
    ]
    return sorted(found, key=lambda one: one.path)


def outcome(videos: Sequence[Judged], *, generated: bool) -> list[str]:
    """Return how right the verdicts are, by name, and what that means, one paragraph per line.

    Args:
        videos: all videos of the archive.
        generated: whether they are the clips that framejury generated.
    """
    what = "clip" if generated else "video"
    real = [one for one in videos if one.label == Label.REAL]
    fake = [one for one in videos if one.label == Label.FAKE]
    if not real and not fake:
        called = [one for one in videos if one.verdict == Verdict.FAKE]
        return [
            f"{_called(called, videos, what)}",
            "No video here is labelled, so nobody can say how many of these verdicts are right. "
            f"{_NO_PROOF}",
        ]
    return [*_of_real(real, what), *_of_fake(fake, what), _meaning(generated=generated)]


def _of_real(real: Sequence[Judged], what: str) -> list[str]:
    if not real:
        return []
    wrong = [one for one in real if one.verdict == Verdict.FAKE]
    right = [one for one in real if one.verdict == Verdict.REAL]
    undecided = [one for one in real if one.verdict == Verdict.INCONCLUSIVE]
    text = f"Of {counted(len(real), f'real {what}')}, {len(wrong)} {_were(wrong)} called fake"
    text += f", wrongly: {_names(wrong)}. " if wrong else ". "
    return [text + f"{len(right)} {_were(right)} called real.{_undecided(undecided)}"]


def _of_fake(fake: Sequence[Judged], what: str) -> list[str]:
    if not fake:
        return []
    found = [one for one in fake if one.verdict == Verdict.FAKE]
    missed = [one for one in fake if one.verdict == Verdict.REAL]
    undecided = [one for one in fake if one.verdict == Verdict.INCONCLUSIVE]
    text = f"Of {counted(len(fake), f'manipulated {what}')}, {len(found)} {_were(found)} found"
    text += f": {_names(found)}. " if found else ". "
    if missed:
        text += f"{len(missed)} {_were(missed)} called real, wrongly: {_names(missed)}."
    else:
        text += "None was called real."
    return [text + _undecided(undecided)]


def _meaning(*, generated: bool) -> str:
    if generated:
        return (
            "What this means: framejury works on this machine. The clips show three people and "
            "simple manipulations, so these counts tell nothing about other videos; README.md has "
            f"the figures for held-out videos of data sets. {_NO_PROOF}"
        )
    return (
        "What this means: these counts hold for the labelled videos of this archive only, and "
        "not if the model has seen them in training; the report measures them with intervals. "
        f"{_NO_PROOF}"
    )


def _called(called: Sequence[Judged], videos: Sequence[Judged], what: str) -> str:
    text = f"{len(called)} of {counted(len(videos), what)} {_were(called)} called fake"
    return f"{text}: {_names(called)}." if called else f"{text}."


def _undecided(videos: Sequence[Judged]) -> str:
    """Return which videos are inconclusive, and which have no score and why."""
    unsure = [one for one in videos if one.is_scored]
    unscored = [one for one in videos if not one.is_scored]
    text = f" {len(unsure)} {_were(unsure)} inconclusive: {_names(unsure)}." if unsure else ""
    if unscored:
        names = [f"{printable(one.path)} ({_reason(one.status)})" for one in unscored[:_NAMED]]
        rest = f" and {len(unscored) - _NAMED:,} more" if len(unscored) > _NAMED else ""
        text += f" {len(unscored)} {_were(unscored)} not scored: {', '.join(names)}{rest}."
    return text


def _reason(status: str) -> str:
    return status.replace("_", " ")


def _names(videos: Sequence[Judged]) -> str:
    names = ", ".join(printable(one.path) for one in videos[:_NAMED])
    return names if len(videos) <= _NAMED else f"{names} and {len(videos) - _NAMED:,} more"


def _were(videos: Sequence[Judged]) -> str:
    return "was" if len(videos) == 1 else "were"


if __name__ == "__main__":
    sys.exit(main())
