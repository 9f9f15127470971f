"""What each member of an ensemble says of a video: the verdict that it would give by itself.

A member judges the same faces by its own rule, without an interval. `tables.reduce` computes the
same in Spark SQL, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from framejury.verdict.calibration import calibrated
from framejury.verdict.judge import FaceScores, MemberVerdict, reduced
from framejury.verdict.rule import Rule, rule_of_facts


@dataclass(frozen=True)
class MemberRule:
    """A member of an ensemble, and the rule of its own bundle."""

    model_id: str
    rule: Rule


def member_verdict(member: MemberRule, faces: FaceScores) -> MemberVerdict:
    """Return what a member says.

    Args:
        member: the member.
        faces: of the video, scored by it.
    """
    frames = len(set(faces.frame_index))
    score = reduced(faces.score, faces.person, member.rule.reducer, frames)
    score = float(calibrated(score, member.rule.calibration))
    return MemberVerdict(member.model_id, score, score >= member.rule.threshold)


def members_of_facts(facts: Mapping[str, Any]) -> tuple[MemberRule, ...]:
    """Return the members from the facts of a bundle in a commit; none for a single network."""
    return tuple(
        MemberRule(one["model_id"], rule_of_facts(one)) for one in facts.get("members") or ()
    )


def in_words(members: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what each member says, one text each: `NAME 0.912 fake`.

    The name is the `model_id`, without its digest where that tells them apart.

    Args:
        members: the column `members` of `verdicts`.
    """
    ids = [str(one["model_id"]) for one in members]
    short = [model_id.rpartition("-")[0] or model_id for model_id in ids]
    names = short if len(set(short)) == len(ids) else ids
    return [
        f"{name} {one['score']:.3f} {'fake' if one['fake'] else 'not fake'}"
        for name, one in zip(names, members, strict=True)
    ]


def agreement(members: Sequence[Mapping[str, Any]]) -> str:
    """Return whether members agree, in words: `all 3 say fake`, `1 of 3 says fake`."""
    count, fakes = len(members), sum(bool(one["fake"]) for one in members)
    if fakes == count:
        return f"all {count} say fake" if count > 2 else "both say fake"
    if fakes == 0:
        return "none of them says fake"
    return f"they disagree: {fakes} of {count} {'says' if fakes == 1 else 'say'} fake"
