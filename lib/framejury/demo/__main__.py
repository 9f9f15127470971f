"""`python -m framejury.demo OUT_DIR`: write the demo archive."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from framejury.demo.demo_archive import write_archive
from framejury.errors import UsageError


def main(argv: Sequence[str] | None = None) -> int:
    """Write the archive and print its counts; return 0, or 2 if it cannot be written."""
    parser = argparse.ArgumentParser(
        prog="python -m framejury.demo",
        description="Write a small labelled archive of real and manipulated clips. It shows that "
        "framejury runs; with only three people in it, its scores mean nothing else.",
    )
    parser.add_argument("out_dir", type=Path, help="folder to write; empty, or an earlier demo")
    parser.add_argument("--seed", type=int, default=0, help="seed of the clips (default: 0)")
    args = parser.parse_args(argv)
    try:
        rows = write_archive(args.out_dir, args.seed)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    count = Counter(row.label.value for row in rows)
    print(f"{len(rows)} clips in {args.out_dir}: {count['REAL']} real, {count['FAKE']} fake")
    return 0


if __name__ == "__main__":
    sys.exit(main())
