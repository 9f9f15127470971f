"""The description of a foreign network: what it expects and gives, as a YAML file says it.

What the network's file says is read from there (`network_facts`). What neither says is asked for:
a colour order or a range that is guessed wrong gives scores that look like scores.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from framejury.adoption.network_facts import Layout, NetworkFacts
from framejury.errors import ConfigError, did_you_mean
from framejury.settings import Template
from framejury.settings.section import Section

Scale = Literal["0..1", "0..255", "-1..1"]
Gives = Literal["probability", "logit", "softmax", "logits"]
ThreeNumbers = tuple[float, float, float]


class InputPart(Section):
    """What the network reads."""

    side_px: int | None = Field(None, ge=32, le=4096)
    layout: Layout | None = None
    colours: Literal["RGB", "BGR"] | None = None
    scale: Scale | None = None
    mean: ThreeNumbers | None = None
    deviation: ThreeNumbers | None = None
    resize: Literal["stretch", "letterbox", "crop"] = "stretch"


class CropPart(Section):
    """Which part of a frame the network was trained on."""

    margin_ratio: float | None = Field(None, ge=-0.25, le=3.0)
    margin_px: int | None = Field(None, ge=0, le=4096)
    shape: Literal["square", "box"] = "square"
    shift_ratio: float = Field(0.0, ge=-0.5, le=0.5)
    template: Template | None = None
    judges: Literal["face", "frame"] = "face"


class ClipPart(Section):
    """Pictures of one face that the network sees at once."""

    frames: int | None = Field(None, ge=2, le=64)
    stride: int | None = Field(None, ge=1, le=64)


class OutputPart(Section):
    """What the network gives."""

    name: str | None = None
    gives: Gives | None = None
    classes: int | None = Field(None, ge=1, le=100_000)
    index_of_fake: int | None = Field(None, ge=0)
    high_means: Literal["fake", "real"] | None = None


class Description(Section):
    """All that a description may say; None: not said yet."""

    name: str | None = Field(None, min_length=1, max_length=80)
    source: str | None = None
    licence: str | None = None
    trained_on: str | None = None
    input: InputPart = InputPart()
    crop: CropPart = CropPart()
    clip: ClipPart | None = None
    output: OutputPart = OutputPart()
    batch_limit: int | None = Field(None, ge=1)

    @property
    def classes(self) -> int:
        """Numbers that the network gives per face; only of a `completed` description."""
        assert self.output.classes is not None
        return self.output.classes

    @property
    def frames(self) -> int:
        """Pictures that the network sees at once."""
        return 1 if self.clip is None or self.clip.frames is None else self.clip.frames

    def inverted(self) -> bool:
        """Return whether a high number means real."""
        return self.classes == 1 and self.output.high_means == "real"


ASKED = {
    "input.side_px": "side of the square input in pixels, such as 224",
    "input.layout": f"order of the input's axes: {', '.join(get_args(Layout))} (T: the frames)",
    "input.colours": "RGB or BGR, the order in which the network reads colours",
    "input.scale": "0..1, 0..255 or -1..1, the range of pixels before mean and deviation",
    "crop.margin_ratio": "margin on each side of the face box as a share of it, such as 0.3; or "
    "crop.margin_px in pixels of the frame, or crop.judges: frame",
    "clip.frames": "pictures per clip, such as 16",
    "clip.stride": "from one picture of a clip to the next, frames of the video: 1 means all",
    "output.name": "which output holds the answer",
    "output.gives": "probability, logit (each 1 number or 1 per class), softmax or logits (1 "
    "number per class)",
    "output.classes": "numbers that the network gives per face, such as 2",
    "output.index_of_fake": "place of FAKE among the classes, from 0",
    "output.high_means": "fake or real, what a high number means",
}
"""Key -> what to write there; in the order of the printed description."""


def read_description(path: Path) -> Description:
    """Read a description.

    Raises:
        ConfigError: it is not YAML, has an unknown key or an impossible value; all are named.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"cannot read the description {path}: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path} is not a description: it must hold keys such as input and output; framejury "
            "adopt NETWORK --print-description prints one"
        )
    return description_of(values, str(path))


