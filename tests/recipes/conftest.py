"""The published recipes as users run them: on the corpus, in reduced epochs and at reduced size."""

from __future__ import annotations

from pathlib import Path

import pytest

from framejury.demo.demo_archive import write_archive
from tests.end_to_end.conftest import CORPUS

REDUCED = (
    *("--set", "training.weights=none"),  # published weights are a download
    *("--set", "training.head_epochs=0"),
    *("--set", "training.finetune_epochs=1"),
    *("--set", "training.input_px=48"),
    *("--set", "training.batch_size=32"),
    # Haar on 1080p takes a tenth of a second a frame.
    *("--set", "detection.frame_side_px=360"),
    *("--set", "detection.min_face_px=55"),
)
"""What tests change of every recipe; nothing else is."""


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus, or where it is not beside the checkout the archive that the demo makes."""
    if (CORPUS / "CORPUS.csv").is_file():
        return CORPUS
    place = tmp_path_factory.mktemp("made") / "archive"
    write_archive(place)
    return place


@pytest.fixture(scope="session")
def small_archive(archive: Path) -> Path:
    """A part of it with a dozen labelled videos of both classes."""
    part = archive / "celebdf"
    return part if part.is_dir() else archive
