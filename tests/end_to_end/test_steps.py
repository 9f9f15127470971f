"""Training and judging step by step, each job through spark-submit."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from framejury.demo.demo_archive import write_archive
from framejury.schemas.tables import SPLITS
from framejury.warehouse import Warehouse
from tests.builders.bundles import brightness_bundle
from tests.builders.programs import here, lines_of_error, ok, run, shown, submit
from tests.builders.results import check_verdicts

pytestmark = pytest.mark.long

QUICK = [
    *("--preset", "demo"),
    *("--set", "training.input_px=32"),
    *("--set", "training.head_epochs=1"),
    *("--set", "training.finetune_epochs=1"),
]


@dataclass
class Project:
    """A user's archive, warehouse and bundle."""

    archive: Path
    training: Path
    bundle: Path


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("project with spaces")
    archive = root / "archive"
    write_archive(archive, seed=1, seconds=1.5)
    return Project(archive, root / "training", root / "bundle")


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
        "seen.parquet",
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
    check_verdicts(project.training)


def test_a_night_without_news_reports_the_model_that_judged(project: Project) -> None:
    place = ["--warehouse", project.training]
    before = json.loads(ok(here("verdicts", *place, "--format", "json")))
    other = brightness_bundle(project.bundle.with_name("other")).directory
    once = ["--set", "limits.tries=1"]
    said = json.loads(ok(here("nightly", project.archive, *place, "--bundle", other, *once)))
    last = Warehouse.open(str(project.training)).commits()[-1]
    assert last.job == "nightly"
    assert "verdicts" not in last.tables
    report = json.loads(Path(said["report"]).with_name("report.json").read_text())
    assert report["run"]["model_id"] == before[0]["model_id"] != last.model_id


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
    assert "in two splits" in line
    assert " in train" in line and " in test" in line
    assert not output.exists()


def _write_split(warehouse: Warehouse, rows: list[dict[str, object]]) -> None:
    now = datetime.now(UTC)
    with warehouse.running("split", now) as run_:
        warehouse.write(run_, "splits", pa.Table.from_pylist(rows, schema=SPLITS))
        warehouse.commit(run_, now)
