"""Thousands of damaged videos through the real path: each gets one status, and no worker is lost.

`FRAMEJURY_FUZZ` is how many (default: 150), `FRAMEJURY_FUZZ_SEED` which (default: 0). With
`-n 2` the batches are shared out. What fails is kept in the folder that the message names.
"""

from __future__ import annotations

import os
import re
import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from framejury.examine.messages import ROWS, TABLE_COLUMN, ExaminePlan, VideoJob
from framejury.examine.worker import Examiner
from framejury.model.manifest import Bundle
from framejury.schemas.statuses import EXTRACTION_STATUSES, Status
from framejury.settings.loading import settings_from
from tests.builders.bundles import brightness_bundle
from tests.fuzz import seeds
from tests.fuzz.mutations import KINDS, mutated

COUNT = int(os.environ.get("FRAMEJURY_FUZZ", "150"))
SEED = int(os.environ.get("FRAMEJURY_FUZZ_SEED", "0"))
MODES = ("uniform", "all", "keyframes", "random", "every_s", "uniform")
"""Of sampling; one batch each."""
LIMITS = {"timeout_s": 20, "memory_bytes": 2**30}
MOST_GROWTH_BYTES = 150 * 2**20
LOST = (Status.TIMEOUT, Status.CRASHED)
COSTS = dict.fromkeys(("wall_s", "cpu_s", "scoring", "peak_memory_bytes"))
"""What differs each time that the same video is examined."""
OUR_FAULT = re.compile("sandbox forbids|the decoding process failed|invalid answer|exit code")
"""Of a crash: libav may die of what it reads, and run out of memory; our own code may not."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Some real ones among them, where there are any."""
    return seeds.written(tmp_path_factory.mktemp("seeds")) | seeds.real(4)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return brightness_bundle(tmp_path_factory.mktemp("bundle") / "b")


@contextmanager
def examiner_of(bundle: Bundle, mode: str) -> Iterator[Examiner]:
    values = {
        "sampling": {"frames": 4, "mode": mode, "every_s": 0.1},
        "detection": {"min_face_px": 20, "frame_side_px": 120},
        "limits": LIMITS,
        "spark": {"segment_s": 0.01},
    }
    settings = settings_from(values).model_dump(mode="json")
    examiner = Examiner(ExaminePlan("run-1", settings, str(bundle.directory), True))
    try:
        yield examiner
    finally:
        examiner.close()


def test_the_sound_ones_are_judged(bundle: Bundle, sound: dict[str, bytes], tmp_path: Path) -> None:
    """Or damaging them would prove nothing."""
    with examiner_of(bundle, "uniform") as examiner:
        for name, content in sound.items():
            (tmp_path / "a").write_bytes(content)
            row, *faces = rows_of(examiner, tmp_path / "a")
            assert row["status"] == Status.EXTRACTED and row["error"] is None, (name, row)
            assert len(faces) >= 4, name
        assert examiner.starts == 1


@pytest.mark.parametrize("batch", range(len(MODES)))
def test_every_damaged_video_ends_with_one_status(
    bundle: Bundle, sound: dict[str, bytes], batch: int, tmp_path: Path, record_property: Any
) -> None:
    table: Counter[tuple[str, str]] = Counter()
    good = tmp_path / "good"
    good.write_bytes(sound["mp4 in front"])
    with examiner_of(bundle, MODES[batch]) as examiner:
        expected = rows_of(examiner, good)
        memory_bytes = peak_bytes()
        for number in range(batch, COUNT, len(MODES)):
            kind, path = written(sound, number, tmp_path)
            status = status_of(examiner, path)
            assert examiner.survey(VideoJob("video-1", str(path), path.stat().st_size)) or (
                status != Status.EXTRACTED
            )
            table[kind, status] += 1
            path.unlink()
        assert without_costs(rows_of(examiner, good)) == without_costs(expected)
        assert peak_bytes() - memory_bytes < MOST_GROWTH_BYTES
        lost = sum(count for (_, status), count in table.items() if status in LOST)
        # The survey of a file that costs a child may cost another.
        assert lost <= examiner.starts - 1 <= 2 * lost
        rows = [[kind, status, count] for (kind, status), count in table.items()]
        record_property("fuzz", {"table": rows, "starts": examiner.starts})


def written(sound: dict[str, bytes], number: int, folder: Path) -> tuple[str, Path]:
    """The damaged file of this number: the kind of damage, and where it lies."""
    batch, turn = number % len(MODES), number // len(MODES)
    kind = KINDS[(turn + batch) % len(KINDS)]
    name = list(sound)[(turn // len(KINDS) + batch) % len(sound)]
    path = folder / f"{number} {kind.__name__} {name.replace(' ', '_')}"
    path.write_bytes(mutated(sound[name], kind, SEED, number))
    return kind.__name__, path


def status_of(examiner: Examiner, path: Path) -> str:
    row = rows_of(examiner, path)[0]
    ours = row["status"] == Status.CRASHED and OUR_FAULT.search(row["error"])
    assert not ours, (path, row)
    return str(row["status"])


def rows_of(examiner: Examiner, path: Path) -> list[dict[str, Any]]:
    batch = examiner.examine(VideoJob("video-1", str(path)))
    assert batch.schema.equals(ROWS)
    rows: list[dict[str, Any]] = batch.to_pylist()
    tables = [row[TABLE_COLUMN] for row in rows]
    assert tables[0] == "extractions" and tables.count("extractions") == 1, path
    status = rows[0]["status"]
    assert status in EXTRACTION_STATUSES, path
    if status != Status.EXTRACTED:
        assert len(rows) == 1 and rows[0]["faces_kept"] == 0, path
        assert rows[0]["error"] or status == Status.NO_FACE, path
    else:
        assert tables.count("faces") == tables.count("face_scores") == rows[0]["faces_kept"] > 0
    assert "\n" not in (rows[0]["error"] or ""), path
    return rows


def without_costs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | COSTS for row in rows]


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
