"""Ensembles as bundles: their id, their members' folders, and what may not judge together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from framejury.errors import BundleError
from framejury.model.bundle import load_bundle, read_seen, with_metrics, with_rule, write_bundle
from framejury.model.ensemble import centres_of, combined, equal_weights, write_ensemble
from framejury.model.input_contract import Framing, PixelContract
from framejury.model.manifest import Bundle, Manifest, Measurement
from framejury.model.model_id import digest_of
from framejury.model.seen import KnownVideo, SeenVideos
from framejury.schemas.statuses import Side
from framejury.verdict.calibration import Calibration
from framejury.verdict.rule import MEAN, Rule, RuleFit
from tests.builders.bundles import MANIFEST, brightness_bundle, brightness_network
from tests.builders.ensembles import red_bundle, small_ensemble

FIT = RuleFit(
    data="some videos",
    target_fpr=0.05,
    threshold_from="given",
    **dict.fromkeys(("fpr", "tpr"), 0.0),
    **dict.fromkeys(("real_videos", "fake_videos", "real_groups", "fake_groups", "groups"), 1),
    min_faces=1,
)


def bundle_of(
    folder: Path, manifest: Manifest, scale: float, seen: SeenVideos | None = None
) -> Bundle:
    network = brightness_network(folder.with_name(f"{folder.name}.onnx"), scale)
    return write_bundle(folder, manifest, network, seen=seen)


def test_scores_are_combined_on_the_logit_scale() -> None:
    scores = np.array([[0.5, 0.5], [0.9, 0.5], [0.0, 1.0], [0.9, 0.9]])
    found = combined(scores, [0.75, 0.25], [0.0, 0.0])
    odds = 9**0.75
    assert found == pytest.approx([0.5, odds / (1 + odds), 1 / (1 + 999_999**0.5), 0.9])


def test_what_all_members_let_pass_is_not_called_fake(tmp_path: Path) -> None:
    """Two strict detectors, each short of its own threshold."""
    parts = []
    for number, threshold in enumerate((0.8, 0.9)):
        manifest = replace(MANIFEST, threshold=threshold)
        parts.append(bundle_of(tmp_path / f"{number}", manifest, scale=1 / (300 + number)))
    centres = centres_of(parts)
    scores = np.array([[0.79, 0.89], [0.8, 0.9], [0.9, 0.95], [0.9, 0.5]])
    assert combined(scores[:, :1], [1.0], [0.0])[0] > 0.5  # on the plain scale it would be
    assert (combined(scores, [0.5, 0.5], centres) >= 0.5 - 1e-9).tolist() == [
        False,
        True,
        True,
        False,
    ]


def test_a_member_that_never_says_fake_does_not_decide_alone(tmp_path: Path) -> None:
    never = bundle_of(tmp_path / "a", replace(MANIFEST, threshold=1.0), scale=1 / 300)
    other = brightness_bundle(tmp_path / "b")
    assert combined([[0.9, 0.99]], [0.5, 0.5], centres_of([never, other]))[0] > 0.5


def test_the_id_depends_on_members_and_weights(tmp_path: Path) -> None:
    bright, red = brightness_bundle(tmp_path / "bright"), red_bundle(tmp_path / "red")
    other = brightness_bundle(tmp_path / "other", 1 / 300)
    plain = write_ensemble(tmp_path / "plain", [bright, red], (1, 1))
    assert plain.model_id.startswith("ensemble-")
    again = write_ensemble(tmp_path / "again", [bright, red], (7, 7))
    assert again.model_id == plain.model_id
    assert [one.weight for one in again.members] == [0.5, 0.5]
    others = [
        write_ensemble(tmp_path / "a", [bright, red], (1, 2)),
        write_ensemble(tmp_path / "b", [other, red], (1, 1)),
        write_ensemble(tmp_path / "c", [bright, red, other], (1, 1, 1)),
    ]
    ids = {plain.model_id, *(one.model_id for one in others)}
    assert len(ids) == 4
    assert [part.model_id for part in plain.parts] == [bright.model_id, red.model_id]


def test_another_rule_keeps_the_members(tmp_path: Path) -> None:
    draft = small_ensemble(tmp_path / "draft", (1, 3))
    rule = Rule(
        reducer=MEAN,
        calibration=Calibration(method="platt", slope=2.0, intercept=0.0),
        threshold=0.7,
    )
    fitted = with_rule(draft, tmp_path / "fitted", rule, FIT, {})
    assert fitted.model_id != draft.model_id
    assert fitted.members == draft.members
    assert fitted.rule == rule
    assert any(note.startswith("Not calibrated") for note in draft.notes)
    assert not any(note.startswith("Not calibrated") for note in fitted.notes)
    figures = {"val": {"video_auc": Measurement(value=0.9)}}
    assert with_metrics(fitted, tmp_path / "m", figures).parts[0].model_id == (
        draft.parts[0].model_id
    )


def damaged(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    return str(caught.value)


def test_a_damaged_member_is_refused(tmp_path: Path) -> None:
    ensemble = small_ensemble(tmp_path / "e")
    first, second = (ensemble.directory / "members" / one.name for one in ensemble.members)
    network = first / "model.onnx"
    content = network.read_bytes()
    network.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "was altered" in damaged(ensemble.directory)
    network.write_bytes(content)
    load_bundle(ensemble.directory)
    (second / "more.txt").write_text("x")
    assert "more.txt is not listed" in damaged(ensemble.directory)
    (second / "more.txt").unlink()
    (ensemble.directory / "members" / "another").mkdir()
    assert "is not a member" in damaged(ensemble.directory)


def test_a_member_cannot_take_the_place_of_another(tmp_path: Path) -> None:
    """Not even a whole bundle with the same network and another card."""
    ensemble = small_ensemble(tmp_path / "e")
    folder = ensemble.directory / "members" / ensemble.members[0].name
    card = folder / "MODEL_CARD.md"
    card.write_text("Never wrong.")
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["notes"] = ["Never wrong."]
    body = {key: value for key, value in manifest.items() if key != "manifest_sha256"}
    manifest["manifest_sha256"] = digest_of(body)
    (folder / "bundle.json").write_text(json.dumps(manifest))
    assert "not the one that the ensemble was made with" in damaged(ensemble.directory)
    (folder / "bundle.json").unlink()
    assert f"{folder} is missing" in damaged(ensemble.directory)


def test_weights_that_do_not_sum_to_one_are_refused(tmp_path: Path) -> None:
    ensemble = small_ensemble(tmp_path / "e")
    path = ensemble.directory / "bundle.json"
    raw = json.loads(path.read_text())
    raw["members"][0]["weight"] = 0.9
    body = {key: value for key, value in raw.items() if key != "manifest_sha256"}
    raw["manifest_sha256"] = digest_of(body)
    path.write_text(json.dumps(raw))
    assert "sum to 1.4" in damaged(ensemble.directory)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"framing": Framing(margin_ratio=0.0, shape="box", judges="frame")}, "judges frame"),
        ({"judging": {"detection": {"detector": "haar"}}}, "finds faces by haar"),
        ({"signal": "delta"}, "looks at clips of 2 frames"),
    ],
)
def test_bundles_that_need_other_frames_do_not_judge_together(
    tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    of_clips = replace(
        MANIFEST,
        pixels=PixelContract(input_px=32, clip_frames=4),
        judging={"detection": {"detector": "mtcnn"}},
    )
    first = bundle_of(tmp_path / "first", of_clips, 1 / 255)
    second = bundle_of(tmp_path / "second", replace(MANIFEST, **change), 1 / 300)
    with pytest.raises(BundleError, match=complaint):
        write_ensemble(tmp_path / "e", [first, second], (1, 1))


def test_landmarks_need_a_detector_that_finds_them(tmp_path: Path) -> None:
    by_haar = replace(MANIFEST, judging={"detection": {"detector": "haar"}})
    first = bundle_of(tmp_path / "first", by_haar, 1 / 255)
    second = bundle_of(tmp_path / "second", replace(MANIFEST, signal="marked"), 1 / 300)
    with pytest.raises(BundleError, match="finds faces by mtcnn"):
        write_ensemble(tmp_path / "e", [first, second], (1, 1))


def test_one_bundle_twice_and_ensembles_of_ensembles_are_refused(tmp_path: Path) -> None:
    ensemble = small_ensemble(tmp_path / "e")
    bright = ensemble.parts[0]
    with pytest.raises(BundleError, match="two or more different"):
        write_ensemble(tmp_path / "f", [bright, bright], (1, 1))
    third = brightness_bundle(tmp_path / "third", 1 / 400)
    with pytest.raises(BundleError, match="is an ensemble itself; name its members"):
        write_ensemble(tmp_path / "f", [ensemble, third], (1, 1))


def test_the_member_that_needs_most_decides_what_is_cut(tmp_path: Path) -> None:
    judging = {"sampling": {"frames": 7}, "detection": {"threshold": 0.8}}
    plain = bundle_of(tmp_path / "plain", replace(MANIFEST, judging=judging), 1 / 255)
    pairs = bundle_of(
        tmp_path / "pairs",
        replace(MANIFEST, signal="delta", judging={"sampling": {"frames": 9}}),
        1 / 300,
    )
    found = write_ensemble(tmp_path / "e", [plain, pairs], equal_weights([plain, pairs]))
    assert found.signal == "delta"
    assert found.judging == judging
    assert f"{pairs.model_id} alone would judge by other values of sampling.frames." in found.notes


def test_what_any_member_has_seen_is_recorded_unless_one_has_no_record(tmp_path: Path) -> None:
    records = [SeenVideos.of([(Side.TRAIN, KnownVideo(name, ()))]) for name in ("a" * 64, "b" * 64)]
    parts = [
        bundle_of(tmp_path / f"{n}", MANIFEST, 1 / (255 + n), seen)
        for n, seen in enumerate([*records, None])
    ]
    both = read_seen(write_ensemble(tmp_path / "both", parts[:2], (1, 1)))
    assert both is not None
    known = [KnownVideo(name * 64, ()) for name in "abc"]
    assert both.sides_of(known) == ["train", "train", "no"]
    assert read_seen(write_ensemble(tmp_path / "all", parts, (1, 1, 1))) is None


def test_the_card_names_the_members(tmp_path: Path) -> None:
    ensemble = small_ensemble(tmp_path / "e", (1, 3))
    card = (ensemble.directory / "MODEL_CARD.md").read_text()
    for one in ensemble.members:
        assert f"| {one.model_id} | {one.weight:.3f} | `members/{one.name}/MODEL_CARD.md` |" in card
    assert "dense layers" not in card
