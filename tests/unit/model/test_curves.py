"""Learning curves as CSV: they travel in the bundle, and bundles without them still load."""

from __future__ import annotations

from pathlib import Path

import pytest

from framejury.errors import BundleError
from framejury.model.bundle import load_bundle, with_metrics, write_bundle
from framejury.model.curves import curves_csv, curves_of, read_curves
from framejury.model.schedule import EpochRecord
from tests.builders.bundles import MANIFEST
from tests.builders.curves import EPOCHS


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    path = tmp_path / "trained.onnx"
    path.write_bytes(b"the bytes of a network")
    return path


def test_curves_travel_in_the_bundle_and_in_what_is_made_of_it(
    tmp_path: Path, onnx_file: Path
) -> None:
    first = write_bundle(tmp_path / "first", MANIFEST, onnx_file, curves=EPOCHS)
    assert "curves.csv" in first.files
    assert read_curves(first) == EPOCHS
    later = with_metrics(first, tmp_path / "later", {})
    assert read_curves(later) == EPOCHS
    card = (later.directory / "MODEL_CARD.md").read_text()
    assert "| 2 | finetune | 0.4000 | 0.5000 | 0.900 | 0.850 |" in card

    plain = write_bundle(tmp_path / "plain", MANIFEST, onnx_file)
    assert plain.model_id == first.model_id
    assert (plain.curves_path, read_curves(plain)) == (None, ())
    assert "Learning curves" not in (plain.directory / "MODEL_CARD.md").read_text()


def test_altered_curves_are_refused(tmp_path: Path, onnx_file: Path) -> None:
    bundle = write_bundle(tmp_path / "b", MANIFEST, onnx_file, curves=EPOCHS)
    (bundle.directory / "curves.csv").write_text(curves_csv(EPOCHS[:1]))
    with pytest.raises(BundleError, match=r"curves\.csv was altered"):
        load_bundle(bundle.directory)


def test_every_digit_comes_back_and_missing_figures_stay_missing() -> None:
    text = curves_csv(EPOCHS)
    assert text.splitlines()[0].startswith("epoch,phase,loss,accuracy,val_loss,")
    assert curves_of(text.encode(), "it") == EPOCHS
    assert EPOCHS[0].auc is None  # as in older trainings


def test_columns_of_later_versions_are_left_out() -> None:
    head, *lines = curves_csv(EPOCHS).splitlines()
    later = "\n".join([f"{head},later", *(f"{line},1" for line in lines)])
    assert curves_of(later.encode(), "it") == EPOCHS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.4", "nan"),
        ("finetune", "<script>"),
        ("\n1,", "\n7,"),
        ("0.85", "1.85"),
        ("epoch,", "epochs,"),
        ("head", "\udcff"),
    ],
)
def test_what_is_no_curve_is_refused(old: str, new: str) -> None:
    text = curves_csv(EPOCHS).replace(old, new, 1)
    with pytest.raises(BundleError, match=r"cannot read there/curves\.csv"):
        curves_of(text.encode(errors="surrogateescape"), "there/curves.csv")


@pytest.mark.parametrize("data", [b"", b"no curves\n", curves_csv([]).encode()])
def test_a_file_without_an_epoch_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match="its epochs are not 0, 1, 2"):
        curves_of(data, "it")


def test_the_record_of_an_epoch_is_the_line() -> None:
    (epoch,) = curves_of(curves_csv(EPOCHS[:1]).encode(), "it")
    assert isinstance(epoch, EpochRecord) and epoch.phase == "head"
