"""What a description must say, and what it may leave to the network's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from framejury.adoption.description import (
    Description,
    completed,
    description_of,
    description_text,
    read_description,
    slug,
)
from framejury.adoption.foreign_file import read_network
from framejury.adoption.network_facts import NetworkFacts
from framejury.errors import BundleError, ConfigError
from tests.builders.foreign_networks import description, foreign_network

WHOLE: dict[str, Any] = {
    "input": {"colours": "RGB", "scale": "0..1"},
    "crop": {"margin_ratio": 0.3},
    "output": {"gives": "logits", "index_of_fake": 1},
}


def facts(tmp_path: Path, **kind: Any) -> NetworkFacts:
    return read_network(foreign_network(tmp_path / "n.onnx", **kind)).facts


def changed(**parts: Any) -> Description:
    return description_of({**WHOLE, **parts}, "test")


def test_what_the_file_says_need_not_be_said(tmp_path: Path) -> None:
    whole = completed(changed(), facts(tmp_path))
    assert (whole.input.side_px, whole.input.layout) == (32, "NCHW")
    assert (whole.output.name, whole.classes) == ("answer", 2)


def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        completed(Description(), facts(tmp_path, frames=4))
    for key in (
        *("input.colours", "input.scale", "crop.margin_ratio", "clip.stride", "output.gives"),
        *("output.index_of_fake",),
    ):
        assert f"{key} (" in str(caught.value)
    for key in ("input.side_px", "input.layout", "clip.frames", "output.name", "high_means"):
        assert key not in str(caught.value)


def test_an_ambiguous_layout_is_asked_for_and_what_follows_from_it_is_read(tmp_path: Path) -> None:
    known = facts(tmp_path, frames=3)
    with pytest.raises(ConfigError) as caught:
        completed(changed(clip={"stride": 1}), known)
    assert "input.layout (" in str(caught.value)
    assert "side_px" not in str(caught.value) and "clip.frames" not in str(caught.value)
    parts = {"input": {**WHOLE["input"], "layout": "NTCHW"}, "clip": {"stride": 1}}
    whole = completed(changed(**parts), known)
    assert (whole.input.side_px, whole.frames) == (32, 3)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"input": {"colors": "RGB"}}, "unknown key 'input.colors'; did you mean colours?"),
        ({"ouput": {}}, "did you mean output?"),
        ({"input": {"scale": "0-1"}}, "input.scale cannot be '0-1'"),
        ({"clip": {"frames": 1}}, "clip.frames cannot be 1"),
        ({"crop": {"template": [[0.1, 0.2]]}}, "crop.template"),
        ({"batch_limit": 0}, "batch_limit cannot be 0"),
    ],
)
def test_a_wrong_key_or_value_is_named(parts: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        changed(**parts)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "parts", "reason"),
    [
        ({}, {"input": {**WHOLE["input"], "side_px": 64}}, "side_px is 64, but .* says 32"),
        ({}, {"input": {**WHOLE["input"], "layout": "NHWC"}}, "says NCHW"),
        ({}, {"output": {"gives": "logits", "classes": 3, "index_of_fake": 1}}, "says 2"),
        ({}, {"output": {"gives": "logits", "index_of_fake": 2}}, "2 is not below 2"),
        (
            {},
            {"output": {"gives": "logits", "index_of_fake": 1, "high_means": "fake"}},
            "use output.index_of_fake",
        ),
        (
            {"gives": "probability"},
            {"output": {"gives": "logit", "high_means": "fake"}},
            "gives is logit, but .* says probability",
        ),
        ({"gives": "logit"}, {"output": {"gives": "logits", "high_means": "fake"}}, "several"),
        ({}, {"clip": {"frames": 8, "stride": 1}}, "NCHW and a clip do not go together"),
        ({}, {"crop": {"margin_ratio": 0.3, "margin_px": 10}}, "either crop.margin_ratio or"),
        ({}, {"crop": {"margin_px": 10, "template": "arcface"}}, "needs crop.margin_ratio"),
        ({}, {"input": {**WHOLE["input"], "deviation": [1, 0, 1]}}, "must not be 0"),
    ],
)
def test_what_cannot_be_true_is_refused(
    tmp_path: Path, kind: dict[str, Any], parts: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        completed(changed(**parts), facts(tmp_path, **kind))


def test_a_layout_of_other_axes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="has 5 axes, but"):
        completed(changed(input={**WHOLE["input"], "layout": "NTCHW"}), facts(tmp_path))


@pytest.mark.parametrize(
    "kind", [{}, {"gives": "probability"}, {"gives": "softmax", "frames": 3}, {"layout": "NHWC"}]
)
def test_the_printed_description_is_read_once_it_is_filled_in(
    tmp_path: Path, kind: dict[str, Any]
) -> None:
    known = facts(tmp_path, **kind)
    text = description_text(Description(), known)
    blank = read_description(description(tmp_path / "d.yaml", text))
    answers = {
        **{"input.colours": "BGR", "input.scale": "-1..1", "crop.margin_ratio": 0.1},
        **{"clip.stride": 2, "output.gives": "logits", "output.index_of_fake": 1},
        **{"output.high_means": "real", "input.layout": "NTCHW"},
    }
    values = yaml.safe_load(text)
    for key, value in answers.items():
        head, _, name = key.partition(".")
        if head in values and name in values[head] and values[head][name] is None:
            values[head][name] = value
    whole = completed(description_of(values, "test"), known)
    assert whole.input.colours == "BGR" and blank.input.colours is None


@pytest.mark.parametrize("text", ["[1, 2]", "{", "just words", ""])
def test_what_is_no_description_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="description"):
        read_description(description(tmp_path / "d.yaml", text))


def test_a_name_becomes_the_start_of_an_id() -> None:
    assert slug("EfficientNet-B7 (DFDC, 1st)") == "efficientnet_b7_dfdc_1st"
    assert slug("Бета") == "network"
