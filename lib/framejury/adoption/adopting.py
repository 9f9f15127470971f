"""From a foreign network and its description to a bundle."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx

from framejury.adoption.contract_graph import contract_model
from framejury.adoption.description import Description, completed, slug
from framejury.adoption.foreign_file import ForeignNetwork
from framejury.adoption.trial_checks import Report, try_network
from framejury.machine.check import Check
from framejury.model.bundle import write_bundle
from framejury.model.input_contract import Framing, PixelContract
from framejury.model.manifest import (
    ONNX_NAME,
    Adopted,
    Bundle,
    JudgingSection,
    Manifest,
    TrainingData,
)
from framejury.settings import LimitSettings
from framejury.verdict.rule import NOT_CALIBRATED, PLAIN_THRESHOLD

_LIBRARIES = ("framejury", "onnx", "onnxruntime")
_CONVERTERS = ("tensorflow", "keras", "tf2onnx")
_UNKNOWN_DATA = "Unknown: it was trained elsewhere, and its description names no data."


@dataclass(frozen=True)
class Draft:
    """A network that passed its trial, ready to be written as a bundle.

    Attributes:
        manifest: of the bundle.
        onnx_file: in a temporary folder.
        description: completed.
    """

    manifest: Manifest
    onnx_file: Path
    description: Description

    def write(self, directory: Path) -> Bundle:
        """Write the bundle; as `model.bundle.write_bundle`."""
        return write_bundle(directory, self.manifest, self.onnx_file)


@contextmanager
def drafted(
    network: ForeignNetwork,
    given: Description,
    *,
    limits: LimitSettings,
    shipped: Bundle | None,
    report: Report,
) -> Iterator[Draft]:
    """Give a network framejury's input and output, try it, and yield the draft of its bundle.

    Args:
        network: of `read_network`.
        given: the description, as it was written.
        limits, shipped, report: as in `trial_checks.try_network`.

    Raises:
        ConfigError: the description lacks something, or contradicts the file.
        BundleError: the network cannot be used.
    """
    description = completed(given, network.facts)
    facts = network.facts.seen_as(description.input.layout, description.output.name)
    report(Check("operators", "ok", network.contents))
    if network.parity is not None:
        found = f"as ONNX within {network.parity.max_abs_difference:.1e} of the original"
        report(Check("conversion", "ok", found))
    with tempfile.TemporaryDirectory(prefix="framejury-") as folder:
        path = Path(folder) / ONNX_NAME
        onnx.save(contract_model(network.model, facts, description), str(path))
        limit = try_network(path, description, facts, limits=limits, shipped=shipped, report=report)
        yield Draft(manifest_of(network, description, limit), path, description)


def manifest_of(
    network: ForeignNetwork, description: Description, batch_limit: int | None
) -> Manifest:
    """Return the manifest of a network that was trained elsewhere.

    Args:
        network: as it was given.
        description: completed.
        batch_limit: most faces per call; None: any number.
    """
    name = description.name or Path(network.facts.file_name).stem
    side, clip, crop = description.input.side_px, description.clip, description.crop
    assert side is not None
    used = _LIBRARIES if network.parity is None else (*_LIBRARIES, *_CONVERTERS)
    reading: dict[str, Any] = description.model_dump(mode="json", exclude_none=True)
    judging: dict[JudgingSection, Any] = {}
    if crop.judges == "frame":
        judging["detection"] = {"detector": "frame"}
    return Manifest(
        purpose="detector",
        backbone=slug(name),
        signal="rgb",
        pixels=PixelContract(
            input_px=side,
            resize=description.input.resize,
            clip_frames=description.frames,
            clip_stride=1 if clip is None or clip.stride is None else clip.stride,
            batch_limit=batch_limit,
        ),
        framing=Framing(
            margin_ratio=crop.margin_ratio or 0.0,
            margin_px=crop.margin_px,
            shape=crop.shape,
            shift_ratio=crop.shift_ratio,
            judges=crop.judges,
            template=crop.template,
        ),
        threshold=PLAIN_THRESHOLD,
        data=TrainingData(
            description=description.trained_on or _UNKNOWN_DATA,
            fingerprint=network.sha256,
            counts=(),
        ),
        settings={},
        judging=judging,
        parity=network.parity,
        adopted=Adopted(
            name=name,
            source=description.source,
            licence=description.licence,
            trained_on=description.trained_on,
            file_format=network.file_format,
            file_sha256=network.sha256,
            reading=reading,
        ),
        libraries={library: version(library) for library in used},
        created_at=datetime.now(UTC),
        notes=(
            f"{NOT_CALIBRATED}its scores are those of the network, and 0.5 is only the middle; fit "
            "a rule on labelled videos with `framejury calibrate`.",
        ),
    )
