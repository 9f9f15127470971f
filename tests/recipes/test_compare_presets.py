"""`compare-presets`: two recipes on one archive, from its files to one table.

Two are enough to compare: test_each_recipe trains all four, each by itself.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from framejury.archive.csv_files import read_pins
from framejury.model.bundle import load_bundle
from framejury.schemas.statuses import Side
from framejury.warehouse import Warehouse
from tests.builders.programs import CORPUS, here, ok, shown, submit
from tests.recipes.reduced import REDUCED

pytestmark = pytest.mark.long

NETWORKS = {
    "face_frames": ("rgb", "efficientnet_b0"),
    "all_frames": ("rgb", "resnet18"),
}
PRESETS = [word for name in NETWORKS for word in ("--preset", name)]


@dataclass(frozen=True)
class Contest:
    """What the command left behind and printed."""

    output: Path
    printed: str

    def table(self) -> dict[str, dict[str, Any]]:
        content = json.loads((self.output / "comparison.json").read_text())
        assert content["failures"] == []
        return {row["preset"]: row for row in content["presets"]}

    def warehouse(self, preset: str) -> Warehouse:
        return Warehouse.open(str(self.output / preset / "warehouse"))


@pytest.fixture(scope="module")
def contest(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Contest:
    output = tmp_path_factory.mktemp("contest")
    where = [archive, "--output", output, *PRESETS]
    return Contest(output, ok(submit("compare_presets", *where, *REDUCED, timeout_s=3600)))


def test_it_prints_one_table_with_every_preset(contest: Contest) -> None:
    lines = contest.printed.splitlines()
    header = next(line for line in lines if line.startswith("preset "))
    for heading in ("accuracy", "AUC", "on fakes", "on originals", "s/video", "peak MiB"):
        assert heading in header
    for preset in NETWORKS:
        assert any(line.startswith(f"{preset} ") for line in lines), contest.printed


def test_every_preset_has_its_figures(contest: Contest) -> None:
    rows = contest.table()
    assert set(rows) == set(NETWORKS)
    for preset, row in rows.items():
        assert (row["signal"], row["backbone"]) == NETWORKS[preset]
        assert row["epochs"] == 1
        assert row["scored"] > 0
        assert 0 <= row["accuracy"]["value"] <= 1
        assert 0 <= row["auc"]["value"] <= 1
        assert row["on_fakes"] is not None
        assert row["on_originals"] is not None
        assert row["seconds_a_video"] > 0
        assert 50 * 2**20 < row["peak_memory_bytes"] < 4 * 2**30
        assert row["leak"] is None  # the shared sides are by source, whatever the preset's are
    # Whole frames need no face, and every frame costs more than eleven.
    assert rows["all_frames"]["scored"] == rows["all_frames"]["labelled"]
    assert rows["all_frames"]["faces"] > 3 * rows["face_frames"]["faces"]


def test_all_learn_and_are_measured_on_the_same_videos(contest: Contest) -> None:
    pins = read_pins(contest.output / "sides.csv")
    for preset in NETWORKS:
        warehouse = contest.warehouse(preset)
        videos = warehouse.read_snapshot("videos").to_pylist()
        labelled = [row for row in videos if row["label"] is not None]
        sides = {row["video_id"]: pins.side_of(row["path"]) for row in labelled}
        for row in warehouse.read_snapshot("splits").to_pylist():
            assert row["side"] in (sides[row["video_id"]], "excluded")
        judged = {row["video_id"] for row in warehouse.read_latest("verdicts").to_pylist()}
        assert judged == {video_id for video_id, side in sides.items() if side is Side.TEST}


def test_no_source_stands_on_two_sides(contest: Contest, archive: Path) -> None:
    if not (CORPUS / "CORPUS.csv").is_file():
        pytest.skip("the truth about groups is the corpus's (../shared/corpus)")
    pins = read_pins(contest.output / "sides.csv")
    sides = defaultdict(set)
    with (CORPUS / "CORPUS.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            name = Path(row["file"]).name
            if row["label"] and (archive / name).is_file():
                sides[row["group"]].add(pins.side_of(name))
    assert {len(found) for found in sides.values()} == {1}
    assert None not in set.union(*sides.values())


def test_each_bundle_sees_what_its_recipe_shows(contest: Contest) -> None:
    bundles = {name: load_bundle(contest.output / name / "bundle") for name in NETWORKS}
    assert bundles["all_frames"].framing.judges == "frame"
    assert bundles["face_frames"].framing.margin_ratio == pytest.approx(0.3)


def test_the_page_and_the_reports_are_there(contest: Contest) -> None:
    page = (contest.output / "comparison.html").read_text()
    assert all(preset in page for preset in NETWORKS)
    assert "Not as published" in page
    assert (contest.output / "comparison.png").stat().st_size > 5000
    for preset in NETWORKS:
        assert list(contest.output.glob(f"{preset}/warehouse/reports/*/report.html"))


def test_a_second_call_goes_on_where_the_first_was_killed(contest: Contest, archive: Path) -> None:
    before = contest.table()
    trained = (contest.output / "face_frames" / "bundle" / "bundle.json").stat().st_mtime_ns
    (contest.output / "face_frames" / "outcome.json").unlink()  # as if killed while judging
    again = here("compare-presets", archive, "--output", contest.output, *PRESETS, *REDUCED)
    assert "preset " in ok(again)
    for preset in set(NETWORKS) - {"face_frames"}:
        assert f"{preset} was measured before" in again.stderr, shown(again)
    assert "face_frames was measured before" not in again.stderr
    bundle = contest.output / "face_frames" / "bundle" / "bundle.json"
    assert bundle.stat().st_mtime_ns == trained
    after = contest.table()
    timed = {"seconds_a_video", "peak_memory_bytes"}
    for preset, row in before.items():
        for name in row.keys() - timed:
            assert after[preset][name] == row[name]


def test_the_preset_that_only_looks_is_refused(archive: Path, tmp_path: Path) -> None:
    result = here("compare-presets", archive, "--output", tmp_path, "--preset", "inspect")
    assert result.returncode == 2
    assert "framejury inspect" in result.stderr
