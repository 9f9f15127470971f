"""compare-presets: train and judge with several presets on one archive, and print one table.

All of them learn and are measured on the same videos: the archive is divided once, by source,
whatever a preset's own split does. Each preset gets a warehouse, a bundle and a report below the
output folder. Run again, it goes on where it stopped, and does not repeat what is measured.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter
from pyspark.sql import functions as F  # noqa: N812

from framejury import __version__, logs
from framejury.archive.fixed_splits import read_pins
from framejury.archive.splits import Placement
from framejury.cli.options import check_has_network, make_parser, run_command
from framejury.clock import now
from framejury.errors import FramejuryError, UsageError
from framejury.labelled.preparation import (
    StepError,
    check_step,
    index_and_extract,
    settings_options,
    split,
)
from framejury.labelled.videos import labelled_videos
from framejury.logs import say
from framejury.model.bundle import framed_for, load_bundle
from framejury.model.manifest import Bundle
from framejury.night.batches import make_plan
from framejury.night.night import Night, judge, report
from framejury.night.plan import REASON
from framejury.pages.style import picture_files
from framejury.recipes.comparison_page import comparison_page, drawing
from framejury.recipes.comparison_table import Row, csv_table, json_table, text_table
from framejury.recipes.preset_outcome import Failure, Outcome, outcome_of, with_truth
from framejury.recipes.shared_split import check_sides, shared_sides, sides_csv
from framejury.redaction import redacted
from framejury.runs.provenance import training_history, versions
from framejury.schemas.statuses import Reason, Side
from framejury.settings import Settings
from framejury.settings.loading import load_settings
from framejury.storage import is_local, local_path, locate, read_json, write_json, write_whole
from framejury.tables.index import check_archive
from framejury.tables.session import spark_session
from framejury.verdict.rule import rule_in_use
from framejury.warehouse import Warehouse

RECIPES = ("face_frames", "random_frames", "flow_fusion", "all_frames")
"""Published recipes with a network."""

_SHARES = ("split.train=0.5", "split.val=0.2", "split.test=0.3")
"""A larger test side than for training alone: intervals need sources."""
_SECTIONS = ("sampling", "detection", "crops", "split", "training", "verdict", "spark")
Step = Literal["index", "extract", "split", "train", "judge"]


def parser() -> argparse.ArgumentParser:
    options = make_parser("compare-presets", __doc__, _SECTIONS, presets=RECIPES)
    options.add_argument(
        "archive", metavar="ARCHIVE", help="folder or Hadoop URI with labelled videos"
    )
    options.add_argument(
        "--output",
        metavar="DIR",
        required=True,
        help="local folder for bundles, sides and the table (required)",
    )
    options.add_argument(
        "--warehouses",
        metavar="DIR",
        help="folder or URI that gets one warehouse a preset (default: in --output)",
    )
    options.add_argument(
        "--sides",
        metavar="FILE",
        help="CSV pattern,side that fixes where videos stand; their groups follow "
        f"(default: divided by source, {' '.join(_SHARES)})",
    )
    return options


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    presets = list(dict.fromkeys(args.preset or RECIPES))
    for preset in presets:
        check_has_network(preset)
    if not is_local(args.output):
        raise UsageError(f"--output {redacted(args.output)} is no local folder")
    output = local_path(args.output)
    output.mkdir(parents=True, exist_ok=True)
    shared = load_settings(None, args.config, args.set, verb_defaults=_SHARES)
    contest = Contest(check_archive(args.archive), output, args, shared)
    for preset in presets:  # a wrong setting ends this before the first hour of work
        contest.settings_of(preset)
    rows = [contest.row_of(preset, number, len(presets)) for number, preset in enumerate(presets)]
    logs.start("compare-presets")
    sys.stdout.write(text_table(rows))
    _write(output, rows, contest)
    say(f"  page: {output}/comparison.html")
    failed = sum(isinstance(row, Failure) for row in rows)
    if failed:
        say(f"  {failed} of {len(rows)} presets gave no figures; run again once that is mended")
    return 1 if failed else 0


@dataclass
class Contest:
    """One comparison.

    Attributes:
        archive: as `check_archive` gives it.
        output: for bundles, sides and the table.
        shared: settings whose shares and seed divide the archive for all.
        placements: once the first preset has read the archive.
    """

    archive: str
    output: Path
    args: argparse.Namespace
    shared: Settings
    placements: list[Placement] | None = None

    def settings_of(self, preset: str, *, judging: bool = False) -> Settings:
        """The preset's settings under the options of this call."""
        return load_settings(preset, self.args.config, self.args.set, judging=judging)

    def row_of(self, preset: str, number: int, of: int) -> Row:
        """What became of one preset; a step that fails is told and stops no other preset."""
        logs.start("compare-presets")
        say(f"[{number + 1} of {of}: {preset}]")
        try:
            return self._measured(preset)
        except StepError as error:
            return Failure(preset=preset, step=_step_of(error.step), reason=str(error))
        except FramejuryError as error:
            if self.placements is None:  # of an archive that cannot be divided nothing is measured
                raise
            say(f"  error: {error}")
            return Failure(preset=preset, step="judge", reason=redacted(str(error)))

    def _measured(self, preset: str) -> Outcome:
        options = settings_options(preset, self.args.config, self.args.set)
        place = self.output / preset
        warehouses = str(self.args.warehouses or self.output).rstrip("/")
        uri = f"{warehouses}/{preset}/warehouse"
        index_and_extract(self.archive, uri, options)
        warehouse = Warehouse.open(uri)
        placements = self._sides(warehouse)
        identity = self._identity(preset, placements, warehouse)
        if (done := _done_before(place, identity)) is not None:
            say(f"  {preset} was measured before: {place}/outcome.json")
            return done
        learned = {key: value for key, value in identity.items() if key != "judging"}
        if _kept(place / "trained.json") != learned:
            split(uri, options, self.output / "sides.csv")
            placed = warehouse.read_snapshot("splits").select(["video_id", "side"]).to_pylist()
            check_sides(placements, {row["video_id"]: row["side"] for row in placed})
            self._train(preset, uri, place / "bundle", options)
            write_json(locate(str(place / "trained.json")), learned)
        bundle = load_bundle(place / "bundle")
        outcome = self._judged(preset, bundle, warehouse, placements)
        write_json(
            locate(str(place / "outcome.json")), {"identity": identity, "outcome": asdict(outcome)}
        )
        return outcome

    def _sides(self, warehouse: Warehouse) -> list[Placement]:
        """Where each labelled video stands, for this and every other preset."""
        if self.placements is None:
            pins = None if self.args.sides is None else read_pins(self.args.sides)
            candidates = [video.candidate for video in labelled_videos(warehouse)]
            self.placements = shared_sides(candidates, self.shared.split, pins)
            text = sides_csv(self.placements)
            write_whole(locate(str(self.output / "sides.csv")), text.encode())
        return self.placements

    def _identity(
        self, preset: str, placements: Sequence[Placement], warehouse: Warehouse
    ) -> dict[str, str]:
        """What an outcome depends on: another one is measured anew."""
        extracted = [commit.run_id for commit in warehouse.with_table("extractions")]
        return {
            "framejury": __version__,
            "learning": self.settings_of(preset).digest(),
            "judging": self.settings_of(preset, judging=True).digest(),
            "sides": sides_csv(placements),
            "extracted": extracted[0],
        }

    def _train(self, preset: str, uri: str, bundle: Path, options: Sequence[str]) -> None:
        """In a process of its own: TensorFlow keeps what it once took."""
        logs.start("compare-presets")
        command = [sys.executable, "-m", "framejury.cli.main", "train", "--warehouse", uri]
        ended = subprocess.run(
            [*command, "--output", str(bundle), *options], check=False, stdout=sys.stderr
        )
        check_step("train", ended.returncode)

    def _judged(
        self,
        preset: str,
        bundle: Bundle,
        warehouse: Warehouse,
        placements: Sequence[Placement],
    ) -> Outcome:
        """The videos of the test side judged as a night would, and what that says."""
        settings = framed_for(bundle, self.settings_of(preset, judging=True))
        rule = rule_in_use(bundle.rule, settings.verdict)
        night = Night("compare-presets", self.archive, settings, bundle, rule, warehouse)
        held_out = [row.video_id for row in placements if row.side is Side.TEST]
        logs.start("compare-presets")
        with (
            warehouse.locked("compare-presets", now(), say),
            spark_session("compare-presets") as night.spark,
        ):
            videos = night.store.snapshot("videos")
            chosen = videos.where(F.col("video_id").isin(held_out))
            planned = chosen.withColumn(REASON, F.lit(Reason.SELECTED.value))
            judge(night, make_plan(planned, settings, warehouse.commits()))
            report(night, chosen)
        runs = {commit.run_id for commit in night.commits}
        commits = [commit for commit in warehouse.commits() if commit.run_id in runs]
        verdicts = warehouse.read_latest("verdicts", commits=commits)
        extractions = warehouse.read_latest(
            "extractions", ["cpu_s", "peak_memory_bytes"], commits=commits
        )
        history = training_history(warehouse, bundle.model_id)
        judged = with_truth(verdicts, warehouse.read_snapshot("videos"))
        return outcome_of(preset, bundle, judged, extractions, history, remark=rule.remark)


