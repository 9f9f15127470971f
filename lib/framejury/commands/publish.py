"""publish: bring tables for other tools up to date: Delta Lake, PostgreSQL."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from framejury.cli.options import run_command, settings_of
from framejury.clock import now
from framejury.errors import UsageError
from framejury.logs import say
from framejury.pages.text_table import counted
from framejury.parsers.publish import parser
from framejury.publishing.publish_tables import publish_to, targets_of
from framejury.publishing.target import PublishError
from framejury.settings import PublishSettings
from framejury.warehouse import Warehouse


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    warehouse = Warehouse.open(args.warehouse)
    settings = settings_of(args).publish
    if settings.delta is None and settings.database is None:
        settings = _settings_of_runs(warehouse)
    targets = targets_of(settings)
    with warehouse.locked("publish", now(), say):
        published = publish_to(targets, warehouse)
    for one in published:
        if one.error is None:
            say(f"  {one.target} at {one.place}: {counted(len(one.run_ids), 'run')} published")
    if failed := [one.target for one in published if one.error is not None]:
        raise PublishError(f"{' and '.join(failed)} could not be brought up to date; see above")
    return 0


def _settings_of_runs(warehouse: Warehouse) -> PublishSettings:
    """Return the settings of the latest run that published anywhere.

    Raises:
        UsageError: no run did.
    """
    for commit in reversed(warehouse.commits()):
        used = commit.settings.get("publish") or {}
        if used.get("delta") or used.get("database"):
            return PublishSettings.model_validate(used)
    raise UsageError(
        "no run of this warehouse publishes tables; say where to: --set publish.delta=FOLDER or "
        "--set publish.database=postgresql://HOST/NAME"
    )


if __name__ == "__main__":
    sys.exit(main())
