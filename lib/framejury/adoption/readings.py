"""Other readings of a foreign network: does one of the usual mistakes fit labelled videos better?

A reading changes one thing: the order of colours, the range of pixels, what a high number means,
which class is FAKE, or the margin of crops. The videos are opened once. Since the network's own
preparation is one multiplication and one addition per colour, another range is the same network on
other pixels.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from framejury.adoption.archive_faces import ArchiveFace
from framejury.adoption.contract_graph import INDEX_NAME, Affine
from framejury.adoption.description import Description, InputPart, description_of
from framejury.adoption.trial import Trial
from framejury.errors import BundleError
from framejury.evaluation.binary import auc_or_none
from framejury.evaluation.bootstrap import Interval, bootstrap_intervals
from framejury.model.manifest import ONNX_NAME, Bundle
from framejury.model.runtime import Scorer
from framejury.pages.text_table import grid
from framejury.schemas.statuses import Label
from framejury.settings import CropSettings, LimitSettings

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_MARGINS = (0.0, 0.3, 0.6)
_ALIKE = 0.1
_CLEARLY = 0.1
"""How much better another reading must be where no interval can be given."""
_FEW_VIDEOS = 20
_FACES_AT_ONCE = 32
_MOST_INDICES = 8

Pixels = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """One way to use the network.

    Attributes:
        name: the line of the description that would differ.
        auc: area under the ROC curve of videos, 0 to 1.
        interval: of it, by groups of videos; None: too few.
    """

    name: str
    auc: float
    interval: Interval | None


@dataclass(frozen=True)
class Comparison:
    """All readings on labelled videos; the first one is as described."""

    readings: tuple[Reading, ...]
    reals: int
    fakes: int
    faces: int

    @property
    def better(self) -> Reading | None:
        """The best reading, if it is clearly better than the described one."""
        own = self.readings[0]
        best = max(self.readings, key=lambda reading: reading.auc)
        limit = own.auc + _CLEARLY if own.interval is None else own.interval.high
        return best if best.auc > max(limit, own.auc + _CLEARLY / 2) else None

    def text(self) -> str:
        """Return the table and what it says, for people."""
        own = self.readings[0]
        ordered = [own, *sorted(self.readings[1:], key=lambda reading: -reading.auc)]
        rows = [(one.name, f"{one.auc:.3f}", _interval(one.interval)) for one in ordered]
        lines = [grid(("reading", "AUC", "95% interval"), rows, "lr"), ""]
        if self.better is not None:
            lines.append(
                f"Another reading fits better: {self.better.name}: {self.better.auc:.2f} against "
                f"{own.auc:.2f}. Compare the description with the network's own code."
            )
        elif own.auc < 0.5 + _CLEARLY / 2:
            lines.append(
                f"As described it does not tell these fakes from reals (AUC {own.auc:.2f}), and no "
                "other reading is clearly better."
            )
        else:
            lines.append("No other reading is clearly better than the described one.")
        if min(self.reals, self.fakes) < _FEW_VIDEOS:
            lines.append(
                f"{self.reals} real and {self.fakes} fake videos are few: this finds "
                "gross mistakes only."
            )
        return "\n".join(lines)


def wide_crops(bundle: Bundle, crops: CropSettings) -> tuple[CropSettings, dict[str, CropSettings]]:
    """Return crops that hold every margin that is tried, and those margins by name."""
    framing = bundle.framing
    if framing.template is not None or framing.judges == "frame" or bundle.pixels.clip_frames > 1:
        return crops, {}
    key, own = "margin_ratio", framing.margin_ratio
    tried: list[float] = [ratio for ratio in _MARGINS if abs(ratio - own) >= _ALIKE]
    if framing.margin_px is not None:
        key, own, tried = "margin_px", framing.margin_px, [0, 2 * framing.margin_px]
    others = {f"{key}: {margin}": crops.model_copy(update={key: margin}) for margin in tried}
    return crops.model_copy(update={key: max(own, *tried)}), others


def compare_readings(
    bundle: Bundle,
    faces: Sequence[ArchiveFace],
    crops: CropSettings,
    margins: Mapping[str, CropSettings],
    limits: LimitSettings,
) -> Comparison:
    """Score faces of labelled videos under the described reading and the usual mistakes.

    Args:
        bundle: adopted.
        faces: of labelled videos, under the widest crops.
        crops: as the bundle needs them.
        margins: other crop geometries by name (`wide_crops`).
        limits: of the process that scores.

    Raises:
        BundleError: it is not an adopted bundle, or reals or fakes are missing.
    """
    description = description_in(bundle)
    videos = _Videos(faces)
    own = _pictures(bundle, faces, crops if margins else None)
    with Trial(bundle.onnx_path, limits, bundle.pixels.batch_limit) as trial:
        scores = _scores(trial, own, None)
        readings = [videos.reading("as described", scores)]
        readings.append(videos.reading(_opposite(description), 1 - scores))
        for name, affine in _other_inputs(description):
            readings.append(videos.reading(name, _scores(trial, own, affine)))
        for name, other in margins.items():
            readings.append(
                videos.reading(name, _scores(trial, _pictures(bundle, faces, other), None))
            )
    for name, network in _other_indices(bundle, description):
        with Trial(network, limits, bundle.pixels.batch_limit) as trial:
            readings.append(videos.reading(name, _scores(trial, own, None)))
    return Comparison(tuple(readings), *videos.counts, len(faces))


def description_in(bundle: Bundle) -> Description:
    """Return the description that a bundle was adopted with.

    Raises:
        BundleError: it was not adopted.
    """
    if bundle.adopted is None:
        raise BundleError(
            f"{bundle.directory} holds a network that framejury trained; --check is for adopted "
            "ones. Measure this one with framejury evaluate"
        )
    return description_of(bundle.adopted.reading, str(bundle.directory))


class _Videos:
    """Labels and groups of the faces' videos; from scores of faces to an AUC of videos."""

    def __init__(self, faces: Sequence[ArchiveFace]) -> None:
        ids = [face.video["video_id"] for face in faces]
        _, first, self._of_face = np.unique(ids, return_index=True, return_inverse=True)
        rows = [faces[at].video for at in first]
        self._labels = np.array([row["label"] == Label.FAKE for row in rows], np.int8)
        _, self._groups = np.unique([str(row["group"]) for row in rows], return_inverse=True)
        if len(np.unique(self._labels)) < 2:
            raise BundleError(
                "no faces were found in both real and fake videos, so nothing can be compared; "
                "give --check an archive with labels of both kinds"
            )

    @property
    def counts(self) -> tuple[int, int]:
        """Real and fake videos with faces."""
        fakes = int(self._labels.sum())
        return len(self._labels) - fakes, fakes

    def reading(self, name: str, scores: Scores) -> Reading:
        means = np.bincount(self._of_face, scores) / np.bincount(self._of_face)
        means = np.clip(means, 0, 1)
        auc = auc_or_none(self._labels, means)
        assert auc is not None
        found = bootstrap_intervals(self._labels, means, means >= 0.5, self._groups)
        return Reading(name, auc, found.intervals["auc"])


