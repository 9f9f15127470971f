"""Which GPU a task uses, and what happens where there is none. No test here needs one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import onnxruntime
import pytest
from pyspark.resource import ResourceInformation

from framejury.errors import SetupError
from framejury.examine.messages import ExaminePlan, VideoJob
from framejury.examine.worker import Examiner
from framejury.model.manifest import Bundle
from framejury.model.runtime import Scorer
from framejury.sandbox.sandbox import Sandbox
from framejury.settings.loading import settings_from
from framejury.tables import score
from framejury.tables.resources import first_gpu
from tests.builders import clips
from tests.builders.bundles import brightness_bundle

ENVIRONMENT = """
import json, os

def make(setup):
    return lambda request: json.dumps(os.environ.get("CUDA_VISIBLE_DEVICES")).encode()
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return brightness_bundle(tmp_path / "bundle")


def test_the_gpu_of_a_task_is_the_first_that_spark_assigned() -> None:
    assert first_gpu({}) is None
    assert first_gpu({"gpu": ResourceInformation("gpu", ["3", "1"])}) == "3"
    assert first_gpu({"gpu": ResourceInformation("gpu", [])}) is None
    assert first_gpu({"fpga": ResourceInformation("fpga", ["3"])}) is None


def test_the_child_sees_the_gpu_of_its_task_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "environment.py").write_text(ENVIRONMENT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    for given, seen in (({"CUDA_VISIBLE_DEVICES": "2"}, b'"2"'), (None, b"null")):
        sandbox = Sandbox("environment:make", {}, 2**30, given)
        try:
            assert sandbox.call({}, 30) == seen
        finally:
            sandbox.close()


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="there is CUDA here"
)
def test_a_gpu_that_is_not_usable_ends_the_run(tmp_path: Path, bundle: Bundle) -> None:
    """Never a silent run on the CPU."""
    values = settings_from({"detection": {"detector": "haar"}}).model_dump(mode="json")
    plan = ExaminePlan("run-1", values, str(bundle.directory), False, device="cuda")
    examiner = Examiner(plan, gpu="0")
    clip = clips.write_clip(tmp_path / "a.mp4", clips.face_frames(3))
    with pytest.raises(RuntimeError, match=r"SetupError: device cuda[\s\S]*onnxruntime-gpu"):
        examiner.examine(VideoJob("v", str(clip)))
    examiner.close()


@pytest.fixture
def visible(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave neither networks nor the environment behind."""
    monkeypatch.setattr(score, "_scorers", {})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    yield


@pytest.mark.usefixtures("visible")
def test_scoring_claims_one_gpu_for_good(bundle: Bundle) -> None:
    score._claim("1")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
    score._scorers["somewhere", 1, None, "1"] = Scorer(bundle)
    score._claim("1")
    with pytest.raises(
        SetupError, match=r"GPU 1 and was then assigned GPU 2.*resource\.gpu\.amount"
    ):
        score._claim("2")


@pytest.mark.usefixtures("visible")
def test_without_a_gpu_scoring_is_on_the_cpu(bundle: Bundle) -> None:
    assert score.scorer_of(str(bundle.directory), 1, None, None).batch_size == 4
    assert score.scorer_of(str(bundle.directory), 1, 7, None).batch_size == 7
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1,2,3"
