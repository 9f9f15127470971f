"""Show that a change leaves verdicts as they were:

    python -m tests.same_verdicts --before COMMIT ARCHIVE

Runs `nightly` on the archive with the code of COMMIT and with the code of this checkout, each into
a warehouse of its own, and compares every video. Then the code of this checkout reads the
warehouse that COMMIT wrote, lists its runs and runs `nightly` on it, which must judge nothing
again. Exits with 0 when all of that holds, otherwise with 1 and a line per difference.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOLERANCE = 1e-6
COMPARED = ("status", "verdict", "model_id", "faces_scored", "frames_scored", "persons")


def packages(checkout: Path, place: Path) -> Path:
    """A folder to import a checkout's `framejury` from, with its jobs, settings and models."""
    package = place / "framejury"
    package.mkdir(parents=True)
    for part in (checkout / "lib" / "framejury").iterdir():
        (package / part.name).symlink_to(part)
    for name in ("jobs", "conf", "models"):
        (package / name).symlink_to(checkout / name)
    return place


def framejury(place: Path, *arguments: str) -> str:
    """What a command of the `framejury` in `place` prints.

    Raises:
        SystemExit: it failed; with the last of what it printed.
    """
    # The module of the commands was `framejury.cli` and is `framejury.cli.main`.
    code = """
import importlib, sys
for name in ("framejury.cli.main", "framejury.cli"):
    try:
        main = importlib.import_module(name).main
    except ModuleNotFoundError:
        continue
    sys.exit(main(sys.argv[1:]))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(place)},
    )
    if ran.returncode not in (0, 3):  # 3: judged, with more failures than settings allow
        raise SystemExit(f"framejury {' '.join(arguments)}:\n{ran.stderr[-2000:]}")
    return ran.stdout


def verdicts(place: Path, warehouse: Path) -> dict[str, dict[str, Any]]:
    rows = json.loads(framejury(place, "verdicts", "--warehouse", str(warehouse), "--format=json"))
    return {row["video_id"]: row for row in rows}


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """A line for each video that another verdict was returned on."""
    found = [f"{path}: only in one of the two" for path in sorted(before.keys() ^ after.keys())]
    for path in sorted(before.keys() & after.keys()):
        old, new = before[path], after[path]
        for name in COMPARED:
            if old[name] != new[name]:
                found.append(f"{path}: {name} was {old[name]}, is {new[name]}")
        for name in ("p_fake", "p_fake_low", "p_fake_high", "threshold"):
            pair = old[name], new[name]
            if (None in pair and pair != (None, None)) or (
                None not in pair and abs(pair[0] - pair[1]) > TOLERANCE
            ):
                found.append(f"{path}: {name} was {old[name]}, is {new[name]}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.same_verdicts")
    parser.add_argument("archive", help="folder of videos")
    parser.add_argument("--before", required=True, metavar="COMMIT", help="what to compare with")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(place / "old"), args.before], check=True)
        try:
            old = packages(place / "old", place / "old-packages")
            new = packages(ROOT, place / "new-packages")
            for code, name in ((old, "before"), (new, "after")):
                framejury(code, "nightly", args.archive, "--warehouse", str(place / name))
            before, after = verdicts(old, place / "before"), verdicts(new, place / "after")
            found = differences(before, after)
            print(f"{len(after)} videos compared, {len(found)} differences")
            read = differences(before, verdicts(new, place / "before"))
            print(f"the old warehouse read by the new code: {len(read)} differences")
            runs = framejury(new, "runs", "--warehouse", str(place / "before"))
            print(runs.rstrip())
            framejury(new, "nightly", args.archive, "--warehouse", str(place / "before"))
            again = differences(before, verdicts(new, place / "before"))
            ids = [len({row["run_id"] for row in verdicts(new, place / "before").values()})]
            print(f"a nightly run on it: {len(again)} differences, verdicts of {ids[0]} run")
        finally:
            subprocess.run([*git, "remove", "--force", str(place / "old")], check=False)
    for line in (*found, *read, *again):
        print(line)
    return 1 if found or read or again or ids != [1] else 0


if __name__ == "__main__":
    sys.exit(main())
