"""What `evaluate` notes on how far its videos were held out."""

from __future__ import annotations

from pathlib import Path

import pytest

from framejury.commands.evaluate import _note_for_all, _note_for_side
from tests.builders.bundles import adopted_bundle, brightness_bundle


@pytest.mark.parametrize("trained_on", [None, "FaceForensics++"])
def test_nothing_is_held_out_from_a_network_trained_elsewhere(
    tmp_path: Path, trained_on: str | None
) -> None:
    """Its report has the sentence; the fingerprint of its file is that of no training."""
    bundle = adopted_bundle(tmp_path / "a", trained_on=trained_on)
    assert _note_for_all(bundle) == ()
    for side in ("train", "val", "test"):
        for fingerprint in (bundle.data.fingerprint, None):
            assert _note_for_side(bundle, side, fingerprint, None) == ()
    own = brightness_bundle(tmp_path / "own")
    assert "including any that the bundle was trained on" in _note_for_all(own)[0]
    assert _note_for_side(own, "test", own.data.fingerprint, None)[0].startswith("Held out")
