"""A sound model trained in seconds tells sentences apart that it never heard, and judges files."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from framejury.audio.sound_model import load_sound_model
from framejury.cli.main import main
from framejury.schemas.tables import VIDEOS
from framejury.warehouse import Warehouse
from tests.builders.bundles import brightness_bundle
from tests.builders.clips import face_frames, plain_frames
from tests.builders.recordings import SENTENCES, espeak, flite, spoken
from tests.builders.talkies import write_talkie
from tests.builders.warehouse import NOW, video

pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra train)")

import tensorflow as tf

Capture = pytest.CaptureFixture[str]
SHARES = ("split.train=0.6", "split.val=0.2", "split.test=0.2")


@dataclass
class World:
    warehouse: Path
    labels: Path
    model: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Ten sentences, each spoken by a real and by a fake voice; both are of one source."""
    root = tmp_path_factory.mktemp("voices")
    rows, lines = [], ["video,sound"]
    for number in range(len(SENTENCES)):
        for label in ("REAL", "FAKE"):
            path = f"{label.lower()}{number}.mp4"
            voice = spoken(number, fake=label == "FAKE")
            place = write_talkie(root / path, plain_frames(2), voice)
            rows.append(video(path, "REAL", f"sentence{number}") | {"uri": str(place)})
            lines.append(f"{path},{label}")
    warehouse = Warehouse.open_or_plan(str(root / "warehouse"))
    with warehouse.running("index", NOW) as run:
        table = pa.Table.from_pylist([row | {"run_id": run.run_id} for row in rows], schema=VIDEOS)
        warehouse.write(run, "videos", table)
        warehouse.commit(run, NOW, archive="/archives/voices")
    labels = root / "sounds.csv"
    labels.write_text("\n".join(lines) + "\n")
    found = World(root / "warehouse", labels, root / "model")
    log = ("--log-dir", root / "logs")
    assert train(found, "--labels", labels, "--output", found.model, *log) == 0
    return found


def train(world: World, *options: str | Path) -> int:
    settings = [f"--set={one}" for one in SHARES]
    return main(["train-audio", f"--warehouse={world.warehouse}", *map(str, options), *settings])


def test_sentences_that_it_never_heard_are_told_apart(world: World) -> None:
    model = load_sound_model(world.model)
    assert model.counts["test"] == {"REAL": 2, "FAKE": 2}
    # Two sentences by two voices; by chance the AUC is 1 in one case of six.
    assert model.metrics["test"]["auc"] == 1.0 and model.metrics["test"]["accuracy"] >= 0.75
    assert model.leak is None and "'voices'" in model.data


def test_its_log_has_each_epoch(world: World) -> None:
    log = world.model.parent / "logs" / "model"
    with (log / "curves.csv").open() as file:
        epochs = list(csv.DictReader(file))
    assert [row["epoch"] for row in epochs] == [str(number) for number in range(len(epochs))]
    for part, column in (("train", "loss"), ("validation", "val_loss")):
        (events,) = (log / part).iterdir()
        found = [
            (event.step, value.simple_value)
            for event in tf.compat.v1.train.summary_iterator(str(events))
            for value in event.summary.value
            if value.tag == "epoch_loss"
        ]
        assert found == [
            (number, pytest.approx(float(row[column]))) for number, row in enumerate(epochs)
        ]
    assert len(epochs) > 1


def test_a_voice_that_it_never_heard_decides_the_verdict(
    world: World, tmp_path: Path, capsys: Capture
) -> None:
    """The picture is real (black): what is fake here is fake by its sound."""
    bundle = brightness_bundle(tmp_path / "bundle", scale=1e-6).directory
    text = "tomorrow the market opens an hour later than it did today"
    frames = face_frames(6)
    fake = write_talkie(tmp_path / "fake.mp4", frames, espeak(text, "en-us+m5"))
    real = write_talkie(tmp_path / "real.mp4", frames, flite(text, "rms"))
    mute = write_talkie(tmp_path / "mute.mp4", frames, None)
    options = [f"--bundle={bundle}", f"--set=audio.model={world.model}"]
    options += ["--set=sampling.frames=4", "--set=verdict.confidence_level=null"]
    capsys.readouterr()
    files = [str(path) for path in (fake, real, mute)]
    assert main(["scan", *files, *options, "--json", "--html", str(tmp_path / "pages")]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["verdict"], row["decided_by"], row["sound"]) for row in rows] == [
        ("fake", "sound", "scored"),
        ("real", "picture", "scored"),
        ("real", "picture", "no_sound"),
    ]
    assert all(row["p_fake"] < 0.01 for row in rows)  # of the picture, whatever the sound is
    pages = [path.read_text() for path in sorted((tmp_path / "pages").glob("0*.html"))]
    assert "framejury calls this video fake by its sound." in pages[0]
    assert "framejury found no sign of manipulation in this video." in pages[1]
    assert "Sound was not judged: the file has no sound." in pages[2]
    assert main(["scan", str(fake), *options]) == 0
    assert "fake by its sound  p_fake 0.000" in capsys.readouterr().out


def test_one_kind_of_sound_trains_nothing(world: World, tmp_path: Path, capsys: Capture) -> None:
    labels = tmp_path / "sounds.csv"
    labels.write_text("video,sound\nreal0.mp4,REAL\n")
    assert train(world, "--labels", labels, "--output", tmp_path / "model") == 2
    assert "needs real and fake sounds" in capsys.readouterr().err
    assert train(world, "--output", tmp_path / "model") == 2
    assert "framejury modality" in capsys.readouterr().err
