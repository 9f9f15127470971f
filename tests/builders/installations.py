"""framejury as `pip install 'framejury[EXTRA]'` leaves it: nothing else can be imported.

The packages are those of this virtual environment, which come from the lock; framejury itself is a
wheel built from the checkout. So no index is asked.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType

from tests.builders.programs import ROOT

_SOURCES = ("lib", "jobs", "conf", "models", "pyproject.toml", "setup.py", "README.md", "LICENSE")
_PIP = (sys.executable, "-m", "pip")
_OFFLINE = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")


@dataclass(frozen=True)
class Installation:
    """A virtual environment."""

    folder: Path

    def run(
        self, program: str, *args: str | Path, timeout_s: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, away from the checkout, and capture its output."""
        return subprocess.run(
            [str(self.folder / "bin" / program), *map(str, args)],
            cwd=self.folder,
            env=_environment(),
            text=True,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )


def build_wheel(folder: Path) -> Path:
    """Build framejury's wheel in an empty folder."""
    source = folder / "source"
    source.mkdir(parents=True)
    for name in _SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    _checked(*_PIP, "wheel", *_OFFLINE, "--no-build-isolation", "-w", folder / "wheel", source)
    (wheel,) = (folder / "wheel").iterdir()
    return wheel


def install(folder: Path, wheel: Path, *extras: str) -> Installation:
    """Make a virtual environment with framejury, these extras, and nothing else."""
    _checked(sys.executable, "-m", "venv", "--without-pip", folder)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "lib" / version / "site-packages"
    for name in sorted(_package_lock().needed(set(extras), set())):
        _link(name, site)
    _checked(*_PIP, "--python", folder / "bin" / "python", "install", *_OFFLINE, wheel)
    return Installation(folder)


def _link(name: str, site: Path) -> None:
    """Link the files of an installed distribution into another `site-packages`."""
    found = distribution(name)
    for file in found.files or ():
        if ".." in file.parts or "__pycache__" in file.parts:  # programs; bytecode
            continue
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(Path(str(found.locate_file(file))))


def _package_lock() -> ModuleType:
    """`bin/package_lock.py`, which knows what an extra needs."""
    spec = importlib.util.spec_from_file_location("package_lock", ROOT / "bin" / "package_lock.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _environment() -> dict[str, str]:
    """This process's environment without what leads Python to other packages."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in hidden}


def _checked(*command: str | Path) -> None:
    done = subprocess.run(
        [*map(str, command)],
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
