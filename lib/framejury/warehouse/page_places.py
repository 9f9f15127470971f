"""Where the evidence page on each verdict lies, and which are written. No Spark."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import fs

from framejury.storage import Location

FOLDER = "evidence"


def page_place(root: Location, run_id: str, video_id: str) -> Location:
    """Return the place of the page on one verdict."""
    return root.child(FOLDER, run_id, f"{video_id}.html")


def page_link(run_id: str, video_id: str) -> str:
    """Return the same place relative to the root."""
    return f"{FOLDER}/{run_id}/{video_id}.html"


def written_pages(root: Location, verdicts: pa.Table) -> set[str]:
    """Return the ids of videos whose verdict has its page.

    Args:
        root: the folder above `evidence/`.
        verdicts: columns `video_id`, `run_id`.
    """
    wanted = set(zip(verdicts["run_id"].to_pylist(), verdicts["video_id"].to_pylist(), strict=True))
    found = set()
    for run_id in pc.unique(verdicts["run_id"]).to_pylist():
        folder = root.child(FOLDER, run_id)
        selector = fs.FileSelector(folder.path, allow_not_found=True)
        for info in folder.filesystem.get_file_info(selector):
            video_id = info.base_name.removesuffix(".html")
            if (run_id, video_id) in wanted:
                found.add(video_id)
    return found
