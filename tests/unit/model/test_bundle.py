"""Bundles: what is written comes back, and whatever was tampered with is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from framejury.errors import BundleError
from framejury.model import bundle as bundle_module
from framejury.model.bundle import (
    load_bundle,
    sha256_of,
    with_metrics,
    with_rule,
    write_bundle,
)
from framejury.model.input_contract import Framing, PixelContract
from framejury.model.manifest import (
    Manifest,
    Measurement,
    Parity,
    SplitCount,
    TrainingData,
)
from framejury.model.model_id import digest_of
from framejury.runs.provenance import bundle_facts
from framejury.schemas.statuses import Label, Side
from framejury.verdict.calibration import Calibration
from framejury.verdict.rule import NOT_CALIBRATED, Reducer, Rule, RuleFit

MANIFEST = Manifest(
    purpose="detector",
    backbone="efficientnet_b0",
    signal="rgb",
    pixels=PixelContract(input_px=32),
    framing=Framing(margin_ratio=0.3, shape="square"),
    threshold=0.5,
    metrics={
        "test": {"auc": Measurement(value=0.91, low=0.85, high=0.95, level=0.95)},
        "val": {"accuracy": Measurement(value=0.8)},
    },
    data=TrainingData(
        description="Twelve videos of one face.",
        fingerprint="a" * 64,
        counts=(SplitCount(side=Side.TRAIN, label=Label.FAKE, videos=6, faces=1234),),
    ),
    settings={"training": {"weights": "none", "head_units": [256, 64]}},
    parity=Parity(faces=12, max_abs_difference=2e-7),
    libraries={"keras": "3.15.1"},
    created_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    notes=("Tried on one person only.",),
)


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    path = tmp_path / "trained.onnx"
    path.write_bytes(b"the bytes of a network")
    return path


@pytest.fixture
def directory(tmp_path: Path, onnx_file: Path) -> Path:
    keras_file = tmp_path / "trained.keras"
    keras_file.write_bytes(b"the bytes of a Keras model")
    write_bundle(tmp_path / "bundle", MANIFEST, onnx_file, keras_file)
    return tmp_path / "bundle"


def rewrite_manifest(directory: Path, seal: bool = True, **changes: object) -> None:
    """Changes fields of bundle.json; with `seal` its own digest is made to fit again."""
    path = directory / "bundle.json"
    raw = {**json.loads(path.read_text()), **changes}
    if seal:
        body = {key: value for key, value in raw.items() if key != "manifest_sha256"}
        raw["manifest_sha256"] = digest_of(body)
    path.write_text(json.dumps(raw))


def refused(directory: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load_bundle(directory)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_round_trip(directory: Path) -> None:
    bundle = load_bundle(str(directory))
    for name in MANIFEST.__dataclass_fields__:
        assert getattr(bundle, name) == getattr(MANIFEST, name), name
    assert bundle.input_px == 32
    assert bundle.directory == directory
    assert bundle.onnx_path.read_bytes() == b"the bytes of a network"
    assert bundle.keras_path is not None
    assert bundle.keras_path.read_bytes() == b"the bytes of a Keras model"
    assert set(bundle.files) == {"model.onnx", "model.keras", "MODEL_CARD.md"}
    assert bundle.files["model.onnx"].sha256 == sha256_of(bundle.onnx_path)
    prefix, digits = bundle.model_id.split("-")
    assert prefix == "efficientnet_b0"
    assert len(digits) == 12
    assert int(digits, 16) >= 0


def test_bundle_without_keras_model(tmp_path: Path, onnx_file: Path) -> None:
    bundle = write_bundle(tmp_path / "lean", MANIFEST, onnx_file)
    assert bundle.keras_path is None


@pytest.mark.parametrize(
    "other",
    [
        replace(MANIFEST, threshold=0.6),
        replace(MANIFEST, reducer=Reducer(name="median")),
        replace(MANIFEST, calibration=Calibration(method="platt", slope=1.0, intercept=0.0)),
        replace(MANIFEST, pixels=PixelContract(input_px=48)),
        replace(MANIFEST, framing=Framing(margin_ratio=0.2, shape="square")),
    ],
)
def test_model_id_follows_the_contract(
    tmp_path: Path, onnx_file: Path, directory: Path, other: Manifest
) -> None:
    first = load_bundle(directory).model_id
    assert write_bundle(tmp_path / "other", other, onnx_file).model_id != first


def test_model_id_follows_the_weights_and_nothing_else(
    tmp_path: Path, onnx_file: Path, directory: Path
) -> None:
    first = load_bundle(directory).model_id
    renamed = replace(MANIFEST, notes=("another note",), libraries={})
    assert write_bundle(tmp_path / "same", renamed, onnx_file).model_id == first
    onnx_file.write_bytes(b"other weights")
    assert write_bundle(tmp_path / "other", MANIFEST, onnx_file).model_id != first


def test_missing_directory_and_missing_manifest(tmp_path: Path) -> None:
    assert "no such directory" in refused(tmp_path / "nowhere")
    assert "no bundle.json" in refused(tmp_path)


@pytest.mark.parametrize("name", ["model.onnx", "model.keras", "MODEL_CARD.md"])
def test_missing_file(directory: Path, name: str) -> None:
    (directory / name).unlink()
    assert f"{name} is missing" in refused(directory)


@pytest.mark.parametrize("name", ["model.onnx", "model.keras", "MODEL_CARD.md"])
def test_altered_file_of_the_same_length(directory: Path, name: str) -> None:
    path = directory / name
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)
    assert f"{name} was altered" in refused(directory)


@pytest.mark.parametrize("name", ["model.h5", "weights.pkl", "model.onnx.data"])
def test_unlisted_file(directory: Path, name: str) -> None:
    (directory / name).write_bytes(b"?")
    assert f"{name} is not listed" in refused(directory)


def test_unlisted_folder(directory: Path) -> None:
    (directory / "variables").mkdir()
    assert "variables is not listed" in refused(directory)


def test_hidden_files_of_file_systems_are_ignored(directory: Path) -> None:
    (directory / ".model.onnx.crc").write_bytes(b"?")
    assert load_bundle(directory).threshold == 0.5


@pytest.mark.parametrize("name", ["../evil.onnx", "/etc/hostname", "a/b", "..", "a\\b", ".hidden"])
def test_path_traversal(directory: Path, name: str) -> None:
    (directory.parent / "evil.onnx").write_bytes(b"evil")
    files = json.loads((directory / "bundle.json").read_text())["files"]
    digest = sha256_of(directory.parent / "evil.onnx")
    rewrite_manifest(directory, files={**files, name: {"sha256": digest, "bytes": 4}})
    assert "plain file names only" in refused(directory)


@pytest.mark.parametrize("version", [0, 7, "1", None])
def test_unknown_format_version(directory: Path, version: object) -> None:
    rewrite_manifest(directory, format_version=version)
    assert f"format version {version!r}" in refused(directory)


def test_another_format(directory: Path) -> None:
    rewrite_manifest(directory, format="something-else")
    assert "not the manifest of a framejury bundle" in refused(directory)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00"])
def test_manifest_that_is_no_manifest(directory: Path, text: str) -> None:
    (directory / "bundle.json").write_text(text)
    assert "bundle.json" in refused(directory)


def test_altered_manifest(directory: Path) -> None:
    rewrite_manifest(directory, seal=False, metrics={})
    assert "altered after it was written" in refused(directory)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threshold": 1.5}, "threshold"),
        ({"threshold": "0.5x"}, "threshold"),
        ({"signal": "sound"}, "signal"),
        ({"calibration": {"kind": "platt"}}, "calibration"),
        ({"calibration": {"method": "platt", "slope": -1.0, "intercept": 0.0}}, "slope"),
        ({"calibration": {"method": "isotonic", "x": [0.1, 0.5], "y": [0.6, 0.4]}}, "not decrease"),
        (
            {"calibration": {"method": "isotonic", "x": [0.5, 0.5], "y": [0.1, 0.4]}},
            "x must increase",
        ),
        ({"reducer": {"name": "median", "top_ratio": 0.5}}, "median takes no parameters"),
        ({"reducer": {"name": "loudest"}}, "reducer.name"),
        ({"surprise": 1}, "surprise"),
        ({"pixels": {"input_px": 32, "channels": "BGR"}}, "channels"),
        ({"purpose": "oracle"}, "purpose"),
        ({"judging": {"limits": {"bytes": 1}}}, "judging"),
        ({"judging": {"sampling": {"colour": 1}}}, "unknown setting 'sampling.colour'"),
    ],
)
def test_manifest_field_out_of_range(
    directory: Path, changes: dict[str, object], said: str
) -> None:
    rewrite_manifest(directory, **changes)
    assert said in refused(directory)


@pytest.mark.parametrize(
    "change",
    [
        {"calibration": {"method": "platt", "slope": 1.0, "intercept": 3.0}},
        {"reducer": {"name": "median"}},
    ],
)
def test_a_resealed_rule_does_not_fit_the_model_id(
    directory: Path, change: dict[str, object]
) -> None:
    rewrite_manifest(directory, **change)
    assert "gives model_id" in refused(directory)


RULE = Rule(
    reducer=Reducer(
        name="learned", quantiles=(0.25, 0.75), weights=(0.0, 3), intercept=-2
    ),  # whole numbers: JSON must give the same id back
    calibration=Calibration(method="isotonic", x=(0, 0.5, 1), y=(0.0625, 0.5, 0.9375)),
    threshold=0.61,
)
FIT = RuleFit(
    data="side val of the archive 'x'",
    target_fpr=0.05,
    threshold_from="quantile",
    fpr=0.043,
    tpr=0.87,
    real_videos=46,
    fake_videos=52,
    real_groups=23,
    fake_groups=24,
    groups=25,
    min_faces=3,
)


def test_a_rule_comes_back_as_it_was_fitted(directory: Path, tmp_path: Path) -> None:
    draft = with_metrics(load_bundle(directory), tmp_path / "a", {}, notes=(f"{NOT_CALIBRATED}x.",))
    assert draft.notes == (*MANIFEST.notes, "Not calibrated: x.")
    written = with_rule(draft, tmp_path / "b", RULE, FIT, {"val": {"auc": Measurement(value=0.9)}})
    bundle = load_bundle(tmp_path / "b")
    assert bundle == written
    assert bundle.rule == RULE
    assert bundle.rule_fit == FIT
    assert bundle.model_id != draft.model_id
    assert bundle.onnx_path.read_bytes() == draft.onnx_path.read_bytes()
    assert bundle.notes == MANIFEST.notes
    card = (tmp_path / "b" / "MODEL_CARD.md").read_text()
    assert "isotonic (3 knots)" in card
    assert "`learned` of its faces' scores" in card
    assert "46 real videos in 23 groups and 52 fake videos in 24 groups" in card
    assert "at most 5.0%" in card and "4.3% of these real and 87.0% of these fake videos" in card
    assert "Not calibrated" not in card


def test_the_card_names_platts_numbers(tmp_path: Path, onnx_file: Path) -> None:
    calibration = Calibration(method="platt", slope=1.25, intercept=-0.5)
    write_bundle(tmp_path / "b", replace(MANIFEST, calibration=calibration), onnx_file)
    card = (tmp_path / "b" / "MODEL_CARD.md").read_text()
    assert "slope 1.25, intercept -0.5" in card
    assert "half of the videos are fake" in card


def test_a_bundle_of_version_1_is_the_plain_mean(directory: Path) -> None:
    """Written before rules were: without their keys, and with the same id."""
    before = load_bundle(directory)
    path = directory / "bundle.json"
    raw = json.loads(path.read_text())
    for name in ("reducer", "rule_fit", "manifest_sha256"):
        del raw[name]
    raw["format_version"] = 1
    raw["manifest_sha256"] = digest_of(raw)
    path.write_text(json.dumps(raw))
    bundle = load_bundle(directory)
    assert bundle.rule == Rule(threshold=0.5)
    assert bundle.model_id == before.model_id
    assert "Not calibrated" in (directory / "MODEL_CARD.md").read_text()


def test_methods_come_back_and_leave_the_id(tmp_path: Path, onnx_file: Path) -> None:
    plain = write_bundle(tmp_path / "plain", MANIFEST, onnx_file)
    assert plain.data.methods is None
    assert "Methods of the fake" not in (plain.directory / "MODEL_CARD.md").read_text()
    data = replace(MANIFEST.data, methods={"Deepfakes": 1200, "not named": 3})
    found = write_bundle(tmp_path / "found", replace(MANIFEST, data=data), onnx_file)
    assert found.data.methods == data.methods
    assert found.model_id == plain.model_id
    assert bundle_facts(found)["methods"] == data.methods
    card = (found.directory / "MODEL_CARD.md").read_text()
    assert "Methods of the fake videos in train and val: Deepfakes (1,200), not named (3)." in card


def test_a_bundle_of_the_first_format_keeps_its_id() -> None:
    demo = load_bundle(Path(__file__).resolve().parents[2] / "data" / "demo_bundle")
    assert demo.model_id == "efficientnet_b0-3984c38317ef"
    assert demo.rule == Rule(threshold=0.5)


def test_resealed_threshold_does_not_fit_the_model_id(directory: Path) -> None:
    rewrite_manifest(directory, threshold=0.1)
    assert "gives model_id" in refused(directory)


def test_manifest_that_drops_the_network(directory: Path) -> None:
    files = json.loads((directory / "bundle.json").read_text())["files"]
    del files["model.onnx"]
    rewrite_manifest(directory, files=files)
    assert "lists no model.onnx" in refused(directory)


def test_a_bundle_is_replaced_whole(directory: Path, onnx_file: Path) -> None:
    write_bundle(directory, replace(MANIFEST, threshold=0.7), onnx_file)
    assert load_bundle(directory).threshold == 0.7
    assert not (directory / "model.keras").exists()
    left = {path.name for path in directory.parent.iterdir()}
    assert left == {"bundle", "trained.onnx", "trained.keras"}


def test_figures_measured_later_keep_the_model_id(directory: Path, tmp_path: Path) -> None:
    draft = load_bundle(directory)
    measured = with_metrics(draft, tmp_path / "final", {"test": {"auc": Measurement(value=0.5)}})
    assert measured.model_id == draft.model_id
    assert measured.metrics == {"test": {"auc": Measurement(value=0.5)}}
    assert measured.keras_path is not None
    assert measured.keras_path.read_bytes() == b"the bytes of a Keras model"
    assert "| test | auc | 0.5 |" in (tmp_path / "final" / "MODEL_CARD.md").read_text()


def test_something_else_is_not_overwritten(tmp_path: Path, onnx_file: Path) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "photo.jpg").write_bytes(b"sea")
    with pytest.raises(BundleError, match="not overwritten"):
        write_bundle(tmp_path / "holiday", MANIFEST, onnx_file)
    with pytest.raises(BundleError, match="not overwritten"):
        write_bundle(onnx_file, MANIFEST, onnx_file)
    assert (tmp_path / "holiday" / "photo.jpg").read_bytes() == b"sea"


def test_an_empty_directory_is_filled(tmp_path: Path, onnx_file: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert write_bundle(tmp_path / "empty", MANIFEST, onnx_file).directory == tmp_path / "empty"


def test_a_failed_write_leaves_the_old_bundle(
    directory: Path, onnx_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> str:
        raise OSError("no space left on device")

    monkeypatch.setattr(bundle_module, "model_card", full_disk)
    with pytest.raises(OSError, match="no space left"):
        write_bundle(directory, replace(MANIFEST, threshold=0.7), onnx_file)
    with pytest.raises(OSError, match="no space left"):
        write_bundle(directory.parent / "fresh", MANIFEST, onnx_file)
    assert load_bundle(directory).threshold == 0.5
    left = {path.name for path in directory.parent.iterdir()}
    assert left == {"bundle", "trained.onnx", "trained.keras"}


def test_a_copied_bundle_is_the_same_bundle(directory: Path, tmp_path: Path) -> None:
    shutil.copytree(directory, tmp_path / "copy")
    assert load_bundle(tmp_path / "copy").model_id == load_bundle(directory).model_id


def test_card_says_what_the_manifest_says(directory: Path) -> None:
    bundle = load_bundle(directory)
    card = (directory / "MODEL_CARD.md").read_text()
    assert card.startswith(f"# {bundle.model_id}\n")
    assert "| test | auc | 0.91 | 0.85 to 0.95 (95%) |" in card
    assert "| val | accuracy | 0.8 | not computed |" in card
    assert "| train | FAKE | 6 | 1,234 |" in card
    assert "`p_fake` >= 0.5 means fake" in card
    assert "It does not judge sound" in card
    assert "Tried on one person only." in card
    assert "Twelve videos of one face." in card
    assert "held out" not in card and "How accurate" not in card


def test_card_without_test_figures_says_so(tmp_path: Path, onnx_file: Path) -> None:
    bundle = write_bundle(tmp_path / "b", replace(MANIFEST, metrics={}), onnx_file)
    card = (bundle.directory / "MODEL_CARD.md").read_text()
    assert "not tested on videos held out" in card
    assert "No figures were measured." in card


def test_a_card_begins_with_false_accusations(tmp_path: Path, onnx_file: Path) -> None:
    def figure(value: float) -> Measurement:
        return Measurement(value=value, low=value - 0.05, high=value + 0.05, level=0.95)

    test = {
        "real_videos": Measurement(value=1200),
        "fake_videos": Measurement(value=30),
        "video_auc": figure(0.9),
        "video_accuracy": Measurement(value=0.8),
        "video_fpr": figure(0.11),
    }
    card = card_of(tmp_path, onnx_file, metrics={"test": test})
    lines = card.partition("## How accurate it is\n\n")[2].splitlines()
    assert lines[0] == "On 1,200 real and 30 fake held-out videos:"
    assert lines[2].endswith("(false accusations): 11.0%, 95% interval 6.0% to 16.0%.")
    assert lines[3].endswith("80.0%; the videos are too few for an interval.")
    assert lines[4] == "- AUC: 0.900, 95% interval 0.850 to 0.950."
    assert card.index("## Limits") < card.index("## Input")


def test_card_of_a_demo_warns_first(tmp_path: Path, onnx_file: Path) -> None:
    bundle = write_bundle(tmp_path / "demo", replace(MANIFEST, purpose="demo"), onnx_file)
    first_line = (bundle.directory / "MODEL_CARD.md").read_text().splitlines()[0]
    assert "verdicts of this model mean nothing" in first_line


def card_of(tmp_path: Path, onnx_file: Path, **changes: object) -> str:
    bundle = write_bundle(tmp_path / "b", replace(MANIFEST, **changes), onnx_file)  # type: ignore[arg-type]
    return (bundle.directory / "MODEL_CARD.md").read_text()


def test_card_of_the_usual_says_nothing_of_what_is_usual(tmp_path: Path, onnx_file: Path) -> None:
    card = card_of(tmp_path, onnx_file)
    assert "one sigmoid on top" in card and "one face crop and returns" in card
    assert "resized by letterbox" in card and "margin 0.3 of the box" in card
    assert "one frame at a time: neither the background nor movement over time" in card
    assert "Signal:" not in card and "never trained" not in card and "second frame" not in card


@pytest.mark.parametrize(
    ("sampling", "said"),
    [
        ({"mode": "uniform", "frames": 16, "rounds": []}, "frames uniform, 16 per video (sampling"),
        ({"mode": "uniform", "frames": 11}, "frames uniform, 11 per video (sampling"),
        (
            {"mode": "uniform", "frames": None, "rounds": [11, 32]},
            "frames uniform, 11, 32 per video, in rounds (sampling",
        ),
    ],
)
def test_card_tells_how_many_frames_are_judged(
    tmp_path: Path, onnx_file: Path, sampling: dict[str, Any], said: str
) -> None:
    assert said in card_of(tmp_path, onnx_file, judging={"sampling": sampling})


def test_card_tells_what_a_recipe_does_otherwise(tmp_path: Path, onnx_file: Path) -> None:
    card = card_of(
        tmp_path,
        onnx_file,
        signal="flow_fusion",
        pixels=replace(MANIFEST.pixels, resize="stretch"),
        framing=Framing(margin_ratio=0.3, shape="box", margin_px=40, pair="same"),
        settings={"training": {"output": "softmax", "frozen_layers": ["conv1", "bn1"]}},
    )
    assert "a softmax over REAL and FAKE on top" in card
    assert "one face crop in two consecutive frames and returns" in card
    assert "resized by stretch" in card
    assert "Signal: flow_fusion: the face in two frames and the optical flow" in card
    assert "Layers that were never trained: conv1, bn1." in card
    assert "margin 40 pixels of the frame on each side" in card and "0.3" not in card
    assert "in the second frame of a pair the place is the same" in card
    assert "two frames at a time: neither the background nor longer movement" in card


def test_card_of_whole_frames(tmp_path: Path, onnx_file: Path) -> None:
    framing = Framing(margin_ratio=0.3, shape="square", judges="frame")
    card = card_of(tmp_path, onnx_file, framing=framing)
    assert "It sees one whole frame" in card and "the network sees the whole frame" in card
    assert "It judges whole frames" in card and "It judges only faces" not in card


@pytest.mark.parametrize("judges", ["face", "frame"])
def test_runs_and_reports_are_told_what_is_judged(
    tmp_path: Path, onnx_file: Path, judges: str
) -> None:
    framing = Framing(margin_ratio=0.3, shape="square", judges=judges)  # type: ignore[arg-type]
    card_of(tmp_path, onnx_file, framing=framing)
    assert bundle_facts(load_bundle(tmp_path / "b"))["judges"] == judges


def test_a_leak_is_the_first_of_the_limits(tmp_path: Path, onnx_file: Path) -> None:
    said = "One video stands on two sides of this split."
    card = card_of(tmp_path, onnx_file, data=replace(MANIFEST.data, leak=said))
    limits = card.partition("## Limits\n\n")[2]
    assert limits.startswith(f"- **{said}**\n- Its figures apply only")
    assert load_bundle(tmp_path / "b").data.leak == said


def test_another_signal_or_resize_is_another_model(tmp_path: Path, onnx_file: Path) -> None:
    stretched = replace(MANIFEST.pixels, resize="stretch")
    changes: list[dict[str, object]] = [{}, {"signal": "delta"}, {"pixels": stretched}]
    bundles = [
        write_bundle(tmp_path / str(n), replace(MANIFEST, **change), onnx_file)  # type: ignore[arg-type]
        for n, change in enumerate(changes)
    ]
    assert len({bundle.model_id for bundle in bundles}) == 3
    assert [bundle.signal for bundle in bundles] == ["rgb", "delta", "rgb"]
    assert bundles[2].pixels.resize == "stretch"


def test_executors_load_neither_tensorflow_nor_spark() -> None:
    code = (
        "import sys, framejury.model.bundle, framejury.model.runtime, framejury.labelled.scoring\n"
        "heavy = {'tensorflow', 'keras', 'pyspark', 'efficientnet', 'jinja2', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