def _pictures(bundle: Bundle, faces: Sequence[ArchiveFace], crops: CropSettings | None) -> Pixels:
    return Scorer(bundle).pictures([face.cut(crops) for face in faces])


def _scores(trial: Trial, pixels: Pixels, affine: Affine | None) -> Scores:
    found = []
    for start in range(0, len(pixels), _FACES_AT_ONCE):
        part = pixels[start : start + _FACES_AT_ONCE].astype(np.float64)
        if affine is not None:
            part = part[..., ::-1] if affine.reverses else part
            part = part * affine.factor + affine.shift
        found.append(trial.run(part).scores)
    scores = np.concatenate(found).astype(np.float64)
    # A wrong range may overflow; such faces say nothing.
    return np.where(np.isfinite(scores), scores, 0.5)


def _other_inputs(description: Description) -> Iterator[tuple[str, Affine]]:
    """Yield what to do with pixels so that the network sees them as under another reading."""
    given = description.input
    other = "RGB" if given.colours == "BGR" else "BGR"
    yield f"colours: {other}", Affine(np.ones(3), np.zeros(3), reverses=True)
    own = Affine.of(description)
    for name, changed in _other_ranges(given):
        wanted = Affine.of(description.model_copy(update={"input": changed}))
        if np.allclose(wanted.factor, own.factor) and np.allclose(wanted.shift, own.shift):
            continue
        factor, shift = wanted.factor / own.factor, (wanted.shift - own.shift) / own.factor
        if own.reverses:
            factor, shift = factor[::-1], shift[::-1]
        yield name, Affine(factor, shift, reverses=False)


def _other_ranges(given: InputPart) -> Iterator[tuple[str, InputPart]]:
    plain = given.model_copy(update={"mean": None, "deviation": None})
    for scale in ("0..1", "0..255", "-1..1"):
        yield f"scale: {scale}, no mean", plain.model_copy(update={"scale": scale})
    step = -1 if given.colours == "BGR" else 1
    mean, deviation = (values[::step] for values in IMAGENET)
    update = {"scale": "0..1", "mean": mean, "deviation": deviation}
    yield "scale: 0..1, ImageNet's mean", plain.model_copy(update=update)


def _opposite(description: Description) -> str:
    if description.classes == 1:
        return f"high_means: {'fake' if description.inverted() else 'real'}"
    index = description.output.index_of_fake
    return (
        f"index_of_fake: {1 - (index or 0)}"
        if description.classes == 2
        else "FAKE and REAL swapped"
    )


def _other_indices(bundle: Bundle, description: Description) -> Iterator[tuple[str, Path]]:
    """Yield the network with another class as FAKE, where there are more than two."""
    if description.classes <= 2:
        return
    model = onnx.load(str(bundle.onnx_path))
    constant = next(item for item in model.graph.initializer if item.name == INDEX_NAME)
    with tempfile.TemporaryDirectory(prefix="framejury-") as folder:
        for index in range(min(description.classes, _MOST_INDICES)):
            if index != description.output.index_of_fake:
                made = numpy_helper.from_array(np.array([index], np.int64), INDEX_NAME)
                constant.CopyFrom(made)
                onnx.save(model, str(Path(folder) / ONNX_NAME))
                yield f"index_of_fake: {index}", Path(folder) / ONNX_NAME


def _interval(interval: Interval | None) -> str:
    return "too few groups" if interval is None else f"{interval.low:.3f} to {interval.high:.3f}"
