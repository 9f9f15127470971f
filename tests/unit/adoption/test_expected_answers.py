"""Answers that the network's publisher gives are compared with those of the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framejury.adoption.adopting import drafted
from framejury.adoption.description import description_of
from framejury.adoption.expected_answers import answers_of, answers_table, read_expected
from framejury.adoption.foreign_file import read_network
from framejury.errors import UsageError
from framejury.faces.crop import encode_crop
from framejury.model.manifest import Bundle
from framejury.settings import LimitSettings
from tests.builders.foreign_networks import foreign_network

LOGIT = 6 * (130 - 100) / 255
SCORE = 1 / (1 + np.exp(-LOGIT))


def bundle(path: Path, output: dict[str, Any], **kind: Any) -> Bundle:
    network = read_network(foreign_network(path / "n.onnx", **kind))
    parts: dict[str, Any] = {
        "input": {"colours": "RGB", "scale": "0..1"},
        "crop": {"margin_ratio": 0.0},
        "output": output,
    }
    if "frames" in kind:
        parts["clip"] = {"stride": 1}
    with drafted(
        network,
        description_of(parts, "test"),
        limits=LimitSettings(),
        shipped=None,
        report=lambda _: None,
    ) as draft:
        return draft.write(path / "bundle")


def written(path: Path, text: str) -> Path:
    """A CSV file beside a picture of one colour."""
    plain = np.broadcast_to(np.array([130, 7, 100], np.uint8), (48, 48, 3)).copy()
    (path / "face.png").write_bytes(encode_crop(plain, "png"))
    (path / "expected.csv").write_text(text)
    return path / "expected.csv"


@pytest.mark.parametrize(
    ("kind", "output", "unit", "value"),
    [
        ({"gives": "logit"}, {"gives": "logit", "high_means": "fake"}, "score", SCORE),
        ({"gives": "logit"}, {"gives": "logit", "high_means": "fake"}, "output", LOGIT),
        ({"gives": "logit"}, {"gives": "logit", "high_means": "real"}, "output", LOGIT),
        ({"gives": "logit"}, {"gives": "logit", "high_means": "real"}, "score", 1 - SCORE),
        ({"gives": "probability"}, {"high_means": "real"}, "output", SCORE),
        ({}, {"gives": "logits", "index_of_fake": 1}, "output", SCORE),
        (
            {"gives": "logit", "frames": 4, "layout": "NHWC"},
            {"gives": "logit", "high_means": "fake"},
            "score",
            SCORE,
        ),
    ],
)
def test_right_answers_agree(
    tmp_path: Path, kind: dict[str, Any], output: dict[str, Any], unit: str, value: float
) -> None:
    expected = read_expected(written(tmp_path, f"picture,{unit}\nface.png,{value:.6f}\n"))
    (answer,) = answers_of(bundle(tmp_path, output, **kind), expected, LimitSettings())
    assert answer.agrees, answers_table([answer])
    assert answer.value == pytest.approx(value, abs=1e-5)


def test_a_wrong_answer_differs_unless_it_is_tolerated(tmp_path: Path) -> None:
    lines = f"face.png,{SCORE + 0.01},\nface.png,{SCORE + 0.01},0.02\n"
    expected = read_expected(written(tmp_path, "picture,score,tolerance\n" + lines))
    output = {"gives": "logit", "high_means": "fake"}
    answers = answers_of(bundle(tmp_path, output, gives="logit"), expected, LimitSettings())
    assert [answer.agrees for answer in answers] == [False, True]
    assert "differs" in answers_table(answers)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("picture,scor\nface.png,1\n", "did you mean score?"),
        ("picture,score,output\nface.png,1,1\n", "either score"),
        ("picture,score\n", "a line per picture"),
        ("picture,score\nface.png,high\n", "line 2: score and tolerance must be numbers"),
        ("picture,score\nface.png,1\nother.png,1\n", "line 3: there is no picture"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_expected(written(tmp_path, text))
    assert reason in str(caught.value)
