"""split: divide labelled videos into train, val and test by source, and balance them."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from framejury.archive.csv_files import read_pins
from framejury.archive.held_out import held_out_counts
from framejury.archive.labelled_video import Placement
from framejury.archive.leakage import check_leakage
from framejury.archive.splits import split_videos
from framejury.cli.options import run_command, settings_of
from framejury.clock import now
from framejury.labelled.committed_split import candidates_of, split_table
from framejury.logs import say
from framejury.pages.text_table import counted
from framejury.parsers.split_dataset import parser
from framejury.schemas.statuses import Label, Side
from framejury.settings import SplitSettings
from framejury.warehouse import Warehouse


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    pins = None if args.sides is None else read_pins(args.sides)
    warehouse = Warehouse.open(args.warehouse)
    candidates = candidates_of(warehouse, settings.split)
    placements = split_videos(candidates, settings.split, pins)
    leak = check_leakage(placements)
    if pins is not None:
        for pin in pins.unused(row.path for row in placements):
            say(f"  note: {pins.source} line {pin.line} matches no free video: {pin.pattern}")
    with warehouse.running("split", now(), say) as run:
        warehouse.write(run, "splits", split_table(placements, run.run_id))
        warehouse.commit(run, now(), settings=settings.model_dump(mode="json"))
    _say_counts(placements)
    _say_held_out(placements, settings.split)
    if leak is not None:
        say(f"warning: {leak} Bundles and reports made from this split repeat this warning")
    say(f"  run {run.run_id} committed")
    return 0


def _say_counts(placements: Sequence[Placement]) -> None:
    counts = Counter((row.side, row.label) for row in placements)
    groups = {side: len({row.group for row in placements if row.side is side}) for side in Side}
    by_face = groups[Side.MIXED] > 0
    for side in Side:
        if not groups[side] and (by_face or side is Side.MIXED):
            continue
        real, fake = counts[side, Label.REAL], counts[side, Label.FAKE]
        videos = f"{side.value:<9}{real:>7,} real {fake:>7,} fake videos"
        say(f"  {videos} in {counted(groups[side], 'group')}")
    if by_face:
        say("           mixed: each face is assigned on its own, by the same shares")
    if cut := sum(row.keep_below is not None for row in placements):
        say(f"           of {counted(cut, 'fake video')} only some faces are kept, for balance")
    for reason, count in Counter(row.reason for row in placements if row.reason).most_common():
        say(f"    excluded {count:,}: {reason}")


def _say_held_out(placements: Sequence[Placement], settings: SplitSettings) -> None:
    for method, (tested, left_out) in held_out_counts(placements, settings).items():
        say(f"    held out {method}: {counted(tested, 'fake')} in test, {left_out:,} in no split")
        if not tested:
            say(
                f"  warning: no fake of {method} is in test, so it cannot be measured; try another "
                f"seed: --set split.seed={settings.seed + 1}"
            )


if __name__ == "__main__":
    sys.exit(main())
