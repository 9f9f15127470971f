"""What Delta Lake and PostgreSQL have in common as targets of a publication."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from framejury.errors import FramejuryError
from framejury.publishing.publication import Publication
from framejury.warehouse.commits import Commit


class PublishError(FramejuryError):
    """Tables could not be published; what is missing is published the next time."""


class Target(Protocol):
    """Tables that a publication brings up to date.

    Attributes:
        name: what people call it.
        place: where it is, without secrets.
    """

    name: str
    place: str

    def publish(self, publication: Publication) -> Sequence[Commit]:
        """Bring the tables up to date; return the commits that were missing there.

        Raises:
            PublishError: it cannot be reached or written, or holds another warehouse's tables.
        """
        ...


@dataclass(frozen=True)
class Published:
    """How the publication to one target ended.

    Attributes:
        target: what people call it.
        place: where it is, without secrets.
        run_ids: runs that were missing there and are there now, oldest first.
        seconds: how long it took.
        error: why it failed, without secrets; None: it did not.
    """

    target: str
    place: str
    run_ids: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str | None = None

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON values, with the number of runs and the last one's id."""
        return {
            "target": self.target,
            "place": self.place,
            "runs": len(self.run_ids),
            "last_run_id": self.run_ids[-1] if self.run_ids else None,
            "seconds": round(self.seconds, 3),
            "error": self.error,
        }


def check_same_warehouse(publication: Publication, place: str, sequence: int, run_id: str) -> None:
    """Check that the last run published at a place is one of this warehouse's.

    Raises:
        PublishError: it is of another warehouse, or this one was restored from a backup.
    """
    if publication.run_of(sequence) != run_id:
        raise PublishError(
            f"{place} ends with run {run_id}, which {publication.warehouse.location.uri} does not "
            "have; give each warehouse its own tables (if this warehouse was restored from a "
            "backup, delete the tables, and all runs are published again)"
        )
