"""What reports and pages need to know about a model bundle. Light: also for a bare `scan`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from framejury.model.foreign import training_remark
from framejury.model.manifest import Bundle
from framejury.verdict.rule import Rule, rule_facts

DEMO = "demo"
"""Purpose of a bundle whose verdicts mean nothing."""


@dataclass(frozen=True, slots=True)
class BundleInfo:
    """What a report needs to know about the model bundle.

    Attributes:
        purpose: "detector", or "demo", which the report warns of.
        card: text of `MODEL_CARD.md`; may be empty.
        metrics: of training, nested as in `bundle.json`; None without any.
        history: one mapping per epoch, as `training_curves.training_figures` takes;
            may be empty.
        leak: a sentence on what its split leaked, which the report warns of; None if nothing.
        training: what must stand beside figures of a network that was trained elsewhere
            (`model.foreign.training_remark`); None: framejury trained it.
        judges: face or frame: what the model scores.
        methods: method -> fake videos of it in training, as in `bundle.json`; None: not recorded.
        settings: it was trained with; None: unknown.
        expected: a sentence on the false alarms to expect (`verdict.rule.RuleFit.expected`); None:
            unknown.
        target_fpr: share of reals that its threshold is meant to call fake at most, 0 to 1; None:
            not fitted for one, or unknown.
        own_rule: whether its own rule made the verdicts, unchanged by settings.
    """

    purpose: str
    card: str
    metrics: Mapping[str, Any] | None = None
    history: tuple[Mapping[str, Any], ...] = ()
    leak: str | None = None
    training: str | None = None
    judges: str = "face"
    methods: Mapping[str, int] | None = None
    own_rule: bool = True
    settings: Mapping[str, Any] | None = None
    expected: str | None = None
    target_fpr: float | None = None

    @property
    def chosen_epoch(self) -> int | None:
        """The epoch of `history` whose weights it has, from 1; None: not known."""
        section = (self.settings or {}).get("training")
        chosen = section.get("best_epoch") if isinstance(section, Mapping) else None
        return chosen if isinstance(chosen, int) and 1 <= chosen <= len(self.history) else None

    @classmethod
    def of_facts(
        cls,
        facts: Mapping[str, Any],
        history: tuple[Mapping[str, Any], ...] = (),
        *,
        own_rule: bool = True,
    ) -> BundleInfo:
        """Read the facts of `provenance.bundle_facts` from a commit of any version."""
        return cls(
            facts["purpose"],
            facts["card"],
            facts["metrics"],
            history,
            leak=facts.get("leak"),
            training=facts.get("training"),
            judges=facts.get("judges", "face"),
            methods=facts.get("methods"),
            own_rule=own_rule,
            settings=facts.get("settings"),
            expected=facts.get("expected"),
            target_fpr=facts.get("target_fpr") if own_rule else None,
        )

    @classmethod
    def of_bundle(cls, bundle: Bundle, rule: Rule) -> BundleInfo:
        """Read a bundle without the text of its card; `rule` is the one in use."""
        return cls(
            bundle.purpose,
            "",
            {
                split: {name: asdict(figure) for name, figure in figures.items()}
                for split, figures in bundle.metrics.items()
            },
            leak=bundle.data.leak,
            training=training_remark(bundle),
            judges=bundle.framing.judges,
            methods=bundle.data.methods,
            own_rule=rule_facts(rule) == rule_facts(bundle.rule),
            expected=None if bundle.rule_fit is None else bundle.rule_fit.expected,
        )
