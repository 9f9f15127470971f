"""Known and unknown methods are measured apart, against the same reals."""

from __future__ import annotations

import pytest

from framejury.evaluation.known_methods import has_methods, methods_apart
from framejury.evaluation.rows import video_rows
from tests.builders.rows import METHOD_ROWS, realistic_run, verdict_row, verdict_table


def test_fakes_of_each_kind_against_the_same_reals() -> None:
    found = methods_apart(
        video_rows(verdict_table(METHOD_ROWS)), {"old": 3, "older": 4, "other": 1}
    )
    assert (found.known, found.unknown) == (("old", "older"), ("new",))
    assert (found.unnamed, found.trained_unnamed) == (1, 0)
    known, unknown = found.of_known, found.of_unknown
    assert known is not None and unknown is not None
    assert (known.metrics.scored.reals, known.metrics.scored.fakes) == (3, 2)
    assert (unknown.metrics.scored.reals, unknown.metrics.scored.fakes) == (3, 1)
    assert known.videos["auc"].value == 1.0
    assert unknown.videos["auc"].value == pytest.approx(1 / 3)
    assert known.videos["recall_fake"].value == 1.0
    assert unknown.videos["recall_fake"].value == 0.0


def test_unnamed_training_fakes_make_no_method_known() -> None:
    found = methods_apart(video_rows(verdict_table(METHOD_ROWS)), {"not named": 7})
    assert (found.known, found.of_known) == ((), None)
    assert found.unknown == ("new", "old", "older")
    assert found.trained_unnamed == 7


def test_intervals_where_there_are_enough_groups() -> None:
    rows = video_rows(realistic_run()[0])
    found = methods_apart(rows, {"Deepfakes": 1})
    assert found.known == ("Deepfakes",)
    assert found.unknown == ("Face2Face", "FaceSwap", "celeb_synthesis")
    assert found.of_unknown is not None
    interval = found.of_unknown.videos["auc"].interval
    assert interval is not None and interval.low < interval.high


@pytest.mark.parametrize(("method", "label", "has"), [("a", "FAKE", True), (None, "FAKE", False)])
def test_only_named_fakes_can_be_told_apart(method: str | None, label: str, has: bool) -> None:
    rows = verdict_table([verdict_row(0, label=label, method=method), verdict_row(1)])
    assert has_methods(video_rows(rows)) is has
