from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from framejury.pages.style import sentence_figure
from framejury.report.findings import DEMO_BANNER, LEAK_BANNER
from framejury.report.report import BundleInfo, RunReport, build_report, write_files
from framejury.report.report_figures import ReportFigure
from framejury.report.steps import Step
from framejury.report.trust import NO_SIGN, trust_of
from framejury.report.wording import judged_words
from tests.builders.reports import NASTY, RUN, Page, many_rows, mixed_rows, report
from tests.builders.rows import face_table, realistic_run, verdict_row, verdict_table

FIGURES = (
    *("confusion_face", "confusion_video", "roc", "det", "precision_recall", "calibration"),
    "scores",
)
NAMES = {
    "report.txt",
    "report.json",
    "report.html",
    "predictions.csv",
    "predictions.json",
    *(f"{name}.{ending}" for name in FIGURES for ending in ("png", "svg")),
}


@pytest.fixture
def real_pictures() -> None:
    """Ask for it where the pictures themselves matter; drawing takes a second or two."""


@pytest.fixture(autouse=True)
def _quick_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real_pictures" not in request.fixturenames:
        blank = ReportFigure(sentence_figure("Quick", "Drawn elsewhere."), "What it shows")
        monkeypatch.setattr(
            "framejury.report.report.report_figures",
            lambda findings: dict.fromkeys(FIGURES, blank),
        )


@pytest.fixture(scope="module")
def realistic() -> Mapping[str, bytes]:
    verdicts, faces = realistic_run()
    return build_report(RunReport(verdicts, faces, RUN))


def test_all_files_are_there_under_their_names(realistic: Mapping[str, bytes]):
    assert set(realistic) == NAMES
    assert all(realistic.values())


def test_training_curves_ride_along_when_the_bundle_has_a_history(real_pictures: None):
    history = ({"epoch": 1, "phase": "head", "loss": 0.6, "accuracy": 0.7},)
    bundle = BundleInfo("detector", "", None, history)
    files = build_report(report(many_rows(), bundle=bundle))
    assert set(files) == NAMES | {
        f"{name}.{kind}" for name in ("loss", "auc", "accuracy") for kind in ("png", "svg")
    }
    page = Page(files["report.html"].decode())
    words = [value for name, value in page.attributes if name == "aria-label"]
    for name in ("ROC curve", "DET curve", "Precision", "Calibration", "Histograms", "Loss", "Acc"):
        assert sum(str(word).startswith(name) for word in words) == 2, name  # desk and phone
    assert b"<image" not in files["report.html"]


def test_json_has_the_numbers():
    document = json.loads(build_report(report(mixed_rows()))["report.json"])
    assert document["schema_version"] == 2
    assert document["counts"]["videos"] == 5
    outcomes = {"fake": 2, "real": 1, "inconclusive": 1, "not_scored": 1}
    assert document["counts"]["outcomes"] == outcomes
    assert document["counts"]["statuses"] == {"scored": 4, "timeout": 1}
    assert document["counts"]["inconclusive"] == {"interval crosses the threshold": 1}
    overall = document["videos"]["overall"]
    assert overall["scored"]["confusion"] == {"tn": 1, "fp": 1, "fn": 0, "tp": 2}
    assert overall["scored"]["accuracy"] == pytest.approx(0.75)
    assert overall["bootstrap"]["intervals"]["accuracy"] is None  # four groups are too few
    assert overall["verdicts"]["REAL"]["not_scored"] == 1
    assert document["faces"] is None
    assert document["roc"]["videos"]["thresholds"][0] is None  # infinity
    assert document["run"]["created_at"] == "2026-03-01T02:31:00+00:00"
    (step,) = document["run"]["steps"]
    assert step["settings"]["verdict"]["threshold"] is None


def test_json_knows_no_nan(realistic: Mapping[str, bytes]):
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for name in ("report.json", "predictions.json"):
        json.loads(realistic[name], parse_constant=refuse)


