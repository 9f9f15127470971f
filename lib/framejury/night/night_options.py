"""What the options of `nightly` and `retry` have in common. Imports no Spark."""

from __future__ import annotations

import argparse
from pathlib import Path

SECTIONS = (
    *("sampling", "detection", "crops", "limits", "scoring"),
    *("audio", "verdict", "evidence", "report", "run", "spark"),
)
"""Sections of the settings that a nightly run uses."""


def add_metrics_file(parser: argparse.ArgumentParser) -> None:
    """Add the option `--metrics-file`."""
    parser.add_argument(
        "--metrics-file",
        metavar="FILE",
        type=Path,
        help="also write the run's metrics to this file, for Prometheus' textfile collector; the "
        "name must end in .prom (default: only one JSON line on stdout and beside the report)",
    )


def add_notify(parser: argparse.ArgumentParser) -> None:
    """Add the option `--notify`."""
    parser.add_argument(
        "--notify",
        metavar="URL",
        action="append",
        help="post the run's JSON line to this webhook when it ends, also when it fails; may be "
        "repeated (default: the addresses in $FRAMEJURY_NOTIFY, separated by spaces)",
    )
