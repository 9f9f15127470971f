"""What the rows of an inspected archive come to, and which videos are shown."""

from __future__ import annotations

from html import unescape
from typing import Any

import pyarrow as pa
import pytest

from framejury.clock import now
from framejury.commands.inspect import is_archive
from framejury.errors import MediaError, UsageError
from framejury.inspection.agreement import Agreement, agreement_of, matches
from framejury.inspection.charts import archive_charts, files_of
from framejury.inspection.inspect_page import Parts, archive_page
from framejury.inspection.inspected import (
    Face,
    Facts,
    InspectedFrame,
    Inspection,
    Sound,
)
from framejury.inspection.inspected_archive import (
    ROWS,
    chosen_for_sheet,
    failed_row,
    row_of,
    summary_of,
)
from framejury.schemas.statuses import Status
from framejury.settings import Settings
from framejury.settings.loading import load_settings


def face(x: float, size: float = 50, confidence: float = 1.0) -> Face:
    return Face(x=x, y=10, width=size, height=size, confidence=confidence)


def look(index: int, mtcnn: list[Face], haar: list[Face]) -> InspectedFrame:
    return InspectedFrame(frame_index=index, pts_s=index / 25, mtcnn=tuple(mtcnn), haar=tuple(haar))


def video(number: int, label: str | None = "FAKE", **more: Any) -> dict[str, Any]:
    return {
        "video_id": f"{number:020x}",
        "path": f"{number:03d}.mp4",
        "uri": f"/a/{number:03d}.mp4",
        "layout": "dfdc",
        "label": label,
        "method": None,
        "bytes": 1000,
        **more,
    }


def inspection(looks: list[InspectedFrame], **facts: Any) -> Inspection:
    known: dict[str, Any] = {
        **{"container": "mp4", "codec": "h264", "pixel_format": "yuv420p"},
        **{"width_px": 640, "height_px": 360, "duration_s": 4.0, "frames": 100},
        **{"key_frames": 2, "bytes": 1000, "sound": None, "damage": None},
    }
    return Inspection(
        facts=Facts(**(known | facts)),
        looks=tuple(looks),
        shown=None,
        sheet_s=(),
        mtcnn_s=0.4,
        haar_s=0.9,
    )


def test_boxes_of_one_face_are_matched_once_and_the_best_first() -> None:
    assert matches([face(0), face(200)], [face(200), face(2)]) == [1.0, pytest.approx(48 / 52)]
    assert matches([face(0)], [face(0), face(1)]) == [1.0]
    assert matches([face(0), face(1)], [face(0)]) == [1.0]
    assert matches([face(0)], [face(60)]) == []


def test_agreement_is_counted() -> None:
    both = agreement_of(
        [
            look(0, [face(0), face(200)], [face(0)]),
            look(1, [face(0)], []),
            look(2, [], [face(0)]),
            look(3, [], []),
            look(4, [face(0)], [face(300)]),
        ]
    )
    assert both == Agreement(5, 3, 3, 2, 4, 3, 1, 1.0)
    assert both.mean_iou == 1.0 and Agreement().mean_iou is None


def test_a_row_says_what_was_seen() -> None:
    sound = Sound(codec="aac", rate_hz=44_100, channels=2, streams=1)
    found = inspection([look(0, [face(0)], [face(0)]), look(9, [], [])], sound=sound)
    row = row_of(video(1, method="swap"), found, 1.5)
    assert list(row) == ROWS.names
    assert (row["status"], row["method"], row["wall_s"]) == ("extracted", "swap", 1.5)
    assert (row["frames"], row["mtcnn_frames"], row["matched"]) == (2, 1, 1)
    assert (row["video_frames"], row["frames_per_s"], row["sound_codec"]) == (100, 25.0, "aac")
    assert row_of(video(2), inspection([look(0, [], [face(0)])]), 1)["status"] == "no_face"


def test_a_video_that_fails_is_a_row() -> None:
    row = failed_row(video(3), MediaError(Status.TIMEOUT, "too slow"), 300.0)
    assert list(row) == ROWS.names
    assert (row["status"], row["error"], row["frames"]) == ("timeout", "too slow", None)
    pa.Table.from_pylist([row], schema=ROWS)


@pytest.fixture
def rows() -> pa.Table:
    good = inspection([look(at, [face(0), face(200)], [face(0)]) for at in range(10)])
    other = inspection([look(at, [], []) for at in range(10)], codec="vp9", width_px=320)
    return pa.Table.from_pylist(
        [
            *(row_of(video(at), good, 1.0) for at in range(5)),
            row_of(video(5, "REAL"), other, 1.0),
            row_of(video(6, None), good, 1.0),
            failed_row(video(7, "REAL"), MediaError(Status.UNREADABLE, "<b>broken</b>"), 0.1),
        ],
        schema=ROWS,
    )


