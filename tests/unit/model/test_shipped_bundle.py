"""The bundle that ships: whole, small enough, calibrated, and honest about itself."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import pytest

from framejury.cli.options import bundle_dir_of
from framejury.errors import BundleError
from framejury.model.bundle import load_bundle, read_seen
from framejury.model.manifest import CARD_NAME, KERAS_NAME, Bundle
from framejury.model.runtime import Scorer
from tests.builders.faces import real_face

MOST_BYTES = 25 * 10**6


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load_bundle(bundle_dir_of(argparse.Namespace(bundle=None)))


def test_it_is_a_detector_of_at_most_25_megabytes(shipped: Bundle) -> None:
    assert shipped.purpose == "detector"
    assert shipped.keras_path is not None
    assert sum(path.stat().st_size for path in shipped.directory.iterdir()) <= MOST_BYTES


def test_its_rule_was_fitted_on_validation_videos(shipped: Bundle) -> None:
    fit = shipped.rule_fit
    assert fit is not None
    assert fit.data.startswith("split val")
    assert fit.target_fpr == 0.05
    assert shipped.calibration is not None
    # Enough groups of real videos for an order statistic at 5%.
    assert fit.threshold_from == "quantile" and fit.real_groups >= 59
    assert fit.fpr <= fit.target_fpr


def test_what_it_learned_from_is_recorded(shipped: Bundle) -> None:
    assert read_seen(shipped) is not None
    assert {"Deepfakes", "Wav2Lip-GAN", "VLOGGER (2024)"} <= (shipped.data.methods or {}).keys()
    assert "VASA-1 (2024)" not in (shipped.data.methods or {})


def test_its_card_gives_held_out_figures_with_intervals_and_limits(shipped: Bundle) -> None:
    assert shipped.metrics["test"]["video_auc"].low is not None
    assert {
        "test, ffpp",
        "test, celebdf",
        "test, dfdc_faces",
        "test, wild_faces",
    } <= shipped.metrics.keys()
    card = (shipped.directory / CARD_NAME).read_text(encoding="utf-8")
    for said in (
        "does not judge sound",
        "false accusations",
        "Not tested",
        "Not as the only evidence",
        "Calibration",
    ):
        assert said in card


def test_it_scores_faces_in_any_company_the_same(shipped: Bundle) -> None:
    scorer = Scorer(shipped)
    faces = [real_face(seed, 150) for seed in range(5)]
    together = scorer.score(faces)
    assert together == pytest.approx([float(scorer.score([face])[0]) for face in faces], abs=1e-5)
    assert len(np.unique(together)) == 5


@pytest.mark.parametrize("name", ["model.onnx", KERAS_NAME, CARD_NAME, "bundle.json"])
def test_it_refuses_a_byte_that_was_altered(shipped: Bundle, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(shipped.directory, copy)
    load_bundle(copy)
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(BundleError):
        load_bundle(copy)
