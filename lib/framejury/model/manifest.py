"""The records behind `bundle.json`.

Plain frozen records. Pydantic checks them when a bundle is read, so an unknown key, a missing key
or a value out of range is an error.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue

from framejury.schemas.statuses import Label, Side
from framejury.settings import TEMPLATES, Resize, Signal, Template
from framejury.verdict.calibration import Calibration
from framejury.verdict.members import MemberRule
from framejury.verdict.rule import MEAN, Reducer, Rule, RuleFit

FORMAT = "framejury-bundle"
FORMAT_VERSION = 6
READABLE_VERSIONS = (1, 2, 3, 4, 5, 6)
"""Version 1 has no aggregation and no calibration: the score is the plain mean. Version 2 has one
signal, and margins as a share only. Up to version 3 the network has no output for a heat map. Up to
version 4 the bundle says neither how its faces are found nor the methods of its training fakes. Up
to version 5 the network is framejury's own, sees single pictures and is the only one."""

MANIFEST_NAME = "bundle.json"
ONNX_NAME = "model.onnx"
KERAS_NAME = "model.keras"
CARD_NAME = "MODEL_CARD.md"
SEEN_NAME = "seen.parquet"
CURVES_NAME = "curves.csv"
MEMBERS_NAME = "members"
"""The folder of an ensemble with its members, a bundle each; it has no network of its own."""
OUTPUT_NAME = "p_fake"
HEAT_NAME = "heat"
"""Names of the outputs of framejury's own networks: the score of a face (its published name
stands in every bundle), and the heat map."""
REQUIRED_FILES = (ONNX_NAME, CARD_NAME)

JudgingSection = Annotated[str, Field(pattern="^(sampling|detection|crops|verdict)$")]
"""The sections of settings that a bundle may carry; none of them limits what a video may cost."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, kw_only=True)
class PixelContract:
    """The network's input.

    Attributes:
        input_px: side of the square input, pixels.
        resize: letterbox keeps the aspect ratio and pads to a square; stretch does not; crop keeps
            the middle square.
        low, high: range of the input values.
        normalisation: in_graph: the network normalises, and the caller passes 0..255.
        jpeg_quality: the picture is compressed as JPEG (4:2:0) before the network reads it; None:
            it is not.
        clip_frames: pictures that the network sees at once, of the same face in frames that
            follow each other; its input then is (n, clip_frames, side, side, 3). 1: one picture.
        clip_stride: from one picture of a clip to the next, frames of the video.
        batch_limit: most faces per call of the network, count; None: any number.
    """

    __pydantic_config__ = _STRICT

    input_px: Annotated[int, Field(ge=32, le=4096)]
    channels: Literal["RGB"] = "RGB"
    layout: Literal["NHWC"] = "NHWC"
    dtype: Literal["float32"] = "float32"
    low: Literal[0] = 0
    high: Literal[255] = 255
    resize: Resize = "letterbox"
    normalisation: Literal["in_graph"] = "in_graph"
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] | None = None
    clip_frames: Annotated[int, Field(ge=1, le=64)] = 1
    clip_stride: Annotated[int, Field(ge=1, le=64)] = 1
    batch_limit: Annotated[int, Field(ge=1)] | None = None


@dataclass(frozen=True, kw_only=True)
class Framing:
    """The crop geometry of the training faces.

    Attributes:
        margin_ratio: margin on each side as a share of the box; below 0 cuts into it.
        shape: square: the box is made square first; box: as detected.
        shift_ratio: distance by which the crop is moved down, as a share of the (square) box.
        margin_px: margin on each side in pixels of the full frame, in place of `margin_ratio`.
        pair: where a face is cut from the second frame of a pair: own (where it is found there),
            same (the same place), or kept (where `detection.keep` finds one there).
        judges: face: as a detector found it; frame: the whole frame.
        template: where the five landmarks (`schemas.statuses.LANDMARK_NAMES`) lie in an aligned
            crop, x and y of each as a share of its side; `margin_ratio` widens the square on each
            side. None: crops are not aligned.
    """

    __pydantic_config__ = _STRICT

    margin_ratio: Annotated[float, Field(ge=-0.25)]
    shape: Literal["square", "box"]
    shift_ratio: Annotated[float, Field(ge=-0.5, le=0.5)] = 0.0
    margin_px: Annotated[int, Field(ge=0)] | None = None
    pair: Literal["own", "same", "kept"] = "own"
    judges: Literal["face", "frame"] = "face"
    template: Template | None = None

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any]) -> Framing:
        """Read it from all settings of a run, as stored in a commit of any version."""
        crops, detection = settings["crops"], settings.get("detection", {})
        template = crops.get("template")
        return cls(
            margin_ratio=crops["margin_ratio"],
            shape=crops["shape"],
            shift_ratio=crops.get("shift_ratio", 0.0),
            margin_px=crops.get("margin_px"),
            pair=crops.get("pair", "own"),
            judges="frame" if detection.get("detector") == "frame" else "face",
            template=None if template is None else tuple((x, y) for x, y in template),
        )

    def template_text(self) -> str:
        """Return the template as `--set crops.template=` takes it: its name, or its points."""
        names = [name for name, points in TEMPLATES.items() if points == self.template]
        return names[0] if names else json.dumps(self.template, separators=(",", ":"))

    def overrides(self) -> tuple[str, ...]:
        """Return settings, as `--set` takes them, that cut faces like this."""
        values = asdict(self)
        judges, template = values.pop("judges"), values.pop("template")
        if template is not None:
            values["template"] = self.template_text()
        crops = [f"crops.{k}={'null' if v is None else v}" for k, v in values.items()]
        return (*crops, *(["detection.detector=frame"] if judges == "frame" else []))


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A measured number, with its interval where one was computed.

    Attributes:
        value: the measurement.
        low, high: ends of the interval, both or neither.
        level: confidence level of the interval, 0 to 1.
    """

    __pydantic_config__ = _STRICT

    value: float
    low: float | None = None
    high: float | None = None
    level: float | None = None


