"""forget: remove the faces and pictures of a video from a warehouse for good."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import pyarrow.compute as pc

from framejury.cli.options import run_command
from framejury.clock import now
from framejury.errors import UsageError
from framejury.logs import say
from framejury.pages.text_table import counted
from framejury.parsers.forget import parser
from framejury.redaction import printable
from framejury.warehouse import Warehouse
from framejury.warehouse.forgetting import Erased, allow, forget
from framejury.warehouse.reader import find_videos

_NOT_REACHED = (
    "not reached: scores in files below outputs/, until they are written again; copies outside "
    "the warehouse (--output folders, exported faces, backups, older versions kept by an object "
    "store); bundles trained on these faces"
)


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    warehouse = Warehouse.open(args.warehouse)
    warehouse.require("videos")
    snapshot = warehouse.read_snapshot("videos").select(["video_id", "path"])
    ids = find_videos(snapshot, args.videos)
    videos = [
        snapshot.filter(pc.equal(snapshot["video_id"], video_id)).to_pylist()[0] for video_id in ids
    ]
    known = warehouse.forgotten()
    for video in videos:
        if args.undo and video["video_id"] not in known:
            raise UsageError(f"{printable(video['path'])} was not forgotten, so nothing is undone")
    work = allow if args.undo else forget
    erased = work(warehouse, videos, now(), args.reason, say)
    for video in videos:
        done = "may be judged again" if args.undo else "forgotten"
        say(f"  {done}: {printable(video['path'])} ({video['video_id']})")
    say(f"  removed: {_words(erased)}")
    if not args.undo:
        say(f"  {_NOT_REACHED}")
    return 0


def _words(erased: Erased) -> str:
    parts = [f"{counted(count, 'row')} of {table}" for table, count in sorted(erased.rows.items())]
    if erased.pages:
        parts.append(counted(erased.pages, "evidence or inspection file"))
    if erased.reports:
        parts.append(f"all faces from {counted(erased.reports, 'report page')}")
    return f"{', '.join(parts)}; {erased.size_bytes:,} bytes" if parts else "nothing was left"


if __name__ == "__main__":
    sys.exit(main())
