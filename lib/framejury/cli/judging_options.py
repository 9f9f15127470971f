"""What a command that judges videos works with, from its options: bundle, settings and rule."""

from __future__ import annotations

import argparse
import atexit
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from framejury.audio.sound_model import SoundModel, load_sound_model
from framejury.cli.options import (
    bundle_dir_of,
    check_has_network,
    say_remark,
    settings_of,
    warn_of_demo,
)
from framejury.logs import say
from framejury.model.bundle import load_bundle
from framejury.model.ensemble import equal_weights, write_ensemble
from framejury.model.framing import framed_for
from framejury.model.manifest import Bundle
from framejury.model.scoring_cost import face_seconds
from framejury.settings import NO_MODEL, Settings
from framejury.verdict.rule import Rule, rule_in_use


@dataclass(frozen=True)
class Judging:
    """Bundle, settings and rule that belong together.

    Attributes:
        bundle: the bundle that scores.
        settings: the settings, with the crop geometry that the bundle needs.
        rule: aggregation, calibration and threshold in use.
        sound: the sound model of `audio.model`; None: sound is not judged.
    """

    bundle: Bundle
    settings: Settings
    rule: Rule
    sound: SoundModel | None = None

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> Judging:
        """Read `--bundle`, `--preset`, `--config` and `--set`, and print what to be wary of.

        Where the options set nothing, the bundle's own settings hold.

        Raises:
            UsageError: the preset has no network.
            BundleError: there is no such bundle or sound model, or it is damaged.
            ConfigError: an unknown key, a value out of range, or a setting that this bundle
                cannot be used with.
        """
        check_has_network(args.preset)
        bundle = load_bundle_of(args)
        judging = cls.of(bundle, settings_of(args, judging=True, of_bundle=bundle.judging))
        say_remark(judging.rule)
        return judging

    @classmethod
    def of(cls, bundle: Bundle, settings: Settings) -> Judging:
        """Fit settings to a bundle: its crop geometry, and its rule where they set none.

        Raises:
            BundleError: there is no such sound model, or it is damaged.
            ConfigError: a setting that this bundle cannot be used with.
        """
        settings = framed_for(bundle, settings)
        place = settings.audio.model
        sound = None if place == NO_MODEL else load_sound_model(place)
        return cls(bundle, settings, rule_in_use(bundle.rule, settings.verdict), sound)

    def face_s(self) -> dict[str, float]:
        """Measure the seconds per face of each network of an ensemble; empty for a single one."""
        if not self.bundle.members:
            return {}
        scoring = self.settings.scoring
        return face_seconds(self.bundle, scoring.threads, scoring.batch_size)


def load_bundle_of(args: argparse.Namespace) -> Bundle:
    """Load the bundle of `--bundle`, or make an ensemble of several.

    It warns of a demo, and of a bundle trained on a leaking split.

    Raises:
        BundleError: there is no such bundle, or it is damaged.
    """
    repeated = args.bundle if isinstance(args.bundle, list) else []
    folders = list(map(Path, repeated)) or [bundle_dir_of(args)]
    bundle = load_bundle(folders[0]) if len(folders) == 1 else _ensemble_of(folders)
    warn_of_demo(bundle)
    return bundle


def _ensemble_of(folders: Sequence[Path]) -> Bundle:
    """Make an ensemble with equal weights that lasts as long as this process, and say so."""
    parts = [load_bundle(folder) for folder in folders]
    scratch = tempfile.mkdtemp(prefix="framejury-")
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    bundle = write_ensemble(Path(scratch) / "ensemble", parts, equal_weights(parts))
    say(
        f"note: {len(parts)} detectors judge together, with equal weights, as {bundle.model_id}. "
        "Their joint score is not calibrated: framejury ensemble --warehouse fits weights and rule"
    )
    return bundle
