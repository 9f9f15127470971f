"""Publish to Delta Lake tables, below one folder or URI. No JVM.

Delta Lake changes one table in one step, not three. Each step is recorded in the table itself as
an application transaction (the last commit that it shows), so a process that is killed between
two steps is continued by the next publication, and no row is written twice. The table `runs` is
written last: a run that is in it is in the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from framejury.publishing.publication import Publication
from framejury.publishing.target import PublishError, check_same_warehouse
from framejury.redaction import redacted
from framejury.schemas.published_tables import PUBLISHED
from framejury.storage import is_local, local_path
from framejury.warehouse.commits import Commit

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable

_LONGEST_ERROR = 500
_MOST_FILES = 64
"""Files of a table after which they are merged, count."""
_IDS_AT_ONCE = 500
"""Videos removed by one statement, count."""
_SAME_AS = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}


class DeltaTables:
    """The tables below one folder or URI.

    Args:
        uri: as in `publish.delta`.
    """

    name = "Delta Lake"

    def __init__(self, uri: str) -> None:
        self.place = redacted(uri)
        self._uri = str(local_path(uri)) if is_local(uri) else _as_stores_say(uri).rstrip("/")

    def publish(self, publication: Publication) -> Sequence[Commit]:
        """Bring the tables up to date, as `target.Target.publish`."""
        from deltalake.exceptions import DeltaError

        try:
            return self._publish(publication)
        except (DeltaError, OSError, pa.ArrowException) as error:
            raise PublishError(redacted(_one_line(error))) from error

    def _publish(self, publication: Publication) -> Sequence[Commit]:
        shown = {name: self._shown(publication, name) for name in PUBLISHED}
        self._check_same(publication, shown["runs"])
        missing = publication.after(shown["runs"])
        if not missing:
            return []
        self._forget(publication, shown["run_verdicts"])
        # An idle night writes only its row of `runs`.
        if not shown["run_verdicts"] or publication.has_judged(shown["run_verdicts"]):
            rows = publication.run_verdicts(shown["run_verdicts"])
            self._write("run_verdicts", rows, "append", publication)
        if not shown["verdicts"] or publication.changes_verdicts(shown["verdicts"]):
            self._write("verdicts", publication.verdicts(), "overwrite", publication)
        runs = publication.runs(shown["runs"]).to_batches()
        self._write("runs", runs, "append", publication)
        for name in PUBLISHED:
            self._tidy(name)
        return missing

    def _open(self, name: str) -> DeltaTable | None:
        from deltalake import DeltaTable

        place, options = self._at(name), _storage_options(self._uri)
        if not DeltaTable.is_deltatable(place, storage_options=options):
            return None
        return DeltaTable(place, storage_options=options)

    def _at(self, name: str) -> str:
        return f"{self._uri}/{name}"

    def _shown(self, publication: Publication, name: str) -> int:
        """Return the sequence of the last commit that a table shows; 0: there is no table.

        Raises:
            PublishError: another program wrote it, or another warehouse is published there.
        """
        table = self._open(name)
        if table is None:
            return 0
        shown: int | None = table.transaction_version(_app_id(publication))
        if shown is None:
            raise PublishError(
                f"{self.place}/{name} was not written from this warehouse; name another folder in "
                "publish.delta"
            )
        return shown

    def _check_same(self, publication: Publication, shown: int) -> None:
        table = self._open("runs")
        if table is None or not shown:
            return
        runs = table.to_pyarrow_table(columns=["commit_sequence", "run_id"])
        if runs.num_rows:
            last = runs.sort_by([("commit_sequence", "descending")]).slice(0, 1).to_pylist()[0]
            check_same_warehouse(publication, self.place, last["commit_sequence"], last["run_id"])

    def _write(
        self,
        name: str,
        rows: Iterable[pa.RecordBatch],
        mode: Literal["append", "overwrite"],
        publication: Publication,
    ) -> None:
        """Write rows and their transaction in one step."""
        from deltalake import write_deltalake

        schema = pa.schema([field.remove_metadata() for field in PUBLISHED[name]])
        write_deltalake(
            self._at(name),
            pa.RecordBatchReader.from_batches(schema, _of_schema(rows, schema)),
            mode=mode,
            schema_mode="merge" if mode == "append" else "overwrite",
            storage_options=_storage_options(self._uri),
            commit_properties=_transaction(publication),
        )

    def _forget(self, publication: Publication, after: int) -> None:
        """Remove rows of videos that were forgotten since; without such rows nothing happens."""
        table = self._open("run_verdicts")
        stones = publication.forgotten_after(after)
        if table is None or not stones:
            return
        for start in range(0, len(stones), _IDS_AT_ONCE):
            some = stones[start : start + _IDS_AT_ONCE]
            # Ids of videos are hex digits; a quote could only come from a damaged table.
            ids = ", ".join("'{}'".format(video_id.replace("'", "''")) for video_id, _ in some)
            table.delete(f"video_id in ({ids})")

    def _tidy(self, name: str) -> None:
        """Merge small files, and remove files that no version of the last week needs."""
        table = self._open(name)
        if table is None:
            return
        if len(table.file_uris()) > _MOST_FILES:
            table.optimize.compact()
        table.vacuum(dry_run=False)


def _app_id(publication: Publication) -> str:
    return f"framejury-{publication.origin}"


def _transaction(publication: Publication) -> CommitProperties:
    from deltalake import CommitProperties, Transaction

    return CommitProperties(
        app_transactions=[Transaction(_app_id(publication), publication.last)],
        custom_metadata={"framejury_sequence": str(publication.last)},
    )


def _of_schema(rows: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in rows:
        yield batch.cast(schema)


def _as_stores_say(uri: str) -> str:
    """Return the URI with the scheme that deltalake knows: s3 for Hadoop's s3a."""
    scheme, _, rest = uri.partition("://")
    return f"{_SAME_AS.get(scheme.lower(), scheme)}://{rest}"


def _storage_options(uri: str) -> dict[str, str] | None:
    """Return what the environment does not say: S3 has no rename, so commits are conditional."""
    if not uri.startswith("s3://"):
        return None
    options = {"aws_conditional_put": "etag"}
    if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        options["allow_http"] = "true"
    return options


def _one_line(error: BaseException) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:_LONGEST_ERROR]
