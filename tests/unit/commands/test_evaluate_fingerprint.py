"""`evaluate` recognises the data of a training, also of one on a mixture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from framejury.commands.evaluate import trained_fingerprint
from framejury.model.manifest import Bundle
from framejury.schemas.statuses import Side
from framejury.training.source_counts import count_faces
from tests.builders.bundles import brightness_bundle
from tests.builders.faces import small_videos, write_source


def test_sets_outside_the_mixture_and_other_odds_do_not_count(tmp_path: Path) -> None:
    source = write_source(tmp_path / "faces", small_videos(2, 1))
    named = {
        key: replace(truth, dataset="films" if key.endswith("0") else "clips")
        for key, truth in source.videos.items()
    }
    source = replace(source, videos=named)
    drawn = {k: v for k, v in named.items() if v.side is not Side.TRAIN or v.dataset == "films"}
    plain = brightness_bundle(tmp_path / "bundle")

    def of(**odds: float) -> Bundle:
        return replace(plain, settings={"training": {"mixture": odds, "seed": 0}})

    mixed = count_faces(replace(source, videos=drawn), mixed=True).fingerprint
    assert trained_fingerprint(of(films=2), source) == mixed
    assert trained_fingerprint(of(films=1, clips=0), source) == mixed
    assert trained_fingerprint(of(films=1, clips=1), source) not in (mixed, None)
    assert trained_fingerprint(of(films=1, gone=1), source) is None
    for bundle in (plain, of(), replace(plain, settings={"training": {"seed": 0}})):
        assert trained_fingerprint(bundle, source) == count_faces(source).fingerprint