def test_the_summary_counts_every_video(rows: pa.Table) -> None:
    found = summary_of(rows)
    assert (found.videos, found.failed) == (8, 1)
    assert found.labels.shown == (("FAKE", 5), ("REAL", 2), ("no label", 1))
    assert found.codecs.shown == (("h264", 6), ("vp9", 1))
    assert found.sizes.shown == (("640 x 360", 6), ("320 x 360", 1))
    assert dict(found.statuses.shown) == {"extracted": 6, "no_face": 1, "unreadable": 1}
    assert found.agreement == Agreement(70, 60, 60, 60, 120, 60, 60, 60.0)
    assert found.mtcnn_rates.tolist() == [2.0] * 5 + [0.0, 2.0]
    assert found.haar_s == pytest.approx(7 * 0.9)
    assert found.failures == (
        {"path": "007.mp4", "status": "unreadable", "error": "<b>broken</b>"},
    )


def test_an_archive_of_which_nothing_can_be_read_has_a_page_too() -> None:
    row = failed_row(video(1), MediaError(Status.CRASHED, "died"), 0.1)
    found = summary_of(pa.Table.from_pylist([row], schema=ROWS))
    assert found.agreement == Agreement() and found.codecs.shown == ()
    charts = archive_charts(found)
    page = archive_page(Parts("a", {}, charts, now()), found, [], [], Settings()).decode()
    assert "No video could be read." in page


def test_many_names_are_cut_and_none_is_lost() -> None:
    many = [row_of(video(at, layout=f"l{at:02d}"), inspection([]), 1.0) for at in range(20)]
    found = summary_of(pa.Table.from_pylist(many, schema=ROWS)).layouts
    assert len(found.shown) == 12 and found.rest == (8, 8)


@pytest.mark.long
def test_charts_have_the_same_names_every_time(rows: pa.Table) -> None:
    names = set(files_of(archive_charts(summary_of(rows))))
    stems = ["labels", "layouts", "methods", "sizes", "durations", "codecs"]
    stems += ["sound", "faces", "detectors", "statuses"]
    assert names == {f"{stem}.{ending}" for stem in stems for ending in ("png", "svg")}


def test_hostile_names_stay_text(rows: pa.Table) -> None:
    bad = "$\\frac{<script>alert(1)</script>$\n\x1b[2J"
    more = row_of(video(9, layout=bad, method=bad), inspection([]), 1.0)
    lost = failed_row(video(8, path=bad), MediaError(Status.MISSING, bad), 0.1)
    found = summary_of(pa.concat_tables([rows, pa.Table.from_pylist([more, lost], schema=ROWS)]))
    charts = archive_charts(found)
    parts = Parts(bad, {}, charts, now())
    page = archive_page(parts, found, [bad], [bad], Settings()).decode()
    assert "<script" not in page and "\x1b" not in page and "<b>broken" not in page
    assert "$\\frac{<script>alert(1)</script>$" in unescape(page)


@pytest.mark.parametrize(
    ("labels", "most", "chosen"),
    [
        ("FFFFFFFFRR", 4, [2, 6, 8, 9]),
        ("FFFF", 9, [0, 1, 2, 3]),
        ("FRFRFR", 2, [2, 3]),
        ("", 5, []),
    ],
)
def test_the_sheet_shows_each_label_and_all_of_the_archive(
    labels: str, most: int, chosen: list[int]
) -> None:
    assert chosen_for_sheet(list(labels), most) == chosen


def test_the_sheet_is_never_larger_than_asked() -> None:
    labels = ["FAKE"] * 700 + ["REAL"] * 3 + [None] * 297
    chosen = chosen_for_sheet(labels, 30)
    assert len(chosen) == len(set(chosen)) == 30
    assert sum(labels[at] == "REAL" for at in chosen) == 3


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("s3://bucket/videos", True),
        ("s3://bucket/videos.mp4/", True),
        ("hdfs:///a/clip.MP4", False),
        ("gs://bucket/clip.webm", False),
        ("hdfs:///data/2026.06", True),
    ],
)
def test_files_and_archives_are_told_apart_by_their_uri(name: str, is_one: bool) -> None:
    assert is_archive(name, load_settings(None, None, [])) is is_one


def test_local_ones_by_what_is_there(tmp_path: Any) -> None:
    settings = load_settings(None, None, [])
    folder = tmp_path / "looks-like.mp4"
    folder.mkdir()
    file = tmp_path / "noending"
    file.write_bytes(b"x")
    assert is_archive(str(folder), settings) and not is_archive(str(file), settings)
    with pytest.raises(UsageError, match="does not exist"):
        is_archive(str(tmp_path / "gone"), settings)
