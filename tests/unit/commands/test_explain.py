"""The command `explain`: pictures of the most suspicious faces under their heat maps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from framejury.cli.main import main
from framejury.faces.crop import decode_crop
from framejury.model.bundle import write_bundle
from framejury.model.input_contract import PixelContract
from framejury.model.manifest import Bundle
from framejury.model.runtime import Scorer
from framejury.settings import Resize, Signal
from tests.builders import clips
from tests.builders.bundles import MANIFEST, places_network, red_network


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Calls red faces fake."""
    folder = tmp_path_factory.mktemp("bundle")
    return write_bundle(folder / "bundle", MANIFEST, red_network(folder / "own.onnx"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face that gets darker: the first frames are the most suspicious."""
    frames = [
        (frame * (1 - 0.02 * number)).astype(np.uint8)
        for number, frame in enumerate(clips.face_frames(25))
    ]
    return clips.write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", frames)


def explain(clip: Path, bundle: Bundle, output: Path, *more: str) -> int:
    named = ["--bundle", str(bundle.directory), "--output", str(output)]
    return main(["explain", str(clip), *named, "--set", "sampling.frames=5", *more])


def test_explain_writes_the_most_suspicious_faces(
    bundle: Bundle, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new" / "heat"
    assert explain(clip, bundle, output, "--faces", "3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert sorted(path.name for path in output.iterdir()) == sorted(
        Path(line.partition(":")[0]).name for line in lines
    )
    frames = [int(line.partition("frame ")[2].split()[0]) for line in lines]
    scores = [float(line.rpartition(" ")[2]) for line in lines]
    assert len(frames) == 3
    assert frames == sorted(frames)  # the brightest come first
    assert frames[-1] < 20
    assert scores == sorted(scores, reverse=True)
    assert (output / f"face-{frames[0]:06d}-1.png").is_file()
    sheet = decode_crop((output / f"face-{frames[0]:06d}-1.png").read_bytes())
    assert sheet.shape == (348, 640, 3)
    crop, heated = sheet[:320, :320], sheet[:320, 320:]
    scorer = Scorer(bundle)
    # Enlarged for people and reduced again, the picture scores what the line says.
    assert scorer.score([crop])[0] == pytest.approx(scores[0], abs=0.02)
    hot = np.abs(heated.astype(int) - crop).mean(axis=2)
    assert hot.max() > 40
    assert sheet[320:].min() < 128 < sheet[320:].mean()  # text on white


@pytest.mark.parametrize(
    ("signal", "resize"),
    [("marked", "letterbox"), ("delta", "letterbox"), ("flow_fusion", "stretch")],
)
def test_explain_shows_what_the_network_saw(
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    signal: Signal,
    resize: Resize,
) -> None:
    """The very square that was scored and that the heat map is of."""
    manifest = replace(MANIFEST, signal=signal, pixels=PixelContract(input_px=32, resize=resize))
    bundle = write_bundle(tmp_path / "bundle", manifest, red_network(tmp_path / "own.onnx"))
    assert explain(clip, bundle, tmp_path / "heat", "--faces", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    red_points = 0
    for line in lines:
        sheet = decode_crop(Path(line.partition(":")[0]).read_bytes())
        seen, heated = sheet[:320, :320].astype(int), sheet[:320, 320:].astype(int)
        score = float(line.rpartition(" ")[2])
        red = seen[..., 0].mean() / 255
        assert 1 / (1 + np.exp(2 - 4 * red)) == pytest.approx(score, abs=0.02)
        assert np.abs(heated - seen).max() > 40
        red_points += int(((seen[..., 0] > 180) & (seen[..., 1:] < 70).all(axis=2)).sum())
        if signal == "delta":
            assert score == pytest.approx(0.5, abs=0.05)  # grey: little changes in 40 ms
    assert (red_points > 200) == (signal == "marked")


def test_explain_covers_parts_of_faces_where_the_network_gives_no_map(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = np.zeros((32, 32))
    weights[12:16, 12:16] = 4 / 16
    flat = write_bundle(tmp_path / "b", MANIFEST, places_network(tmp_path / "a.onnx", weights))
    assert explain(clip, flat, tmp_path / "x", "--faces", "2") == 0
    done = capsys.readouterr()
    assert "covering parts of each face" in done.err
    for line in done.out.splitlines():
        sheet = decode_crop(Path(line.partition(":")[0]).read_bytes()).astype(int)
        hot = np.abs(sheet[:320, 320:] - sheet[:320, :320]).mean(axis=2)
        assert hot[100:180, 100:180].mean() > 40 > hot[240:].max()


def test_explain_refuses(
    bundle: Bundle, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def printed() -> str:
        return capsys.readouterr().err

    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    assert explain(clip, bundle, tmp_path / "taken") == 2
    assert "not an empty folder" in printed()
    assert explain(clip, bundle, tmp_path / "x", "--faces", "0") == 2
    assert "--faces must be at least 1" in printed()
    plain = clips.write_clip(tmp_path / "plain.mp4", clips.plain_frames(5))
    assert explain(plain, bundle, tmp_path / "x") == 2
    assert "has no face to explain (no_face)" in printed()
    assert explain(tmp_path / "none.mp4", bundle, tmp_path / "x") == 2
    assert f"no file at {tmp_path}/none.mp4" in printed()
    assert not (tmp_path / "x").exists()
