"""`framejury decide`: what a reviewer types, and what comes back."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from framejury.cli.main import main
from framejury.warehouse import Warehouse
from framejury.warehouse.forgetting import forget
from framejury.warehouse.lock import hold
from framejury.warehouse.page_places import page_place
from tests.builders.judged import NOW, night, verdict_of, video_row, write

Capture = pytest.CaptureFixture[str]
FAKE, OLDER, OPEN, REAL, KNOWN = "in/new.mp4", "in/older.mp4", "open.mp4", "real.mp4", "known.mp4"


@pytest.fixture(autouse=True)
def _no_reviewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAMEJURY_REVIEWER", raising=False)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """An older fake with the highest score, then a night with a new one; one has a label."""
    place = Warehouse.open_or_plan(str(tmp_path / "w"))
    night(place, {OLDER: [0.95]})
    with place.running("nightly", NOW) as run:
        unlabelled = [video_row(path) | {"label": None} for path in (FAKE, OLDER, OPEN, REAL)]
        write(place, run, "videos", [*unlabelled, video_row(KNOWN)])
        verdicts = [verdict_of(path, [score]) for path, score in ((FAKE, 0.8), (REAL, 0.1))]
        verdicts.append(verdict_of(KNOWN, [0.9]))
        open_one = verdict_of(OPEN, [0.5]) | {"verdict": "inconclusive"}
        part = {"start_s": 7.2, "end_s": 11.6, "person": 2, "mean_score": 0.9}
        verdicts[0]["stretches"] = [part]
        write(place, run, "verdicts", [*verdicts, open_one])
        place.commit(run, NOW, archive="/archive")
    return place


def decide(warehouse: Warehouse, *words: str) -> int:
    return main(["decide", *words, "--warehouse", warehouse.location.uri])


def waiting(warehouse: Warehouse, capsys: Capture) -> list[str]:
    capsys.readouterr()
    assert decide(warehouse) == 0
    lines = capsys.readouterr().out.splitlines()
    table = lines[2 : lines.index("")] if "" in lines else lines[2:]
    return [line.split("  ")[-1].strip() for line in table]


def rows(warehouse: Warehouse) -> list[tuple[str, str, str | None]]:
    table = Warehouse.open(warehouse.location.uri).read_decisions().to_pylist()
    return [(row["decision"], row["reviewer"], row["note"]) for row in table]


def test_what_waits_is_listed_new_fakes_first(warehouse: Warehouse, capsys: Capture) -> None:
    assert waiting(warehouse, capsys) == [FAKE, OLDER, OPEN]
    assert decide(warehouse) == 0
    said = capsys.readouterr()
    assert "3 videos wait for a decision: 1 newly called fake, 1 called" in said.out
    assert "0:07 to 0:12 (face track 2)" in said.out
    assert decide(warehouse, OLDER, "--unclear", "--by", "ann") == 0
    assert waiting(warehouse, capsys) == [FAKE, OPEN]
    assert decide(warehouse) == 0
    out = capsys.readouterr().out
    assert "1 video is unclear: it needs the original, or a second person." in out
    assert f"\n  {OLDER} (ann, 20" in out
    assert decide(warehouse, OLDER, "--withdraw", "--by", "ann") == 0
    assert waiting(warehouse, capsys) == [FAKE, OLDER, OPEN]


def test_the_evidence_page_is_named_where_there_is_one(
    warehouse: Warehouse, capsys: Capture
) -> None:
    run_id = warehouse.with_table("verdicts")[-1].run_id
    page = page_place(warehouse.location, run_id, video_row(FAKE)["video_id"])
    page.filesystem.create_dir(page.path.rpartition("/")[0])
    Path(page.path).touch()
    assert decide(warehouse) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "evidence" in line] == [f"  evidence: {page.uri}"]
    assert lines[lines.index(f"  evidence: {page.uri}") - 1].endswith(FAKE)
    assert decide(warehouse, FAKE, OLDER) == 0
    assert capsys.readouterr().out.count(f"  evidence: {page.uri}\n") == 1


def test_many_unclear_videos_are_counted(tmp_path: Path, capsys: Capture) -> None:
    place = Warehouse.open_or_plan(str(tmp_path / "w"))
    names = [f"{at:02d}.mp4" for at in range(12)]
    night(place, {name: [0.9] for name in names})
    with place.running("nightly", NOW) as run:
        write(place, run, "videos", [video_row(name) | {"label": None} for name in names])
        place.commit(run, NOW, archive="/archive")
    assert decide(place, *names, "--unclear", "--by", "ann") == 0
    capsys.readouterr()
    assert decide(place) == 0
    out = capsys.readouterr().out
    assert "12 videos are unclear: each needs the original" in out
    assert "09.mp4" in out and "10.mp4" not in out and out.endswith("  and 2 more\n")
    assert decide(place, "--all") == 0
    assert "11.mp4" in capsys.readouterr().out


def test_a_decision_is_kept_with_what_its_author_saw(warehouse: Warehouse, capsys: Capture) -> None:
    code = decide(warehouse, "new.mp4", "--real", "--by", "Ann", "--note", "a film\nposter")
    assert code == 0
    said = capsys.readouterr().err
    assert f"{FAKE}: real (framejury: fake 0.800)" in said and "by Ann" in said
    (row,) = Warehouse.open(warehouse.location.uri).read_decisions().to_pylist()
    last = warehouse.with_table("verdicts")[-1]
    assert (row["decision"], row["reviewer"], row["note"]) == ("real", "Ann", "a film poster")
    assert (row["seen_verdict"], row["seen_p_fake"]) == ("fake", 0.8)
    assert (row["seen_run_id"], row["source"]) == (last.run_id, "command")
    assert decide(warehouse, FAKE) == 0
    shown = capsys.readouterr().out
    assert "Ann decided real on" in shown and "real by Ann: a film poster" in shown


def test_who_decides(
    warehouse: Warehouse, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "carl")
    assert decide(warehouse, FAKE, "--fake") == 0
    assert "by carl (the login name; --by NAME changes it)" in capsys.readouterr().err
    monkeypatch.setenv("FRAMEJURY_REVIEWER", "Dora")
    assert decide(warehouse, FAKE, "--fake") == 0
    assert "by Dora (FRAMEJURY_REVIEWER" in capsys.readouterr().err
    assert decide(warehouse, FAKE, "--fake", "--by", " ") == 2
    assert "--by is empty" in capsys.readouterr().err


def test_a_night_that_runs_is_not_waited_for(warehouse: Warehouse, capsys: Capture) -> None:
    with hold(warehouse.location, "nightly", NOW):
        assert decide(warehouse, FAKE, OLDER, "--fake", "--by", "ann") == 0
    assert rows(warehouse) == [("fake", "ann", None)] * 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.mp4", "--fake"], "no video 'nowhere.mp4' in this warehouse"),
        (["open", "--fake"], "warehouse; did you mean open.mp4?"),
        (["elsewhere/nwe.mp4", "--fake"], "did you mean new.mp4?"),
        (["--fake"], "--fake needs VIDEO"),
        (["--note", "x"], "--note goes with"),
        ([FAKE, "--from", __file__], "either VIDEO or --from FILE"),
        (["--from", "no/such.csv"], "no/such.csv does not exist"),
        ([FAKE, "--fake", "--note", "x" * 3000], "at most 2,000"),
        ([FAKE, "--fake", "--real"], "not allowed with"),
    ],
)
def test_what_cannot_be_used(
    warehouse: Warehouse, capsys: Capture, words: list[str], told: str
) -> None:
    assert decide(warehouse, *words, *([] if "--note" in words else ["--by", "ann"])) == 2
    said = capsys.readouterr().err
    assert told in said and "Traceback" not in said
    assert rows(warehouse) == []


def test_an_ambiguous_name_lists_what_it_can_mean(tmp_path: Path, capsys: Capture) -> None:
    place = Warehouse.open_or_plan(str(tmp_path / "w"))
    night(place, {"one/clip.mp4": [0.9], "two/clip.mp4": [0.9]})
    assert decide(place, "clip.mp4", "--fake", "--by", "ann") == 2
    assert "can mean one/clip.mp4, two/clip.mp4; write more" in capsys.readouterr().err
    assert decide(place, "two/clip.mp4", "--fake", "--by", "ann") == 0


def test_a_forgotten_video(warehouse: Warehouse, capsys: Capture) -> None:
    forget(warehouse, [video_row(FAKE)], NOW)
    assert decide(warehouse, FAKE, "--fake", "--by", "ann") == 2
    assert "was forgotten on 2026-05-17" in capsys.readouterr().err


def test_a_filled_in_list(warehouse: Warehouse, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "to_decide.csv"
    table = io.StringIO()
    names = ("file", "decision", "by", "note", "verdict")
    lines = csv.DictWriter(table, names)
    lines.writeheader()
    lines.writerow({"file": FAKE, "decision": "fake", "by": "Ann", "note": "lips"})
    lines.writerow({"file": OLDER, "decision": "", "by": "", "verdict": "fake"})
    lines.writerow({"file": "gone.mp4", "decision": "fake", "by": "Ann"})
    path.write_text(table.getvalue(), "utf-8-sig")
    assert decide(warehouse, "--from", str(path)) == 0
    said = capsys.readouterr().err
    assert "line 4: no video 'gone.mp4'" in said
    assert "1 decision recorded, 1 line left out" in said and "2 videos wait" in said
    assert decide(warehouse, "--from", str(path)) == 0
    assert "0 decisions recorded, 1 recorded before" in capsys.readouterr().err
    assert rows(warehouse) == [("fake", "Ann", "lips")]


def test_control_characters_reach_no_terminal(warehouse: Warehouse, capsys: Capture) -> None:
    evil = "\x1b[2J\x1b]0;t\x07\u202eevil"
    assert decide(warehouse, FAKE, "--fake", "--by", evil, "--note", evil) == 0
    assert decide(warehouse, FAKE) == 0
    said = capsys.readouterr()
    assert not {"\x1b", "\x07", "\u202e"} & set(said.out + said.err)
    assert "\\x1b[2J" in said.out


def test_verdicts_show_it(warehouse: Warehouse, capsys: Capture) -> None:
    assert decide(warehouse, FAKE, "--real", "--by", "Ann", "--note", "secret") == 0
    capsys.readouterr()
    place = ["--warehouse", warehouse.location.uri]
    assert main(["verdicts", *place]) == 0
    assert "secret" not in (out := capsys.readouterr().out) and "decision" in out
    for form in ("csv", "json", "jsonl"):
        assert main(["verdicts", *place, "--format", form]) == 0
        out = capsys.readouterr().out
        assert "Ann" in out and "decided_at" in out and "secret" not in out
