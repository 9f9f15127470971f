"""import: turn face sets in Parquet (pictures of one face each) into a warehouse to train on.

Columns distinguish paired frames of the Deepfake Detection Challenge, several sampled faces per
video, and stills of real people; see framejury.archive.face_sets. Every video gets a status. The
defaults differ from other commands: crops.margin_ratio=-0.07 and crops.shift_ratio=0.07, the crop
geometry of the Challenge's frames (extract further training videos with the same), and
detection.threshold=0.8, because every picture is known to show a face.
"""

from __future__ import annotations

from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("import", __doc__, ["detection", "crops"])
    options.add_argument(
        "folder",
        metavar="FOLDER",
        type=Place("input"),
        help="folder with face sets (*.parquet)",
    )
    add_warehouse(options, writes=True)
    options.add_argument(
        "--workers",
        metavar="COUNT",
        type=int,
        help="processes that detect faces (default: one per core)",
    )
    return options
