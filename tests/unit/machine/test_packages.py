"""Python and the packages of each extra."""

from __future__ import annotations

import sys

import pytest
from packaging.requirements import Requirement

from framejury.machine import packages


@pytest.mark.parametrize(
    ("requirement", "extra", "state", "words"),
    [
        ("numpy>=2", "core", "ok", ""),
        ("numpy<1", "core", "problem", "framejury needs <1"),
        ("pandas>=3", "spark", "problem", "framejury needs >=3"),
        ("no-such-package", "core", "problem", "not installed"),
    ],
)
def test_library(requirement: str, extra: str, state: str, words: str) -> None:
    check = packages.check_library(Requirement(requirement), extra)
    assert check.state == state
    assert words in check.found
    assert (check.to_do == "") == (state == "ok")


def test_libraries_of_every_extra_but_dev(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [check.name for check in packages.check_libraries()]
    assert len(names) == len(set(names))
    checks = {check.name: check for check in packages.check_libraries()}
    assert {"av", "numpy", "pyspark", "pandas", "jinja2", "tensorflow", "keras"} <= set(checks)
    assert not {"framejury", "pytest", "ruff"} & set(checks)
    declared = [
        *("av>=1", "pandas>=99; extra == 'spark'"),
        *("absent; extra == 'train'", "missing; extra == 'train'"),
    ]
    monkeypatch.setattr(packages.metadata, "requires", lambda name: declared)
    found = {check.name: check for check in packages.check_libraries()}
    assert {name: check.state for name, check in found.items()} == {
        "av": "ok",
        "pandas": "problem",
        "framejury[train]": "warning",
    }
    assert found["framejury[train]"].found == "not installed: absent, missing"
    assert "pip install 'framejury[train]'" in found["framejury[train]"].to_do


def test_two_opencv_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    assert packages.check_opencv_twice().state == "ok"
    monkeypatch.setattr(
        packages, "version_of", lambda name: "4.14" if "contrib" not in name else None
    )
    check = packages.check_opencv_twice()
    assert check.state == "problem"
    assert check.found == "opencv-python, opencv-python-headless"


def test_python_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    assert packages.check_python().state == "ok"
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    assert packages.check_python().state == "problem"
