"""adopt: make a bundle of a network that was trained elsewhere."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from framejury.adoption.adopting import drafted
from framejury.adoption.archive_faces import (
    ArchiveFace,
    drawn_faces,
    faces_of,
    settings_for,
    write_sheet,
)
from framejury.adoption.description import Description, description_text, read_description
from framejury.adoption.expected_answers import answers_of, answers_table, read_expected
from framejury.adoption.foreign_file import ForeignNetwork, read_network
from framejury.adoption.readings import compare_readings, description_in, wide_crops
from framejury.archive.listing import list_local
from framejury.cli.archive_options import in_layout
from framejury.cli.chatter import quiet_tensorflow
from framejury.cli.options import bundle_dir_of, run_command, settings_of, workers_of
from framejury.errors import BundleError, UsageError
from framejury.logs import say
from framejury.machine.check import Check
from framejury.model.bundle import check_may_replace, load_bundle
from framejury.model.manifest import MANIFEST_NAME, Bundle
from framejury.parsers.adopt import parser
from framejury.protocol.selection import labelled_videos_of
from framejury.settings import CropSettings, Settings

CheckedFaces = tuple[list[ArchiveFace], CropSettings | None]

_SHEET_FACES = 12
_DRAWN_FRAMES = 2


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    settings = settings_of(args, judging=True)
    if (args.network / MANIFEST_NAME).is_file():
        bundle = load_bundle(args.network)
        description_in(bundle)
        if args.check is None and args.sheet is None:
            raise UsageError(
                f"{args.network} is a bundle already; give --check DIR or --sheet FILE, or judge"
            )
        checked = None if args.check is None else _compare(args, bundle, settings)
        if args.sheet is not None:
            _draw(args, bundle, settings, checked)
        return 0
    if args.output is not None:
        check_may_replace(args.output)
    with quiet_tensorflow():
        network = read_network(args.network, args.architecture)
    if args.print_description:
        sys.stdout.write(description_text(Description(), network.facts))
        return 0
    _adopt(args, network, settings)
    return 0


def _adopt(args: argparse.Namespace, network: ForeignNetwork, settings: Settings) -> None:
    given = read_description(args.description)
    with (
        drafted(network, given, limits=settings.limits, shipped=_shipped(), report=_print) as draft,
        tempfile.TemporaryDirectory(prefix="framejury-") as folder,
    ):
        bundle = draft.write(Path(folder) / "bundle")
        if args.expect is not None:
            _check_expected(args.expect, bundle, settings)
        checked = None if args.check is None else _compare(args, bundle, settings)
        if args.output is not None or args.sheet is not None:
            _draw(args, bundle, settings, checked)
        if args.output is not None:  # the last step: an error before it leaves nothing behind
            bundle = draft.write(args.output)
    _print(
        Check(
            "not checked",
            "warning",
            "whether colours, range and labels are as in its training"
            + ("" if given.trained_on else "; what it was trained on is unknown"),
            "" if args.expect or args.check else "--expect FILE or --check DIR measures it",
        )
    )
    if args.output is not None:
        say(f"  bundle {bundle.model_id} written to {args.output}")
        say(
            f"  next: fit its rule on labelled faces: framejury calibrate --warehouse DIR --bundle "
            f"{args.output} --output DIR"
        )


def _print(check: Check) -> None:
    print(f"{check.state:<8} {check.name:<12} {check.found}", flush=True)
    if check.to_do:
        print(f"{'':<8} {'':<12} -> {check.to_do}")


def _shipped() -> Bundle | None:
    """Return the bundle that would be used otherwise; None: there is none."""
    try:
        return load_bundle(bundle_dir_of(argparse.Namespace(bundle=None)))
    except BundleError:
        return None


def _check_expected(path: Path, bundle: Bundle, settings: Settings) -> None:
    """Print the known answers beside the network's.

    Raises:
        UsageError: one differs; nothing is adopted.
    """
    answers = answers_of(bundle, read_expected(path), settings.limits)
    print(answers_table(answers))
    wrong = sum(not answer.agrees for answer in answers)
    if wrong:
        raise UsageError(
            f"{wrong} of {len(answers)} answers differ from {path} by more than allowed, so the "
            "network is not adopted. Compare the description with the network's own code; "
            "--check DIR tries the usual mistakes"
        )
    worst = max(abs(answer.value - answer.expected.value) for answer in answers)
    _print(Check("answers", "ok", f"{len(answers)} known answers agree, within {worst:.1e}"))


def _compare(args: argparse.Namespace, bundle: Bundle, settings: Settings) -> CheckedFaces:
    """Measure the readings on labelled videos, and print them; return the faces and their crops."""
    selection = labelled_videos_of(args.check, in_layout(settings.index, args))
    for note in selection.notes:
        say(f"  note: {note}")
    fitted = _fitted(args, bundle, args.frames)
    widest, margins = wide_crops(bundle, fitted.crops)
    wide = fitted.model_copy(update={"crops": widest})
    faces = faces_of(selection.videos, wide, workers_of(args))
    say(f"  {len(faces):,} faces of {len(selection.videos):,} videos")
    found = compare_readings(bundle, faces, fitted.crops, margins, settings.limits)
    print(found.text())
    return faces, fitted.crops if margins else None


def _fitted(args: argparse.Namespace, bundle: Bundle, frames: int) -> Settings:
    """Return the settings under which faces are cut for the bundle."""
    return settings_for(bundle, settings_of(args, judging=True, of_bundle=bundle.judging), frames)


def _draw(
    args: argparse.Namespace,
    bundle: Bundle,
    settings: Settings,
    checked: CheckedFaces | None,
) -> None:
    """Write the contact sheet."""
    place = args.sheet or args.output.with_name(f"{args.output.name}-sheet.png")
    fitted = _fitted(args, bundle, _DRAWN_FRAMES)
    if args.faces is not None:
        faces, crops = faces_of(_videos_in(args.faces, settings), fitted, workers_of(args)), None
    elif checked is not None:
        faces, crops = checked
    else:
        faces, crops = drawn_faces(fitted), None
    if not faces:
        raise UsageError(f"no face was found in {args.faces}; give --faces PATH with others")
    shown = faces[:: max(1, len(faces) // _SHEET_FACES)][:_SHEET_FACES]
    write_sheet(place, bundle, shown, crops, settings.limits)
    say(f"  sheet: {place} (compare it with a picture that the network was trained on)")


def _videos_in(path: Path, settings: Settings) -> list[Mapping[str, Any]]:
    """Return the first videos of a folder, or the one that is named."""
    if path.is_file():
        return [{"video_id": path.name, "uri": str(path)}]
    endings = tuple(f".{name}" for name in settings.index.extensions)
    files = [file for file in list_local(path.resolve()) if file.uri.lower().endswith(endings)]
    return [{"video_id": Path(file.uri).name, "uri": file.uri} for file in files[:_SHEET_FACES]]


if __name__ == "__main__":
    sys.exit(main())