def description_of(values: Mapping[str, Any], whence: str) -> Description:
    """Check nested plain values.

    Args:
        values: as in the YAML file.
        whence: named in errors.

    Raises:
        ConfigError: an unknown key or an impossible value.
    """
    try:
        return Description.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{whence}: {'; '.join(map(_explained, error.errors()))}") from None


def completed(given: Description, facts: NetworkFacts) -> Description:
    """Add to a description what the network's file says.

    Raises:
        ConfigError: something is still missing, or the file contradicts the description; all
            keys are named at once, with what may stand there.
    """
    facts = facts.seen_as(given.input.layout, given.output.name)
    whole = given.model_copy(
        update={
            "input": _filled(given.input, side_px=facts.side_px, layout=facts.layout),
            "clip": _clip(given, facts),
            "output": _filled(
                given.output, name=facts.output_name, gives=facts.gives, classes=facts.classes
            ),
        }
    )
    whole = _with_classes(whole)
    if missing := missing_keys(whole, facts):
        listed = "; ".join(f"{key} ({ASKED[key]})" for key in missing)
        raise ConfigError(f"the description lacks what the network's file does not say: {listed}")
    if contradictions := _contradictions(whole, facts):
        raise ConfigError("; ".join(contradictions))
    return whole


def missing_keys(description: Description, facts: NetworkFacts) -> list[str]:
    """Return the keys that must still be given, in the order of `ASKED`."""
    part = description
    several = part.output.classes is not None and part.output.classes > 1
    crop = part.crop
    has_crop = crop.margin_ratio is not None or crop.margin_px is not None
    absent = {
        "input.side_px": part.input.side_px is None and not facts.may_say("H"),
        "input.layout": part.input.layout is None,
        "input.colours": part.input.colours is None,
        "input.scale": part.input.scale is None,
        "crop.margin_ratio": not has_crop and crop.judges == "face",
        "clip.frames": part.clip is not None
        and part.clip.frames is None
        and not facts.may_say("T"),
        "clip.stride": part.clip is not None and part.clip.stride is None,
        "output.name": part.output.name is None,
        "output.gives": part.output.gives is None,
        "output.classes": part.output.name is not None and part.output.classes is None,
        "output.index_of_fake": several and part.output.index_of_fake is None,
        "output.high_means": part.output.classes == 1 and part.output.high_means is None,
    }
    return [key for key in ASKED if absent[key]]


def description_text(given: Description, facts: NetworkFacts) -> str:
    """Return a description as YAML: what the file says is filled in, what is missing is asked.

    Args:
        given: what is known besides; usually empty.
        facts: of the network's file.
    """
    facts = facts.seen_as(given.input.layout, given.output.name)
    one_or_many = "output.index_of_fake" if (facts.classes or 2) > 1 else "output.high_means"
    known = {
        "input.side_px": facts.side_px,
        "input.layout": facts.layout,
        "clip.frames": facts.frames,
        "output.name": facts.output_name,
        "output.gives": facts.gives,
        "output.classes": facts.classes,
    }
    lines = [f"# What {facts.file_name} expects and gives; framejury adopt reads it."]
    lines += ["name:  # what people call it", "source:  # who published it, and where"]
    lines += ["licence:", "trained_on:  # data sets; leave it empty if nobody knows"]
    section = ""
    for key, asked in ASKED.items():
        head, _, name = key.partition(".")
        if (head == "clip" and not facts.is_clip) or key in _ONE_OF - {one_or_many}:
            continue
        if head != section:
            section = head
            lines.append(f"{head}:")
        value = known.get(key)
        lines.append(f"  {name}:  # {asked}" if value is None else f"  {name}: {value}")
        lines += _OPTIONAL.get(key, [])
    return "\n".join(lines) + "\n"


