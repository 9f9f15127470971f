"""The records behind `bundle.json`.

Plain frozen records. Pydantic checks them when a bundle is read, so an unknown key, a missing key
or a value out of range is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue

from framejury.model.input_contract import Framing, PixelContract
from framejury.schemas.statuses import Label, Side
from framejury.settings import Signal
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
