"""Nightly runs that publish tables: after the report, and never at the night's expense."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from framejury.jobs import nightly
from framejury.warehouse import Warehouse
from tests.builders import clips
from tests.builders.bundles import brightness_bundle

NOWHERE = "publish.database=postgresql://joe@127.0.0.1:1/none?connect_timeout=2"


def test_a_night_publishes_and_an_outage_does_not_fail_it(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    @contextmanager
    def same(app: str) -> Iterator[SparkSession]:
        yield spark

    monkeypatch.setattr(nightly, "spark_session", same)
    archive, delta = tmp_path / "archive", tmp_path / "delta"
    archive.mkdir()
    clips.write_clip(archive / "a.mp4", clips.face_frames(2))
    bundle = brightness_bundle(tmp_path / "bundle").directory

    def night(*settings: str) -> tuple[dict[str, Any], str]:
        words = [str(archive), f"--warehouse={tmp_path / 'warehouse'}", f"--bundle={bundle}"]
        given = ("sampling.frames=2", "detection.detector=haar", *settings)
        assert nightly.main([*words, "--json", *(f"--set={one}" for one in given)]) == 0
        told = capsys.readouterr()
        return json.loads(told.out), told.err

    to_delta = f"publish.delta={delta}"
    line, said = night(to_delta, NOWHERE)
    done, failed = line["published"]
    assert (done["target"], done["runs"], done["error"]) == ("Delta Lake", 1, None)
    assert failed["target"] == "PostgreSQL" and failed["runs"] == 0 and failed["error"]
    assert "joe" not in json.dumps(line) and "joe" not in said
    assert "warning: PostgreSQL" in said and "Not published: PostgreSQL" in said
    (row,) = DeltaTable(str(delta / "verdicts")).to_pyarrow_table().to_pylist()
    assert (row["path"], row["run_id"]) == ("a.mp4", line["run_ids"][-1])
    stored = tmp_path / "warehouse" / "reports" / line["run_ids"][-1] / "metrics.json"
    assert json.loads(stored.read_text())["published"] == line["published"]

    # An idle night, without Spark, while the folder cannot be written; then it can again.
    delta.rename(tmp_path / "away")
    delta.write_text("a share that is not mounted")
    line, said = night(to_delta)
    assert line["is_idle"] and line["published"][0]["error"]
    assert "warning: Delta Lake" in said
    delta.unlink()
    (tmp_path / "away").rename(delta)
    line, said = night(to_delta)
    assert [one["runs"] for one in line["published"]] == [2]
    assert "Published: Delta Lake (2 runs)." in said
    runs = DeltaTable(str(delta / "runs")).to_pyarrow_table()["run_id"].to_pylist()
    commits = Warehouse.open(str(tmp_path / "warehouse")).commits()
    assert sorted(runs) == sorted(one.run_id for one in commits)
