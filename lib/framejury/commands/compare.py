"""compare: compare a fake with its original: was the picture changed, the sound or both?"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from framejury.cli.options import run_command, settings_of
from framejury.cli.outputs import new_folder, read_or_stop
from framejury.cli.video_files import video_places
from framejury.clock import now
from framejury.inspection.compare import Comparison, compare_streams
from framejury.inspection.findings_text import answer_line, as_values
from framejury.inspection.inspect_client import InspectClient
from framejury.inspection.inspected import Stream
from framejury.logs import say
from framejury.parsers.compare import parser
from framejury.redaction import printable
from framejury.settings import Settings


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    names = video_places([args.fake, args.original])
    output = new_folder(args.output)
    settings = settings_of(args)
    with InspectClient(settings, detectors=False) as client, ExitStack() as stack:
        fake, original = (_read(name, client, stack) for name in names)
        with read_or_stop(args.fake):
            found = compare_streams(fake, original, settings.inspect.pairs)
        stack.close()  # raises if a file changed meanwhile
    values = as_values(found)
    files = _files(found, names, _notes(found, settings))
    content = {"files": names, **values}
    files["compare.json"] = (json.dumps(content, allow_nan=False) + "\n").encode()
    from framejury.report.report import write_files

    write_files(files, output)
    print(answer_line(found))
    if args.json:
        print(json.dumps(content, allow_nan=False))
    say(f"  page: {output}/compare.html")
    return 0


def _read(name: str, client: InspectClient, stack: ExitStack) -> Stream:
    with read_or_stop(name):
        copy, _ = stack.enter_context(client.fetched(name))
        return client.read(copy)


def _files(found: Comparison, names: Sequence[str], notes: Sequence[str]) -> dict[str, bytes]:
    """Return the page and the files in it, by name."""
    from framejury.inspection.charts import files_of
    from framejury.inspection.compare_figures import difference_chart, heat_pictures, sound_chart
    from framejury.inspection.inspect_page import Parts, comparison_page

    charts = [difference_chart(found), sound_chart(found)]
    pictures = heat_pictures(found)
    short = [printable(name.rpartition("/")[2]) for name in names]
    parts = Parts(f"{short[0]} compared with {short[1]}", pictures, charts, now())
    page = comparison_page(parts, found, notes)
    return {"compare.html": page, **files_of(charts), **pictures}


def _notes(found: Comparison, settings: Settings) -> list[str]:
    notes = []
    for name, facts in (("first video", found.fake), ("second video", found.original)):
        if facts.damage:
            notes.append(f"The {name} is damaged: {facts.damage}")
        if facts.duration_s > settings.inspect.compare_s:
            notes.append(
                f"Only the first {settings.inspect.compare_s:g} of {facts.duration_s:,.1f} seconds "
                f"of the {name} were compared (inspect.compare_s)."
            )
    return notes


if __name__ == "__main__":
    sys.exit(main())
