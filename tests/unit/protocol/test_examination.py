"""Faces of measured videos, as they are and perturbed, for networks that see other signals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from framejury.examine.messages import ExaminePlan
from framejury.model.bundle import write_bundle
from framejury.model.input_contract import PixelContract
from framejury.model.runtime import Scorer
from framejury.protocol.examination import VideoScores, examine_all
from framejury.protocol.robustness import UNTOUCHED, Condition
from framejury.settings import PAIR_SIGNALS, Resize, Signal
from framejury.settings.loading import settings_from
from tests.builders import clips
from tests.builders.bundles import MANIFEST, brightness_network

JPEG = Condition("jpeg", 30)
H264 = Condition("h264", 40)


def examined(clip: Path, folder: Path, signal: Signal, resize: Resize) -> VideoScores:
    manifest = replace(MANIFEST, signal=signal, pixels=PixelContract(input_px=32, resize=resize))
    bundle = write_bundle(folder / "bundle", manifest, brightness_network(folder / "a.onnx"))
    settings = settings_from(
        {
            "sampling": {"frames": 8, "pairs": signal in PAIR_SIGNALS},
            "crops": {"format": "png"},
            "scoring": {"batch_size": 1},
        }
    )
    plan = ExaminePlan("run", settings.model_dump(mode="json"), str(bundle.directory), True)
    video = {"video_id": "v", "uri": str(clip)}
    (found,) = examine_all(
        [video],
        plan,
        1,
        model_id=bundle.model_id,
        scorer=Scorer(bundle, batch_size=1),
        conditions=(UNTOUCHED, JPEG, H264),
        frames=4,
    )
    return found


@pytest.mark.parametrize(
    ("signal", "resize"),
    [("marked", "letterbox"), ("delta", "letterbox"), ("flow_fusion", "stretch")],
)
def test_every_signal_is_measured_and_perturbed(
    tmp_path: Path, signal: Signal, resize: Resize
) -> None:
    clip = clips.write_clip(tmp_path / "a.mp4", clips.face_frames(48))
    found = examined(clip, tmp_path, signal, resize)
    assert len(found.extraction["sampled_s"]) == len(found.score) == 8
    assert found.extraction["frames_sampled"] == (16 if signal in PAIR_SIGNALS else 8)
    chosen = found.chosen(4)
    # Every other look, whether it is of one frame or of two.
    assert chosen.sum() == 4 and not (chosen[1:] & chosen[:-1]).any()
    assert found.chosen(8).all()
    # Crops are PNG: scored again they are the same, to the last bit.
    assert found.perturbed[UNTOUCHED].tolist() == found.score[chosen].tolist()
    for condition in (JPEG, H264):
        scores = found.perturbed[condition]
        assert len(scores) == 4 and (scores != found.score[chosen]).all()
        assert np.abs(scores - found.score[chosen]).max() < 0.1
