"""`framejury ensemble`, and several bundles at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framejury.cli.main import main
from framejury.model.bundle import load_bundle
from framejury.model.manifest import Bundle
from framejury.warehouse import Warehouse
from tests.builders import clips
from tests.builders.bundles import brightness_bundle
from tests.builders.ensembles import red_bundle
from tests.builders.judged import NOW, write
from tests.builders.warehouse import pairs

Capture = pytest.CaptureFixture[str]
FACES = 4


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    place = tmp_path_factory.mktemp("parts")
    return [brightness_bundle(place / "bright"), red_bundle(place / "red")]


def judged(place: Path, parts: list[Bundle], strengths: tuple[float, ...]) -> Warehouse:
    """A warehouse in which members judged 40 videos; a strength of 0 tells nothing."""
    warehouse = Warehouse.open_or_plan(str(place))
    videos = pairs("set", 20)
    rng = np.random.default_rng(0)
    tables: dict[str, list[dict[str, Any]]] = {"videos": videos}
    for video in videos:
        row = {"video_id": video["video_id"]}
        sign = 1 if video["label"] == "FAKE" else -1
        tables.setdefault("extractions", []).append(
            row
            | {"status": "extracted", "settings_id": "s", "content_id": video["path"]}
            | dict.fromkeys(("frames_decoded", "frames_sampled", "faces_found", "faces_kept"), 4)
        )
        tables.setdefault("verdicts", []).append(
            row
            | {"model_id": "ensemble-0", "status": "scored", "verdict": "real", "p_fake": 0.1}
            | dict.fromkeys(("faces_scored", "frames_scored"), FACES)
            | {"persons": 1, "threshold": 0.5, "reducer": "mean"}
        )
        for part, strength in zip(parts, strengths, strict=True):
            logits = rng.normal(strength * sign, 0.8) + rng.normal(0, 0.2, FACES)
            tables.setdefault("face_scores", []).extend(
                row
                | {"model_id": part.model_id, "frame_index": at, "pts_s": float(at)}
                | {"face_index": 0, "person": 0, "score": float(1 / (1 + np.exp(-logit)))}
                for at, logit in enumerate(logits)
            )
    with warehouse.running("nightly", NOW) as run:
        for table, rows in tables.items():
            write(warehouse, run, table, rows)
        warehouse.commit(run, NOW, archive="/archive", model_id="ensemble-0")
    return warehouse


def made(parts: list[Bundle], output: Path, *more: str) -> int:
    folders = [str(part.directory) for part in parts]
    return main(["ensemble", *folders, "--output", str(output), *more])


def test_equal_and_given_weights(parts: list[Bundle], tmp_path: Path, capsys: Capture) -> None:
    assert made(parts, tmp_path / "equal") == 0
    assert [one.weight for one in load_bundle(tmp_path / "equal").members] == [0.5, 0.5]
    assert "not calibrated" in capsys.readouterr().err
    assert made(parts, tmp_path / "given", "--weights", "1,3") == 0
    assert [one.weight for one in load_bundle(tmp_path / "given").members] == [0.25, 0.75]
    assert made(parts, tmp_path / "given", "--weights", "1,2,3") == 2
    assert "--weights has 3 for 2 bundles" in capsys.readouterr().err
    assert made(parts, tmp_path / "given", "--weights", "1,-1") == 2
    assert made(parts[:1], tmp_path / "one") == 2
    assert "two or more" in capsys.readouterr().err


def test_weights_and_rule_are_fitted_on_what_all_members_judged(
    parts: list[Bundle], tmp_path: Path, capsys: Capture
) -> None:
    warehouse = judged(tmp_path / "warehouse", parts, (0.7, 0.0))
    output = tmp_path / "fitted"
    assert made(parts, output, "--warehouse", warehouse.location.uri) == 0
    bundle = load_bundle(output)
    bright, red = (one.weight for one in bundle.members)
    assert bright > 0.7
    assert red < 0.3
    assert bundle.calibration is not None
    assert bundle.rule_fit is not None
    assert (bundle.rule_fit.real_videos, bundle.rule_fit.fake_videos) == (20, 20)
    assert bundle.metrics["val"]["video_auc_cross_fitted"].value > 0.75
    said = capsys.readouterr()
    assert "all labelled videos" in said.err and "20 real and 20 fake" in said.err
    lines = [line for line in said.out.splitlines() if "interval" in line and "weight" in line]
    assert [line.split()[0] for line in lines[:2]] == [part.model_id for part in parts]
    assert "has no record of what it was trained on" in said.err


def test_a_fit_that_gains_nothing_leaves_weights_equal_and_says_so(
    parts: list[Bundle], tmp_path: Path, capsys: Capture
) -> None:
    warehouse = judged(tmp_path / "warehouse", parts, (3.0, 3.0))
    output = tmp_path / "fitted"
    assert made(parts, output, "--warehouse", warehouse.location.uri) == 0
    assert [one.weight for one in load_bundle(output).members] == [0.5, 0.5]
    words = "Fitted weights are no better than equal ones"
    assert words in capsys.readouterr().err
    assert any(note.startswith(words) for note in load_bundle(output).notes)


def test_videos_of_val_count_where_there_is_a_split(
    parts: list[Bundle], tmp_path: Path, capsys: Capture
) -> None:
    warehouse = judged(tmp_path / "warehouse", parts, (1.5, 0.5))
    sides = [
        {"video_id": row["video_id"], "label": row["label"], "group": row["group"]}
        | {"side": "val" if number < 4 else "train"}
        for number, row in enumerate(warehouse.read_snapshot("videos").to_pylist())
    ]
    with warehouse.running("split", NOW) as run:
        write(warehouse, run, "splits", sides)
        warehouse.commit(run, NOW)
    assert made(parts, tmp_path / "e", "--warehouse", warehouse.location.uri) == 2
    said = capsys.readouterr().err
    assert "fitting on split val" in said and "2 real and 2 fake videos" in said
    assert "weights need 10 videos" in said
    assert not (tmp_path / "e").exists()


def test_a_member_that_judged_nothing_there_is_named(
    parts: list[Bundle], tmp_path: Path, capsys: Capture
) -> None:
    warehouse = judged(tmp_path / "warehouse", parts, (1.5, 0.5))
    third = brightness_bundle(tmp_path / "third", 1 / 400)
    assert made([*parts, third], tmp_path / "e", "--warehouse", warehouse.location.uri) == 2
    assert f"no labelled video that {third.model_id} judged" in capsys.readouterr().err


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", clips.face_frames(25))


def scan(capsys: Capture, clip: Path, *folders: Path, more: tuple[str, ...] = ()) -> str:
    bundles = [word for folder in folders for word in ("--bundle", str(folder))]
    assert main(["scan", str(clip), *bundles, "--set", "sampling.frames=5", *more]) == 0
    return capsys.readouterr().out


def test_a_scan_by_several_says_what_each_says(
    parts: list[Bundle], clip: Path, tmp_path: Path, capsys: Capture
) -> None:
    folders = [part.directory for part in parts]
    together = json.loads(scan(capsys, clip, *folders, more=("--json", "--frames")))
    each = [json.loads(scan(capsys, clip, one, more=("--json", "--frames"))) for one in folders]
    assert [one["members"] for one in each] == [None, None]
    assert [(one["model_id"], one["score"]) for one in together["members"]] == [
        (one["model_id"], one["p_fake"]) for one in each
    ]
    assert len(together["frames"]) == together["faces_scored"] == 5
    low, high = sorted(one["p_fake"] for one in each)
    assert low < together["p_fake"] < high
    assert made(parts, tmp_path / "e") == 0
    page = tmp_path / "page.html"
    assert json.loads(scan(capsys, clip, tmp_path / "e", more=("--json",))) == {
        key: value for key, value in together.items() if key != "frames"
    }
    words = scan(capsys, clip, tmp_path / "e", more=("--html", str(page)))
    for one in together["members"]:
        name = one["model_id"].rpartition("-")[0]
        assert f"{name} {one['score']:.3f}" in words
        assert f"{name} {one['score']:.3f}" in page.read_text()


def test_a_labelled_archive_is_judged_for_the_fit(
    parts: list[Bundle], clip: Path, tmp_path: Path, capsys: Capture
) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    lines = ["file,label"]
    for number, label in enumerate(("REAL", "FAKE")):
        (archive / f"{number}.mp4").write_bytes(clip.read_bytes() + bytes([number]))
        lines.append(f"{number}.mp4,{label}")
    (archive / "labels.csv").write_text("\n".join(lines))
    options = ("--archive", str(archive), "--set", "sampling.frames=3", "--workers", "1")
    assert made(parts, tmp_path / "e", *options) == 2
    said = capsys.readouterr().err
    assert "1 real and 1 fake videos" in said
    assert "weights need 10 videos" in said
