"""What is said of networks that framejury did not train: on their card, and by their record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from framejury.model.bundle import load_bundle, read_seen, with_rule
from framejury.model.card import model_card
from framejury.model.ensemble import write_ensemble
from framejury.model.foreign import training_remark
from framejury.model.input_contract import PixelContract
from framejury.model.manifest import CARD_NAME, Bundle
from framejury.model.runtime import Scorer
from framejury.model.seen import KnownVideo, SeenVideos
from framejury.schemas.statuses import Side
from framejury.verdict.rule import Rule, RuleFit
from tests.builders.bundles import ADOPTED, MANIFEST, adopted_bundle, brightness_bundle

FIT = RuleFit(
    data="split val",
    target_fpr=0.05,
    threshold_from="given",
    fpr=0,
    tpr=1,
    real_videos=2,
    fake_videos=2,
    real_groups=2,
    fake_groups=2,
    groups=4,
    min_faces=1,
)
RECORD = SeenVideos.of([(Side.VAL, KnownVideo("a" * 64, ()))])


def card_of(bundle: Bundle) -> str:
    return (bundle.directory / CARD_NAME).read_text()


def test_what_is_known_of_the_training(tmp_path: Path) -> None:
    own, unknown = brightness_bundle(tmp_path / "own"), adopted_bundle(tmp_path / "a")
    told = adopted_bundle(tmp_path / "b", trained_on="FaceForensics++.", name="X\x1b[31m")
    assert training_remark(own) is None
    remark = training_remark(unknown) or ""
    assert remark.startswith("The training data of Meso-4 are unknown.")
    assert "may be among them" in remark and "may flatter" in remark
    remark = training_remark(told) or ""
    assert "as its publisher states them: FaceForensics++. framejury cannot check this" in remark
    assert "\x1b" not in remark


def test_what_is_known_of_an_ensemble(tmp_path: Path) -> None:
    own, foreign = brightness_bundle(tmp_path / "own"), adopted_bundle(tmp_path / "a")
    other = brightness_bundle(tmp_path / "other", 1 / 400)
    remark = training_remark(write_ensemble(tmp_path / "e", [own, foreign], (1, 1))) or ""
    assert remark.startswith("The training data of Meso-4 are unknown.")
    assert "No threshold was fitted: 0.5 is only the middle" in remark
    ours = write_ensemble(tmp_path / "f", [own, other], (1, 1))
    assert (training_remark(ours) or "").startswith("No threshold was fitted")
    fitted = with_rule(ours, tmp_path / "g", Rule(), FIT, {}, fitted_on=RECORD)
    assert training_remark(fitted) is None


def test_a_fitted_threshold_is_no_longer_the_middle(tmp_path: Path) -> None:
    bundle = adopted_bundle(tmp_path / "a")
    assert "No threshold was fitted" in (training_remark(bundle) or "")
    fitted = with_rule(bundle, tmp_path / "b", Rule(), FIT, {}, fitted_on=RECORD)
    assert "No threshold" not in (training_remark(fitted) or "")


def test_the_card_says_where_it_comes_from_in_place_of_a_training(tmp_path: Path) -> None:
    bundle = adopted_bundle(tmp_path / "a", source="Paper | of\n2018")
    card = card_of(bundle)
    assert f"- **{training_remark(bundle)}**" in card
    for row in (
        "| name | Meso-4 |",
        "| source | Paper / of 2018 |",
        "| licence | not given |",
        "| training data | unknown |",
        f"| SHA-256 of the file | {'b' * 64} |",
        "| input.layout | NHWC |",
        "| output.index_of_fake | 0 |",
    ):
        assert row in card.splitlines()
    assert "adopted by framejury on 2026-01-02. It sees one face crop" in card
    assert "How it was trained" not in card and "Fingerprint" not in card
    own = card_of(brightness_bundle(tmp_path / "own"))
    assert "How it was trained" in own and "Where it comes from" not in own


def test_the_card_of_a_clip_network_says_how_many_frames_it_sees() -> None:
    pixels = PixelContract(input_px=32, clip_frames=8)
    card = model_card(replace(MANIFEST, pixels=pixels, adopted=ADOPTED), "x-1")
    assert "It sees one clip of 8 face crops" in card
    assert "float32 (faces, 8, 32, 32, 3)" in card


def test_a_calibrated_foreign_network_is_known_to_have_seen_more(tmp_path: Path) -> None:
    """Videos of the fit are recognised; of all others nothing is known."""
    calibrated = with_rule(
        adopted_bundle(tmp_path / "a"), tmp_path / "b", Rule(), FIT, {}, fitted_on=RECORD
    )
    record = read_seen(load_bundle(calibrated.directory))
    assert record is not None and not record.is_complete
    videos = [KnownVideo(letter * 64, ()) for letter in "ab"]
    assert record.sides_of(videos) == ["val", None]
    again = with_rule(
        calibrated,
        tmp_path / "c",
        Rule(),
        FIT,
        {},
        fitted_on=SeenVideos.of([(Side.VAL, KnownVideo("c" * 64, ()))]),
    )
    record = read_seen(again)
    assert record is not None and record.sides_of(videos) == ["val", None]
    own = with_rule(
        brightness_bundle(tmp_path / "own"), tmp_path / "d", Rule(), FIT, {}, fitted_on=RECORD
    )
    assert read_seen(own) is None  # an old bundle of framejury's own stays without


def test_the_map_of_an_adopted_network_is_in_its_graph(tmp_path: Path) -> None:
    bundle = adopted_bundle(tmp_path / "a")
    assert bundle.heat_cells == 4 and Scorer(bundle).gives_heat
