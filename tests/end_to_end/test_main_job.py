"""The main job through real processes, from a folder of videos to a report, on made clips."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from framejury.demo.demo_archive import write_archive
from framejury.schemas.tables import VERDICTS
from framejury.warehouse import Warehouse
from tests.builders.bundles import brightness_bundle
from tests.builders.programs import lines_of_error, ok, run, shown, submit

QUICK = [
    *("--preset", "demo"),
    *("--set", "training.input_px=32"),
    *("--set", "training.head_epochs=1"),
    *("--set", "training.finetune_epochs=1"),
]


@dataclass
class Project:
    """What a user has: an archive, a warehouse, a bundle."""

    archive: Path
    training: Path
    nights: Path
    bundle: Path
    labels: dict[str, str]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("project with spaces")
    archive = root / "archive"
    rows = write_archive(archive, seed=1, seconds=1.5)
    labels = {row.file: row.label for row in rows}
    return Project(archive, root / "training", root / "nights", root / "bundle", labels)


def test_train_step_by_step(project: Project) -> None:
    place = ["--warehouse", project.training]
    ok(submit("index_videos", project.archive, *place))
    ok(submit("extract_faces", *place, "--preset", "demo"))
    ok(submit("split_dataset", *place, "--preset", "demo"))
    result = submit("train_head", *place, "--output", project.bundle, "--purpose", "demo", *QUICK)
    ok(result)
    assert sorted(path.name for path in project.bundle.iterdir()) == [
        "MODEL_CARD.md",
        "bundle.json",
        "model.keras",
        "model.onnx",
    ]
    manifest = json.loads((project.bundle / "bundle.json").read_text())
    assert manifest["purpose"] == "demo"
    assert manifest["parity"]["max_abs_difference"] <= 1e-4
    assert {"val", "test"} <= set(manifest["metrics"])
    (reports,) = project.training.glob("reports/train-*")
    assert {"loss.png", "accuracy.png", "history.json"} <= {p.name for p in reports.iterdir()}
    assert len(json.loads((reports / "history.json").read_text())) == 2


def test_evaluate_the_held_out_side(project: Project) -> None:
    text = ok(
        run("framejury", "evaluate", "--warehouse", project.training, "--bundle", project.bundle)
    )
    assert "Held out" in text
    (report,) = project.training.glob("reports/evaluate-*-test/report.json")
    assert json.loads(report.read_text())["schema_version"] >= 1


def test_score_and_reduce_as_jobs(project: Project) -> None:
    place = ["--warehouse", project.training]
    ok(submit("score_faces", *place, "--bundle", project.bundle))
    ok(submit("reduce_verdicts", *place))
    _check_verdicts(project, project.training)


def test_nightly_then_nothing_new_then_one_more(project: Project) -> None:
    args = [project.archive, "--warehouse", project.nights, "--bundle", project.bundle]
    ok(submit("nightly", *args))
    _check_verdicts(project, project.nights)
    warehouse = Warehouse.open(str(project.nights))
    (first,) = warehouse.with_table("verdicts")
    shutil.copy(project.archive / sorted(project.labels)[0], project.archive / "arrived later.mp4")
    second = ok_text(run("framejury", "nightly", *args))
    judged = warehouse.with_table("verdicts")[1]
    # The new file, and the truncated one, which is tried again.
    assert judged.tables["verdicts"] == 2, second
    rows = warehouse.read_latest("verdicts").to_pylist()
    assert len(rows) == first.tables["verdicts"] + 1
    (project.archive / "arrived later.mp4").unlink()


def test_verdicts_in_every_format(project: Project) -> None:
    place = ["--warehouse", project.nights]
    as_json = json.loads(ok(run("framejury", "verdicts", *place, "--format", "json")))
    as_csv = list(
        csv.DictReader(io.StringIO(ok(run("framejury", "verdicts", *place, "--format", "csv"))))
    )
    as_table = ok(run("framejury", "verdicts", *place)).splitlines()
    assert set(as_json[0]) == {*VERDICTS.names, "uri", "label"}
    assert [row["uri"] for row in as_json] == [row["uri"] for row in as_csv]
    assert len(as_table) == len(as_json) + 1


def test_a_night_without_news_reports_the_model_that_judged(project: Project) -> None:
    place = ["--warehouse", project.training]
    before = json.loads(ok(run("framejury", "verdicts", *place, "--format", "json")))
    other = brightness_bundle(project.bundle.with_name("other")).directory
    once = ["--set", "limits.tries=1"]
    ok(run("framejury", "nightly", project.archive, *place, "--bundle", other, *once))
    last = Warehouse.open(str(project.training)).commits()[-1]
    assert last.job == "nightly"
    assert last.tables["verdicts"] == 0
    report = json.loads((project.training / "reports" / last.run_id / "report.json").read_text())
    assert report["run"]["model_id"] == before[0]["model_id"] != last.model_id


def test_report_can_be_written_again(project: Project) -> None:
    warehouse = Warehouse.open(str(project.nights))
    last = warehouse.with_table("verdicts")[-1]
    folder = project.nights / "reports" / last.run_id
    names = sorted(path.name for path in folder.iterdir())
    names.remove("metrics.json")  # of the night itself: it is not judged again
    shutil.rmtree(folder)
    ok(run("framejury", "report", "--warehouse", project.nights))
    assert sorted(path.name for path in folder.iterdir()) == names


def test_scan_agrees_with_the_nightly_run(project: Project) -> None:
    verdicts = {
        Path(row["uri"]).name: row
        for row in json.loads(
            ok(run("framejury", "verdicts", "--warehouse", project.nights, "--format", "json"))
        )
    }
    some = [project.archive / name for name in sorted(project.labels)[:2]]
    broken = next(row for row in verdicts.values() if row["status"] == "unreadable")
    files = [*some, Path(broken["uri"]), project.archive / "gone.mp4"]
    result = run("framejury", "scan", *files, "--bundle", project.bundle, "--json")
    objects = [json.loads(line) for line in ok(result).splitlines()]
    assert [Path(o["uri"]).name for o in objects] == [path.name for path in files]
    for found in objects[:2]:
        expected = verdicts[Path(found["uri"]).name]
        assert found["status"] == "scored"
        assert found["verdict"] == expected["verdict"]
        assert found["p_fake"] == pytest.approx(expected["p_fake"], abs=1e-9)
        assert found["faces_scored"] == expected["faces_scored"]
    assert [(o["status"], o["p_fake"]) for o in objects[2:]] == [
        ("unreadable", None),
        ("missing", None),
    ]


def test_forged_split_stops_training(project: Project, tmp_path: Path) -> None:
    forged = tmp_path / "forged"
    shutil.copytree(project.training, forged)
    warehouse = Warehouse.open(str(forged))
    rows = warehouse.read_snapshot("splits").to_pylist()
    moved = next(row for row in rows if row["side"] == "train" and row["label"] == "FAKE")
    moved["side"] = "test"
    _write_split(warehouse, rows)
    output = tmp_path / "bundle"
    result = submit("train_head", "--warehouse", forged, "--output", output, *QUICK)
    assert result.returncode == 2, shown(result)
    (line,) = lines_of_error(result)
    assert "two sides" in line
    assert " in train" in line and " in test" in line
    assert not output.exists()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda bundle: (bundle / "model.onnx").write_bytes(b"other"), "model.onnx"),
        (lambda bundle: (bundle / "bundle.json").unlink(), "bundle.json"),
    ],
    ids=["altered", "missing"],
)
def test_bundle_that_cannot_be_trusted(
    project: Project, tmp_path: Path, change: object, named: str
) -> None:
    bundle = brightness_bundle(tmp_path / "bundle").directory
    change(bundle)  # type: ignore[operator]
    warehouse = tmp_path / "warehouse"
    result = submit("nightly", project.archive, "--warehouse", warehouse, "--bundle", bundle)
    assert result.returncode == 2, shown(result)
    (line,) = lines_of_error(result)
    assert named in line
    assert not warehouse.exists()


def ok_text(result: object) -> str:
    return ok(result) + result.stderr  # type: ignore[arg-type, attr-defined]


def _write_split(warehouse: Warehouse, rows: list[dict[str, object]]) -> None:
    from datetime import UTC, datetime

    import pyarrow as pa

    from framejury.schemas.tables import SPLITS

    now = datetime.now(UTC)
    with warehouse.running("split", now) as run_:
        warehouse.write(run_, "splits", pa.Table.from_pylist(rows, schema=SPLITS))
        warehouse.commit(run_, now)


def _check_verdicts(project: Project, place: Path) -> None:
    """One verdict a file, the right statuses, labels joined, and a report that opens."""
    warehouse = Warehouse.open(str(place))
    rows = warehouse.read_latest("verdicts").to_pylist()
    paths = dict(
        zip(
            *warehouse.read_snapshot("videos").select(["video_id", "path"]).to_pydict().values(),
            strict=True,
        )
    )
    statuses = {paths[row["video_id"]]: row["status"] for row in rows}
    assert len(rows) == len(statuses) == len(paths)
    values = list(statuses.values())
    assert values.count("no_face") == 1
    assert values.count("unreadable") == 1
    assert values.count("scored") == len(values) - 2
    last = warehouse.with_table("verdicts")[-1]
    folder = place / "reports" / last.run_id
    report = json.loads((folder / "report.json").read_text())
    assert report["schema_version"] >= 1
    predictions = json.loads((folder / "predictions.json").read_text())
    assert len(predictions) == len(rows)
    for name in ("report.txt", "report.html", "predictions.csv"):
        assert (folder / name).stat().st_size > 0
    for name in ("confusion_face.png", "confusion_video.png", "roc.png", "scores.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
