"""Demo archive: clips, `labels.csv` and a note on its purpose."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.stream import VideoStream

from framejury.demo.forgery import Method, forge, plan_forgery
from framejury.demo.people import Footage, load_people, load_place
from framejury.demo.scenes import FilmedFrame, Scene, film, plan_scene
from framejury.errors import ArchiveError
from framejury.schemas.statuses import Label

LABELS_FILE = "labels.csv"
NOTE_FILE = "README.txt"
NOTE = """\
This archive was made by framejury itself (python -m framejury.demo).

It shows three people, filmed from two photographs and one short clip shipped with Python
packages; the fakes are simple blends. One clip shows nobody, and one file is cut off.
It demonstrates that the pipeline runs. Accuracy on it does not carry over to real
deepfakes.
"""
SCENES_PER_PERSON = {"collins": 4, "hopper": 4, "carphone": 3}
# Donor of the swapped face; always a photograph, because the clip changes its expression.
DONOR = {"collins": "hopper", "hopper": "collins", "carphone": "collins"}


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A line of `labels.csv`; `original` and `method` are empty for real clips."""

    file: str
    label: Label
    original: str
    method: str
    group: str


def write_archive(out_dir: Path, seed: int = 0, seconds: float = 3.0) -> list[LabelRow]:
    """Write the archive into `out_dir`; the same seed writes the same bytes.

    Each real scene is a group of its own; a fake belongs to the group of its original. The last
    fake is cut off before its index (`moov`), so it cannot be read.

    Args:
        out_dir: created if missing; an earlier demo archive in it is replaced.
        seed: of scenes and manipulations.
        seconds: length of the longest clip, seconds.

    Returns:
        The lines of `labels.csv`.

    Raises:
        ArchiveError: `out_dir` holds something else.
        SetupError: a package with one of the pictures is not installed.
    """
    people, place = load_people(), load_place()
    _prepare(out_dir)
    scenes = [
        plan_scene(people[name], number, seconds, seed)
        for name, count in SCENES_PER_PERSON.items()
        for number in range(1, count + 1)
    ]
    rows = [
        row
        for index, scene in enumerate(scenes)
        for row in _write_pair(out_dir, scene, people, index, seed)
    ]
    _cut_off(out_dir / rows[-1].file)
    nobody = plan_scene(place, 1, seconds, seed)
    encode(out_dir / f"{nobody.name}.mp4", list(film(nobody, place)), nobody.fps)
    rows.append(LabelRow(f"{nobody.name}.mp4", Label.REAL, "", "", nobody.name))
    rows.sort(key=lambda row: row.file)
    _write_labels(out_dir / LABELS_FILE, rows)
    (out_dir / NOTE_FILE).write_text(NOTE, encoding="utf-8")
    return rows


def encode(path: Path, frames: Sequence[FilmedFrame], fps: float) -> None:
    """Write an H.264 MP4; one thread, so that its bytes do not depend on the machine."""
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=rate)
        assert isinstance(stream, VideoStream)
        context: Any = stream.codec_context
        # x264's macroblock tree reads uninitialized memory at most widths (seen with
        # MALLOC_PERTURB_), which would make the bytes differ from run to run.
        context.options = {"crf": "20", "preset": "veryfast", "x264-params": "mbtree=0"}
        context.thread_count = 1
        stream.pix_fmt = "yuv420p"
        stream.height, stream.width = frames[0].image.shape[:2]
        for frame in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="rgb24")))
        output.mux(stream.encode(None))


def _write_pair(
    out_dir: Path, scene: Scene, people: dict[str, Footage], index: int, seed: int
) -> list[LabelRow]:
    """Write a real clip and a fake made from it."""
    method: Method = "face_swap" if index % 2 == 0 else "self_blend"
    donor = people[DONOR[scene.footage]]
    rng = np.random.default_rng([seed, index])
    forgery = plan_forgery(method, rng, donor.images[0], donor.landmarks[0])
    frames = list(film(scene, people[scene.footage]))
    real, fake = f"{scene.name}.mp4", f"{scene.name}-{method}.mp4"
    encode(out_dir / real, frames, scene.fps)
    encode(out_dir / fake, list(forge(frames, forgery)), scene.fps)
    return [
        LabelRow(real, Label.REAL, "", "", scene.name),
        LabelRow(fake, Label.FAKE, real, method, scene.name),
    ]


def _cut_off(path: Path) -> None:
    """Cut off the end of an MP4 with its index, as if the recording was interrupted."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


def _write_labels(path: Path, rows: list[LabelRow]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(rows[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def _prepare(out_dir: Path) -> None:
    """Create the folder, or empty it if it holds an earlier demo archive."""
    if out_dir.exists() and not out_dir.is_dir():
        raise ArchiveError(f"{out_dir} is a file; name a folder for the demo archive")
    present = list(out_dir.iterdir()) if out_dir.is_dir() else []
    note = out_dir / NOTE_FILE
    first_line = NOTE.partition("\n")[0]  # the rest may change from version to version
    known = note.is_file() and note.read_text(encoding="utf-8").startswith(first_line)
    if present and not known:
        raise ArchiveError(
            f"{out_dir} holds {present[0].name}, which is not a demo archive; name an empty folder"
        )
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        for file in present:
            file.unlink()
        # First, so that an interrupted archive is recognized and can be replaced.
        note.write_text(NOTE, encoding="utf-8")
    except OSError as error:
        raise ArchiveError(f"cannot write the demo archive into {out_dir}: {error}") from error
