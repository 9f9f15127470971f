"""The fast path judges as the plain one: every frame decoded, each searched by `mtcnn` itself.

The plain path here shares with framejury which frames are looked at, how they are reduced and
cropped, and the rules of the verdict. It decodes every frame in order, converts frames whole,
and finds faces with the `mtcnn` package, one frame at a time.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from framejury.examine.child import examine_video
from framejury.examine.messages import ExaminePlan
from framejury.examine.toolbox import Toolbox
from framejury.faces.crop import crop_region, limited
from framejury.faces.detect import choose_faces, reduced_size, rescaled
from framejury.faces.tracks import assign_persons
from framejury.media.decode import VideoFile
from framejury.media.decoded_frame import DecodedFrame
from framejury.records import Box, DetectedFace, Image, Point
from framejury.schemas.statuses import Status
from framejury.settings import SamplingSettings, Settings
from framejury.verdict.judge import FaceScores, Judgement, judge
from framejury.verdict.rule import Rule

CORPUS = Path(__file__).resolve().parents[3].parent / "shared" / "corpus"
SETTINGS = Settings(sampling=SamplingSettings(frames=11))
MOST_MEAN_DIFFERENCE = 0.02
# The plain path takes minutes: make test-all takes every third video, `pytest -m long` all.
EVERY = 3 if os.environ.get("FRAMEJURY_REDUCED") else 1

Finder = Callable[[Image], list[DetectedFace]]


@pytest.fixture(scope="module")
def package() -> Finder:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")
    mtcnn = pytest.importorskip("mtcnn", reason="mtcnn is not installed (extra train)")
    network = mtcnn.MTCNN()

    def find(image: Image) -> list[DetectedFace]:
        rows = network.detect_faces(image, output_type="numpy")
        return [
            DetectedFace(
                Box(*row[1:5]),
                float(row[5]),
                tuple(Point(*xy) for xy in zip(row[6:11], row[11:16], strict=True)),
            )
            for row in rows
        ]

    return find


@pytest.fixture(scope="module")
def tools() -> Toolbox:
    bundle = str(Path(__file__).resolve().parents[2] / "data" / "demo_bundle")
    return Toolbox.load(ExaminePlan("run", SETTINGS.model_dump(mode="json"), bundle, False))


@pytest.mark.long
def test_the_same_verdicts_on_the_corpus(package: Finder, tools: Toolbox) -> None:
    if not (CORPUS / "CORPUS.csv").is_file():
        pytest.skip("no corpus beside the checkout (../shared/corpus)")
    with (CORPUS / "CORPUS.csv").open(encoding="utf-8") as lines:
        names = sorted(row["file"] for row in csv.DictReader(lines))[::EVERY]
    differences, other_verdicts, faces_found, faces_missed = [], [], 0, 0
    for name in names:
        fast = examine_video(CORPUS / name, name, tools)
        scores, boxes, frames = plain_faces(CORPUS / name, name, package, tools)
        faces_found += len(scores)
        faces_missed += abs(len(scores) - len(fast.faces))
        assert fast.outcome.status == (Status.EXTRACTED if fast.faces else Status.NO_FACE), name
        if not scores or not fast.faces:
            assert len(scores) == len(fast.faces) == 0, name
            continue
        mine = verdict(
            [face.score for face in fast.faces],
            [face.frame_index for face in fast.faces],
            [face.person for face in fast.faces],
        )
        groups = [
            [b for b, f in zip(boxes, frames, strict=True) if f == at] for at in unique(frames)
        ]
        theirs = verdict(scores, frames, [n for group in assign_persons(groups) for n in group])
        assert mine.p_fake is not None and theirs.p_fake is not None
        differences.append(abs(mine.p_fake - theirs.p_fake))
        if mine.verdict != theirs.verdict:
            other_verdicts.append((name, astuple(mine), astuple(theirs)))
    assert len(differences) >= 0.9 * len(names) > 70 / EVERY
    assert faces_missed <= 0.01 * faces_found
    assert np.mean(differences) < MOST_MEAN_DIFFERENCE
    assert other_verdicts == []


def plain_faces(
    path: Path, key: str, package: Finder, tools: Toolbox
) -> tuple[list[float], list[Box], list[int]]:
    """Score, box and frame of every face of a video."""
    with VideoFile(path, SETTINGS.limits) as video:
        wanted = set(video.choose(SETTINGS.sampling, key).tolist())
    scores: list[float] = []
    boxes: list[Box] = []
    frames: list[int] = []
    assert tools.scorer is not None
    with av.open(str(path)) as container:
        for rank, frame in enumerate(container.decode(video=0)):
            if rank not in wanted:
                continue
            picture = DecodedFrame(frame)
            assert frame.rotation == 0
            whole = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            small = reduced_size(picture.size, SETTINGS.detection)
            found = [
                rescaled(face, small, picture.size) for face in package(picture.reduced(small))
            ]
            for face in choose_faces(found, SETTINGS.detection).faces:
                region = crop_region(face.box, picture.size, SETTINGS.crops.margin_ratio)
                right, bottom = region.x + region.width, region.y + region.height
                crop = limited(
                    whole[region.y : bottom, region.x : right], SETTINGS.crops.max_side_px
                )
                scores.append(float(tools.scorer.score([crop])[0]))
                boxes.append(face.box)
                frames.append(rank)
    return scores, boxes, frames


def verdict(scores: list[float | None], frames: list[int], persons: list[int]) -> Judgement:
    assert None not in scores
    known: npt.NDArray[np.float32] = np.array(scores, np.float32)
    # Frames stand in for seconds: how the spread is found is not what is compared here.
    faces = FaceScores(
        score=known, frame_index=frames, pts_s=[float(f) for f in frames], person=persons
    )
    return judge(faces, Rule(), SETTINGS.verdict)


def unique(values: list[int]) -> list[int]:
    return sorted(set(values))
