"""Which videos have fake sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from framejury.errors import UsageError, WarehouseError
from framejury.labelled.sound_labels import labels_from_modalities, read_sound_labels
from framejury.schemas.tables import MODALITIES, VIDEOS
from framejury.warehouse import Warehouse
from tests.builders.warehouse import NOW, video

ROWS = [
    video("real.mp4", "REAL", "a"),
    *(video(f"{name}.mp4", "FAKE", "a") for name in ("audio", "video", "both", "none", "unknown")),
    video("alone.mp4", "FAKE", "b"),
    video("unlabelled.mp4", None, "c"),
]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    found = Warehouse.open_or_plan(str(tmp_path / "warehouse"))
    with found.running("index", NOW) as run:
        rows = [row | {"run_id": run.run_id} for row in ROWS]
        found.write(run, "videos", pa.Table.from_pylist(rows, schema=VIDEOS))
        found.commit(run, NOW, archive="/archive")
    return found


def test_what_modality_found_labels_the_sounds(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="framejury modality"):
        labels_from_modalities(warehouse)
    with warehouse.running("modality", NOW) as run:
        rows: list[dict[str, Any]] = [
            {
                "video_id": f"{name}.mp4",
                "run_id": run.run_id,
                "original_id": "real.mp4",
                "modality": name,
            }
            for name in ("audio", "video", "both", "none", "unknown")
        ]
        warehouse.write(run, "modalities", pa.Table.from_pylist(rows, schema=MODALITIES))
        warehouse.commit(run, NOW)
    assert labels_from_modalities(warehouse) == {
        "real.mp4": "REAL",
        "audio.mp4": "FAKE",
        "both.mp4": "FAKE",
        "video.mp4": "REAL",  # only its picture was changed
        "none.mp4": "REAL",
    }


def labels(folder: Path, text: str) -> Path:
    path = folder / "sounds.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_labels_by_hand(tmp_path: Path) -> None:
    path = labels(tmp_path, "video;sound\nreal.mp4;REAL\nvideo.mp4;FAKE\n")
    assert read_sound_labels(path, ROWS) == {"real.mp4": "REAL", "video.mp4": "FAKE"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("video,label\nreal.mp4,REAL\n", "header must be video,sound"),
        ("video,sound\ngone.mp4,REAL\n", "line 2: the archive has no video 'gone.mp4'"),
        ("video,sound\nreal.mp4,real\n", "line 2: unknown label 'real'"),
        ("video,sound\nreal.mp4,REAL\nreal.mp4,FAKE\n", "line 3: 'real.mp4' is already labelled"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read_sound_labels(labels(tmp_path, text), ROWS)
