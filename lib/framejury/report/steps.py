"""Which settings made the rows of a report, step by step. Pure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from framejury.pages.text_table import counted

EXTRACTION, SCORING, VERDICTS, TRAINING = "extraction", "scoring", "verdicts", "training"
SECTIONS = {
    EXTRACTION: ("sampling", "detection", "crops", "limits"),
    SCORING: ("model", "scoring", "evidence"),
    VERDICTS: ("model", "verdict", "rule"),
}
"""Step -> sections of the settings that it uses, in the order of the work."""


def used_by(
    settings: Mapping[str, Any], model_id: str | None, rule: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return a run's settings with the model and the verdict rule that it used, as sections."""
    used = dict(settings)
    if model_id is not None:
        used["model"] = {"model_id": model_id}
    if rule is not None:
        used["rule"] = rule
    return used


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the work under one set of settings.

    Attributes:
        name: extraction, scoring, verdicts or training.
        run_ids: runs with these settings, in the order given; empty for training.
        videos: shown videos whose rows these runs made; None for training.
        model_id: of the model that was trained; None for the other steps.
        settings: section -> name -> value, as stored by the runs or in the bundle; empty where
            they were not stored.
    """

    name: str
    run_ids: tuple[str, ...]
    videos: int | None
    settings: Mapping[str, Any]
    model_id: str | None = None

    @property
    def title(self) -> str:
        """What was done to how many videos, in which runs."""
        if self.videos is None:
            return f"{self.name} of {self.model_id}"
        what = f"{self.name} of {counted(self.videos, 'video')}"
        if len(self.run_ids) == 1:
            return f"{what} in run {self.run_ids[0]}"
        return f"{what} in {len(self.run_ids):,} runs, {self.run_ids[0]} to {self.run_ids[-1]}"


def steps_of(
    made: Mapping[str, Mapping[str, int]],
    settings_of: Mapping[str, Mapping[str, Any]],
    trained: Mapping[str, Mapping[str, Any] | None],
) -> tuple[Step, ...]:
    """Return the steps behind the rows of a report; runs with equal settings are one step.

    Args:
        made: step -> run -> shown videos whose rows the run made.
        settings_of: run -> what it used, from `used_by`, in the order of the runs.
        trained: model_id -> settings that the model was trained with; None: unknown.
    """
    found = []
    for name, sections in SECTIONS.items():
        alike = defaultdict(list)
        for run_id in sorted(made.get(name, {}), key=list(settings_of).index):
            used = settings_of[run_id]
            own = {section: used[section] for section in sections if section in used}
            alike[json.dumps(own, sort_keys=True)].append((run_id, own))
        of_step = [
            Step(
                name,
                tuple(run_id for run_id, _ in runs),
                sum(made[name][run_id] for run_id, _ in runs),
                runs[0][1],
            )
            for runs in alike.values()
        ]
        found += sorted(of_step, key=lambda step: -(step.videos or 0))
    found += [
        Step(TRAINING, (), None, settings, model_id)
        for model_id, settings in trained.items()
        if settings
    ]
    return tuple(found)
