"""Verdict rows and face counts as the evaluation reads them; other tests borrow the makers."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from framejury.evaluation.rows import REPORT_COLUMNS, face_rows, video_rows
from tests.builders.rows import face_table, verdict_row, verdict_table


def test_a_failed_video_is_not_scored_whatever_its_verdict_word():
    rows = video_rows(verdict_table([verdict_row(0, p_fake=None), verdict_row(1, p_fake=0.9)]))
    assert rows.outcomes.tolist() == ["not_scored", "fake"]
    assert rows.scored.tolist() == [False, True]


def test_missing_columns_are_named():
    table = verdict_table([verdict_row(0)]).drop_columns(["label", "uri"])
    with pytest.raises(ValueError, match="lacks the columns uri, label"):
        video_rows(table)
    assert set(REPORT_COLUMNS) - set(table.column_names) == {"label", "uri"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"status": "done"}, "column status holds"),
        ({"status": "extracted"}, "column status holds"),
        ({"verdict": "FAKE"}, "column verdict holds"),
        ({"label": "fake"}, "column label holds"),
        ({"p_fake": 1.5}, "within 0 to 1"),
        ({"p_fake": float("nan")}, "within 0 to 1"),
        ({"status": "timeout"}, "contradict"),
        ({"p_fake": None, "status": "scored"}, "contradict"),
        ({"group": None}, "column group is null"),
    ],
)
def test_rows_that_break_the_contract_are_refused(fields: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        video_rows(verdict_table([verdict_row(0), verdict_row(1, **fields)]))


def test_face_counts_keep_their_weights_and_their_unknown_labels():
    rows = face_rows(face_table([("FAKE", "swap", "ffpp", 0.9, 7), (None, None, "plain", 0.2, 3)]))
    assert rows.weights.tolist() == [7, 3]
    assert rows.known.tolist() == [True, False]
    assert rows.where(rows.known).fake.tolist() == [1]


def test_face_counts_must_be_whole():
    table = face_table([("FAKE", None, "plain", 0.9, 7)])
    halves = table.set_column(4, "faces", pa.array([1.5]))
    with pytest.raises(ValueError, match="whole numbers"):
        face_rows(halves)
