"""Files of decisions: as people save them; a line is recorded once, and stops no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from framejury.decisions.decided import VideoDecisions
from framejury.decisions.decisions_csv import (
    KnownVideos,
    NewDecisions,
    check_words,
    decoded,
    new_decisions,
    read_lines,
)
from framejury.decisions.naming import VideoNames

NOW = datetime(2026, 11, 30, 2, tzinfo=UTC)
PATHS = ("a.mp4", "one/b.mp4", "two/b.mp4", "one/caf\u00e9.mp4", "-c.mp4", "odd\\d.mp4")
HEADER = "file,decision,by,note,time\n"


def videos(decisions: dict[str, VideoDecisions] | None = None, **content: str) -> KnownVideos:
    names = VideoNames(
        {"video_id": f"id-{path}", "path": path, "uri": f"/archive/{path}"} for path in PATHS
    )
    about: dict[str, Any] = {
        "seen_verdict": "fake",
        "seen_p_fake": 0.9,
        "seen_model_id": "m",
        "seen_run_id": "r",
    }
    seen = {f"id-{path}": {"content_id": content.get("all"), **about} for path in PATHS}
    return KnownVideos(names, decisions or {}, seen)


def found(text: str, known: KnownVideos | None = None, now: datetime = NOW) -> NewDecisions:
    read = read_lines(text, now)
    new = new_decisions(read.lines, known or videos(), now, "decisions.csv")
    return replace(new, problems=(*read.problems, *new.problems))


def recorded(new: NewDecisions, before: KnownVideos, **content: str) -> KnownVideos:
    """What is known after these decisions."""
    histories: dict[str, VideoDecisions] = dict(before.decisions)
    for video_id, one in new.decided:
        old = histories.get(video_id, VideoDecisions(())).history
        both = sorted((*old, one), key=lambda each: each.decided_at)
        histories[video_id] = VideoDecisions(tuple(both), content.get("all"))
    return videos(histories, **content)


def words(new: NewDecisions) -> list[tuple[str, str, str, str | None]]:
    return [(video_id, one.decision, one.reviewer, one.note) for video_id, one in new.decided]


@pytest.mark.parametrize(
    "content",
    [
        b"file,decision,by,note\na.mp4,fake,Ann,lips\n",
        b"\xef\xbb\xbffile,decision,by,note\r\na.mp4,fake,Ann,lips\r\n",
        b"sep=;\r\nFile;Decision;By;Note;;;\r\na.mp4; FAKE ;Ann; lips ;;;\r\n;;;;;;\r\n",
        b"note\tBY\tfile\tdecision\nlips\tAnn\ta.mp4\tFake\n",
        "file,decision,by,note\na.mp4,fake,Ann,lips\n".encode("utf-16"),
    ],
)
def test_a_file_as_people_save_it(content: bytes) -> None:
    new = found(decoded(content))
    assert words(new) == [("id-a.mp4", "fake", "Ann", "lips")]
    assert new.problems == ()
    (_, one), *_ = new.decided
    assert (one.source, one.decided_at) == ("decisions.csv", NOW)
    assert (one.seen_verdict, one.seen_p_fake, one.seen_run_id) == ("fake", 0.9, "r")


def test_windows_letters_are_read() -> None:
    new = found(
        decoded("file,decision,by,note\na.mp4,real,Ren\u00e9,na\u00efve\n".encode("cp1252"))
    )
    assert words(new) == [("id-a.mp4", "real", "Ren\u00e9", "na\u00efve")]


@pytest.mark.parametrize(
    "name",
    [
        "one/caf\u00e9.mp4",
        "one/cafe\u0301.mp4",
        "one\\caf\u00e9.mp4",
        "./one/caf\u00e9.mp4",
        "caf\u00e9.mp4",
        "/archive/one/caf\u00e9.mp4",
        "file:/archive/one/caf\u00e9.mp4",
        "id-one/caf\u00e9.mp4",
    ],
)
def test_a_video_has_many_names(name: str) -> None:
    assert videos().names.find(name) == ["id-one/caf\u00e9.mp4"]


def test_names_that_mean_no_video_or_several() -> None:
    names = videos().names
    assert names.find("b.mp4") == ["id-one/b.mp4", "id-two/b.mp4"]
    assert names.find("b.mp") == names.find("") == names.find("/") == []
    assert names.find("'-c.mp4") == ["id--c.mp4"], "as a report writes it for spreadsheets"
    assert names.find("odd\\d.mp4") == ["id-odd\\d.mp4"]


def test_a_bad_line_stops_no_other() -> None:
    new = found(
        HEADER
        + "a.mp4,fake,Ann,,\n"  # 2
        + "nowhere.mp4,fake,Ann,,\n"
        + "b.mp4,fake,Ann,,\n"
        + "one/b.mp4,maybe,Ann,,\n"
        + "one/b.mp4,fake,,,\n"
        + "one/b.mp4,fake,Ann,,yesterday\n"
        + "one/b.mp4,fake,Ann,,7d\n"
        + "one/b.mp4,fake,Ann,,2027-01-01\n"
        + ",fake,Ann,,\n"  # 10
        + "one/b.mp4,fake,Ann,a, b,,\n"
        + f"one/b.mp4,fake,{'A' * 300},,\n"
        + "one/b.mp4,,Ann,not yet,\n"
        + "two/b.mp4,unclear,Ann,,\n"
    )
    assert [video_id for video_id, _ in new.decided] == ["id-a.mp4", "id-two/b.mp4"]
    numbers = sorted(int(text.split(":")[0].removeprefix("line ")) for text in new.problems)
    assert numbers == list(range(3, 13)), "one problem per line, and none about an empty decision"
    told = " ".join(new.problems)
    assert "line 4: 'b.mp4' can mean one/b.mp4, two/b.mp4" in told
    assert "line 5: the decision must be fake, real, unclear or empty, not 'maybe'" in told


def test_an_open_quote_is_told_and_the_lines_above_count() -> None:
    new = found(HEADER + 'a.mp4,fake,Ann,,\none/b.mp4,"fake,Ann,,\n')
    assert words(new) == [("id-a.mp4", "fake", "Ann", None)]
    assert len(new.problems) == 1 and "were not read" in new.problems[0]


def test_a_file_without_the_columns_is_one_problem() -> None:
    new = found("name,verdict\na.mp4,fake\n")
    assert new.decided == ()
    assert "no column file and no column decision and no column by" in new.problems[0]


def test_the_same_line_is_recorded_once() -> None:
    text = HEADER + "a.mp4,fake,Ann,lips,\n"
    first = found(text)
    known = recorded(first, videos())
    again = found(text, known, NOW + timedelta(days=1))
    assert (again.decided, again.known, again.problems) == ((), 1, ())
    more = found(text + "a.mp4,real,Ann,I looked again,\n", known, NOW + timedelta(days=1))
    assert words(more) == [("id-a.mp4", "real", "Ann", "I looked again")], "a line was added"
    after = recorded(more, known)
    assert found(text + "a.mp4,real,Ann,I looked again,\n", after).decided == ()


def test_twins_and_contradictions() -> None:
    twins = found(HEADER + "a.mp4,fake,Ann,,\na.mp4,FAKE,Ann,,\n")
    assert len(twins.decided) == 1 and twins.problems == (
        "line 3: the same as line 2; counted once",
    )
    both = found(HEADER + "a.mp4,fake,Ann,,\none/b.mp4,real,Ann,,\na.mp4,real,Bob,,\n")
    assert [video_id for video_id, _ in both.decided] == ["id-one/b.mp4"]
    assert "lines 2, 4 contradict each other about 'a.mp4'" in both.problems[0]
    dated = found(HEADER + "a.mp4,real,Bob,,2026-11-29\na.mp4,fake,Ann,,2026-11-28T10:00\n")
    assert [one.decision for _, one in dated.decided] == ["fake", "real"], "by time"
    assert dated.problems == ()


def test_a_line_about_other_content_is_not_recorded() -> None:
    text = "file,decision,by,note,content\na.mp4,fake,Ann,,aaaa\n"
    assert "was replaced since" in found(text, videos(all="bbbb")).problems[0]
    first = found(text, videos(all="aaaa"))
    assert first.decided[0][1].content_id == "aaaa"
    # The file is replaced; a new list names the new content, and the words are the same.
    known = recorded(first, videos(), all="bbbb")
    second = found(text.replace("aaaa", "bbbb"), known)
    assert second.decided[0][1].content_id == "bbbb"


def test_words_are_one_line_and_not_endless() -> None:
    assert check_words(" two\nlines\t here ", "note", 50) == "two lines here"
    assert check_words("  ", "note", 50) is None
    with pytest.raises(ValueError, match="6 characters; at most 5"):
        check_words("123456", "note", 5)
    with pytest.raises(ValueError, match="not UTF-8"):
        check_words("\udcff", "note", 5)
