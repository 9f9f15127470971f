"""Writing the demo archive: clips, `labels.csv` and a note on what it is."""

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

Three people are in it, filmed from two photographs and one short clip that Python
packages ship; the fakes are simple blends. One clip shows nobody, one file is cut off.
It shows that the pipeline runs. How well a model does here says nothing about real
deepfakes.
"""
SCENES_PER_PERSON = {"collins": 4, "hopper": 4, "carphone": 3}
# Whose face is put in; the clip has many expressions, so a photograph is the donor.
DONOR = {"collins": "hopper", "hopper": "collins", "carphone": "collins"}


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A line of `labels.csv`; `original`, `method` empty for real clips."""

    file: str
    label: Label
    original: str
    method: str
    group: str


def write_archive(out_dir: Path, seed: int = 0, seconds: float = 3.0) -> list[LabelRow]:
    """Write the archive into `out_dir`; the same seed writes the same bytes.

    Each real scene is a group of its own, and a fake belongs to the group of its original.
    The last fake is cut off before its index (`moov`), so that it cannot be read.

    Args:
        out_dir: made when absent; may hold an earlier demo archive, which is replaced.
        seed: of scenes and manipulations.
        seconds: longest clip.

    Returns:
        The lines of `labels.csv`.

    Raises:
        ArchiveError: `out_dir` holds something else.
        SetupError: a package that ships one of the pictures is not installed.
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
    """Write an H.264 mp4; one thread, so that the bytes do not depend on the machine."""
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=rate)
        assert isinstance(stream, VideoStream)
        context: Any = stream.codec_context
        # x264's macroblock tree reads memory that nobody set at most widths (seen with
        # MALLOC_PERTURB_): the bytes would differ from run to run.
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
    """A real clip and a fake made from it."""
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
    """Lose the end of an mp4 and with it the index, as when recording is interrupted."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


def _write_labels(path: Path, rows: list[LabelRow]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(rows[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def _prepare(out_dir: Path) -> None:
    """An empty folder, or one with an earlier demo archive, whose files go."""
    if out_dir.exists() and not out_dir.is_dir():
        raise ArchiveError(f"{out_dir} is a file; name a folder for the demo archive")
    present = list(out_dir.iterdir()) if out_dir.is_dir() else []
    note = out_dir / NOTE_FILE
    if present and not (note.is_file() and note.read_text(encoding="utf-8") == NOTE):
        raise ArchiveError(
            f"{out_dir} holds {present[0].name}, which is no demo archive; name an empty folder"
        )
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        for file in present:
            file.unlink()
        # First, so that an interrupted archive is known as ours and can be replaced.
        note.write_text(NOTE, encoding="utf-8")
    except OSError as error:
        raise ArchiveError(f"cannot write the demo archive into {out_dir}: {error}") from error
