"""`framejury scan` on a video with one suspicious person and one who is not."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from framejury.cli.main import main
from framejury.model.bundle import write_bundle
from framejury.verdict.rule import Reducer
from tests.builders import clips
from tests.builders.bundles import MANIFEST, brightness_network
from tests.builders.reports import Page

Capture = pytest.CaptureFixture[str]
PER_PERSON = Reducer(name="per_person", shrink_faces=4, company_shift=0.3)
SECONDS = 6


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calls bright faces fake, per person."""
    place = tmp_path_factory.mktemp("model")
    network = brightness_network(place / "network.onnx", 1 / 220)
    return write_bundle(place / "b", replace(MANIFEST, reducer=PER_PERSON), network).directory


@pytest.fixture(scope="module")
def two_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dark face on the left and a bright one on the right, all the time."""
    frames = []
    for frame in clips.face_frames(10 * SECONDS):
        dark = (frame * 0.35).astype(np.uint8)
        frames.append(np.ascontiguousarray(np.hstack([dark, frame])))
    return clips.write_clip(tmp_path_factory.mktemp("clips") / "two.mp4", frames, fps=10)


def scanned(capsys: Capture, bundle: Path, *argv: str | Path) -> str:
    assert main(["scan", *map(str, argv), "--bundle", str(bundle)]) == 0
    return capsys.readouterr().out


def test_it_is_fake_and_the_right_person_is_named(
    bundle: Path, two_people: Path, tmp_path: Path, capsys: Capture
) -> None:
    page = tmp_path / "page.html"
    verdict = json.loads(scanned(capsys, bundle, two_people, "--json", "--frames", "--html", page))
    assert (verdict["verdict"], verdict["persons"]) == ("fake", 2)
    (named,) = verdict["suspicious_tracks"]
    assert named["person"] == verdict["worst_person"]
    assert named["position"] == "right"
    assert named["end_s"] - named["start_s"] > SECONDS / 2
    right = [face for face in verdict["frames"] if face["person"] == named["person"]]
    assert all(face["box"]["x"] > clips.SMALL.width * 0.8 for face in right)
    assert named["mean_score"] == pytest.approx(np.mean([face["score"] for face in right]))
    assert f"The suspicion rests on track {named['person']} (right)" in Page(page.read_text()).text


def test_the_words_name_track_place_and_seconds(
    bundle: Path, two_people: Path, capsys: Capture
) -> None:
    (line,) = (
        line
        for line in scanned(capsys, bundle, two_people).splitlines()
        if "suspicious track" in line
    )
    assert "(right), 0." in line and "s, 11 faces, mean face score 0." in line


def test_the_mean_of_all_faces_would_have_missed_it(
    bundle: Path, two_people: Path, capsys: Capture
) -> None:
    pooled = json.loads(
        scanned(capsys, bundle, two_people, "--json", "--set", "verdict.reducer=mean")
    )
    assert pooled["verdict"] == "real" and pooled["suspicious_tracks"] == []
    right, left = pooled["tracks"]
    assert (right["position"], left["position"]) == ("right", "left")
    assert right["mean_score"] > left["mean_score"]


def test_of_people_who_are_not_suspicious_the_highest_is_named(
    bundle: Path, two_people: Path, capsys: Capture
) -> None:
    said = scanned(capsys, bundle, two_people, "--set", "verdict.threshold=0.99")
    assert "no sign of manipulation" in said
    assert re.search(r"^  highest of 2 tracks: track \d \(right\), 0\.", said, re.MULTILINE)
    assert "suspicious" not in said


def test_alone_nobody_is_named(bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    clip = clips.write_clip(tmp_path / "one.mp4", clips.face_frames(10 * SECONDS), fps=10)
    verdict = json.loads(scanned(capsys, bundle, clip, "--json"))
    assert (verdict["verdict"], verdict["suspicious_tracks"]) == ("fake", [])
    assert [track["position"] for track in verdict["tracks"]] == [None]
    assert "track" not in scanned(capsys, bundle, clip)