@dataclass(frozen=True, kw_only=True)
class SplitCount:
    """Videos and faces of one class in one split."""

    __pydantic_config__ = _STRICT

    side: Side
    label: Label
    videos: Annotated[int, Field(ge=0)]
    faces: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """The training data.

    Attributes:
        description: e.g. the name of the data set.
        fingerprint: SHA-256, hex, over each video's id, run, label, split and faces.
        counts: videos and faces per split and class.
        leak: a sentence for every report on what lets one source, person or video appear in two
            splits; None: the leakage gate passed.
        methods: method -> fake videos of it in train and val, or more where an earlier bundle was
            the start; `schemas.statuses.UNNAMED` for those without a named method. None: not
            recorded.
    """

    __pydantic_config__ = _STRICT

    description: str
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    counts: tuple[SplitCount, ...]
    leak: str | None = None
    methods: Mapping[str, Annotated[int, Field(ge=1)]] | None = None


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """Where a network comes from that was trained elsewhere (`framejury adopt`).

    Attributes:
        name: what its users call it.
        source: who published it and where; None: not given.
        licence: its terms; None: not given.
        trained_on: data sets it was trained on, in its publisher's words; None: unknown.
        file_format: onnx, keras, h5 or saved_model.
        file_sha256: digest of the file as it was given.
        reading: the description (YAML) it was adopted with.
    """

    __pydantic_config__ = _STRICT

    name: str
    source: str | None = None
    licence: str | None = None
    trained_on: str | None = None
    file_format: Literal["onnx", "keras", "h5", "saved_model"]
    file_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    reading: Mapping[str, JsonValue]


@dataclass(frozen=True, kw_only=True)
class Member:
    """A bundle inside an ensemble.

    Attributes:
        name: of its folder below `MEMBERS_NAME`.
        model_id: of the bundle there.
        weight: its share of the ensemble's logit, 0 to 1; those of all members sum to 1.
        manifest_sha256: digest of its `bundle.json`, which lists those of its other files.
        adopted: where its network comes from, as in that bundle.
    """

    __pydantic_config__ = _STRICT

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]*$")]
    model_id: str
    weight: Share
    manifest_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    adopted: Adopted | None = None


@dataclass(frozen=True, kw_only=True)
class Parity:
    """The difference between the exported and the trained network.

    Attributes:
        faces: number of crops compared.
        max_abs_difference: largest difference of a score among them.
    """

    __pydantic_config__ = _STRICT

    faces: Annotated[int, Field(ge=1)]
    max_abs_difference: Annotated[float, Field(ge=0.0)]


@dataclass(frozen=True, kw_only=True)
class FileDigest:
    """One file of the bundle."""

    __pydantic_config__ = _STRICT

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything in `bundle.json` that is not computed when the bundle is written.

    Attributes:
        purpose: detector: for judging; demo: its verdicts mean nothing.
        backbone: name of the network; the `model_id` begins with it.
        signal: what the network sees.
        reducer: the aggregation of face scores to one score; None is the mean.
        calibration: from that score to `p_fake`, for equal numbers of reals and fakes; None leaves
            the score as it is.
        threshold: a `p_fake` at or above it means fake, 0 to 1, on the calibrated scale.
        heat_cells: side of the network's heat map per face, cells; None: it has no such output.
        rule_fit: data and target of the rule; None when it was not fitted.
        metrics: split -> name of the figure -> measurement.
        data: the training data.
        settings: the sections of settings used, as in `conf/default.yaml`.
        judging: settings by which it judges unless a command changes them: which frames, how
            faces are found, what decides a verdict besides the rule; empty: the defaults.
        parity: exported against trained network; None when there was no export.
        adopted: where the network comes from; None: framejury trained it.
        members: of an ensemble, which has no network of its own: its signal, pixels and crop
            geometry are those of the member that needs most (`model.ensemble`).
        libraries: name -> version.
        created_at: with time zone.
        notes: sentences for the model card, e.g. a known limit.
    """

    __pydantic_config__ = _STRICT

    purpose: Literal["detector", "demo"]
    backbone: Annotated[str, Field(pattern="^[a-z0-9_]+$")]
    signal: Signal
    pixels: PixelContract
    framing: Framing
    reducer: Reducer | None = None
    calibration: Calibration | None = None
    threshold: Share
    heat_cells: Annotated[int, Field(ge=1)] | None = None
    rule_fit: RuleFit | None = None
    metrics: Mapping[str, Mapping[str, Measurement]] = field(default_factory=dict)
    data: TrainingData
    settings: Mapping[str, JsonValue]
    judging: Mapping[JudgingSection, Mapping[str, JsonValue]] = field(default_factory=dict)
    parity: Parity | None = None
    adopted: Adopted | None = None
    members: tuple[Member, ...] = ()
    libraries: Mapping[str, str]
    created_at: datetime
    notes: tuple[str, ...] = ()

    @property
    def input_px(self) -> int:
        """Side of the network's input, pixels."""
        return self.pixels.input_px

    @property
    def rule(self) -> Rule:
        """The bundle's rule for verdicts, which settings may change."""
        return Rule(
            reducer=self.reducer or MEAN, calibration=self.calibration, threshold=self.threshold
        )


