"""The part of requirements.lock that some extras of framejury need, hashes and all.

    python bin/package_lock.py requirements.lock [EXTRA...] [--without NAME...]

Printed to standard output. What framejury needs is read from pyproject.toml, what that needs from
the installed packages, which `make setup` took from the same lock; so no index is asked, and no
version can differ.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "framejury"
PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def needs(name: str, extra: str) -> list[str]:
    """What a package with one of its extras, or with none (""), says that it needs.

    Raises:
        KeyError: framejury has no such extra.
        PackageNotFoundError: the package is not installed.
    """
    if name != PROJECT:
        return requires(name) or []
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    texts: list[str] = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return texts


def needed(extras: set[str], without: set[str]) -> set[str]:
    """Canonical names of all packages that framejury with `extras` needs, itself left out."""
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [(PROJECT, extra) for extra in ["", *sorted(extras)]]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen or name in without:
            continue
        seen.add((name, extra))
        found.add(name)
        for text in needs(name, extra):
            wanted = Requirement(text)
            environment = {**default_environment(), "extra": extra}
            if wanted.marker is None or wanted.marker.evaluate(environment):
                child = str(canonicalize_name(wanted.name))
                waiting += [(child, more) for more in ["", *wanted.extras]]
    return found - {PROJECT}


def blocks(lock: str) -> dict[str, str]:
    """Each package's lines of a lock file, by canonical name."""
    parts = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]
    return {str(canonicalize_name(part.partition("==")[0])): part for part in parts}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lock", type=Path)
    parser.add_argument("extras", nargs="*")
    parser.add_argument("--without", action="append", default=[])
    args = parser.parse_args()
    try:
        names = needed(set(args.extras), set(args.without))
    except KeyError as error:
        print(f"error: framejury has no extra {error}", file=sys.stderr)
        return 2
    except PackageNotFoundError as error:
        print(f"error: {error.name} is not installed; run: make setup", file=sys.stderr)
        return 2
    locked = blocks(args.lock.read_text(encoding="utf-8"))
    if missing := sorted(names - locked.keys()):
        print(f"error: {args.lock} lacks {', '.join(missing)}; run: make lock", file=sys.stderr)
        return 2
    print("".join(locked[name] for name in sorted(names)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
