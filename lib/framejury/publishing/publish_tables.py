"""Bring the tables of `publish.*` up to date after a run, or as `framejury publish`."""

from __future__ import annotations

import importlib.util
import logging
import time
from collections.abc import Sequence

from framejury import logs
from framejury.errors import FramejuryError, SetupError
from framejury.publishing.delta_tables import DeltaTables
from framejury.publishing.postgres_tables import PostgresTables
from framejury.publishing.publication import Publication
from framejury.publishing.target import Published, Target
from framejury.redaction import redacted
from framejury.settings import PublishSettings
from framejury.warehouse import Warehouse


def targets_of(settings: PublishSettings) -> list[Target]:
    """Return the targets that the settings name.

    Raises:
        SetupError: a package that they need is not installed.
    """
    targets: list[Target] = []
    if settings.delta is not None:
        _need("publish.delta", "deltalake")
        targets.append(DeltaTables(settings.delta))
    if settings.database is not None:
        _need("publish.database", "psycopg")
        targets.append(PostgresTables(settings.database, settings.database_schema))
    return targets


def publish_to(targets: Sequence[Target], warehouse: Warehouse) -> tuple[Published, ...]:
    """Publish the runs that are missing at each target, the oldest first.

    A failure at one is a warning: the runs are committed, and the next publication repeats what
    is missing.

    Args:
        targets: from `targets_of`.
        warehouse: the caller holds its lock.
    """
    return tuple(_publish_to(target, warehouse) for target in targets)


def _publish_to(target: Target, warehouse: Warehouse) -> Published:
    began_s = time.monotonic()
    try:
        commits = target.publish(Publication(warehouse))
    except Exception as error:
        # Whatever a driver or a store raises: the night is done, and must not fail for a copy.
        if not isinstance(error, FramejuryError | OSError):
            logs.fault("not_published", error)
        reason = " ".join(redacted(str(error) or type(error).__name__).split())
        logs.say(
            f"warning: {target.name} at {target.place} was not brought up to date: {reason}; "
            "the next night, or framejury publish, does it",
            "not_published",
            logging.WARNING,
        )
        spent_s = time.monotonic() - began_s
        return Published(target.name, target.place, seconds=spent_s, error=reason)
    run_ids = tuple(commit.run_id for commit in commits)
    logs.event("published", target=target.name, place=target.place, runs=len(run_ids))
    return Published(target.name, target.place, run_ids, time.monotonic() - began_s)


def _need(setting: str, package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise SetupError(f"{setting} needs {package}: pip install 'framejury[publish]'")
