"""The main job through real processes: from a folder of videos to verdicts and a report."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from framejury.commands.scan import NOT_ALL_JUDGED
from framejury.demo.demo_archive import write_archive
from framejury.schemas.exports import VERDICT_COLUMNS
from framejury.warehouse import Warehouse
from tests.builders.bundles import brightness_bundle
from tests.builders.programs import ROOT, here, lines_of_error, ok, run, shown, submit
from tests.builders.results import check_verdicts

SHIPPED = ROOT / "models" / "detector"


@dataclass
class Project:
    """A user's archive and warehouse."""

    archive: Path
    nights: Path
    labels: dict[str, str]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The demo archive, judged once by the bundle that ships, through spark-submit."""
    root = tmp_path_factory.mktemp("project with spaces")
    archive = root / "archive"
    rows = write_archive(archive, seed=1, seconds=1.5)
    ok(submit("nightly", archive, "--warehouse", root / "nights"))
    return Project(archive, root / "nights", {row.file: row.label for row in rows})


def test_the_first_night_judges_every_file(project: Project) -> None:
    check_verdicts(project.nights)


@pytest.mark.long
def test_a_second_night_judges_what_is_new(project: Project) -> None:
    warehouse = Warehouse.open(str(project.nights))
    (first,) = warehouse.with_table("verdicts")
    shutil.copy(project.archive / sorted(project.labels)[0], project.archive / "arrived later.mp4")
    second = run("framejury", "nightly", project.archive, "--warehouse", project.nights)
    ok(second)
    judged = warehouse.with_table("verdicts")[1]
    # The new file, and the truncated one, which is tried again.
    assert judged.tables["verdicts"] == 2, shown(second)
    rows = warehouse.read_latest("verdicts").to_pylist()
    assert len(rows) == first.tables["verdicts"] + 1
    (project.archive / "arrived later.mp4").unlink()


def test_verdicts_in_every_format(project: Project) -> None:
    place = ["--warehouse", project.nights]
    as_json = json.loads(ok(run("framejury", "verdicts", *place, "--format", "json")))
    as_csv = list(csv.DictReader(io.StringIO(ok(here("verdicts", *place, "--format", "csv")))))
    as_table = ok(here("verdicts", *place)).splitlines()
    assert set(as_json[0]) == set(VERDICT_COLUMNS)
    assert [row["uri"] for row in as_json] == [row["uri"] for row in as_csv]
    assert len(as_table) == len(as_json) + 1


def test_report_can_be_written_again(project: Project) -> None:
    warehouse = Warehouse.open(str(project.nights))
    last = warehouse.with_table("verdicts")[-1]
    folder = project.nights / "reports" / last.run_id
    names = sorted(path.name for path in folder.iterdir())
    names.remove("metrics.json")  # of the night itself: it is not judged again
    shutil.rmtree(folder)
    ok(here("report", "--warehouse", project.nights))
    assert sorted(path.name for path in folder.iterdir()) == names


def test_scan_agrees_with_the_nightly_run(project: Project) -> None:
    verdicts = {
        Path(row["uri"]).name: row
        for row in json.loads(
            ok(here("verdicts", "--warehouse", project.nights, "--format", "json"))
        )
    }
    some = [project.archive / name for name in sorted(project.labels)[:2]]
    broken = next(row for row in verdicts.values() if row["status"] == "unreadable")
    files = [*some, Path(broken["uri"])]
    result = run("framejury", "scan", *files, "--bundle", SHIPPED, "--json")
    assert result.returncode == NOT_ALL_JUDGED, shown(result)
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    assert [Path(o["uri"]).name for o in objects] == [path.name for path in files]
    for found in objects[:2]:
        expected = verdicts[Path(found["uri"]).name]
        assert found["status"] == "scored"
        assert found["verdict"] == expected["verdict"]
        assert found["p_fake"] == pytest.approx(expected["p_fake"], abs=1e-9)
        assert found["faces_scored"] == expected["faces_scored"]
    assert [(o["status"], o["p_fake"]) for o in objects[2:]] == [("unreadable", None)]


def test_a_bundle_that_was_altered_is_refused(project: Project, tmp_path: Path) -> None:
    bundle = brightness_bundle(tmp_path / "bundle").directory
    (bundle / "model.onnx").write_bytes(b"other")
    nightly = [project.archive, "--warehouse", tmp_path / "warehouse", "--bundle", bundle]
    result = submit("nightly", *nightly)
    assert result.returncode == 2, shown(result)
    (line,) = lines_of_error(result)
    assert "model.onnx" in line
    (bundle / "bundle.json").unlink()
    result = here("nightly", *nightly)
    assert result.returncode == 2, shown(result)
    (line,) = lines_of_error(result)
    assert "bundle.json" in line
    assert not (tmp_path / "warehouse").exists()