def test_predictions_come_most_suspicious_first_and_failures_last():
    rows = json.loads(build_report(report(mixed_rows()))["predictions.json"])
    assert [row["p_fake"] for row in rows] == [0.93, 0.7, 0.52, 0.12, None]
    assert [row["correct"] for row in rows] == [True, False, None, True, None]
    assert [row["called"] for row in rows] == ["FAKE", "FAKE", "FAKE", "REAL", None]
    assert rows[0]["path"] == NASTY
    assert rows[-1]["error"] == "ran longer than 120 s"


@pytest.mark.parametrize(
    "name", ["=1+1.mp4", "+x", "-x", "@sum", "\tx", "\nx", "\rx", "  =1", "\uff1dcmd", '="a",b']
)
def test_csv_runs_no_formula(name: str):
    bad = verdict_row(0, p_fake=0.2, path=name, error=name, method=name)
    rows = [bad, verdict_row(1, path="a=b-c.mp4")]
    files = build_report(report(rows))
    read = list(
        csv.DictReader(io.StringIO(files["predictions.csv"].decode("utf-8-sig"), newline=""))
    )
    assert [row["path"] for row in read] == ["'" + name, "a=b-c.mp4"]
    assert (read[0]["error"], read[0]["method"]) == ("'" + name, "'" + name)
    assert (read[0]["p_fake"], read[0]["label"]) == ("0.2", "REAL")
    assert json.loads(files["predictions.json"])[0]["path"] == name


def test_html_is_one_file_that_asks_the_network_for_nothing(realistic: Mapping[str, bytes]):
    page = Page(realistic["report.html"].decode())
    assert page.addresses
    assert all(one.startswith("#") for one in page.addresses)
    assert not {"link", "iframe", "object", "form", "image", "foreignObject"} & set(page.tags)
    assert page.tags.count("script") == 1
    css = realistic["report.html"].decode().split("<style>")[1].split("</style>")[0]
    assert "url(" not in css
    # Charts refer to their own clip paths and marks only.
    used = re.findall(r"url\(([^)]*)\)", realistic["report.html"].decode())
    assert used and all(one.startswith("#") for one in used)
    assert "@import" not in css
    policy = dict(page.attributes)["content"]
    assert any("default-src 'none'" in (value or "") for _, value in page.attributes), policy
    assert "prefers-color-scheme: dark" in css
    assert "@media print" in css


def test_names_stay_text():
    rows = [verdict_row(0, label="FAKE", p_fake=0.9, path=NASTY, method=NASTY, layout=NASTY)]
    rows.append(verdict_row(1, p_fake=None, status="crashed", path="x", error=NASTY, label="REAL"))
    run = {"archive": NASTY, "run_id": NASTY, "steps": (Step(NASTY, (NASTY,), 1, {NASTY: NASTY}),)}
    card = BundleInfo("detector", f"</pre>{NASTY}", {NASTY: 1})
    html = build_report(report(rows, bundle=card, **run))["report.html"].decode()
    assert NASTY not in html
    page = Page(html)
    assert page.tags.count("script") == 1
    assert page.text.count(NASTY) >= 8


def test_names_cannot_steer_a_terminal_or_turn_text_around():
    rows = [verdict_row(0, path="a\x1b[2Jb\nfake\u202egpm.mp4")]
    files = build_report(report(rows))
    assert "a\\x1b[2Jb\\nfake\\u202egpm.mp4" in files["report.txt"].decode()
    for name in ("report.txt", "report.html"):
        assert not {"\x1b", "\u202e"} & set(files[name].decode())


def test_the_first_screen_counts_and_says_why():
    page = Page(build_report(report(mixed_rows()))["report.html"].decode()).text
    first = page.split("Highest score first")[0]
    outcomes = ("2 fake", f"1 {NO_SIGN}", "1 inconclusive", "1 not scored", "1 timeout")
    for words in ("5 videos", *outcomes):
        assert words in first
    assert "1 interval crosses the threshold" in first
    assert "3 of 5 labelled videos decided 2 right" in first
    assert first.index(trust_of(RUN.bundle).sentence) < first.index("5 videos")
    assert judged_words("face") in first


