"""Labels of single frames that people set by hand, read from a CSV file."""

from __future__ import annotations

from pathlib import Path

import pytest

from framejury.archive.csv_files import read_frame_labels
from framejury.errors import UsageError

IDS = {"a/one.mp4": "id1", "two, of it.mp4": "id2"}


def written(folder: Path, text: str) -> Path:
    path = folder / "frames.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_labels_by_video_and_frame(tmp_path: Path) -> None:
    lines = ["video,frame,label", "a/one.mp4,0,REAL", "", "a/one.mp4, 17 ,FAKE"]
    lines += ['"two, of it.mp4",0,FAKE']
    path = written(tmp_path, "\ufeff" + "\r\n".join(lines) + "\r\n")
    assert read_frame_labels(path, IDS) == {("id1", 0): 0, ("id1", 17): 1, ("id2", 0): 1}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", r"line 1: the header must be video,frame,label, not ''"),
        ("file,frame,label\na/one.mp4,1,REAL\n", "line 1: .* not 'file,frame,label'"),
        ("video,frame,label\n", "holds no frame labels"),
        ("video,frame,label\na/one.mp4,1\n", "line 2: 2 fields instead of video,frame,label"),
        (
            "video,frame,label\na/one.mp4,1,REAL\none.mp4,1,REAL\n",
            r"line 3: the archive has no video 'one",
        ),
        ("video,frame,label\na/one.mp4,1,REAL\n\na/one.mp4,01,FAKE\n", "line 4: frame 1 of .* 2$"),
        ("video,frame,label\na/one.mp4,1,Real\n", r"line 2: unknown label 'Real'; .* FAKE, REAL"),
        ("video,frame,label\na/one.mp4,1,1\n", "line 2: unknown label"),
        ('video,frame,label\n"a/one.mp4,1,REAL\n', "line 2: unexpected end of data"),
        *(
            (f"video,frame,label\na/one.mp4,{frame},REAL\n", "line 2: the frame must be its rank")
            for frame in ("-1", "1.0", "", "x", "1_0", "\u0663", "2147483648", "9" * 5000)
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        read_frame_labels(written(tmp_path, lines), IDS)
    assert "frames.csv" in str(caught.value)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the frame labels"):
        read_frame_labels(tmp_path / "none.csv", IDS)
    (tmp_path / "bytes.csv").write_bytes(b"video,frame,label\n\xff\xfe,1,REAL\n")
    with pytest.raises(UsageError, match=r"are not UTF-8.*save it as UTF-8"):
        read_frame_labels(tmp_path / "bytes.csv", IDS)


def test_a_name_that_looks_like_a_comment_is_a_name(tmp_path: Path) -> None:
    path = written(tmp_path, "video,frame,label\n#1.mp4,3,FAKE\n")
    assert read_frame_labels(path, {"#1.mp4": "id9"}) == {("id9", 3): 1}
