"""inspect: show what is in a video or a whole archive, without judging it."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import PurePosixPath

from framejury.archive.single_video import label_of
from framejury.cli.options import run_command, settings_of
from framejury.cli.outputs import new_folder, place_of, read_or_stop
from framejury.clock import now
from framejury.errors import ArchiveError, UsageError
from framejury.inspection.inspected import Inspection
from framejury.logs import say
from framejury.pages.text_table import counted
from framejury.parsers.inspect import parser
from framejury.redaction import printable
from framejury.settings import Settings
from framejury.storage import is_local, local_path


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def is_archive(name: str, settings: Settings) -> bool:
    """Return whether a path or URI is an archive: a folder, or a URI without a video suffix.

    Raises:
        UsageError: a local path that does not exist.
    """
    if is_local(name):
        path = local_path(name)
        if not path.exists():
            raise UsageError(f"{printable(name)} does not exist; give a video file or a folder")
        return path.is_dir()
    ending = PurePosixPath(name).suffix.lower().lstrip(".")
    return name.endswith("/") or ending not in settings.index.extensions


def _run(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    if is_archive(args.what, settings):
        code: int = importlib.import_module("framejury.jobs.inspect_archive").run(args)
        return code
    return _inspect_video(args, settings)


def _inspect_video(args: argparse.Namespace, settings: Settings) -> int:
    if args.output is None:
        raise UsageError("inspecting a video needs a folder for its page; give --output DIR")
    output = new_folder(args.output)
    place = place_of(args.what)
    label = _label_of(args, settings)
    from framejury.inspection.inspect_client import InspectClient
    from framejury.report.report import write_files

    with read_or_stop(args.what), InspectClient(settings, detectors=True) as client:
        found, pictures = client.inspect(place, "all")
    if not found.looks:
        raise UsageError(
            f"{printable(args.what)} is {found.facts.duration_s:.2f} s long and has no frame at or "
            f"after inspect.from_s = {settings.inspect.from_s:g} s; set inspect.from_s lower"
        )
    write_files(_files(place, found, pictures, settings, label), output)
    faces = sum(len(frame.mtcnn) for frame in found.looks)
    print(
        f"{printable(args.what)}: {found.facts.width_px} x {found.facts.height_px}, "
        f"{found.facts.duration_s:.2f} s, {found.facts.codec}; {counted(faces, 'face')} in "
        f"{counted(len(found.looks), 'inspected frame')}"
    )
    say(f"  page: {output}/inspect.html")
    return 0


def _label_of(args: argparse.Namespace, settings: Settings) -> str | None:
    """Return the label of a local video; of a video at a URI none is looked for."""
    if not is_local(args.what):
        return None
    index = settings.index
    if args.layout is not None:
        index = index.model_copy(update={"layout": args.layout})
    try:
        label = label_of(local_path(args.what), index)
    except ArchiveError as error:
        say(f"  note: shown without a label: {error}")
        return None
    return None if label is None else label.value


def _files(
    place: str,
    found: Inspection,
    pictures: dict[str, bytes],
    settings: Settings,
    label: str | None,
) -> dict[str, bytes]:
    """Return the page and the files in it, by name."""
    from framejury.inspection.charts import faces_chart, files_of, ssim_chart
    from framejury.inspection.inspect_page import Parts, video_page

    charts = [ssim_chart(found.looks), faces_chart(found.looks)]
    parts = Parts(printable(place.rpartition("/")[2]), pictures, charts, now())
    content = {"schema_version": 1, "file": place, "label": label}
    content |= found.model_dump(mode="json")
    return {
        "inspect.html": video_page(parts, found, settings, label),
        "inspect.json": (json.dumps(content, allow_nan=False) + "\n").encode(),
        **files_of(charts),
        **pictures,
    }


if __name__ == "__main__":
    sys.exit(main())
