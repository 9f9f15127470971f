"""Python, and the packages that framejury needs."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement

from framejury.machine.check import Check, version_of

_EXTRAS = {
    "core": "everything",
    "spark": "every job (not scan)",
    "report": "reports and training",
    "train": "training",
}


def check_python() -> Check:
    """Check for Python 3.11 to 3.13."""
    found = f"{platform.python_version()} ({sys.executable})"
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Check("Python", "ok", found)
    return Check("Python", "problem", found, "use Python 3.11, 3.12 or 3.13")


def check_libraries() -> Iterator[Check]:
    """Check every library that framejury declares, in all extras but `dev`."""
    try:
        declared = metadata.requires("framejury") or []
    except metadata.PackageNotFoundError:
        yield Check("framejury", "problem", "not installed", "run: make setup")
        return
    missing: dict[str, list[str]] = {}
    found: set[str] = set()  # some are in several extras
    for text in declared:
        requirement = Requirement(text)
        for extra in _EXTRAS:
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
            needless = extra == "core" and requirement.marker is not None
            if wanted and not needless and requirement.name != "framejury":
                if extra != "core" and version_of(requirement.name) is None:
                    missing.setdefault(extra, []).append(requirement.name)
                elif requirement.name not in found:
                    found.add(requirement.name)
                    yield check_library(requirement, extra)
                break
    for extra, names in missing.items():
        to_do = f"for {_EXTRAS[extra]}: pip install 'framejury[{extra}]'"
        yield Check(f"framejury[{extra}]", "warning", f"not installed: {', '.join(names)}", to_do)


def check_library(requirement: Requirement, extra: str) -> Check:
    """Check one library: installed, in a version that framejury works with."""
    name, need = requirement.name, f"needs {requirement.specifier or 'any version'}"
    install = f"pip install 'framejury[{extra}]'" if extra != "core" else "pip install framejury"
    version = version_of(name)
    if version is None:
        return Check(name, "problem", "not installed", install)
    if requirement.specifier.contains(version, prereleases=True):
        return Check(name, "ok", version)
    return Check(name, "problem", f"{version}, framejury {need}", f"{install} (or make setup)")


def check_opencv_twice() -> Check:
    """Check for one OpenCV; several packages would overwrite each other's `cv2` folder."""
    names = [
        f"opencv{middle}-python{end}" for middle in ("", "-contrib") for end in ("", "-headless")
    ]
    present = [name for name in names if version_of(name) is not None]
    if present == ["opencv-python-headless"]:
        return Check("one OpenCV", "ok", present[0])
    keep = "then pip install --force-reinstall 'opencv-python-headless<5'"
    return Check(
        "one OpenCV", "problem", ", ".join(present) or "none", f"pip uninstall all of them, {keep}"
    )
