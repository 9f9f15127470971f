"""`framejury evaluate --archive`: from labelled clips to figures, with real faces and a bundle."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from framejury.cli.main import main
from framejury.commands.evaluate_archive import protocol_data
from framejury.evaluation.protocol_numbers import find_protocol
from framejury.model.bundle import sha256_of, write_bundle
from framejury.model.seen import KnownVideo, SeenVideos, source_keys
from framejury.protocol.frames import ProtocolFrames
from framejury.protocol.robustness import CONDITIONS
from framejury.protocol.verdicts import VideoJudge
from framejury.schemas.statuses import Side
from framejury.settings import SamplingSettings, VerdictSettings
from tests.builders import clips
from tests.builders.bundles import MANIFEST, brightness_bundle, brightness_network

Capture = pytest.CaptureFixture[str]
DEMO_BUNDLE = Path(__file__).resolve().parents[2] / "data" / "demo_bundle"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports go below the current folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three reals and three brighter fakes of them, a clip without a face, and a broken one."""
    root = tmp_path_factory.mktemp("evaluate") / "clips"
    lines = ["file,label,method,group"]
    for number in range(3):
        frames = clips.face_frames(12 + number)
        bright = [clips.number_frame((frame // 2 + 120), i) for i, frame in enumerate(frames)]
        for folder, shown, label, method in (
            ("real", frames, "REAL", ""),
            ("fake", bright, "FAKE", "bright"),
        ):
            (root / folder).mkdir(parents=True, exist_ok=True)
            clips.write_clip(root / folder / f"{number}.mp4", shown)
            lines.append(f"{folder}/{number}.mp4,{label},{method},{number}")
    clips.write_clip(root / "nobody.mp4", clips.plain_frames(6))
    clips.write_text(root / "broken.mp4")
    lines += ["nobody.mp4,REAL,,nobody", "broken.mp4,FAKE,bright,broken"]
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    (root / "sides.csv").write_text("pattern,side\n*/2.mp4,train\n*/*,test\n*,val\n")
    return root


def evaluate(*options: Any) -> int:
    return main(["evaluate", *map(str, options), "--set", "sampling.frames=12"])


@pytest.fixture(scope="module")
def output(archive: Path) -> Path:
    """Everything of the protocol, with a bundle that calls bright faces fake."""
    bundle = brightness_bundle(archive.parent / "bright")
    place = archive.parent / "report"
    options = ["--bundle", bundle.directory, "--archive", archive, "--workers", 1]
    assert evaluate(*options, "--output", place) == 0
    return place


def document(output: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((output / "metrics.json").read_text())
    return loaded


@pytest.mark.long
def test_every_labelled_video_has_a_row_whatever_happened(output: Path) -> None:
    rows = {row["path"]: row for row in json.loads((output / "predictions.json").read_text())}
    assert len(rows) == 8
    assert rows["nobody.mp4"]["status"] == "no_face"
    assert rows["broken.mp4"]["status"] == "not_video"
    assert rows["broken.mp4"]["error"]
    for number in range(3):
        real, fake = rows[f"real/{number}.mp4"], rows[f"fake/{number}.mp4"]
        assert real["status"] == fake["status"] == "scored"
        assert real["frames_scored"] == 12
        assert real["p_fake"] < fake["p_fake"]


def test_figures_are_those_of_the_videos(output: Path) -> None:
    found = document(output)
    assert found["overall"]["labelled"] == 8
    assert found["overall"]["scored"] == {"reals": 3, "fakes": 3}
    assert found["overall"]["videos"]["auc"]["value"] == 1.0
    assert found["overall"]["faces"]["auc"]["value"] > 0.9
    assert set(found["by_frames"]) == {"1", "4", "11", "12", "32"}
    assert found["frames_per_video"] == 12
    assert found["by_frames"]["1"]["videos"]["coverage"]["value"] == 0  # one face decides nothing
    assert set(found["data_sets"]) == {"real", "fake", "labels_csv"}
    methods = {one["data_set"]: one for one in found["methods"]}
    assert set(methods) == {"fake", "labels_csv"}  # the broken clip lies in no folder
    assert methods["fake"]["method"] == "bright"
    assert methods["fake"]["reals_of"] == "all data sets"
    assert methods["fake"]["videos"]["auc"]["value"] == 1.0


def test_degradations_are_measured_on_the_same_faces(output: Path) -> None:
    curves = document(output)["robustness"]
    assert {name: len(points) for name, points in curves.items()} == {
        "none": 1,
        "jpeg": 4,
        "h264": 4,
        "scale": 3,
        "blur": 3,
    }
    untouched = curves["none"][0]["videos"]["log_loss"]["value"]
    headline = document(output)["overall"]["videos"]["log_loss"]["value"]
    # Stored crops are JPEGs of quality 98, those of the headline were never stored.
    assert untouched == pytest.approx(headline, abs=0.005)
    losses = [one["videos"]["log_loss"]["value"] for name in curves for one in curves[name]]
    assert all(loss == pytest.approx(untouched, abs=0.1) for loss in losses)
    assert len(set(losses)) == len(losses)


def test_videos_that_the_bundle_has_seen_are_measured_apart(archive: Path, tmp_path: Path) -> None:
    """One source was trained on; of another, one file chose the rule, under another name."""
    sources = source_keys(["csv::0"], str(archive))
    chosen = KnownVideo(sha256_of(archive / "nobody.mp4"), ())
    record = SeenVideos.of([(Side.TRAIN, KnownVideo(None, sources)), (Side.VAL, chosen)])
    network = brightness_network(tmp_path / "network.onnx")
    bundle = write_bundle(tmp_path / "bundle", MANIFEST, network, seen=record)
    options = ["--bundle", bundle.directory, "--archive", archive, "--workers", 1, "--quick"]
    assert evaluate(*options, "--output", tmp_path / "report") == 0
    found = document(tmp_path / "report")
    assert found["overall"]["labelled"] == 5
    assert {one["side"]: one["videos"] for one in found["seen"]["sides"]} == {"train": 2, "val": 1}
    assert not any("not recorded" in note for note in found["notes"])


@pytest.mark.parametrize(("level", "frames"), [("null", 3), ("0.95", 6)])
def test_the_headline_is_judged_in_rounds_as_scan_would(
    archive: Path, tmp_path: Path, level: str, frames: int
) -> None:
    """Half a second has no interval, so only without one is a verdict settled at once."""
    bundle = brightness_bundle(tmp_path / "bundle")
    options = ["--bundle", bundle.directory, "--archive", archive, "--workers", 1, "--quick"]
    options += ["--set", "sampling.rounds=[3, 6]", "--set", f"verdict.confidence_level={level}"]
    options += ["--set", "detection.detector=haar", "--output", tmp_path / "report"]
    assert main(["evaluate", *map(str, options)]) == 0
    found = document(tmp_path / "report")
    assert (found["rounds"], found["frames_per_video"]) == ([3, 6], 11)
    assert set(found["by_frames"]) == {"1", "4", "11", "32"}
    rows = json.loads((tmp_path / "report" / "predictions.json").read_text())
    assert {row["frames_scored"] for row in rows if row["status"] == "scored"} == {frames}
    text = (tmp_path / "report" / "protocol.txt").read_text()
    assert "Videos are judged by 3 to 6 frames, in rounds (3, 6)" in text


@pytest.mark.parametrize(
    ("sampling", "frames", "words"),
    [
        ({"frames": 10}, 10, "Videos are judged by 10 frames;"),
        (
            {"mode": "strided", "frames": 5, "skip_frames_short": 0},
            5,
            "Videos are judged by the frames of sampling.mode=strided;",
        ),
    ],
)
def test_the_headline_has_the_frames_that_the_bundle_judges_by(
    archive: Path, tmp_path: Path, sampling: dict[str, Any], frames: int, words: str
) -> None:
    network = brightness_network(tmp_path / "network.onnx")
    manifest = replace(MANIFEST, judging={"sampling": sampling})
    bundle = write_bundle(tmp_path / "bundle", manifest, network)
    options = ["--bundle", bundle.directory, "--archive", archive, "--workers", 1, "--quick"]
    options += ["--set", "detection.detector=haar", "--output", tmp_path / "report"]
    assert main(["evaluate", *map(str, options)]) == 0
    rows = json.loads((tmp_path / "report" / "predictions.json").read_text())
    assert {row["frames_scored"] for row in rows if row["status"] == "scored"} == {frames}
    assert words in (tmp_path / "report" / "protocol.txt").read_text()


def test_a_bundle_that_has_seen_everything_has_no_figures(tmp_path: Path) -> None:
    bundle = brightness_bundle(tmp_path / "bundle")
    judge = VideoJudge(bundle, VerdictSettings(), "run")
    frames = ProtocolFrames.of(SamplingSettings(frames=12))
    found = find_protocol(protocol_data([], judge, frames, [CONDITIONS[0]]))
    assert found.overall.metrics.coverage.labelled == 0
    assert found.overall.videos["accuracy"].value is None


def test_pictures_and_page_are_written(output: Path) -> None:
    names = {path.name for path in output.iterdir()}
    assert {"report.html", "report.txt", "predictions.csv", "roc.png", "det.png"} <= names
    assert {f"robustness_{name}.png" for name in ("jpeg", "h264", "scale", "blur")} <= names
    assert "frames_per_video.png" in names and "calibration.png" in names


@pytest.mark.long
def test_quick_run_of_a_pinned_side_with_the_demo_bundle(
    archive: Path, tmp_path: Path, capsys: Capture
) -> None:
    options = ["--bundle", DEMO_BUNDLE, "--archive", archive, "--workers", 2, "--quick"]
    assert evaluate(*options, "--sides", archive / "sides.csv") == 0
    out, err = capsys.readouterr()
    (place,) = (tmp_path / "out").glob("evaluate-efficientnet_b0-*-clips")
    rows = json.loads((place / "predictions.json").read_text())
    assert {row["path"] for row in rows} == {
        "fake/0.mp4",
        "fake/1.mp4",
        "real/0.mp4",
        "real/1.mp4",
    }
    assert document(place)["robustness"] == {}
    assert not list(place.glob("robustness*"))
    assert "split test by sides.csv" in out and "DEMO MODEL" in out
    assert "All videos: 4 labelled, 4 scored, 50 faces" in out  # 12, 12, 13, 13
    assert str(place) in err
    assert "4 of 4 videos (100%)" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "give --archive DIR"),
        (["--warehouse", "w", "--quick"], "--quick needs --archive"),
        (["--warehouse", "w", "--sides", "s.csv"], "--sides needs --archive"),
        (["--warehouse", "w", "--weights", "f"], "give either --bundle DIR or --weights FILE"),
        (["--archive", "ARCHIVE", "--weights", "f"], "--weights cannot be used with --archive"),
        (["--archive", "ARCHIVE", "--side", "test"], "needs --sides FILE"),
        (
            ["--archive", "ARCHIVE", "--sides", "SIDES", "--side", "train"],
            "may have been trained on",
        ),
        (["--archive", "ARCHIVE", "--sides", "gone.csv"], "gone.csv"),
        (["--archive", "gone"], "no archive at"),
        (["--archive", "ARCHIVE", "--workers", "0"], "--workers must be at least 1, got 0"),
        (["--archive", "ARCHIVE", "--set", "verdict.reducer=learned"], "learned needs a bundle"),
    ],
)
def test_what_the_user_can_mend_is_said_in_a_line(
    options: list[str],
    words: str,
    archive: Path,
    tmp_path: Path,
    capsys: Capture,
) -> None:
    known = {"ARCHIVE": str(archive), "SIDES": str(archive / "sides.csv")}
    options = [known.get(option, option) for option in options]
    bundle = brightness_bundle(tmp_path / "bundle").directory
    assert main(["evaluate", "--bundle", str(bundle), *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err.splitlines()[-1]
    assert not Path("out").exists()