def _step_of(verb: str) -> Step:
    step: Step = TypeAdapter(Step).validate_python(verb)
    return step


def _done_before(place: Path, identity: dict[str, str]) -> Outcome | None:
    """The outcome of the same comparison, when there is one."""
    file = place / "outcome.json"
    kept = _kept(file)
    if kept is None or kept.get("identity") != identity:
        return None
    try:
        return TypeAdapter(Outcome).validate_python(kept["outcome"])
    except (KeyError, ValueError) as error:
        raise _unreadable(file, error) from error


def _kept(file: Path) -> dict[str, Any] | None:
    """What an earlier call left behind."""
    if not file.is_file():
        return None
    try:
        return read_json(locate(str(file)))
    except (ValueError, OSError) as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: Exception) -> UsageError:
    return UsageError(f"{file} is not what compare-presets left there ({error}); remove it")


def _write(output: Path, rows: Sequence[Row], contest: Contest) -> None:
    """The table as text, CSV, JSON and a page."""
    placements = contest.placements or []
    outcomes = [row for row in rows if isinstance(row, Outcome)]
    sides = {
        side.value: sum(row.side is side for row in placements)
        for side in (Side.TRAIN, Side.VAL, Side.TEST)
    }
    facts: dict[str, Any] = {
        "archive": redacted(contest.archive),
        "created_at": now().isoformat(),
        "overrides": list(contest.args.set),
        "videos": sides,
        "versions": versions(),
    }
    files = {
        "comparison.txt": text_table(rows).encode(),
        "comparison.csv": csv_table(rows).encode(),
        "comparison.json": json_table(rows, facts),
        "comparison.html": comparison_page(rows, facts).encode(),
        **picture_files({"comparison": drawing(outcomes)} if outcomes else {}),
    }
    for name, content in files.items():
        write_whole(locate(str(output / name)), content)


if __name__ == "__main__":
    sys.exit(main())
