"""compare-presets: train and judge several presets on one archive, and print one table.

All presets learn from and are measured on the same videos: the archive is divided once, by source,
whatever a preset's own split settings are. Each preset gets a warehouse, a bundle and a report in
the output folder. An interrupted comparison resumes when it is started again, and presets already
measured are not repeated.
"""

from __future__ import annotations

from framejury.cli.options import make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser

RECIPES = ("face_frames", "random_frames", "flow_fusion", "all_frames")
"""Published recipes with a network."""

SHARES = ("split.train=0.5", "split.val=0.2", "split.test=0.3")
"""More test videos than for training alone, because intervals need sources."""

_SECTIONS = ("sampling", "detection", "crops", "split", "training", "verdict", "spark")


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("compare-presets", __doc__, _SECTIONS, presets=RECIPES)
    options.add_argument(
        "archive",
        metavar="ARCHIVE",
        type=Place("input", remote=True),
        help="folder or Hadoop URI with labelled videos",
    )
    options.add_argument(
        "--output",
        metavar="DIR",
        required=True,
        type=Place("folder"),
        help="local folder for bundles, the shared split and the table (required)",
    )
    options.add_argument(
        "--warehouses",
        metavar="DIR",
        type=Place("folder", remote=True),
        help="folder or URI that gets one warehouse per preset (default: in --output)",
    )
    options.add_argument(
        "--sides",
        metavar="FILE",
        type=Place("input file"),
        help="CSV pattern,side that fixes the split of matching videos and of their groups "
        f"(default: divided by source, {' '.join(SHARES)})",
    )
    return options