@dataclass(frozen=True, kw_only=True)
class Bundle(Manifest):
    """A checked model bundle on disk.

    Attributes:
        model_id: backbone and 12 hex digits of a digest over the ONNX file and the contract.
        files: name -> digest, for every file except `bundle.json` and those of members.
        directory: the bundle's directory.
        parts: of an ensemble, the bundles of `members`, in that order.
    """

    model_id: str
    files: Mapping[str, FileDigest]
    directory: Path
    parts: tuple[Bundle, ...] = ()

    @property
    def onnx_path(self) -> Path:
        return self.directory / ONNX_NAME

    @property
    def keras_path(self) -> Path | None:
        """The Keras model; None when the bundle does not contain one."""
        return self.directory / KERAS_NAME if KERAS_NAME in self.files else None

    @property
    def seen_path(self) -> Path | None:
        """The record of the videos it has seen; None in older bundles."""
        return self.directory / SEEN_NAME if SEEN_NAME in self.files else None

    @property
    def member_rules(self) -> tuple[MemberRule, ...]:
        """Of an ensemble, the rule of each member's bundle."""
        return tuple(MemberRule(part.model_id, part.rule) for part in self.parts)

    @property
    def curves_path(self) -> Path | None:
        """The learning curves of its training; None in older bundles."""
        return self.directory / CURVES_NAME if CURVES_NAME in self.files else None


def model_id_of(manifest: Manifest, onnx_sha256: str | None) -> str:
    """Return the id that verdicts store; another contract with the same weights has another id.

    The contract is everything that changes a verdict: signal, pixels, crop geometry, aggregation,
    calibration, threshold, and the settings it judges by.

    Args:
        manifest: manifest of the bundle.
        onnx_sha256: digest of `model.onnx`, 64 hex digits; None for an ensemble: its members and
            their weights take its place.
    """
    contract: dict[str, Any] = {
        **_network_contract(manifest, onnx_sha256),
        "signal": manifest.signal,
        "pixels": _without_usual(
            asdict(manifest.pixels),
            {"jpeg_quality": None, "clip_frames": 1, "clip_stride": 1, "batch_limit": None},
        ),
        "framing": _framing_contract(manifest.framing),
        "threshold": float(manifest.threshold),
        "calibration": _floats(manifest.calibration),
    }
    if manifest.reducer is not None:  # left out otherwise, so that older ids stay
        contract["reducer"] = _floats(manifest.reducer)
    if manifest.judging:  # empty in older bundles
        contract["judging"] = manifest.judging
    return f"{manifest.backbone}-{digest_of(contract)[:12]}"


def _network_contract(manifest: Manifest, onnx_sha256: str | None) -> dict[str, Any]:
    if not manifest.members:
        return {"onnx": onnx_sha256}
    return {"members": [[one.model_id, float(one.weight)] for one in manifest.members]}


def _framing_contract(framing: Framing) -> dict[str, Any]:
    usual = {
        "shift_ratio": 0.0,
        "margin_px": None,
        "pair": "own",
        "judges": "face",
        "template": None,
    }
    return _without_usual(asdict(framing), usual)


def _without_usual(contract: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out newer fields at their default values, so that older ids stay."""
    return {name: value for name, value in contract.items() if usual.get(name, ...) != value}


def _floats(record: Reducer | Calibration | None) -> dict[str, Any] | None:
    """Return the fields, with integers as floats, as JSON reads them back."""
    if record is None:
        return None
    text = json.dumps(_without_usual(asdict(record), {"shrink_faces": None, "company_shift": None}))
    values: dict[str, Any] = json.loads(text, parse_int=float)
    return values


def digest_of(values: Mapping[str, Any]) -> str:
    """Return the SHA-256, hex, of plain values; the order of keys does not matter."""
    text = json.dumps(values, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
