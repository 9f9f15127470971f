"""examples/read_the_warehouse.ipynb, run from top to bottom on a small warehouse of two nights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from pyspark.sql import SparkSession

from framejury.warehouse import Warehouse
from tests.builders import clips
from tests.builders.bundles import brightness_bundle
from tests.builders.nightly import NOW, Place

pytestmark = pytest.mark.long

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "read_the_warehouse.ipynb"
LABELS = """\
file,label,method
bright.mp4,FAKE,swap
dark.mp4,REAL,
changes.mp4,REAL,
cut.mp4,FAKE,blend
"""


@pytest.fixture(scope="module")
def warehouse(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nights: in the second, one video was replaced, and its verdict changed."""
    folder = tmp_path_factory.mktemp("two-nights")
    archive = folder / "archive"
    archive.mkdir()
    (archive / "labels.csv").write_text(LABELS, encoding="utf-8")
    face = clips.face_frames(12)
    dark = [(frame // 4).astype(np.uint8) for frame in face]
    clips.write_clip(archive / "bright.mp4", face)
    clips.write_clip(archive / "dark.mp4", dark)
    clips.write_clip(archive / "changes.mp4", dark)
    clips.write_without_moov(archive / "cut.mp4", face)
    warehouse = Warehouse.open_or_plan(str(folder / "warehouse"))
    # What is bright is fake; with no interval every score decides.
    bundle = brightness_bundle(folder / "bundle", scale=1.2 / 255)
    place = Place(spark, archive, warehouse, bundle.directory)
    sampled = {"sampling": {"frames": 4}, "verdict": {"confidence_level": None}}
    place.run(**sampled)
    clips.write_clip(archive / "changes.mp4", face)
    place.run(now=NOW, **sampled)
    return folder / "warehouse"


@pytest.fixture(scope="module")
def run(warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each cell shows, by its id: text, or the word `picture`."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    environment = os.environ | {
        "FRAMEJURY_WAREHOUSE": str(warehouse),
        "PYSPARK_SUBMIT_ARGS": "--master local[1] --driver-memory 1g "
        "--conf spark.sql.shuffle.partitions=1 --conf spark.ui.enabled=false pyspark-shell",
        "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython")),
    }
    client = NotebookClient(notebook, timeout=300, startup_timeout=180, kernel_name="python3")
    client.execute(env=environment, cwd=str(NOTEBOOK.parent))
    return {cell["id"]: shown(cell) for cell in notebook.cells if cell.cell_type == "code"}


def shown(cell: Any) -> str:
    texts = []
    for output in cell.outputs:
        data = output.get("data", {})
        texts += ["picture"] if "image/png" in data else [data.get("text/plain", "")]
    return "\n".join(texts)


def line_with(text: str, word: str) -> list[str]:
    """The words of the one line that holds `word`."""
    (found,) = [line.split() for line in text.splitlines() if word in line]
    return found


def test_it_is_stored_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)


def test_it_counts_the_rows_that_count(run: dict[str, str]) -> None:
    assert "4 verdicts, one a video, from 2 runs" in run["verdicts"]
    assert [line.split()[-1] for line in run["open"].splitlines()[1:]] == ["4", "2"]


def test_verdicts_by_method(run: dict[str, str]) -> None:
    # Columns: truth, method, videos, fake, real, inconclusive, not scored, mean.
    assert line_with(run["by-method"], "swap")[3:8] == ["1", "1", "0", "0", "0"]
    assert line_with(run["by-method"], "blend")[3:8] == ["1", "0", "0", "0", "1"]
    assert line_with(run["by-method"], "REAL")[2:7] == ["2", "1", "1", "0", "0"]


def test_what_changed(run: dict[str, str]) -> None:
    (line,) = run["changed"].splitlines()[1:]
    assert line.split()[1:4] == ["changes.mp4", "real", "fake"]


def test_faces_are_shown(run: dict[str, str]) -> None:
    assert "picture" in run["suspicious"]
    names = [line.split()[1] for line in run["suspicious"].splitlines() if ".mp4" in line]
    assert set(names[:2]) == {"bright.mp4", "changes.mp4"}
    assert names[2:] == ["dark.mp4"]


def test_spark_counts_the_same(run: dict[str, str]) -> None:
    rows = [line.split() for line in run["with-spark"].splitlines()[1:]]
    assert sum(int(row[-1]) for row in rows) == 4
    assert sorted(row[-2] for row in rows) == ["fake", "fake", "inconclusive", "real"]
