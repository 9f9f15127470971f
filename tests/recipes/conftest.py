"""A small archive for the recipes: a few short videos of the corpus, or the demo's."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path

import av
import pytest

from framejury.demo.demo_archive import write_archive
from tests.builders.programs import CORPUS

SHORT = (
    *("other/wild/RealObama.mp4", "other/wild/FakeObama.mp4"),
    *("other/wild/RealPutin.mp4", "other/wild/FakePutin.mp4"),
    *("other/wild/RealClinton.mp4", "other/wild/FakeClinton.mp4"),
    *("celebdf/Celeb-real/id16_0012.mp4", "celebdf/Celeb-synthesis/id16_id6_0012.mp4"),
    *("celebdf/Celeb-real/id26_0006.mp4", "celebdf/Celeb-synthesis/id26_id25_0006.mp4"),
    *("other/hdtf/WDA_EdMarkey0_000.mp4", "other/uadfv/0017_fake.mp4"),
)
"""Six real and six fake videos; five pairs of one person."""
FRAMES = 48
"""Frames of each, at most: recipes that look at every frame take most of the time."""


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy twelve videos of the corpus; without it, write the demo archive."""
    place = tmp_path_factory.mktemp("recipes") / "archive"
    if (CORPUS / "CORPUS.csv").is_file():
        place.mkdir()
        with (CORPUS / "CORPUS.csv").open(newline="") as rows:
            labels = {row["file"]: row for row in csv.DictReader(rows)}
        with (place / "labels.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("file", "label", "group"))
            for name in SHORT:
                video = place / Path(name).name
                _copy_start(CORPUS / name, video)
                writer.writerow((video.name, labels[name]["label"], labels[name]["group"]))
    else:
        write_archive(place, seconds=1.5)
    return place


def _copy_start(video: Path, copy: Path) -> None:
    """Copy the first frames, as they are coded."""
    with av.open(str(video)) as source, av.open(str(copy), "w") as target:
        pictures = source.streams.video[0]
        stream = target.add_stream_from_template(pictures)
        for packet in islice(source.demux(pictures), FRAMES):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
