"""export-faces: write the kept faces as picture files, for tools that read folders.

  --as folders  MIX_1/{0,1} for split train, MIX_2 for val, MIX_3 for test
  --as frames   VIDEO/VIDEO-001.jpeg, from 1, and labels.csv with name,label
  --as sets     the folders of recipe face_frames
  --as arrays   the .npy files of recipe random_frames: float32, BGR, 0 to 1
  --as optical_fusion
                the fused pictures of recipe flow_fusion, 224 pixels

docs/recipes.md describes each. Executors write the files; an interrupted export resumes when it is
started again in the same way.
"""

from __future__ import annotations

from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.outputs import Place
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("export-faces", __doc__, ["spark"])
    add_warehouse(options)
    options.add_argument(
        "--output",
        metavar="DIR",
        required=True,
        type=Place("folder", remote=True),
        help="new or empty folder or URI that every executor reaches (required)",
    )
    options.add_argument(
        "--as",
        metavar="FORM",
        dest="form",
        choices=["folders", "frames", "sets", "arrays", "optical_fusion"],
        default="folders",
        help="layout of the pictures (default: folders)",
    )
    options.add_argument(
        "--side-names",
        metavar="TRAIN,VAL,TEST",
        default="MIX_1,MIX_2,MIX_3",
        help="folders of the three splits (default: MIX_1,MIX_2,MIX_3)",
    )
    options.add_argument(
        "--fake-is",
        type=int,
        choices=[0, 1],
        default=1,
        help="class of fakes (default: 1)",
    )
    options.add_argument(
        "--frame-labels",
        metavar="FILE",
        type=Place("input file"),
        help="CSV video,frame,label, as for train (default: none)",
    )
    options.add_argument(
        "--signal",
        metavar="SIGNAL",
        choices=["marked", "delta", "flow_fusion"],
        help="what the network sees of a face: marked, delta, flow_fusion (default: the crops)",
    )
    options.add_argument(
        "--size-px",
        metavar="N",
        type=int,
        help="resize to N x N px (default: as stored; arrays: 252)",
    )
    options.add_argument(
        "--part",
        metavar="N",
        type=int,
        default=0,
        help="number of the archive in names of arrays (default: 0)",
    )
    options.add_argument(
        "--format",
        choices=["png", "jpeg"],
        default="png",
        help="of resized pictures (default: png, lossless)",
    )
    return options
