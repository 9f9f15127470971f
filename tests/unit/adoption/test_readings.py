"""A wrong description is found on labelled faces: the right reading tells fakes from reals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framejury.adoption.adopting import drafted
from framejury.adoption.archive_faces import ArchiveFace
from framejury.adoption.description import description_of
from framejury.adoption.foreign_file import read_network
from framejury.adoption.readings import (
    Comparison,
    compare_readings,
    description_in,
    wide_crops,
)
from framejury.errors import BundleError
from framejury.faces.crop import crop_region, encode_crop
from framejury.model.framing import framed_for
from framejury.model.manifest import Bundle
from framejury.records import Box, Size
from framejury.settings import LimitSettings, Settings
from tests.builders.bundles import brightness_bundle
from tests.builders.foreign_networks import foreign_network

LIMITS = LimitSettings()
FRAME, BOX = Size(200, 200), Box(60, 60, 80, 80)
VIDEOS = 24


def adopted(path: Path, said: dict[str, Any], **kind: Any) -> Bundle:
    network = read_network(foreign_network(path / "n.onnx", **kind))
    parts = {"input": {"colours": "RGB", "scale": "0..1"}, "crop": {"margin_ratio": 0.0}} | said
    given = description_of(parts, "test")
    with drafted(network, given, limits=LIMITS, shipped=None, report=lambda _: None) as draft:
        return draft.write(path / "bundle")


def faces(wide: Any, *, around: float = 0.0) -> list[ArchiveFace]:
    """One face per video; fakes are red. `around`: how red what surrounds the face is, instead."""
    rng = np.random.default_rng(3)
    made = []
    for number in range(VIDEOS):
        fake = number % 2 == 1
        tint = (30 if fake else -30) + rng.normal(0, 25)
        frame = rng.integers(60, 120, (*(FRAME.height, FRAME.width), 3)).astype(float)
        frame[..., 0] += around * tint
        inner = frame[60:140, 60:140]
        inner[..., 0] += (1 - around) * tint - around * tint
        picture = frame.clip(0, 255).astype(np.uint8)
        region = crop_region(BOX, FRAME, wide.margin_ratio)
        part = picture[region.y : region.y + region.height, region.x : region.x + region.width]
        row = {
            "crop": encode_crop(part, "png"),
            **{"next_crop": None, "landmarks": None},
            "crop_region": {n: getattr(region, n) for n in ("x", "y", "width", "height")},
            "box": {n: getattr(BOX, n) for n in ("x", "y", "width", "height")},
        }
        video = {"video_id": f"v{number}", "label": "FAKE" if fake else "REAL", "group": number}
        made.append(ArchiveFace(video, row, FRAME))
    return made


def compared(bundle: Bundle, *, around: float = 0.0) -> Comparison:
    crops = framed_for(bundle, Settings()).crops
    widest, margins = wide_crops(bundle, crops)
    return compare_readings(bundle, faces(widest, around=around), crops, margins, LIMITS)


LOGIT = {"gives": "logit", "high_means": "fake"}


def test_a_right_description_is_confirmed(tmp_path: Path) -> None:
    found = compared(adopted(tmp_path, {"output": LOGIT}, gives="logit"))
    own = found.readings[0]
    assert own.auc > 0.85 and own.interval is not None and found.better is None
    assert "No other reading is clearly better" in found.text()
    assert (found.reals, found.fakes, found.faces) == (12, 12, VIDEOS)


@pytest.mark.parametrize(
    ("kind", "said", "better"),
    [
        (
            {"gives": "logit"},
            {"output": {"gives": "logit", "high_means": "real"}},
            {"high_means: fake", "colours: BGR"},
        ),
        (
            {"gives": "logit"},
            {"input": {"colours": "BGR", "scale": "0..1"}, "output": LOGIT},
            {"high_means: real", "colours: RGB"},
        ),
        ({}, {"output": {"gives": "logits", "index_of_fake": 0}}, {"index_of_fake: 1"}),
        (
            {"classes": 3},
            {"output": {"gives": "logits", "index_of_fake": 0}},
            {"index_of_fake: 1", "FAKE and REAL swapped"},
        ),
    ],
)
def test_the_usual_mistakes_are_found(
    tmp_path: Path, kind: dict[str, Any], said: dict[str, Any], better: set[str]
) -> None:
    found = compared(adopted(tmp_path, said, **kind))
    assert found.better is not None and found.better.name in better
    by_name = {reading.name: reading.auc for reading in found.readings}
    assert all(by_name[name] > 0.85 for name in better)
    assert f"Another reading fits better: {found.better.name}: 0." in found.text()


def test_a_wrong_margin_is_found(tmp_path: Path) -> None:
    """The network needs what surrounds the face, and is described as seeing the face alone."""
    found = compared(adopted(tmp_path, {"output": LOGIT}, gives="logit"), around=1.0)
    assert found.better is not None and found.better.name.startswith("margin_ratio: 0.")


@pytest.mark.parametrize("said", ["RGB", "BGR"])
def test_another_range_gives_what_its_own_description_would(tmp_path: Path, said: str) -> None:
    """The same network, described with each range: the readings of one are those of the other."""
    mean = [0.485, 0.456, 0.406] if said == "RGB" else [0.406, 0.456, 0.485]
    deviation = [0.229, 0.224, 0.225] if said == "RGB" else [0.225, 0.224, 0.229]
    plain = {"colours": said, "scale": "0..1"}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = compared(adopted(tmp_path / "a", {"input": plain, "output": LOGIT}, gives="logit"))
    normal = {**plain, "mean": mean, "deviation": deviation}
    other = compared(adopted(tmp_path / "b", {"input": normal, "output": LOGIT}, gives="logit"))
    names = {reading.name: reading.auc for reading in one.readings}
    mirrored = {reading.name: reading.auc for reading in other.readings}
    assert names["scale: 0..1, ImageNet's mean"] == pytest.approx(other.readings[0].auc, abs=0.02)
    assert mirrored["scale: 0..1, no mean"] == pytest.approx(one.readings[0].auc, abs=0.02)
    assert "scale: 0..1, no mean" not in names


def test_only_adopted_bundles_have_readings(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="framejury trained"):
        description_in(brightness_bundle(tmp_path / "own"))


def test_both_labels_are_needed(tmp_path: Path) -> None:
    bundle = adopted(tmp_path, {"output": LOGIT}, gives="logit")
    crops = framed_for(bundle, Settings()).crops
    widest, margins = wide_crops(bundle, crops)
    reals = [face for face in faces(widest) if face.video["label"] == "REAL"]
    with pytest.raises(BundleError, match="both real and fake"):
        compare_readings(bundle, reals, crops, margins, LIMITS)


def test_a_cut_under_the_network_s_own_crops_is_the_plain_crop() -> None:
    crops = Settings().crops.model_copy(update={"margin_ratio": 0.1, "shift_ratio": 0.05})
    wide = crops.model_copy(update={"margin_ratio": 0.6, "shift_ratio": 0.0})
    (face, *_) = faces(wide)
    region = crop_region(BOX, FRAME, 0.1, "square", 0.05)
    assert face.cut(crops).crop.shape == (region.height, region.width, 3)
    whole = faces(wide.model_copy(update={"margin_ratio": 3.0}))[0].cut(wide).crop
    plain = face.cut(wide).crop
    np.testing.assert_array_equal(whole, plain)
