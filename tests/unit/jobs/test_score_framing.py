"""`framejury score` refuses faces that are not what the network learned from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from framejury.errors import BundleError
from framejury.jobs.score_faces import _check_framing
from framejury.model.bundle import load_bundle, write_bundle
from framejury.model.framing import framed_for
from framejury.model.input_contract import Framing
from framejury.model.manifest import Bundle
from framejury.settings import Signal
from framejury.settings.loading import settings_from
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import CommitFacts
from tests.builders.bundles import MANIFEST, brightness_network
from tests.builders.warehouse import pairs, warehouse_of

NOW = datetime(2026, 5, 18, 2, 30, tzinfo=UTC)


def extracted(place: Path, **sections: Any) -> Warehouse:
    """Faces of a last run under these settings."""
    warehouse = warehouse_of(place, pairs("w", 1))
    with warehouse.running("extract", NOW) as run:
        for table in ("extractions", "faces"):
            first = warehouse.require("extractions")[-1]
            warehouse.write(run, table, warehouse.read_run(first.run_id, table))
        settings = settings_from(sections).model_dump(mode="json")
        warehouse.commit(run, NOW, settings=settings, facts=CommitFacts(keeps_crops=True))
    return warehouse


def bundle(folder: Path, signal: Signal = "rgb", framing: Framing = MANIFEST.framing) -> Bundle:
    folder.mkdir()
    manifest = replace(MANIFEST, signal=signal, framing=framing)
    return write_bundle(folder / "b", manifest, brightness_network(folder / "a.onnx"))


def test_faces_of_single_frames_are_no_pairs(tmp_path: Path) -> None:
    warehouse = extracted(tmp_path / "w")
    _check_framing(warehouse, bundle(tmp_path / "rgb"))
    _check_framing(warehouse, bundle(tmp_path / "marked", "marked"))
    with pytest.raises(BundleError, match=r"other frames.*--bundle .*: sampling\.pairs=true"):
        _check_framing(warehouse, bundle(tmp_path / "delta", "delta"))


def test_faces_without_landmarks_are_not_marked(tmp_path: Path) -> None:
    warehouse = extracted(tmp_path / "w", detection={"detector": "haar"})
    with pytest.raises(BundleError, match=r"with haar.*--set detection\.detector=mtcnn"):
        _check_framing(warehouse, bundle(tmp_path / "marked", "marked"))


def test_other_framing_is_refused_and_the_bundle_mends_it(tmp_path: Path) -> None:
    """`framejury extract` with the option of the message cuts such crops."""
    framing = Framing(margin_ratio=0.3, shape="box", margin_px=40, pair="same", judges="frame")
    wanted = bundle(tmp_path / "b", framing=framing)
    with pytest.raises(BundleError, match="needs other values") as caught:
        _check_framing(extracted(tmp_path / "w"), wanted)
    given = load_bundle(str(caught.value).partition("--all --bundle ")[2])
    settings = framed_for(given, settings_from({"detection": {"detector": "frame"}}))
    assert Framing.of_settings(settings.model_dump(mode="json")) == framing
