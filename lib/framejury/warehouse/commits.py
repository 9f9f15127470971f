"""What a run is and what its commit record says. Plain values; `framejury.warehouse` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from framejury.storage import Location

KEEPS_CROPS = "keeps_crops"
"""In `Commit.facts`: whether the run's faces were kept with their crops."""


@dataclass(frozen=True)
class Merged:
    """Rows of several runs, or of one, in fewer files than they were written in.

    Attributes:
        place: folder below the warehouse, such as `runs/<run_id>/merged/table=verdicts`.
        runs: whose rows of that table they are; all of them, and no others.
    """

    place: str
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Stored:
    """A folder with Parquet files of one table.

    Attributes:
        place: the folder.
        exact: whether all its rows are of the runs asked for; else choose by `run_id`.
    """

    place: Location
    exact: bool


@dataclass(frozen=True)
class Commit:
    """What one committed run published.

    Attributes:
        sequence: order of the commits, from 1.
        run_id: the run.
        job: which job ran, such as `extract`.
        created_at: when it was committed, ISO 8601, UTC.
        tables: rows written, by table.
        archive: the archive it worked on, where it did.
        model_id: the bundle it scored with, where it did.
        settings: every setting of the run.
        facts: more about the run: seconds by phase, videos by status, versions.
        merged: by table, where rows lie that were merged by this run.
    """

    sequence: int
    run_id: str
    job: str
    created_at: str
    tables: dict[str, int]
    archive: str | None = None
    model_id: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    merged: dict[str, Merged] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run that is under way. Nothing of it is seen before `Warehouse.commit`.

    Attributes:
        run_id: names it.
        job: which job it is.
        started_at: when it began.
        location: its folder.
        after: sequence of the last commit when it began; its own is the next, or none.
        merged: by table, what this run has merged so far.
    """

    run_id: str
    job: str
    started_at: datetime
    location: Location
    after: int
    merged: dict[str, Merged] = field(default_factory=dict)

    def table_location(self, table: str) -> Location:
        """Where this run's rows of `table` go."""
        return self.location.child(f"table={table}")

    def staging_location(self, table: str | None = None) -> Location:
        """Where rows of several tables are staged; with `table`, those addressed to it."""
        staging = self.location.child("staging")
        return staging if table is None else staging.child(f"table={table}")


def commit_of(record: Mapping[str, Any]) -> Commit:
    """A commit from its JSON record.

    Raises:
        ValueError: it is none.
    """
    content = dict(record)
    try:
        merged = content.pop("merged", {})
        places = {table: Merged(one["place"], tuple(one["runs"])) for table, one in merged.items()}
        return Commit(**content, merged=places)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(str(error)) from error
