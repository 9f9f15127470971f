"""inspect: show what is in a video or a whole archive, without judging it.

For a video file: its label, its properties, faces by MTCNN and Haar side by side, flicker (SSIM
over time), contact sheets and animations; without Spark. For an archive (a folder or its URI):
labels, sizes, lengths, codecs, both detectors, failures and a contact sheet; as a Spark job. Writes
inspect.html, a self-contained page, and the files in it.

  framejury inspect clip.mp4 --output out/clip
  framejury inspect clip.mp4 --output out/clip --set inspect.from_s=60
  framejury inspect archive/ --warehouse warehouse/
"""

from __future__ import annotations

from framejury.cli.archive_options import add_layout
from framejury.cli.options import WAREHOUSE_VARIABLE, make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser

_SECTIONS = ("inspect", "detection", "sampling", "crops", "index", "limits", "spark")


def parser() -> Parser:
    """Return the parser of the command and of its job."""
    options = make_parser("inspect", __doc__, _SECTIONS)
    options.add_argument(
        "what",
        metavar="VIDEO|ARCHIVE",
        type=Place("input", remote=True),
        help="a video file, or a folder with videos (path or URI)",
    )
    options.add_argument(
        "--output",
        metavar="DIR",
        type=Place("new folder", remote=True),
        help="a new or empty folder for the page; for an archive also a URI (default: below "
        "--warehouse)",
    )
    options.add_argument(
        "--warehouse",
        metavar="DIR",
        type=Place("folder", remote=True),
        help="for an archive: write to DIR/inspections/TIME, without reading or writing its tables "
        f"(default: --output, else {WAREHOUSE_VARIABLE})",
    )
    add_layout(options, "for an archive: ")
    return options
