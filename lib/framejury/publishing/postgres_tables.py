"""Publish to tables in PostgreSQL: one transaction, so readers see a publication whole or not.

Rows go as CSV through COPY into a temporary table, and from there by one upsert. The table `runs`
tells what is published; it is changed in the same transaction.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds
from pyarrow import csv

from framejury.publishing.publication import Publication
from framejury.publishing.target import PublishError, check_same_warehouse
from framejury.redaction import redacted
from framejury.schemas.published_tables import PUBLISHED, PUBLISHED_KEYS
from framejury.warehouse.commits import Commit

if TYPE_CHECKING:
    from psycopg import Cursor
    from psycopg.sql import Composed

_CONNECTION = {
    "application_name": "framejury",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""Parameters of libpq, unless the connection string has its own: a dead server is noticed."""
_LOCK_S = 60
"""Longest wait for another publication, seconds."""
_LONGEST_ERROR = 500
_KINDS = (
    (kinds.is_string, "text"),
    (kinds.is_timestamp, "timestamptz"),
    (kinds.is_float64, "double precision"),
    (kinds.is_int32, "integer"),
    (kinds.is_int64, "bigint"),
)
_INDEXES = {"verdicts": ("verdict",), "run_verdicts": ("night",)}


class PostgresTables:
    """The tables in one schema of a database.

    Args:
        database: as in `publish.database`.
        schema: as in `publish.database_schema`.
    """

    name = "PostgreSQL"

    def __init__(self, database: str, schema: str) -> None:
        self.place = f"{redacted(database)} (schema {schema})"
        self._database = database
        self._schema = schema

    def publish(self, publication: Publication) -> Sequence[Commit]:
        """Bring the tables up to date, as `target.Target.publish`."""
        import psycopg

        try:
            with self._transaction() as cursor:
                return self._publish(publication, cursor)
        except (psycopg.Error, OSError, pa.ArrowException) as error:
            text = " ".join((str(error) or type(error).__name__).split())
            raise PublishError(redacted(text)[:_LONGEST_ERROR]) from error

    @contextmanager
    def _transaction(self) -> Iterator[Cursor[Any]]:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        given = conninfo_to_dict(self._database)
        own: dict[str, Any] = {
            name: value for name, value in _CONNECTION.items() if name not in given
        }
        whole = make_conninfo(self._database, client_encoding="utf8", **own)
        with psycopg.connect(whole) as connection, connection.cursor() as cursor:
            yield cursor

    def _publish(self, publication: Publication, cursor: Cursor[Any]) -> Sequence[Commit]:
        cursor.execute("select set_config('lock_timeout', %s, true)", (f"{_LOCK_S}s",))
        cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"framejury.{self._schema}",))
        self._make_tables(cursor)
        cursor.execute(
            self._sql(
                "select commit_sequence, run_id from {runs} order by commit_sequence desc limit 1"
            )
        )
        last = cursor.fetchone()
        shown = 0
        if last is not None:
            shown = last[0]
            check_same_warehouse(publication, self.place, *last)
        missing = publication.after(shown)
        if not missing:
            return []
        stones = publication.forgotten_after(shown)
        ids = [video_id for video_id, _ in stones]
        cursor.execute(self._sql("delete from {run_verdicts} where video_id = any(%s)"), (ids,))
        self._upsert(cursor, "run_verdicts", publication.run_verdicts(shown))
        if publication.changes_verdicts(shown):
            new = self._upsert(cursor, "verdicts", publication.verdicts())
            cursor.execute(
                self._sql(
                    "delete from {verdicts} old where not exists "
                    f"(select from {new} new where new.video_id = old.video_id)"
                )
            )
        self._upsert(cursor, "runs", publication.runs(shown).to_batches())
        return missing

    def _make_tables(self, cursor: Cursor[Any]) -> None:
        """Make what is missing: the schema, tables, and columns that a newer framejury added."""
        from psycopg.sql import SQL, Identifier

        cursor.execute("select to_regnamespace(%s) is null", (self._schema,))
        if _value(cursor):
            cursor.execute(SQL("create schema {}").format(Identifier(self._schema)))
        for name, columns in PUBLISHED.items():
            cursor.execute(
                "select column_name from information_schema.columns "
                "where table_schema = %s and table_name = %s",
                (self._schema, name),
            )
            there = {row[0] for row in cursor.fetchall()}
            if not there:
                declared = ", ".join(_declared(field) for field in columns)
                key = ", ".join(PUBLISHED_KEYS[name])
                cursor.execute(
                    self._sql(f"create table {{{name}}} ({declared}, primary key ({key}))")
                )
                for column in _INDEXES.get(name, ()):
                    cursor.execute(self._sql(f"create index on {{{name}}} ({column})"))
            for field in columns if there else ():
                if field.name not in there:
                    added = _declared(field.with_nullable(True))
                    cursor.execute(self._sql(f"alter table {{{name}}} add column {added}"))

    def _upsert(self, cursor: Cursor[Any], name: str, rows: Iterable[pa.RecordBatch]) -> str:
        """Insert rows, or replace older ones that differ; return the temporary table of the rows.

        A row of a later commit is never replaced by one of an earlier commit.
        """
        new, columns = f"new_{name}", [f'"{one}"' for one in PUBLISHED[name].names]
        listed = ", ".join(columns)
        cursor.execute(self._sql(f"create temporary table {new} (like {{{name}}}) on commit drop"))
        with cursor.copy(f"copy {new} ({listed}) from stdin (format csv)") as copy:
            for batch in rows:
                copy.write(_as_csv(batch))
        cursor.execute(f"analyze {new}")
        values = ", ".join(f"{one} = excluded.{one}" for one in columns)
        old = ", ".join(f"old.{one}" for one in columns)
        excluded = ", ".join(f"excluded.{one}" for one in columns)
        key = ", ".join(PUBLISHED_KEYS[name])
        cursor.execute(
            self._sql(
                f"insert into {{{name}}} as old ({listed}) select {listed} from {new} "
                f"on conflict ({key}) do update set {values} "
                "where old.commit_sequence <= excluded.commit_sequence "
                f"and ({old}) is distinct from ({excluded})"
            )
        )
        return new

    def _sql(self, text: str) -> Composed:
        """Return a statement with the qualified names of our tables for `{verdicts}` and such."""
        from psycopg.sql import SQL, Identifier

        names = {name: Identifier(self._schema, name) for name in PUBLISHED}
        return SQL(text).format(**names)


def _declared(field: pa.Field) -> str:
    kind = next(words for is_kind, words in _KINDS if is_kind(field.type))
    return f'"{field.name}" {kind}{"" if field.nullable else " not null"}'


def _as_csv(batch: pa.RecordBatch) -> bytes:
    """Return rows for COPY: every value quoted, so that a null differs from an empty text."""
    for at, field in enumerate(batch.schema):
        if kinds.is_string(field.type):  # PostgreSQL stores no NUL in a text
            clean = pc.replace_substring(batch.column(at), "\0", "\N{REPLACEMENT CHARACTER}")
            batch = batch.set_column(at, field, clean)
    sink = io.BytesIO()
    options = csv.WriteOptions(include_header=False, quoting_style="all_valid")
    csv.write_csv(batch, sink, options)
    return sink.getvalue()


def _value(cursor: Cursor[Any]) -> Any:
    row = cursor.fetchone()
    assert row is not None
    return row[0]
