"""The corpus of real videos, where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders.programs import CORPUS


@pytest.fixture(scope="session")
def corpus() -> Path:
    if not (CORPUS / "CORPUS.csv").is_file():
        pytest.skip("the corpus of real videos is not beside the checkout (../shared/corpus)")
    return CORPUS