def test_a_model_of_whole_frames_is_not_said_to_judge_faces():
    whole = BundleInfo("detector", "", judges="frame")
    few = verdict_row(2, p_fake=0.9, verdict="inconclusive", faces_scored=1)
    rows = [few if row["p_fake"] == 0.52 else row for row in mixed_rows()]
    faces = face_table([("FAKE", "swap", "plain", 0.9, 3), ("REAL", None, "plain", 0.1, 4)])
    files = build_report(report(rows, faces, bundle=whole))
    said = judged_words("frame")
    assert "no face was searched for" in said and said != judged_words("face")
    assert said in files["report.txt"].decode()
    assert said in Page(files["report.html"].decode()).text
    document = json.loads(files["report.json"])
    assert document["sound"] == said
    assert document["counts"]["inconclusive"] == {"too few frames": 1}
    without = Page(files["report.html"].decode().replace(said, "")).text
    without = without[: without.index("In the same folder")]
    text = files["report.txt"].decode().replace(said, "")
    assert " frames video" in " ".join(text.split()) and "11 frames" in without
    for shown in (text, without):
        assert not re.search(r"\b(faces?|tracks)\b", shown, re.IGNORECASE), shown


def test_text_has_the_matrices_the_table_and_the_failures():
    text = build_report(report(mixed_rows()))["report.txt"].decode()
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "FAKE 2 (100.0%) 0 (0.0%)" in lines  # at the threshold
    assert "FAKE 1 (50.0%) 0 (0.0%) 1 (50.0%) 0 (0.0%)" in lines  # verdicts
    assert "REAL 1 (33.3%) 1 (33.3%) 0 (0.0%) 1 (33.3%)" in lines
    assert f"0.930 fake FAKE yes 11 {NASTY}" in lines
    assert "0.700 fake REAL no 11 b.mp4" in lines
    assert "0.520 inconclusive FAKE undecided 11 clips/002.mp4" in lines
    assert "timeout clips/003.mp4 ran longer than 120 s" in lines
    assert judged_words("face") in lines


def test_too_few_faces_is_told_from_an_open_interval():
    rows = [
        verdict_row(0, p_fake=0.9, p_fake_low=0.5, verdict="inconclusive", faces_scored=1),
        verdict_row(1, p_fake=0.5, verdict="inconclusive"),
        verdict_row(2, p_fake=0.52, verdict="inconclusive"),
    ]
    counts = json.loads(build_report(report(rows))["report.json"])["counts"]
    assert counts["inconclusive"] == {"interval crosses the threshold": 2, "too few faces": 1}


@pytest.mark.parametrize(("purpose", "warned"), [("demo", True), ("detector", False)])
def test_a_demo_bundle_is_called_meaningless_loudly(purpose: str, warned: bool):
    files = build_report(report(mixed_rows(), bundle=BundleInfo(purpose, "", None)))
    assert (DEMO_BANNER in Page(files["report.html"].decode()).text) is warned
    assert (DEMO_BANNER in files["report.txt"].decode()) is warned
    assert (json.loads(files["report.json"])["warning"] is not None) is warned


SECRET = (Step("verdicts", ("r",), 1, {"x": ["s3a://me:secret@bucket"]}),)
LEAK = "Split by face: faces of the same video are in several splits (3 videos)."


def test_a_leaking_split_is_said_loudly_everywhere() -> None:
    rows = [verdict_row(n, label="REAL" if n % 2 else "FAKE", p_fake=0.1 * n) for n in range(8)]
    for leak in (LEAK, None):
        made = replace(report(rows, bundle=BundleInfo("demo", "", leak=leak)), protocol=None)
        files = build_report(made, page_rows=4)
        page = Page(files["report.html"].decode())
        for name in ("report.html", "verdicts-0002.html"):
            text = Page(files[name].decode()).text
            assert (f"{LEAK_BANNER} {LEAK}" in text) is (leak is not None), name
            assert DEMO_BANNER in text
        assert page.attributes.count(("class", "banner")) == (2 if leak else 1)
        text = files["report.txt"].decode()
        assert (f"!!!\n{LEAK_BANNER} {LEAK}\n!!!" in text) is (leak is not None)
        assert json.loads(files["report.json"])["leak"] == leak


