"""The runtime: right scores in the right order, and no number that is no score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from framejury.errors import BundleError, FramejuryError, SetupError
from framejury.labelled.scoring import SCORED_FACES, score_faces
from framejury.model.bundle import write_bundle
from framejury.model.manifest import Bundle
from framejury.model.runtime import Scorer
from framejury.schemas.statuses import Side
from framejury.signals.rgb import network_input
from tests.builders.bundles import MANIFEST, brightness_network
from tests.builders.faces import real_face, small_videos, write_source


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_bundle(tmp_path / "bundle", MANIFEST, brightness_network(tmp_path / "a.onnx"))


def bundle_with(tmp_path: Path, **network: object) -> Bundle:
    path = brightness_network(tmp_path / "b.onnx", **network)
    return write_bundle(tmp_path / "other", MANIFEST, path)


def flat(red: int, height: int = 40, width: int = 40) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = red
    return image


@pytest.mark.parametrize("batch_size", [1, 2, 3, 32])
def test_scores_in_order_whatever_the_batch(bundle: Bundle, batch_size: int) -> None:
    reds = [0, 51, 255, 102, 204]
    scores = Scorer(bundle, batch_size=batch_size).score([flat(red) for red in reds])
    assert scores.dtype == np.float32
    assert scores == pytest.approx([red / 255 for red in reds], abs=1e-6)


def test_red_is_the_first_channel_and_crops_are_letterboxed(bundle: Bundle) -> None:
    blue = flat(0)
    blue[..., 2] = 255
    half = flat(255, height=20, width=40)
    assert Scorer(bundle).score([blue, half]) == pytest.approx([0.0, 0.5], abs=1e-6)


def test_a_crop_of_the_networks_size_is_not_resized(bundle: Bundle) -> None:
    crops = [real_face(seed) for seed in range(3)]
    pixels = np.stack([network_input(crop, 32) for crop in crops])
    expected = pixels[..., 0].mean(axis=(1, 2)) / 255
    assert Scorer(bundle).score(list(pixels)) == pytest.approx(expected, abs=1e-5)


def test_no_crops_no_scores(bundle: Bundle) -> None:
    assert Scorer(bundle).score([]).shape == (0,)


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), 0.1, -0.1])
def test_what_is_no_score_is_refused(tmp_path: Path, scale: float) -> None:
    scorer = Scorer(bundle_with(tmp_path, scale=scale))
    with pytest.raises(FramejuryError, match="not a score from 0 to 1"):
        scorer.score([flat(255)])


def test_rounding_beyond_one_is_clipped(tmp_path: Path) -> None:
    scorer = Scorer(bundle_with(tmp_path, scale=(1 + 3e-7) / 255))
    assert scorer.score([flat(255)])[0] == 1.0


def test_network_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="the manifest describes float32"):
        Scorer(bundle_with(tmp_path, input_px=48))


def test_network_with_a_fixed_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="the manifest describes float32"):
        Scorer(bundle_with(tmp_path, batch=1))


def test_file_that_is_no_network(tmp_path: Path) -> None:
    (tmp_path / "c.onnx").write_bytes(b"not a network")
    bundle = write_bundle(tmp_path / "c", MANIFEST, tmp_path / "c.onnx")
    with pytest.raises(BundleError, match="cannot load"):
        Scorer(bundle)


def test_file_changed_after_the_check(bundle: Bundle, tmp_path: Path) -> None:
    brightness_network(bundle.onnx_path, scale=0.5 / 255)
    with pytest.raises(BundleError, match="changed after"):
        Scorer(bundle)


def test_cuda_is_an_order(bundle: Bundle) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine can run CUDA")
    with pytest.raises(SetupError, match="onnxruntime-gpu"):
        Scorer(bundle, device="cuda")


def test_score_faces_gives_every_face_of_the_side_once(bundle: Bundle, tmp_path: Path) -> None:
    source = write_source(tmp_path / "faces", small_videos(train_each=2, val_each=1))
    table = score_faces(Scorer(bundle, batch_size=3), source, Side.VAL)
    assert table.schema.equals(SCORED_FACES)
    assert table.schema.names == [
        "video_id",
        "frame_index",
        "pts_s",
        "face_index",
        "person",
        "score",
    ]
    keys = [(row["video_id"], row["frame_index"]) for row in table.to_pylist()]
    expected = [(f"val-{kind}-0", 10 * n) for kind in ("fake", "real") for n in range(4)]
    assert keys == expected
    assert score_faces(Scorer(bundle), source).num_rows == 24


def test_score_faces_scores_the_row_it_stands_in(bundle: Bundle, tmp_path: Path) -> None:
    source = write_source(tmp_path / "faces", small_videos(train_each=1, val_each=1))
    scorer = Scorer(bundle)
    table = score_faces(scorer, source)
    by_key = {(r["video_id"], r["frame_index"]): r["score"] for r in table.to_pylist()}
    # The seed of each crop is written in builders.faces.face_rows.
    name = "val-real-0"
    crop = real_face(100 * sum(name.encode()) + 2)
    assert by_key[name, 20] == scorer.score([crop])[0]
    assert len(set(by_key.values())) == len(by_key)


def test_score_faces_of_nothing_is_an_empty_table(bundle: Bundle, tmp_path: Path) -> None:
    source = write_source(tmp_path / "faces", small_videos(train_each=1, val_each=1))
    table = score_faces(Scorer(bundle), source, Side.TEST)
    assert table.num_rows == 0
    assert table.schema.equals(SCORED_FACES)
