"""Every setting: type, range, default and description. Frozen; unknown keys are refused.

`loading` reads presets and files into these classes and prints `conf/default.yaml` from them.
"""

from __future__ import annotations

import hashlib
import json

from pydantic import Field, model_validator

from framejury.settings.crops import TEMPLATES, CropSettings, Template
from framejury.settings.judging import (
    NO_MODEL,
    AudioSettings,
    EvidenceSettings,
    InspectSettings,
    ReducerName,
    ReportSettings,
    ScoringSettings,
    VerdictSettings,
)
from framejury.settings.learning import (
    PAIR_SIGNALS,
    MadeFake,
    Resize,
    Signal,
    SplitSettings,
    TrainingSettings,
)
from framejury.settings.media import (
    VIDEO_EXTENSIONS,
    DetectionSettings,
    IndexSettings,
    LimitSettings,
    SamplingSettings,
)
from framejury.settings.publishing import PublishSettings
from framejury.settings.running import RunSettings, SparkSettings
from framejury.settings.section import Section

__all__ = [
    "NO_MODEL",
    "PAIR_SIGNALS",
    "TEMPLATES",
    "VIDEO_EXTENSIONS",
    "AudioSettings",
    "CropSettings",
    "DetectionSettings",
    "EvidenceSettings",
    "IndexSettings",
    "InspectSettings",
    "LimitSettings",
    "MadeFake",
    "PublishSettings",
    "ReducerName",
    "ReportSettings",
    "Resize",
    "RunSettings",
    "SamplingSettings",
    "ScoringSettings",
    "Section",
    "Settings",
    "Signal",
    "SparkSettings",
    "SplitSettings",
    "Template",
    "TrainingSettings",
    "VerdictSettings",
]


_ADDED: tuple[tuple[str, str, object], ...] = (
    ("sampling", "stream", "auto"),
    ("sampling", "rounds", []),
    ("sampling", "clip_frames", 1),
    ("sampling", "clip_stride", 1),
    ("detection", "channel_order", "rgb"),
    ("crops", "template", None),
    ("split", "balance_unit", "video"),
    ("split", "videos_per_class", None),
    ("training", "jpeg_quality", None),
    ("training", "only_labelled_frames", False),
    ("evidence", "clips", 3),
    ("publish", "delta", None),
    ("publish", "database", None),
    ("publish", "database_schema", "framejury"),
)
"""Settings added after ids were first written: at their default they leave an id as it was."""


class Settings(Section):
    """All settings of one run."""

    index: IndexSettings = Field(default_factory=IndexSettings)
    sampling: SamplingSettings = Field(default_factory=SamplingSettings)
    detection: DetectionSettings = Field(default_factory=DetectionSettings)
    crops: CropSettings = Field(default_factory=CropSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    split: SplitSettings = Field(default_factory=SplitSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    scoring: ScoringSettings = Field(default_factory=ScoringSettings)
    audio: AudioSettings = Field(default_factory=AudioSettings)
    verdict: VerdictSettings = Field(default_factory=VerdictSettings)
    evidence: EvidenceSettings = Field(default_factory=EvidenceSettings)
    inspect: InspectSettings = Field(default_factory=InspectSettings)
    report: ReportSettings = Field(default_factory=ReportSettings)
    run: RunSettings = Field(default_factory=RunSettings)
    publish: PublishSettings = Field(default_factory=PublishSettings)
    spark: SparkSettings = Field(default_factory=SparkSettings)

    @model_validator(mode="after")
    def _landmarks_are_found(self) -> Settings:
        needs = "training.signal=marked" if self.training.signal == "marked" else None
        if self.crops.template is not None:
            needs = "crops.template"
        if needs is not None and self.detection.detector != "mtcnn":
            raise ValueError(
                f"{needs} needs landmarks; set detection.detector=mtcnn (not "
                f"{self.detection.detector}, which finds none)"
            )
        return self

    def without_evidence(self) -> Settings:
        """Return the same settings, keeping no picture of anyone, for work that shows none."""
        evidence = self.evidence.model_copy(update={"faces": 0})
        return self.model_copy(update={"evidence": evidence})

    def in_one_round(self, frames: int | None = None) -> Settings:
        """Return the same settings without further rounds of frames.

        Args:
            frames: samples per video, count; None: as many as in the first round.
        """
        sampling = self.sampling.in_one_round(frames)
        return self.model_copy(update={"sampling": sampling})

    def digest(self, *sections: str) -> str:
        """Return a short stable id of the named sections, or of all: 12 hex digits."""
        chosen = self.model_dump(mode="json", include=set(sections) or None)
        if "sampling" in chosen:
            chosen["sampling"] |= self.sampling.in_force()
        for section, name, default in _ADDED:
            if chosen.get(section, {}).get(name, ...) == default:
                del chosen[section][name]
        chosen = {section: values for section, values in chosen.items() if values}
        text = json.dumps(chosen, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
