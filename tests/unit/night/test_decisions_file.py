"""`decisions.csv` of an archive: read by a night, whatever it holds, and never from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from framejury.archive.layouts import describe_videos
from framejury.archive.listing import list_local
from framejury.decisions.decisions_csv import LARGEST_BYTES
from framejury.errors import UsageError
from framejury.night.decisions_file import DecisionsFile, TakenIn, take_in
from framejury.settings import IndexSettings
from framejury.warehouse import Warehouse
from tests.builders.judged import NOW, night

LINE = "file,decision,by\nfolder/a.mp4,fake,Ann\n"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    (tmp_path / "archive").mkdir()
    return tmp_path / "archive"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    place = Warehouse.open_or_plan(str(tmp_path / "warehouse"))
    night(place, {"folder/a.mp4": [0.9]})
    return place


def count(warehouse: Warehouse) -> int:
    return int(warehouse.read_decisions().num_rows)


def test_without_a_file_nothing_happens(archive: Path, warehouse: Warehouse) -> None:
    assert take_in(warehouse, DecisionsFile.of(str(archive), None), NOW) == TakenIn()
    with pytest.raises(UsageError, match=r"--decisions no/such\.csv is not a file"):
        DecisionsFile.of(str(archive), "no/such.csv")
    nowhere = DecisionsFile.of("viewfs://cluster/archive", None)
    assert take_in(warehouse, nowhere, NOW) == TakenIn(), "an archive that only Spark can reach"


def test_the_file_of_the_archive_or_the_named_one(
    archive: Path, warehouse: Warehouse, tmp_path: Path
) -> None:
    (archive / "decisions.csv").write_text(LINE)
    other = tmp_path / "mine.csv"
    other.write_text(LINE.replace("Ann", "Bob"))
    assert take_in(warehouse, DecisionsFile.of(str(archive), str(other)), NOW) == TakenIn(1)
    (row,) = warehouse.read_decisions().to_pylist()
    assert (row["reviewer"], row["source"]) == ("Bob", "mine.csv")
    file = DecisionsFile.of(str(archive), None)
    first, again = (take_in(warehouse, file, NOW) for _ in range(2))
    assert (first, again) == (TakenIn(1), TakenIn(0))
    assert TakenIn().then(first).then(TakenIn(0, ("a",))) == TakenIn(1, ("a",))
    assert count(warehouse) == 2


def test_a_link_out_of_the_archive_is_not_followed(
    archive: Path, warehouse: Warehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(LINE)
    (archive / "decisions.csv").symlink_to(secret)
    (problem,) = take_in(warehouse, DecisionsFile.of(str(archive), None), NOW).problems
    assert "is a link out of the archive" in problem
    assert "is a link out of the archive" in capsys.readouterr().err
    assert count(warehouse) == 0
    followed = DecisionsFile.of(str(archive), None, follow_out=True)
    assert take_in(warehouse, followed, NOW) == TakenIn(1) and count(warehouse) == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x81\x00\xff", "not a text file"),
        (b"", "no column file"),
        (b"a,b\n" + b"x" * LARGEST_BYTES, "more than the 16,777,216 allowed"),
        (b"file,decision,by\n" + b"no.mp4,fake,Ann\n" * 30, "more lines cannot be used"),
    ],
    ids=["no text", "empty", "large", "many"],
)
def test_whatever_it_holds_the_night_goes_on(
    archive: Path, warehouse: Warehouse, content: bytes, told: str
) -> None:
    (archive / "decisions.csv").write_bytes(content)
    problems = take_in(warehouse, DecisionsFile.of(str(archive), None), NOW).problems
    assert told in problems[-1] and len(problems) <= 21
    assert count(warehouse) == 0


def test_it_is_neither_a_video_nor_a_label_file(archive: Path) -> None:
    (archive / "decisions.csv").write_text(LINE)
    (archive / "to_decide.csv").write_text(LINE)
    (archive / "notes.csv").write_text(LINE)
    (archive / "a.mp4").write_bytes(b"x")
    found = describe_videos(
        list_local(archive), lambda file: Path(file.uri).read_text("utf-8"), IndexSettings()
    )
    assert [entry.file.path for entry in found.videos] == ["a.mp4"]
    assert found.videos[0].label is None
    assert found.left_out == {".csv": 1}, "only the file that nothing reads"
