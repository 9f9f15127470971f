"""The presets of published recipes hold what was published: every number, by hand from there."""

from __future__ import annotations

from typing import Any

import pytest

from framejury.faces.detect import reduced_size
from framejury.records import Size
from framejury.settings import Settings
from framejury.settings.loading import find_conf_dir, load_settings, setting_fields

PUBLISHED: dict[str, dict[str, Any]] = {
    "face_frames": {
        "sampling.mode": "uniform",
        "sampling.frames": 11,
        "detection.detector": "mtcnn",
        "detection.threshold": 0.95,
        "detection.min_face_px": 20,
        "detection.keep": "all",
        "crops.margin_ratio": 0.3,
        "split.train": 0.8,
        "split.val": 0.1,
        "split.test": 0.1,
        "split.unit": "video",
        "split.order": "name",
        "split.balance": "runs",
        "split.balance_over": "archive",
        "training.signal": "rgb",
        "training.backbone": "efficientnet_b0",
        "training.weights": "imagenet",
        "training.output": "sigmoid",
        "training.optimizer": "adam",
        "training.finetune_learning_rate": 1e-4,
        "training.choose_by": "val_accuracy",
        "verdict.reducer": "mean",
        "verdict.threshold": 0.5,
        "verdict.calibrated": False,
        "report.outputs": "face_frames",
    },
    "random_frames": {
        "sampling.mode": "random",
        "sampling.frames": 5,
        "sampling.first_frame": 1,
        "sampling.last_frame": 50,
        "sampling.tolerance_s": 0,
        "detection.detector": "mtcnn",
        "detection.channel_order": "bgr",
        "detection.threshold": 0.8,
        "detection.min_face_px": 20,
        "detection.keep": "first",
        "crops.margin_ratio": 0.0,
        "crops.shape": "box",
        "split.unit": "face",
        "split.balance": "random",
        "split.balance_unit": "face",
        "split.balance_over": "chunk",
        "split.chunk_videos": 101,
        "training.input_px": 252,
        "training.resize": "stretch",
        "training.normalisation": "unit",
    },
    "flow_fusion": {
        "sampling.mode": "strided_retry",
        "sampling.pairs": True,
        "sampling.frames": 10,
        "sampling.skip_frames": 16,
        "sampling.skip_frames_short": 8,
        "sampling.short_frames": 200,
        "detection.detector": "haar",
        "detection.haar_cascade": "haarcascade_frontalface_alt2",
        "detection.haar_scale_factor": 1.2,
        "detection.haar_min_neighbors": 5,
        "detection.keep": "last",
        "crops.margin_px": 40,
        "crops.shape": "box",
        "crops.pair": "kept",
        "split.train": 0.7,
        "split.val": 0.2,
        "split.test": 0.1,
        "split.unit": "video",
        "split.videos_per_class": 480,
        "training.signal": "flow_fusion",
        "training.jpeg_quality": 75,
        "training.choose_by": "last",
        "training.backbone": "resnet18",
        "training.weights": "imagenet",
        "training.input_px": 224,
        "training.resize": "stretch",
        "training.output": "softmax",
        "training.frozen_layers": ["conv1", "bn1"],
        "training.optimizer": "sgd",
        "training.momentum": 0.9,
        "training.finetune_epochs": 50,
        "training.finetune_learning_rate": 0.001,
        "training.schedule": "step",
        "training.step_epochs": 6,
        "training.step_factor": 0.1,
        "training.batch_size": 128,
        "training.augment": "mirror",
        "training.normalisation": "imagenet",
        "verdict.reducer": "mean",
    },
    "inspect": {
        "detection.haar_cascade": "haarcascade_frontalface_default",
        "detection.haar_scale_factor": 1.2,
        "detection.haar_min_neighbors": 3,
        "detection.min_face_px": 20,
        "inspect.every": 1,
    },
    "all_frames": {
        "sampling.mode": "all",
        "detection.detector": "frame",
        "crops.max_side_px": 8192,
        "split.train": 0.8,
        "split.val": 0.2,
        "training.input_px": 256,
        "training.batch_size": 64,
        "training.augment": "fastai",
        "training.resize": "crop",
        "training.normalisation": "imagenet",
    },
}
WHEN_JUDGING = {
    "flow_fusion": {
        "sampling.frames": 30,
        "sampling.skip_frames": 4,
        "sampling.skip_frames_short": 2,
    }
}


def flat(preset: str | None, *, judging: bool = False) -> dict[str, Any]:
    sections = load_settings(preset, judging=judging).model_dump(mode="json")
    return {
        f"{section}.{name}": value
        for section, values in sections.items()
        for name, value in values.items()
    }


@pytest.mark.parametrize("preset", PUBLISHED)
def test_a_preset_holds_what_was_published(preset: str) -> None:
    settings = flat(preset)
    assert {key: settings[key] for key in PUBLISHED[preset]} == PUBLISHED[preset]


@pytest.mark.parametrize("preset", PUBLISHED)
def test_judging_differs_only_where_the_recipe_does(preset: str) -> None:
    learning, judging = flat(preset), flat(preset, judging=True)
    differing = {key: value for key, value in judging.items() if learning[key] != value}
    assert differing == WHEN_JUDGING.get(preset, {})


def test_shares_of_ten_to_two_to_two() -> None:
    split = load_settings("random_frames").split
    assert split.train / split.val == pytest.approx(5, abs=1e-5)
    assert split.val == pytest.approx(split.test, abs=1e-6)


@pytest.mark.parametrize("preset", PUBLISHED)
def test_a_preset_says_what_it_reproduces_and_what_the_default_does(preset: str) -> None:
    text = (find_conf_dir() / "presets" / f"{preset}.yaml").read_text("utf-8")
    comment = text[: text.index("\nsampling:") if "\nsampling:" in text else text.index("\ndet")]
    assert comment.startswith(f"# Recipe {preset}: ")
    assert "framejury's default does otherwise" in comment


def test_the_default_leaks_nothing_and_looks_at_faces() -> None:
    defaults = {key: field["default"] for key, field in setting_fields().items()}
    assert defaults["split.unit"] == "group"
    assert defaults["sampling.pairs"] is False
    assert defaults["detection.detector"] == "mtcnn"
    assert defaults["verdict.calibrated"] is True
    assert defaults["detection.channel_order"] == "rgb"
    assert defaults["split.balance_unit"] == "video"


@pytest.mark.parametrize("preset", ["face_frames", "random_frames", "inspect", "flow_fusion"])
def test_the_recipes_search_whole_frames(preset: str) -> None:
    detection = load_settings(preset).detection
    for size in (Size(240, 320), Size(1080, 1920), Size(4320, 7680)):
        assert reduced_size(size, detection) == size


def test_settings_that_came_later_leave_ids_as_they_were() -> None:
    """Ids of rows written before: other ids would have every video judged again."""
    once = load_settings(overrides=["sampling.frames=11"])  # the default before there were rounds
    assert once.digest("sampling", "detection", "crops") == "590b92930e90"
    bgr = load_settings(overrides=["detection.channel_order=bgr"])
    assert bgr.digest("detection") != Settings().digest("detection")
