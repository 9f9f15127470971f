"""Several presets trained and judged on one archive and one split, resumable."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from glob import escape
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from framejury import __version__, logs
from framejury.archive.csv_files import Pins
from framejury.archive.held_out import ELSEWHERE
from framejury.archive.label_files import first_of
from framejury.archive.labelled_video import Candidate, Placement
from framejury.archive.leakage import check_leakage
from framejury.archive.splits import split_videos
from framejury.clock import now
from framejury.errors import FramejuryError, SplitError, UsageError
from framejury.labelled.preparation import (
    StepError,
    check_step,
    index_and_extract,
    settings_options,
    split,
)
from framejury.labelled.videos import labelled_videos
from framejury.logs import say
from framejury.model.bundle import load_bundle
from framejury.model.curves import read_curves
from framejury.model.framing import framed_for
from framejury.model.manifest import Bundle
from framejury.recipes.comparison_table import Row, comparison_files
from framejury.recipes.preset_outcome import Failure, PresetOutcome, outcome_of, with_truth
from framejury.redaction import redacted
from framejury.runs.provenance import versions
from framejury.schemas.statuses import Side
from framejury.settings import Settings, SplitSettings
from framejury.settings.loading import load_settings
from framejury.storage import locate, read_json, write_json, write_whole
from framejury.training.pretrained import require_weights
from framejury.verdict.rule import rule_in_use
from framejury.warehouse import Warehouse
from framejury.warehouse.commits import Commit

COMMAND = "compare-presets"

JudgeVideos = Callable[[Bundle, Settings, Warehouse, Sequence[str]], Sequence[Commit]]
"""Judges the videos of these ids as a nightly run would; returns the commits it published."""


@dataclass
class PresetComparison:
    """One comparison: an archive, a split that all presets share, an output folder.

    Attributes:
        archive: folder or Hadoop URI.
        output: local folder for bundles, the shared split and the table.
        warehouses: folder or URI that gets one warehouse per preset.
        config, overrides: as given by `--config` and `--set`.
        shares: settings whose split shares and seed divide the archive.
        judge: judges the test videos.
        pins: splits fixed beforehand; None: all videos are drawn.
        placements: the shared split, once the first preset has read the archive.
    """

    archive: str
    output: Path
    warehouses: str
    config: str | None
    overrides: list[str]
    shares: Settings
    judge: JudgeVideos
    pins: Pins | None = None
    placements: list[Placement] = field(default_factory=list)

    def settings_of(self, preset: str, *, judging: bool = False) -> Settings:
        """Return the preset's settings under this comparison's options."""
        return load_settings(preset, self.config, self.overrides, judging=judging)

    def row_of(self, preset: str) -> Row:
        """Train and judge one preset; a failed step is recorded and does not stop the others.

        Raises:
            FramejuryError: the archive cannot be divided, so no preset can be measured.
        """
        try:
            return self._measured(preset)
        except StepError as error:
            return Failure(preset=preset, step=error.step, reason=str(error))
        except FramejuryError as error:
            if not self.placements:
                raise
            say(f"  error: {error}")
            return Failure(preset=preset, step="judge", reason=redacted(str(error)))

    def write(self, rows: Sequence[Row]) -> None:
        """Write the table as text, CSV, JSON, page and picture into the output folder."""
        facts: dict[str, Any] = {
            "archive": redacted(self.archive),
            "created_at": now().isoformat(),
            "overrides": self.overrides,
            "videos": {
                side.value: sum(row.side is side for row in self.placements)
                for side in (Side.TRAIN, Side.VAL, Side.TEST)
            },
            "versions": versions(),
        }
        for name, content in comparison_files(rows, facts).items():
            write_whole(locate(str(self.output / name)), content)

    def _measured(self, preset: str) -> PresetOutcome:
        options = settings_options(preset, self.config, self.overrides)
        place = self.output / preset
        if not (place / "trained.json").is_file():
            _check_weights(self.settings_of(preset))
        uri = f"{self.warehouses.rstrip('/')}/{preset}/warehouse"
        index_and_extract(self.archive, uri, options)
        warehouse = Warehouse.open(uri)
        self._divide(warehouse)
        identity = self._identity(preset, warehouse)
        if (done := _measured_before(place, identity)) is not None:
            say(f"  {preset} was measured before: {place}/outcome.json")
            return done
        learned = {key: value for key, value in identity.items() if key != "judging"}
        if _kept(place / "trained.json") != learned:
            split(uri, options, self.output / "sides.csv")
            placed = warehouse.read_snapshot("splits").select(["video_id", "side"]).to_pylist()
            check_sides(self.placements, {row["video_id"]: row["side"] for row in placed})
            _train(uri, place / "bundle", options)
            write_json(locate(str(place / "trained.json")), learned)
        outcome = self._judged(preset, load_bundle(place / "bundle"), warehouse)
        content = {"identity": identity, "outcome": asdict(outcome)}
        write_json(locate(str(place / "outcome.json")), content)
        return outcome

    def _divide(self, warehouse: Warehouse) -> None:
        """Fix the split of each labelled video, for this and every other preset."""
        if not self.placements:
            candidates = [video.candidate for video in labelled_videos(warehouse)]
            self.placements = shared_sides(candidates, self.shares.split, self.pins)
            text = sides_csv(self.placements)
            write_whole(locate(str(self.output / "sides.csv")), text.encode())

    def _identity(self, preset: str, warehouse: Warehouse) -> dict[str, str]:
        """Return what an outcome depends on; when it differs, the preset is measured again."""
        return {
            "framejury": __version__,
            "learning": self.settings_of(preset).digest(),
            "judging": self.settings_of(preset, judging=True).digest(),
            "sides": sides_csv(self.placements),
            "extracted": warehouse.with_table("extractions")[0].run_id,
        }

    def _judged(self, preset: str, bundle: Bundle, warehouse: Warehouse) -> PresetOutcome:
        """Judge the test videos and compute the preset's row."""
        logs.start(COMMAND)
        settings = framed_for(bundle, self.settings_of(preset, judging=True))
        held_out = [row.video_id for row in self.placements if row.side is Side.TEST]
        commits = list(self.judge(bundle, settings, warehouse, held_out))
        verdicts = warehouse.read_latest("verdicts", commits=commits)
        return outcome_of(
            preset,
            bundle,
            with_truth(verdicts, warehouse.read_snapshot("videos")),
            warehouse.read_latest("extractions", ["cpu_s", "peak_memory_bytes"], commits),
            read_curves(bundle),
            remark=rule_in_use(bundle.rule, settings.verdict).remark,
        )


