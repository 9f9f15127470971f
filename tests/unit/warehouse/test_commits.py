"""Commit records: what older and newer versions of framejury wrote is read, and keys keep names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from framejury.warehouse.commits import (
    BatchFacts,
    Commit,
    CommitFacts,
    CostFacts,
    CountFacts,
    ScoreFacts,
)

NIGHTLY: dict[str, Any] = {
    "keeps_crops": False,
    "bundle": {"model_id": "m", "leak": None, "threshold": 0.7},
    "rule": {"reducer": {"name": "median", "weights": []}, "calibration": None, "threshold": 0.7},
    "statuses": {"scored": 2},
    "seconds": {"index": 0.1},
    "versions": {"framejury": "0.1.0"},
    "jail_lacking": [],
    "scores": {"videos": [0, 2], "faces": [1, 5]},
    "cost": {"estimated_s": 1.5, "measured_s": 2.0},
    "batch": {"number": 1, "of": 1, "night": "r1"},
    "counts": {
        "videos_in_archive": 2,
        "planned": {"new": 2},
        "statuses": {"scored": 2},
        "failed_again": 0,
        "verdicts": {"fake": 2},
        "faces_found": 6,
        "faces_scored": 6,
        "videos_cpu_s": 1.0,
        "videos_wall_s": 2.0,
        "read_bytes": 10,
        "drift": {"videos": None, "faces": None},
        "failures": {},
        "failure_share": 0.0,
    },
}
"""The facts of a nightly run as they stand in a commit record."""


def record(**facts: Any) -> dict[str, Any]:
    return {
        **{"sequence": 1, "run_id": "r1", "job": "nightly", "created_at": "2026-01-01T00:00:00"},
        **{"tables": {"verdicts": 2}, "facts": facts},
    }


def test_every_key_of_a_nightly_run_is_a_field() -> None:
    facts = Commit.of_record(record(**NIGHTLY)).facts
    for part in (facts, facts.batch, facts.cost, facts.counts, facts.scores):
        assert part is not None and part.model_extra == {}
    assert facts.batch == BatchFacts(night="r1", number=1, of=1)
    assert facts.cost == CostFacts(estimated_s=1.5, measured_s=2.0)
    assert facts.scores == ScoreFacts(videos=(0, 2), faces=(1, 5))
    assert facts.counts is not None and facts.counts.faces_scored == 6
    assert dict(facts.counted("verdicts")) == {"fake": 2}


def test_a_record_is_written_as_it_was_read() -> None:
    read = json.loads(json.dumps(Commit.of_record(record(**NIGHTLY)).to_record()))
    assert read["facts"] == NIGHTLY


def test_a_key_that_was_never_set_is_not_written() -> None:
    """Or an older framejury, which asks whether `counts` is there, would take null for counts."""
    facts = CommitFacts(statuses={"extracted": 1}).model_copy(update={"seconds": {"index": 1.0}})
    assert facts.to_plain() == {"statuses": {"extracted": 1}, "seconds": {"index": 1.0}}
    assert CommitFacts().to_plain() == {}


def test_a_record_of_an_older_framejury_has_defaults() -> None:
    old = record()
    del old["facts"]
    for facts in (Commit.of_record(old).facts, CommitFacts()):
        assert (facts.keeps_crops, facts.bundle, facts.counts) == (False, None, None)
        assert dict(facts.counted("statuses")) == dict(facts.counted("failures")) == {}
    listed = Commit.of_record(record(statuses={"extracted": 3})).facts
    assert dict(listed.counted("statuses")) == {"extracted": 3}
    assert dict(listed.counted("verdicts")) == {}


def test_keys_of_a_newer_framejury_are_kept() -> None:
    newer = record(weather={"rain": True}, counts={"hours": 3})
    facts = Commit.of_record(newer).facts
    assert facts.to_plain()["weather"] == {"rain": True}
    assert facts.counts == CountFacts.model_validate({"hours": 3})


def test_facts_do_not_change() -> None:
    facts = CommitFacts(keeps_crops=True)
    with pytest.raises(ValidationError, match="frozen"):
        facts.keeps_crops = False  # type: ignore[misc]


@pytest.mark.parametrize(
    "broken",
    [
        {"sequence": 1},
        record() | {"more": 1},
        record(cost={"estimated_s": "much"}),
        record(counts=3),
    ],
    ids=["too little", "unknown field", "no number", "no object"],
)
def test_what_is_no_commit_record(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Commit.of_record(broken)