def test_a_bundle_of_before_leaks_were_known_has_none() -> None:
    facts = {"purpose": "detector", "card": "c", "metrics": {}}
    assert BundleInfo.of_facts(facts) == BundleInfo("detector", "c", {})
    assert BundleInfo.of_facts(facts | {"judges": "frame"}).judges == "frame"
    assert BundleInfo.of_facts(facts | {"leak": LEAK}, ({"loss": 1},)) == BundleInfo(
        "detector", "c", {}, ({"loss": 1},), LEAK
    )


def test_without_labels_there_is_no_accuracy_and_a_reason(real_pictures: None):
    rows = [row | {"label": None, "method": None} for row in mixed_rows()]
    faces = face_table([(None, None, "plain", 0.4, 12)])
    files = build_report(report(rows, faces))
    why = "No video here is labelled"
    page = Page(files["report.html"].decode()).text
    assert why in page
    assert why in files["report.txt"].decode()
    assert "decided" not in page
    assert "Confusion matrices" not in files["report.txt"].decode()
    document = json.loads(files["report.json"])
    assert document["videos"]["overall"]["scored"]["accuracy"] is None
    assert document["faces"]["unlabelled"] == 12
    assert "2 called fake" in page  # verdicts are there all the same
    drawn = {name for name in files if name.endswith((".png", ".svg"))}
    assert drawn == {"scores.png", "scores.svg"}  # nothing that says only that it is empty
    accuracy, scores = files["report.html"].decode().split('<section aria-labelledby="scores">')
    assert "<svg" in scores
    assert "<svg" not in accuracy.split('<h2 id="accuracy">')[1]


CURVES = ("ROC curve", "DET curve", "Precision", "Calibration")


@pytest.mark.parametrize("count", [29, 30])
def test_below_thirty_labelled_videos_counts_stand_in_for_curves(count: int, real_pictures: None):
    unlabelled = [row | {"label": None} for row in many_rows(50)[40:]]
    files = build_report(report([*many_rows(count), *unlabelled]))
    page = Page(files["report.html"].decode())
    labels = [str(value) for name, value in page.attributes if name == "aria-label"]
    drawn = {name for name in CURVES if any(label.startswith(name) for label in labels)}
    why = f"No curves are drawn: {count} labelled videos were scored, and below 30 "
    counts = "14 videos labelled FAKE: 10 called fake, 4 called real, 0 inconclusive, 0 not scored."
    is_few = count == 29
    assert drawn == (set() if is_few else set(CURVES))
    assert (why in page.text, counts in page.text) == (is_few, is_few)
    assert any(label.startswith("Videos by verdict") for label in labels)
    for name in ("roc", "det", "precision_recall", "calibration"):
        assert ("No curves are drawn" in files[f"{name}.svg"].decode()) == is_few, name


@pytest.mark.parametrize("label", ["FAKE", "REAL"])
def test_one_class_only_has_accuracy_and_no_ranking(label: str, real_pictures: None):
    rows = [row | {"label": label} for row in many_rows()]
    faces = face_table([(label, None, "plain", 0.4, 12)])
    files = build_report(report(rows, faces))
    document = json.loads(files["report.json"])
    assert document["videos"]["overall"]["scored"]["auc"] is None
    assert document["faces"]["labelled"]["auc"] is None
    assert document["videos"]["overall"]["scored"]["accuracy"] is not None
    assert f"All labelled and scored videos are {label}" in files["report.txt"].decode()
    assert f"No ROC curve: All labelled and scored videos are {label}" in (
        Page(files["report.html"].decode()).text
    )


def test_nothing_scored_is_reported_with_reasons(real_pictures: None):
    rows = [verdict_row(i, p_fake=None, status="no_face", label="FAKE") for i in range(3)]
    files = build_report(report(rows, face_table([])))
    page = Page(files["report.html"].decode()).text
    assert "0 fake" in page
    assert "3 no face" in page
    assert "No labelled video was scored, so accuracy cannot be measured." in page
    assert set(files) == NAMES


def test_no_video_at_all_is_a_report_too(real_pictures: None):
    files = build_report(report([], None))
    assert "0 videos" in Page(files["report.html"].decode()).text
    assert json.loads(files["predictions.json"]) == []
    assert len(files["predictions.csv"].splitlines()) == 1