_ONE_OF = {"output.index_of_fake", "output.high_means"}
_OPTIONAL = {
    "input.scale": [
        "  # mean: [0.485, 0.456, 0.406]  # subtracted after scaling; leave out if there is none",
        "  # deviation: [0.229, 0.224, 0.225]  # divided by afterwards",
        "  resize: stretch  # or letterbox (keeps proportions), crop (the middle square)",
    ],
    "crop.margin_ratio": ["  shape: square  # or box, as the detector found it"],
}


def _filled(part: Any, **known: Any) -> Any:
    """Return a part of the description with what is known where it says nothing."""
    missing = {name: value for name, value in known.items() if getattr(part, name) is None}
    return part.model_copy(update=missing)


def _clip(given: Description, facts: NetworkFacts) -> ClipPart | None:
    if given.clip is None and not facts.is_clip:
        return None
    clip: ClipPart = _filled(given.clip or ClipPart(), frames=facts.frames)
    return clip


def _with_classes(whole: Description) -> Description:
    """Take the classes of one number from what the network gives, where the file is silent."""
    output = whole.output
    if output.classes is None and output.high_means is not None and output.index_of_fake is None:
        return whole.model_copy(update={"output": output.model_copy(update={"classes": 1})})
    return whole


def _contradictions(whole: Description, facts: NetworkFacts) -> list[str]:
    """Return a sentence for every part of the description that cannot be true."""
    given, output = whole.input, whole.output
    found = []
    for key, said, read in (
        ("input.side_px", given.side_px, facts.side_px),
        ("input.layout", given.layout, facts.layout),
        ("clip.frames", whole.frames, facts.frames),
        ("output.classes", output.classes, facts.classes),
        ("output.gives", output.gives, facts.gives),
    ):
        same_kind = key == "output.gives" and {said, read} == {"probability", "softmax"}
        if read is not None and said != read and not same_kind:
            found.append(f"{key} is {said}, but the network's file says {read}")
    if given.layout is not None and ("T" in given.layout) != (whole.clip is not None):
        found.append(
            f"input.layout {given.layout} and {'a' if whole.clip else 'no'} clip do not go together"
        )
    single = output.classes == 1
    if single and output.gives in ("softmax", "logits"):
        found.append(f"output.gives: {output.gives} needs several classes; this network gives one")
    if single and output.index_of_fake is not None:
        found.append("output.index_of_fake: the network gives one number; use output.high_means")
    if not single and output.high_means is not None:
        found.append("output.high_means: the network gives several; use output.index_of_fake")
    if output.index_of_fake is not None and output.index_of_fake >= whole.classes > 1:
        found.append(f"output.index_of_fake {output.index_of_fake} is not below {whole.classes}")
    if given.deviation is not None and min(map(abs, given.deviation)) == 0:
        found.append("input.deviation must not be 0")
    crop = whole.crop
    if crop.margin_ratio is not None and crop.margin_px is not None:
        found.append("give either crop.margin_ratio or crop.margin_px")
    if crop.template is not None and crop.margin_ratio is None:
        found.append("crop.template needs crop.margin_ratio, which widens the aligned square")
    return found


def _explained(item: ErrorDetails) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        known = _keys_of(tuple(str(part) for part in item["loc"][:-1]))
        hint = did_you_mean(str(item["loc"][-1]), known)
        return f"unknown key {key!r}{hint or ';'} known here: {', '.join(known)}"
    return f"{key} cannot be {item['input']!r}: {item['msg']}"


def _keys_of(path: tuple[str, ...]) -> list[str]:
    part: type[BaseModel] = Description
    for name in path:
        options = [
            part.model_fields[name].annotation,
            *get_args(part.model_fields[name].annotation),
        ]
        part = next(one for one in options if isinstance(one, type) and issubclass(one, BaseModel))
    return list(part.model_fields)


def slug(name: str) -> str:
    """Return a name as the first part of a `model_id`: small letters, digits, underscores."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "network"
