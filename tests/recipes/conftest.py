"""The published recipes as users run them: on the corpus, in reduced epochs and at reduced size."""

from __future__ import annotations

from pathlib import Path

import pytest

from framejury.demo.demo_archive import write_archive
from tests.builders.programs import CORPUS


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