def _train(uri: str, bundle: Path, options: Sequence[str]) -> None:
    """Train in a process of its own, because TensorFlow never gives memory back."""
    logs.start(COMMAND)
    command = [sys.executable, "-m", "framejury.cli.main", "train", "--warehouse", uri]
    ended = subprocess.run(
        [*command, "--output", str(bundle), *options], check=False, stdout=sys.stderr
    )
    check_step("train", ended.returncode)


def _measured_before(place: Path, identity: dict[str, str]) -> PresetOutcome | None:
    """Return the outcome of an earlier, identical comparison."""
    file = place / "outcome.json"
    kept = _kept(file)
    if kept is None or kept.get("identity") != identity:
        return None
    try:
        return TypeAdapter(PresetOutcome).validate_python(kept["outcome"])
    except (KeyError, ValueError) as error:
        raise _unreadable(file, error) from error


def _check_weights(settings: Settings) -> None:
    """Find out before hours of work whether training could begin.

    Raises:
        StepError: the first weights are not on this machine; the error is printed.
    """
    try:
        if settings.training.weights != "none":
            require_weights(settings.training)
    except FramejuryError as error:
        say(f"  error: {error}")
        raise StepError("train", error.exit_code) from error


def _kept(file: Path) -> dict[str, Any] | None:
    """Read a file of an earlier call; None without one."""
    if not file.is_file():
        return None
    try:
        return read_json(locate(str(file)))
    except (ValueError, OSError) as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: Exception) -> UsageError:
    return UsageError(f"{file} was not written by {COMMAND} ({error}); remove it and run again")


def shared_sides(
    candidates: Sequence[Candidate], settings: SplitSettings, pins: Pins | None = None
) -> list[Placement]:
    """Assign every labelled video of an archive to a split, whole groups at a time.

    Videos without usable faces count too; otherwise each preset would be measured on other videos.

    Args:
        candidates: labelled videos; those of identical content are one group.
        settings: shares and seed; unit, order and balance are framejury's defaults.
        pins: splits fixed beforehand.

    Raises:
        SplitError: there are too few groups, or a split would lack a class.
    """
    usual: dict[str, str | None] = {"unit": "group", "order": "drawn", "videos_per_class": None}
    usual |= {"balance": "none", "balance_over": "side"}
    whole = settings.model_copy(update=usual)
    placements = split_videos([replace(one, usable=True) for one in candidates], whole, pins)
    check_leakage(placements)
    return placements


def sides_csv(placements: Sequence[Placement]) -> str:
    """Return a CSV file (`archive.csv_files`) that fixes the split of every video by path."""
    group_side = {row.group: row.side for row in placements if row.side is not Side.EXCLUDED}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["pattern", "side"])
    for row in sorted(placements, key=lambda row: row.path):
        # A preset leaves a held-out fake out by itself, wherever its group is.
        side = group_side[row.group] if row.reason == ELSEWHERE else row.side
        writer.writerow([_pattern(row.path), side.value])
    return text.getvalue()


def check_sides(placements: Sequence[Placement], sides: Mapping[str, str]) -> None:
    """Check that a preset's own split agrees with the shared one, or leaves videos out.

    Args:
        placements: the shared split.
        sides: video_id -> split, from the preset's warehouse.

    Raises:
        SplitError: a video is in another split, so the preset would not be comparable.
    """
    moved = [
        f"{row.path} in {sides[row.video_id]} instead of {row.side}"
        for row in placements
        if sides.get(row.video_id, row.side) not in (row.side, Side.EXCLUDED)
    ]
    if moved:
        raise SplitError(
            f"the split of {len(moved)} of {len(placements)} videos differs from that of the other "
            f"presets: {first_of(moved)}"
        )


def _pattern(path: str) -> str:
    """Return a pattern that matches only this path; readers strip outer spaces and skip `#`."""
    pattern = escape(path)
    if pattern[0] == "#" or pattern[0].isspace():
        pattern = f"[{pattern[0]}]{pattern[1:]}"
    return f"{pattern[:-1]}[{pattern[-1]}]" if pattern[-1].isspace() else pattern
