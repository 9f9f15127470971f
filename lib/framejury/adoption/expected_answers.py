"""Answers that are known for some pictures, compared with those of the adopted network."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from framejury.adoption.trial import Trial
from framejury.adoption.trial_checks import as_input
from framejury.errors import UsageError, did_you_mean
from framejury.faces.crop import decode_crop
from framejury.model.manifest import Bundle
from framejury.pages.text_table import grid
from framejury.records import CroppedFace
from framejury.settings import LimitSettings
from framejury.signals.network_input import picture_of

TOLERANCE = 1e-3
_COLUMNS = ("picture", "score", "output", "tolerance")


@dataclass(frozen=True)
class Expected:
    """One line of the file.

    Attributes:
        picture: its file; the whole picture is the crop.
        value: the answer that is known.
        is_output: it is the network's own number, not framejury's score (near 1: FAKE).
        tolerance: how far the answer may be off.
    """

    picture: Path
    value: float
    is_output: bool
    tolerance: float


@dataclass(frozen=True)
class Answer:
    """The network's answer to one picture, in the unit of what was expected."""

    expected: Expected
    value: float

    @property
    def agrees(self) -> bool:
        return abs(self.value - self.expected.value) <= self.expected.tolerance


def read_expected(path: Path) -> list[Expected]:
    """Read a CSV file: `picture`, then `score` or `output`, and perhaps `tolerance`.

    Raises:
        UsageError: it cannot be read, has other columns, no line, or a number that is none.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    for name in columns:
        if name not in _COLUMNS:
            hint = did_you_mean(str(name), _COLUMNS)
            raise UsageError(
                f"{path} has a column {name!r}{hint or ';'} columns: {', '.join(_COLUMNS)}"
            )
    if "picture" not in columns or ("score" in columns) == ("output" in columns) or not rows:
        raise UsageError(
            f"{path} needs the columns picture and either score (near 1: FAKE) or output (the "
            "network's own number), and a line per picture"
        )
    unit = "score" if "score" in columns else "output"
    return [_expected(row, unit, path, line) for line, row in enumerate(rows, start=2)]


def _expected(row: dict[str, str | None], unit: str, path: Path, line: int) -> Expected:
    try:
        value = float(row[unit] or "")
        tolerance = float(row.get("tolerance") or TOLERANCE)
    except ValueError:
        raise UsageError(f"{path}, line {line}: {unit} and tolerance must be numbers") from None
    picture = path.parent / (row["picture"] or "")
    if not picture.is_file():
        raise UsageError(f"{path}, line {line}: there is no picture {picture}")
    return Expected(picture, value, unit == "output", tolerance)


def answers_of(bundle: Bundle, expected: list[Expected], limits: LimitSettings) -> list[Answer]:
    """Score the pictures as the bundle's faces would be.

    Args:
        bundle: adopted.
        expected: of `read_expected`; to a network of clips each picture is shown as a still clip.
        limits: of the process that scores.

    Raises:
        UsageError: a picture cannot be read.
    """
    pixels = bundle.pixels
    pictures = []
    for item in expected:
        try:
            crop = decode_crop(item.picture.read_bytes())
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot read {item.picture}: {error}") from None
        pictures.append(picture_of(CroppedFace(crop), "rgb", pixels.input_px, pixels.resize))
    with Trial(bundle.onnx_path, limits, pixels.batch_limit) as trial:
        scores = trial.run(as_input(pictures, pixels.clip_frames)).scores
    return [
        Answer(item, own_output(float(score), bundle) if item.is_output else float(score))
        for item, score in zip(expected, scores, strict=True)
    ]


def own_output(score: float, bundle: Bundle) -> float:
    """Return the number that the network itself gives, from framejury's score.

    Of several classes it is the probability of FAKE.
    """
    assert bundle.adopted is not None
    output = bundle.adopted.reading["output"]
    assert isinstance(output, dict)
    turned = 1 - score if output.get("high_means") == "real" else score
    if output["gives"] != "logit":
        return turned
    held = float(np.clip(turned, 1e-7, 1 - 1e-7))
    return math.log(held / (1 - held))


def answers_table(answers: list[Answer]) -> str:
    """Return what was expected and what came, as a table for people."""
    return grid(
        ("picture", "expected", "answer", "difference", ""),
        [
            (
                answer.expected.picture.name,
                f"{answer.expected.value:.6f}",
                f"{answer.value:.6f}",
                f"{abs(answer.value - answer.expected.value):.1e}",
                "ok" if answer.agrees else "differs",
            )
            for answer in answers
        ],
        "lrrr",
    )
