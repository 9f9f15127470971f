"""Each recipe through the commands that people use: train, nightly, and what it leaves behind."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest

from framejury.model.bundle import load_bundle
from framejury.warehouse import Warehouse
from tests.builders.programs import here, ok, submit
from tests.recipes.reduced import REDUCED

pytestmark = pytest.mark.long

TRAINED = ("face_frames", "random_frames", "flow_fusion", "all_frames")
FRAMING = {
    "face_frames": ("face", 0.3, None),
    "random_frames": ("face", 0.0, None),
    "flow_fusion": ("face", 0.3, 40),
    "all_frames": ("frame", 0.0, None),
}
"""What each bundle sees: faces or frames, and the margin as a share and in pixels."""


@dataclass(frozen=True)
class Done:
    """A recipe that was trained and then judged the archive."""

    preset: str
    place: Path
    trained: str
    judged: str

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse.open(str(self.place / "warehouse"))

    def verdicts(self) -> list[dict[str, Any]]:
        return list(self.warehouse.read_latest("verdicts").to_pylist())

    def videos(self) -> list[dict[str, Any]]:
        return list(self.warehouse.read_snapshot("videos").to_pylist())

    def faces(self, *columns: str) -> pa.Table:
        files = [file.path for file in self.warehouse.parquet_files("faces")]
        return pa.concat_tables(pa.parquet.read_table(file, columns=[*columns]) for file in files)

    def report(self) -> str:
        (report,) = self.place.glob("warehouse/reports/*/report.html")
        return report.read_text()


@pytest.fixture(scope="module")
def done(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Done]:
    kept: dict[str, Done] = {}

    def of(preset: str) -> Done:
        if preset not in kept:
            place = tmp_path_factory.mktemp(preset)
            where = ["--warehouse", place / "warehouse", "--preset", preset]
            training = submit(
                "train_head",
                *("--archive", archive, "--output", place / "bundle"),
                *where,
                *REDUCED,
            )
            ok(training)
            night = submit("nightly", archive, *where, "--bundle", place / "bundle", *REDUCED)
            ok(night)
            texts = [one.stdout + one.stderr for one in (training, night)]
            kept[preset] = Done(preset, place, *texts)
        return kept[preset]

    return of


@pytest.mark.parametrize("preset", TRAINED)
def test_it_trains_and_judges_every_video(done: Callable[[str], Done], preset: str) -> None:
    recipe = done(preset)
    videos = recipe.videos()
    verdicts = recipe.verdicts()
    assert {row["video_id"] for row in verdicts} == {row["video_id"] for row in videos}
    scored = [row for row in verdicts if row["status"] == "scored"]
    assert len(scored) >= 0.8 * len(videos)
    bundle = load_bundle(recipe.place / "bundle")
    assert {row["model_id"] for row in verdicts} == {bundle.model_id}
    assert {row["threshold"] for row in scored} == {0.5}
    framing = bundle.framing
    assert (framing.judges, framing.margin_ratio, framing.margin_px) == FRAMING[preset]


@pytest.mark.parametrize("preset", TRAINED)
def test_a_leaky_split_is_told_everywhere(done: Callable[[str], Done], preset: str) -> None:
    """All four recipes split by video or by face; each person is in several videos here."""
    recipe = done(preset)
    leak = load_bundle(recipe.place / "bundle").data.leak
    sides = defaultdict(set)
    for row in recipe.warehouse.read_snapshot("splits").to_pylist():
        sides[row["group"]].add(row["side"])
    torn = any(len(found) > 1 or "mixed" in found for found in sides.values())
    assert (leak is not None) == torn
    if leak is None:  # by chance, each person's videos are on one side
        return
    assert leak in recipe.trained
    card = (recipe.place / "bundle" / "MODEL_CARD.md").read_text()
    assert leak in " ".join(card.split())
    assert leak.split(":")[0] in recipe.report()


def test_face_frames_leaves_the_published_files(done: Callable[[str], Done]) -> None:
    recipe = done("face_frames")
    model_id = load_bundle(recipe.place / "bundle").model_id
    places = recipe.place / "warehouse" / "outputs"
    learned, outputs = places / f"train-{model_id}", places / f"verdicts-{model_id}"
    for name in ("Loss.png", "Accuracy.png", "Confusion.png"):
        assert cv2.imread(str(learned / name)).std() > 5
    for name in ("Confusion.png", "ConfusionVideo.png"):
        assert cv2.imread(str(outputs / name)).std() > 5
    assert list(learned.glob("*.weights.h5"))
    predictions = json.loads((outputs / "cnn_preds_values.json").read_text())
    paths = {row["video_id"]: row["path"] for row in recipe.videos()}
    split = recipe.warehouse.read_snapshot("splits").to_pylist()
    tested = {paths[row["video_id"]] for row in split if row["side"] == "test"}
    text = (outputs / "mapreduce_res.txt").read_text()
    scored = {}
    for row in recipe.verdicts():
        path = paths[row["video_id"]]
        if row["p_fake"] is None or path not in tested:
            assert path not in predictions
            continue
        scored[path] = faces = list(predictions[path].values())
        assert len(faces) == row["faces_scored"]
        assert np.mean(faces) == pytest.approx(1 - row["p_fake"], abs=1e-6)
        assert path in text
    assert scored and set(predictions) == set(scored)


def test_face_frames_weights_predict_the_test_set(
    done: Callable[[str], Done], tmp_path: Path
) -> None:
    """ "Load model": the weights file alone gives what the training wrote about the test set."""
    recipe = done("face_frames")
    where = ["--warehouse", recipe.place / "warehouse", "--preset", "face_frames"]
    (outputs,) = (recipe.place / "warehouse" / "outputs").glob("train-*")
    weights = outputs / "best_weights.weights.h5"
    loaded, trained = tmp_path / "loaded", tmp_path / "trained"
    ok(here("evaluate", *where, "--weights", weights, "--output", loaded))
    ok(here("evaluate", *where, "--bundle", recipe.place / "bundle", "--output", trained))
    (one_folder,), (other_folder,) = ((place / "outputs").iterdir() for place in (loaded, trained))
    one, other = (
        json.loads((folder / "cnn_preds_values.json").read_text())
        for folder in (one_folder, other_folder)
    )
    assert one.keys() == other.keys() and one
    for path, faces in one.items():
        assert faces == pytest.approx(other[path], abs=1e-5)
    texts = [(folder / "mapreduce_res.txt").read_text() for folder in (one_folder, other_folder)]
    assert all("Videos: split test" in text for text in texts)


def test_random_frames_gives_folders_of_images(done: Callable[[str], Done], tmp_path: Path) -> None:
    recipe = done("random_frames")
    frames = recipe.faces("frame_index")["frame_index"].to_numpy()
    assert frames.min() >= 1
    assert frames.max() <= 50
    sides = {row["side"] for row in recipe.warehouse.read_snapshot("splits").to_pylist()}
    assert "mixed" in sides
    where = ["--warehouse", recipe.place / "warehouse", "--output", tmp_path / "MIXED"]
    ok(here("export-faces", *where, "--as", "folders", "--size-px", "252"))
    pictures = [file for file in (tmp_path / "MIXED").rglob("*") if file.is_file()]
    folders = {str(file.parent.relative_to(tmp_path / "MIXED")) for file in pictures}
    assert folders >= {"MIX_1/0", "MIX_1/1"}
    assert folders <= {f"MIX_{side}/{label}" for side in (1, 2, 3) for label in (0, 1)}
    assert cv2.imread(str(pictures[0])).shape == (252, 252, 3)


def _check_gaps(
    faces: pa.Table, lengths: dict[str, int], *, most: int, skips: tuple[int, int]
) -> None:
    """Check that pairs are as far apart as published: farther only where no face was found."""
    places = defaultdict(list)
    for row in faces.to_pylist():
        places[row["video_id"]].append(row["frame_index"])
    for video_id, found in places.items():
        gaps = np.diff(sorted(found)) - 2 - skips[lengths[video_id] <= 200]
        assert len(found) <= most and (gaps >= 0).all() and (gaps % 2 == 0).all()
    assert len(places) >= 8


def test_flow_fusion_looks_at_the_published_pairs(done: Callable[[str], Done]) -> None:
    recipe = done("flow_fusion")
    learned = recipe.faces("video_id", "frame_index", "next_crop")
    assert learned["next_crop"].null_count == 0
    lengths = {
        row["video_id"]: row["frames_total"]
        for row in recipe.warehouse.read_latest("extractions").to_pylist()
    }
    _check_gaps(learned, lengths, most=10, skips=(16, 8))
    scores = [file.path for file in recipe.warehouse.parquet_files("face_scores")]
    judged = pa.concat_tables(pa.parquet.read_table(file) for file in scores)
    _check_gaps(judged, lengths, most=30, skips=(4, 2))
    assert max(row["faces_scored"] for row in recipe.verdicts()) <= 30


def test_all_frames_judges_every_frame(done: Callable[[str], Done], tmp_path: Path) -> None:
    recipe = done("all_frames")
    extractions = {
        row["video_id"]: row for row in recipe.warehouse.read_latest("extractions").to_pylist()
    }
    for row in recipe.verdicts():
        if row["status"] == "scored":
            assert row["faces_scored"] == extractions[row["video_id"]]["frames_total"]
            assert row["reducer"] == "top_share"
    where = ["--warehouse", recipe.place / "warehouse", "--output", tmp_path / "frames"]
    ok(here("export-faces", *where, "--as", "frames"))
    lines = (tmp_path / "frames" / "labels.csv").read_text().splitlines()
    assert lines[0] == "name,label"
    names, labels = zip(*(line.rsplit(",", 1) for line in lines[1:]), strict=True)
    assert set(labels) == {"0", "1"}
    assert len(set(names)) == len(names) == recipe.faces("frame_index").num_rows
    assert min(name[-8:] for name in names) == "001.jpeg"  # counted from 1
    folder = names[0].partition("/")[0]
    (video,) = [row for row in recipe.videos() if Path(row["path"]).stem == folder]
    size = extractions[video["video_id"]]
    picture = cv2.imread(str(tmp_path / "frames" / names[0]))
    assert picture.shape[:2] == (size["height_px"], size["width_px"])


def test_hand_labels_enter_training(done: Callable[[str], Done], tmp_path: Path) -> None:
    recipe = done("face_frames")
    video = next(row for row in recipe.videos() if row["label"])
    frame = next(
        row["frame_index"]
        for row in recipe.faces("video_id", "frame_index").to_pylist()
        if row["video_id"] == video["video_id"]
    )
    labels = tmp_path / "labels.csv"
    other = "REAL" if video["label"] == "FAKE" else "FAKE"
    labels.write_text(f"video,frame,label\n{video['path']},{frame},{other}\n")
    trained = here(
        *("train", "--warehouse", recipe.place / "warehouse"),
        *("--output", tmp_path / "bundle", "--preset", "face_frames", *REDUCED),
        *("--frame-labels", labels),
    )
    ok(trained)
    before = load_bundle(recipe.place / "bundle").data
    after = load_bundle(tmp_path / "bundle").data
    assert after.fingerprint != before.fingerprint
    measuring = [
        *("evaluate", "--warehouse", recipe.place / "warehouse", "--side", "train"),
        *("--bundle", tmp_path / "bundle", "--preset", "face_frames"),
    ]
    assert "trained on these videos" in ok(here(*measuring, "--frame-labels", labels))
    assert "trained on other data" in ok(here(*measuring))


def test_inspect_looks_as_the_recipe_does(archive: Path, tmp_path: Path) -> None:
    ok(
        here(
            *("inspect", archive, "--preset", "inspect"),
            *("--output", tmp_path / "archive"),
        )
    )
    assert (tmp_path / "archive" / "labels.png").is_file()
    video = sorted(archive.rglob("*.mp4"))[0]
    ok(
        here(
            *("inspect", video, "--preset", "inspect"),
            *("--output", tmp_path / "video"),
        )
    )
    names = {file.name for file in (tmp_path / "video").iterdir()}
    assert {"inspect.html", "contact_sheet.jpg", "face_sheet.jpg"} <= names
    shutil.rmtree(tmp_path / "video")
