"""A sound model is read as it was written, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from framejury.audio.log_mel import windows
from framejury.audio.sound_model import check_may_replace, load_sound_model, write_sound_model
from framejury.audio.sound_scorer import SoundScorer
from framejury.errors import BundleError
from tests.builders.sounds import (
    HIGH_HZ,
    LOW_HZ,
    MANIFEST,
    high_band_network,
    sound_model,
    tone,
)


def altered(place: Path, **changes: Any) -> Path:
    path = place / "sound.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return place


def test_it_is_read_as_written(tmp_path: Path) -> None:
    model = sound_model(tmp_path / "model")
    assert load_sound_model(tmp_path / "model") == model
    assert model.threshold == 0.6 and model.model_id.startswith("sound-")
    assert sorted(path.name for path in model.directory.iterdir()) == ["sound.json", "sound.onnx"]
    # Another threshold gives other verdicts, so it is another model.
    assert sound_model(tmp_path / "other", threshold=0.7).model_id != model.model_id


def test_another_takes_its_place(tmp_path: Path) -> None:
    sound_model(tmp_path / "model")
    again = sound_model(tmp_path / "model", threshold=0.9)
    assert load_sound_model(tmp_path / "model").threshold == again.threshold == 0.9
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["model"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"threshold": 0.1}, "was altered"),
        ({"features": {"bands": 40}}, "other features"),
        ({"format": "framejury-bundle"}, "cannot read"),
        ({"format_version": 2}, "cannot read"),
        ({"threshold": 2}, "cannot read"),
        ({"more": 1}, "cannot read"),
    ],
)
def test_an_altered_model_is_refused(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    place = altered(sound_model(tmp_path / "model").directory, **changes)
    with pytest.raises(BundleError, match=why):
        load_sound_model(place)


def test_another_network_is_refused(tmp_path: Path) -> None:
    model = sound_model(tmp_path / "model")
    high_band_network(model.directory / "sound.onnx", gain=-4.0)
    with pytest.raises(BundleError, match="was altered"):
        load_sound_model(model.directory)


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"framejury train-audio"):
        load_sound_model(tmp_path)
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="not overwritten"):
        check_may_replace(tmp_path)


def test_a_network_of_other_windows(tmp_path: Path) -> None:
    network = high_band_network(tmp_path / "n.onnx", frames=99)
    model = write_sound_model(tmp_path / "model", MANIFEST, network)
    with pytest.raises(BundleError, match="99"):
        SoundScorer(model)


def test_scores_of_more_windows_than_a_batch(tmp_path: Path) -> None:
    scorer = SoundScorer(sound_model(tmp_path / "model"))
    high, _ = windows(tone(HIGH_HZ, 40))
    low, _ = windows(tone(LOW_HZ, 4))
    scores = scorer.score(high)
    assert scores.shape == (39,) and scores.min() > 0.6
    assert scorer.score(low).max() < 0.6
    assert scorer.score(high[:0]).shape == (0,)
