"""What a training records of the videos that it learned from."""

from __future__ import annotations

from pathlib import Path

import pytest

from framejury.labelled.committed_split import training_source
from framejury.labelled.learned import known_videos, record_of, record_with_start
from framejury.labelled.videos import labelled_parts
from framejury.model.bundle import write_bundle
from framejury.model.manifest import KERAS_NAME
from framejury.model.seen import KnownVideo, SeenVideos
from framejury.runs.provenance import remember_bundle, seen_records
from framejury.schemas.statuses import Side
from framejury.warehouse import Warehouse
from tests.builders.bundles import MANIFEST, brightness_network
from tests.builders.warehouse import pairs, split, warehouse_of

OTHER = SeenVideos.of([(Side.VAL, KnownVideo("c", ()))])


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return split(warehouse_of(tmp_path_factory.mktemp("w") / "w", pairs("w", 20)))


def test_train_and_val_are_recorded_and_test_is_not(warehouse: Warehouse) -> None:
    parts = labelled_parts([warehouse])
    record = record_of(parts, training_source(warehouse))
    ((_, videos),) = parts
    placed = {row["video_id"]: row["side"] for row in warehouse.read_snapshot("splits").to_pylist()}
    expected = [placed[video.row["video_id"]] for video in videos]
    assert set(expected) == {"train", "val", "test"}
    sides = record.sides_of(known_videos(warehouse, videos))
    assert sides == ["no" if side == "test" else side for side in expected]


def test_a_warm_start_adds_what_was_seen_before(tmp_path: Path) -> None:
    network = brightness_network(tmp_path / "network.onnx")
    mine = SeenVideos.of([(Side.TRAIN, KnownVideo("a", ()))])
    (tmp_path / "net.keras").write_bytes(b"weights")
    for name, before in (("known", OTHER), ("unknown", None)):
        write_bundle(tmp_path / name, MANIFEST, network, tmp_path / "net.keras", before)
    both = record_with_start(mine, str(tmp_path / "known" / KERAS_NAME))
    assert both is not None
    assert both.sides_of([KnownVideo("a", ()), KnownVideo("c", ())]) == ["train", "val"]
    assert record_with_start(mine, str(tmp_path / "unknown" / KERAS_NAME)) is None
    assert record_with_start(mine, "imagenet") is mine


def test_a_warehouse_remembers_what_its_models_have_seen(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    network = brightness_network(tmp_path / "network.onnx")
    bundle = write_bundle(tmp_path / "bundle", MANIFEST, network, seen=OTHER)
    remember_bundle(warehouse, bundle)
    found = seen_records(warehouse, [bundle.model_id, "another"])
    record = found[bundle.model_id]
    assert record is not None
    assert record.sides_of([KnownVideo("c", ())]) == ["val"]
    assert found["another"] is None
