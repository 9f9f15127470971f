"""forget: remove the faces and pictures of a video from a warehouse for good.

Crops, evidence pictures, positions and scores of single faces, and evidence pages are removed from
every run; pages of reports that list the video lose their pictures of faces. A tombstone stays
(table forgotten): reports say that a video was forgotten, and no run judges it again. Verdicts of
earlier runs stay on record, without what they are based on, and no longer count.

It cannot be undone; --undo only lets the next run judge the file again. If this is killed, run it
again. Not reached are scores in files below outputs/ (report.outputs), until they are written
again, copies outside the warehouse (what was written with --output, exported faces, backups, older
versions that an object store keeps), and bundles trained on these faces.
"""

from __future__ import annotations

from framejury.cli.options import add_warehouse, make_parser
from framejury.cli.parser import Parser


def parser() -> Parser:
    """Return the parser of the command."""
    options = make_parser("forget", __doc__)
    options.add_argument(
        "videos",
        metavar="VIDEO",
        nargs="+",
        help="path below the archive, as reports show it, or video_id",
    )
    add_warehouse(options, writes=True)
    options.add_argument(
        "--reason", metavar="TEXT", help="why, stored with the tombstone (default: none)"
    )
    options.add_argument(
        "--undo",
        action="store_true",
        help="let the next run judge the file again; what was removed stays removed (default: no)",
    )
    return options
