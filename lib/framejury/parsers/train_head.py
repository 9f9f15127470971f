"""train: train a network on the faces of the split and write a model bundle.

Refuses to start when a source is in two splits of a split by group. An interrupted training resumes
when it is started again in the same way.
"""

from __future__ import annotations

from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("train", __doc__, ["training", "scoring", "verdict", "report"])
    add_warehouse(
        options,
        several="folder or URI with faces and a split; may be repeated to train on several, then "
        "the first gets the curves",
    )
    options.add_argument(
        "--archive",
        metavar="DIR",
        type=Place("input", remote=True),
        help="index this archive into the warehouse, extract its faces and split it first, with "
        "Spark (default: the warehouse has faces and a split)",
    )
    options.add_argument(
        "--frame-labels",
        metavar="FILE",
        type=Place("input file"),
        help="CSV video,frame,label with labels of single frames, which override the label of "
        "the video: path in the archive, frame rank from 0, REAL or FAKE (default: none)",
    )
    options.add_argument(
        "--output",
        metavar="DIR",
        required=True,
        type=Place("folder"),
        help="folder of the new bundle (required)",
    )
    options.add_argument(
        "--log-dir",
        metavar="DIR",
        type=Place("folder"),
        help="folder of training logs for TensorBoard; each training gets a folder in it "
        "(default: while it runs beside --output, then in reports/ of the warehouse)",
    )
    options.add_argument(
        "--purpose",
        choices=["detector", "demo"],
        default="detector",
        help="demo: verdicts are meaningless, and every report states it (default: detector)",
    )
    return options
