"""`framejury adopt` from a file and ten lines to a bundle that judges."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from framejury.commands import adopt, scan
from framejury.faces.crop import decode_crop
from framejury.media.small_clip import trial_clip
from framejury.model.bundle import load_bundle
from framejury.parsers.adopt import parser
from tests.builders.foreign_networks import (
    MESONET_ANSWERS,
    MESONET_PICTURES,
    description,
    foreign_network,
    mesonet_folder,
    mesonet_network,
)
from tests.builders.programs import CORPUS

MESONET = """
name: MesoNet
input: {colours: RGB, scale: 0..1}
crop: {margin_ratio: 0.15}
output: {high_means: real}
"""


def expectations(path: Path, answers: tuple[float, ...]) -> Path:
    lines = ["picture,output,tolerance"]
    for name, answer in zip(MESONET_PICTURES, answers, strict=True):
        lines.append(f"{mesonet_folder() / name},{answer},1e-4")
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("weights", MESONET_ANSWERS)
def test_mesonet_gives_its_published_answers(
    tmp_path: Path, weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    network = mesonet_network(tmp_path / "meso.onnx", weights)
    said = description(tmp_path / "meso.yaml", MESONET)
    known = expectations(tmp_path / "known.csv", MESONET_ANSWERS[weights])
    bundle = tmp_path / "bundle"
    args = [str(network), str(said), "--output", str(bundle), "--expect", str(known)]
    assert adopt.main(args) == 0
    out = capsys.readouterr().out
    assert "4 known answers agree" in out
    for check in ("operators", "loads", "scores", "repeatable", "batch", "cost", "not checked"):
        assert check in out
    assert load_bundle(bundle).pixels.resize == "stretch"
    sheet = cv2.imread(str(tmp_path / "bundle-sheet.png"))
    assert sheet.shape[0] > 256 and sheet.shape[1] > 2 * 256


def test_wrong_answers_refuse_the_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = mesonet_network(tmp_path / "meso.onnx")
    said = description(tmp_path / "meso.yaml", MESONET.replace("RGB", "BGR"))
    known = expectations(tmp_path / "known.csv", MESONET_ANSWERS["Meso4_DF"])
    bundle = tmp_path / "bundle"
    args = [str(network), str(said), "--output", str(bundle), "--expect", str(known)]
    assert adopt.main(args) == 2
    found = capsys.readouterr()
    assert "differs" in found.out and "is not adopted" in found.err
    assert not bundle.exists()


def test_the_inverted_label_is_found_on_labelled_videos(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = mesonet_network(tmp_path / "meso.onnx")
    archive = _deepfakes(tmp_path / "archive")
    said = description(tmp_path / "wrong.yaml", MESONET.replace("real", "fake"))
    args = ["--check", str(archive), "--frames", "2", "--set", "index.links=anywhere"]
    bundle = tmp_path / "bundle"
    assert adopt.main([str(network), str(said), "--output", str(bundle), *args]) == 0
    found = capsys.readouterr()
    assert "Another reading fits better: high_means: real" in found.out
    # The bundle brings its description and can be checked again.
    assert adopt.main([str(bundle), *args]) == 0
    again = capsys.readouterr().out
    assert "Another reading fits better: high_means: real" in again
    assert "too few" in again


def _deepfakes(archive: Path) -> Path:
    """An archive of the corpus's original videos and their Deepfakes."""
    if not CORPUS.is_dir():
        pytest.skip("no corpus beside the checkout (../shared/corpus)")
    for part in ("original_sequences/youtube", "manipulated_sequences/Deepfakes"):
        (archive / part).parent.mkdir(parents=True)
        (archive / part).symlink_to(CORPUS / "ffpp" / part)
    return archive


@pytest.mark.parametrize("crop", [{"margin_ratio": 0.3}, {"judges": "frame"}])
def test_an_adopted_bundle_judges(
    tmp_path: Path, crop: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    network = foreign_network(tmp_path / "n.onnx", side=64)
    text = {
        "input": {"colours": "RGB", "scale": "0..1"},
        "crop": crop,
        "output": {"gives": "logits", "index_of_fake": 1},
    }
    said = description(tmp_path / "n.yaml", text)
    bundle = tmp_path / "bundle"
    assert adopt.main([str(network), str(said), "--output", str(bundle)]) == 0
    capsys.readouterr()
    with trial_clip() as clip:
        assert scan.main([str(clip), "--bundle", str(bundle), "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["model_id"] == load_bundle(bundle).model_id
    # The drawn face is redder than blue, the wall behind it is not.
    assert (verdict["p_fake"] > 0.5) == ("margin_ratio" in crop)


def test_a_description_is_printed_to_be_filled_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = foreign_network(tmp_path / "n.onnx")
    assert adopt.main([str(network), "--print-description"]) == 0
    text = capsys.readouterr().out
    assert "side_px: 32" in text and "colours:  # RGB or BGR" in text
    said = description(tmp_path / "n.yaml", text)
    assert adopt.main([str(network), str(said), "--output", str(tmp_path / "b")]) == 2
    assert "input.colours (RGB or BGR" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ([], "a description is needed"),
        (["DESCRIPTION"], "give --output"),
        (["DESCRIPTION", "--output", "b", "--frames", "0"], "--frames must be at least 1"),
        (["DESCRIPTION", "--output", "b", "--architecture", "DESCRIPTION"], "--architecture is"),
    ],
)
def test_options_that_do_not_go_together(
    tmp_path: Path,
    args: list[str],
    reason: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    network = foreign_network(tmp_path / "n.onnx")
    said = description(tmp_path / "n.yaml", MESONET)
    args = [str(said) if arg == "DESCRIPTION" else arg for arg in args]
    assert adopt.main([str(network), *args]) == 2
    assert reason in capsys.readouterr().err


def test_the_sheet_shows_faces_of_a_given_video(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = foreign_network(tmp_path / "n.onnx", side=64)
    text = {
        "input": {"colours": "RGB", "scale": "0..1"},
        "crop": {"margin_ratio": 0.0},
        "output": {"gives": "logits", "index_of_fake": 1},
    }
    said, sheet = description(tmp_path / "n.yaml", text), tmp_path / "sheet.png"
    with trial_clip() as clip:
        args = ["--output", str(tmp_path / "b"), "--sheet", str(sheet), "--faces", str(clip)]
        assert adopt.main([str(network), str(said), *args]) == 0
    picture = decode_crop(sheet.read_bytes())
    # Skin in the middle of the first face.
    assert picture[40, 40].tolist() > [200, 150, 120]


def test_help_fits_and_names_every_option() -> None:
    text = parser().format_help()
    for option in ("--expect", "--check", "--sheet", "--architecture", "--print-description"):
        assert option in text
