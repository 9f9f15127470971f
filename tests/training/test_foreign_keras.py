"""Networks of Keras and TensorFlow are adopted with the answers they had, and as data only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from framejury.adoption.adopting import drafted  # noqa: E402
from framejury.adoption.archive_faces import faces_of, settings_for  # noqa: E402
from framejury.adoption.description import description_of  # noqa: E402
from framejury.adoption.expected_answers import (  # noqa: E402
    Expected,
    answers_of,
    answers_table,
)
from framejury.adoption.foreign_file import read_network  # noqa: E402
from framejury.errors import BundleError, ParityError  # noqa: E402
from framejury.faces.crop import cropped_face  # noqa: E402
from framejury.model.manifest import Bundle  # noqa: E402
from framejury.model.runtime import Scorer  # noqa: E402
from framejury.settings import LimitSettings, Settings  # noqa: E402
from framejury.signals.network_input import picture_of  # noqa: E402
from framejury.training import foreign_keras  # noqa: E402
from tests.builders.foreign_networks import (  # noqa: E402
    MESONET_ANSWERS,
    MESONET_PICTURES,
    mesonet_architecture,
    mesonet_folder,
)
from tests.builders.programs import CORPUS  # noqa: E402

SAID: dict[str, Any] = {
    "input": {"colours": "RGB", "scale": "0..1"},
    "crop": {"margin_ratio": 0.15},
    "output": {"high_means": "real"},
}


def adopted(path: Path, network: Path, architecture: Path | None = None) -> Bundle:
    found = read_network(network, architecture)
    with drafted(
        found,
        description_of(SAID, "test"),
        limits=LimitSettings(),
        shipped=None,
        report=lambda _: None,
    ) as draft:
        return draft.write(path / "bundle")


def plain_keras(path: Path, weights: str) -> Any:
    network = keras.models.model_from_json(mesonet_architecture(path / "meso.json").read_text())
    network.load_weights(mesonet_folder() / f"{weights}.h5")
    return network


def check_answers(bundle: Bundle, weights: str) -> None:
    known = [
        Expected(mesonet_folder() / name, value, is_output=True, tolerance=1e-4)
        for name, value in zip(MESONET_PICTURES, MESONET_ANSWERS[weights], strict=True)
    ]
    answers = answers_of(bundle, known, LimitSettings())
    assert all(answer.agrees for answer in answers), answers_table(answers)


@pytest.mark.parametrize("weights", MESONET_ANSWERS)
def test_weights_with_an_architecture(tmp_path: Path, weights: str) -> None:
    architecture = mesonet_architecture(tmp_path / "meso.json")
    bundle = adopted(tmp_path, mesonet_folder() / f"{weights}.h5", architecture)
    check_answers(bundle, weights)
    assert bundle.adopted is not None and bundle.adopted.file_format == "h5"
    assert bundle.parity is not None and "tf2onnx" in bundle.libraries
    (tmp_path / "again").mkdir()
    again = adopted(tmp_path / "again", mesonet_folder() / f"{weights}.h5", architecture)
    assert again.model_id == bundle.model_id


@pytest.mark.parametrize("name", ["meso.keras", "meso.h5", "saved"])
def test_whole_networks(tmp_path: Path, name: str) -> None:
    network = plain_keras(tmp_path, "Meso4_DF")
    network.export(tmp_path / name) if name == "saved" else network.save(tmp_path / name)
    check_answers(adopted(tmp_path, tmp_path / name), "Meso4_DF")


def test_scores_of_real_videos_are_those_of_plain_keras(tmp_path: Path) -> None:
    if not CORPUS.is_dir():
        pytest.skip("no corpus beside the checkout (../shared/corpus)")
    network = plain_keras(tmp_path, "Meso4_DF")
    weights = mesonet_folder() / "Meso4_DF.h5"
    bundle = adopted(tmp_path, weights, tmp_path / "meso.json")
    videos = sorted((CORPUS / "celebdf").rglob("*.mp4"))[:3]
    rows = [{"video_id": path.name, "uri": str(path)} for path in videos]
    faces = [
        cropped_face(face.row) for face in faces_of(rows, settings_for(bundle, Settings(), 3), 2)
    ]
    assert len(faces) >= 6
    pictures = np.stack([picture_of(face, "rgb", 256, "stretch") for face in faces])
    by_keras = 1 - np.asarray(network(pictures.astype(np.float32) / 255, training=False))[:, 0]
    np.testing.assert_allclose(Scorer(bundle).score(faces), by_keras, atol=1e-5)
    assert by_keras.std() > 0.01


def with_lambda() -> Any:
    given = keras.Input((32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Lambda(lambda v: v * 2)(given))
    return keras.Model(given, keras.layers.Dense(1)(x))


@pytest.mark.parametrize("name", ["n.keras", "n.h5"])
def test_layers_that_carry_code_are_refused(tmp_path: Path, name: str) -> None:
    with_lambda().save(tmp_path / name)
    with pytest.raises(BundleError, match="layer Lambda, which runs code"):
        read_network(tmp_path / name)


def test_also_in_an_architecture(tmp_path: Path) -> None:
    network = with_lambda()
    (tmp_path / "n.json").write_text(network.to_json())
    network.save_weights(tmp_path / "n.weights.h5")
    with pytest.raises(BundleError, match="layer Lambda, which runs code"):
        read_network(tmp_path / "n.weights.h5", tmp_path / "n.json")


def test_layers_from_elsewhere_are_refused(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable(package="theirs")
    class Own(keras.layers.Layer):
        def call(self, values: Any) -> Any:
            return values

    given = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(Own()(given))
    keras.Model(given, keras.layers.Dense(1)(pooled)).save(tmp_path / "n.keras")
    with pytest.raises(BundleError, match="theirs>Own, which runs code"):
        read_network(tmp_path / "n.keras")


def test_a_graph_that_reads_files_is_refused(tmp_path: Path) -> None:
    class Reader(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 32, 32, 3))])
        def __call__(self, pixels: Any) -> Any:
            text = tf.io.read_file("/etc/hostname")
            return tf.reduce_mean(pixels, [1, 2, 3]) + tf.cast(tf.strings.length(text), tf.float32)

    tf.saved_model.save(Reader(), str(tmp_path / "saved"))
    with pytest.raises(BundleError, match="uses ReadFile"):
        read_network(tmp_path / "saved")


def test_weights_alone_need_an_architecture() -> None:
    with pytest.raises(BundleError, match="--architecture FILE"):
        read_network(mesonet_folder() / "Meso4_DF.h5")


def test_a_conversion_with_other_answers_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_keras(tmp_path, "Meso4_DF").save(tmp_path / "n.keras")
    monkeypatch.setattr(foreign_keras, "_first", lambda answer: np.asarray(answer) + 0.01)
    with pytest.raises(ParityError, match="No bundle was written"):
        read_network(tmp_path / "n.keras")