def test_a_run_without_a_single_face_is_still_reported(real_pictures: None):
    files = build_report(report(mixed_rows(), face_table([])))
    assert json.loads(files["report.json"])["faces"]["faces"] == 0


def test_mixed_models_and_thresholds_are_said():
    rows = mixed_rows()
    rows[1] |= {"model_id": "other", "threshold": 0.05, "verdict": "fake", "reducer": "median"}
    files = build_report(report(rows, face_table([("FAKE", None, "plain", 0.9, 3)])))
    notes = " ".join(json.loads(files["report.json"])["notes"])
    for words in ("2 models", "different thresholds", "mean, median"):
        assert words in notes
    assert "2 models" in Page(files["report.html"].decode()).text


def test_a_huge_archive_shows_its_worst_and_says_where_the_rest_is():
    rows = [verdict_row(i, label=None, p_fake=i / 40) for i in range(40)]
    rows += [verdict_row(40 + i, p_fake=None, status="empty", label=None) for i in range(8)]
    files = build_report(report(rows), page_rows=5)
    text, page = files["report.txt"].decode(), Page(files["report.html"].decode()).text
    for content in (text, page):
        assert "First 5 of 48 videos; predictions.csv has all." in content
        assert "clips/035.mp4" in content
        assert "clips/034.mp4" not in content
    assert "clips/045.mp4" not in text  # the sixth failure
    assert len(json.loads(files["predictions.json"])) == 48


def test_passwords_in_addresses_stay_out_of_every_file():
    rows = [verdict_row(0, uri="s3a://me:secret@bucket/a.mp4", error="s3a://me:secret@bucket no")]
    run = {"archive": "s3a://me:secret@bucket", "steps": SECRET}
    files = build_report(report(rows, **run))
    assert not [name for name, content in files.items() if b"secret" in content]
    rows = [verdict_row(0, uri="abfss://films@account.dfs.core.windows.net/a.mp4")]
    kept = json.loads(build_report(report(rows))["predictions.json"])[0]["uri"]
    assert kept == "abfss://films@account.dfs.core.windows.net/a.mp4"


def test_title_and_notes_of_an_evaluation_are_shown():
    verdicts = verdict_table(mixed_rows())
    one = RunReport(verdicts, None, RUN, title="Evaluation of bundle b0 on ffpp", notes=("Leak!",))
    files = build_report(one)
    assert files["report.txt"].decode().startswith("Evaluation of bundle b0 on ffpp\n")
    page = Page(files["report.html"].decode()).text
    assert "Evaluation of bundle b0 on ffpp" in page
    assert "Leak!" in page


def test_a_path_that_is_no_text_can_be_written():
    files = build_report(report(mixed_rows(), archive="/data/\udcff"))
    for name in ("report.txt", "report.html", "report.json"):
        assert "udcff" in files[name].decode("utf-8")


def test_a_report_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        replace(RUN, created_at=datetime(2026, 3, 1))


def test_files_are_written_and_names_cannot_leave_the_directory(tmp_path: Path):
    write_files({"report.txt": b"one"}, tmp_path / "new" / "run")
    write_files({"report.txt": b"two"}, tmp_path / "new" / "run")
    assert (tmp_path / "new" / "run" / "report.txt").read_bytes() == b"two"
    with pytest.raises(ValueError, match="plain file name"):
        write_files({"ok": b"", "../x": b""}, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_accuracy_of_too_few_videos_is_said_to_be() -> None:
    few = [verdict_row(n, label="REAL" if n % 2 else "FAKE", p_fake=0.9) for n in range(19)]
    said = "Too few videos: figures of 9 real videos and 10 fakes say little (below 10 of a class)."
    files = build_report(report(few))
    assert f"Note: {said}" in files["report.txt"].decode()
    assert said in Page(files["report.html"].decode()).text
    assert said in json.loads(files["report.json"])["notes"]
    enough = build_report(report([*few, verdict_row(19, label="REAL", p_fake=0.1)]))
    assert "Too few videos" not in enough["report.txt"].decode()
