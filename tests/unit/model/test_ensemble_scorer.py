"""An ensemble scores each face as its members do by themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from framejury.errors import BundleError
from framejury.model.ensemble import centres_of, combined, write_ensemble
from framejury.model.ensemble_scorer import framings_of, require_one_framing, scorer_for
from framejury.model.runtime import Scorer
from framejury.model.scoring_cost import blank_face, face_seconds
from framejury.records import CroppedFace
from tests.builders.bundles import MANIFEST, brightness_bundle
from tests.builders.ensembles import red_bundle, small_ensemble


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (40, 40, 3), np.uint8)


def test_each_member_sees_its_own_crop(tmp_path: Path) -> None:
    ensemble = small_ensemble(tmp_path / "e", (1, 3))
    assert len(framings_of(ensemble)) == 2
    own, wide = picture(1), picture(2)
    faces = [CroppedFace(own, others=(CroppedFace(wide),))] * 5  # more than a batch
    scorer = scorer_for(ensemble)
    scores, _, members = scorer.score_members(faces)
    bright, red = (Scorer(part) for part in ensemble.parts)
    expected = np.array([[bright.score([own])[0], red.score([wide])[0]]] * 5, np.float64)
    assert members == pytest.approx(expected, abs=1e-7)
    assert scores == pytest.approx(
        combined(expected, [0.25, 0.75], centres_of(ensemble.parts)), abs=1e-6
    )
    assert scorer.score(faces).tolist() == scores.tolist()
    assert scorer.pictures(faces).tolist() == bright.pictures(faces).tolist()


def test_a_face_without_a_members_crop_is_refused(tmp_path: Path) -> None:
    ensemble = small_ensemble(tmp_path / "e")
    with pytest.raises(BundleError, match="cut for one geometry"):
        scorer_for(ensemble).score([picture(1)])
    with pytest.raises(BundleError, match="need crops of 2 geometries"):
        require_one_framing(ensemble)
    require_one_framing(ensemble.parts[0])


def test_heat_is_that_of_members_which_see_the_shown_crop(tmp_path: Path) -> None:
    bright = brightness_bundle(tmp_path / "bright")  # gives no heat maps
    red = red_bundle(tmp_path / "red", MANIFEST.framing)
    wide = red_bundle(tmp_path / "wide")
    same = write_ensemble(tmp_path / "same", [bright, red, wide], (2, 1, 1))
    face = CroppedFace(picture(1), others=(CroppedFace(picture(2)),))
    heat = scorer_for(same).score_and_explain([face])[1]
    assert heat is not None
    assert heat == pytest.approx(Scorer(red).score_and_explain([face])[1])
    other = write_ensemble(tmp_path / "other", [bright, wide], (1, 1))
    assert scorer_for(other).score_and_explain([face])[1] is None


def test_time_is_counted_per_network(tmp_path: Path) -> None:
    ensemble = small_ensemble(tmp_path / "e")
    scorer = scorer_for(ensemble)
    names = {part.model_id for part in ensemble.parts}
    assert scorer.seconds == dict.fromkeys(names, 0.0)
    scorer.score([blank_face(ensemble)])
    assert scorer.seconds.keys() == names
    assert all(s > 0 for s in scorer.seconds.values())
    each = face_seconds(ensemble, 1, None)
    assert each.keys() == names
    assert all(0 < s < 1 for s in each.values())
    single = ensemble.parts[0]
    assert face_seconds(single, 1, 2).keys() == {single.model_id}
