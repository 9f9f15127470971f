"""`framejury train`: what a leaking split and labels set by hand leave in the bundle."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from framejury.cli.main import main
from framejury.labelled.committed_split import only_side, training_source, with_frame_labels
from framejury.model.bundle import load_bundle
from framejury.model.manifest import CARD_NAME
from framejury.model.source_counts import count_faces
from framejury.schemas.statuses import Side
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
    assert main(["train", *options, f"--output={tmp_path / 'made'}"]) == 0
    said = capsys.readouterr().err
    assert f"warning: {FACE_LEAK}" in said
    assert f"warning: these figures are too optimistic. {FACE_LEAK}" in said
    assert "1 of 3 frames labelled by hand without effect" in said

    bundle = load_bundle(tmp_path / "made")
    plain = training_source(warehouse)
    source = with_frame_labels(plain, [warehouse], labels)
    assert bundle.data.leak == plain.leak
    assert bundle.data.fingerprint == count_faces(source).fingerprint
    assert bundle.data.counts == count_faces(source).per_split
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
    assert json.loads((report / "report.json").read_text())["leak"] == plain.leak


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
