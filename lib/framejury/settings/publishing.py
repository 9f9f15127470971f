"""Settings of the tables that other tools read."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, field_validator

from framejury.redaction import redacted
from framejury.settings.section import Section

_SECRETS = frozenset(("password", "sslpassword", "scram_client_key", "oauth_client_secret"))
"""Parameters of libpq that hold a secret."""
_URI_SCHEMES = ("postgresql://", "postgres://")
_PAIRS = re.compile(r"\s*(?P<name>[a-z_]+)\s*=\s*(?:'(?:[^'\\]|\\.)*'|[^\s']\S*)")
_NAME = r"^[a-z_][a-z0-9_]{0,62}$"


class PublishSettings(Section):
    """Tables outside the warehouse that a nightly run brings up to date for other tools."""

    delta: str | None = Field(
        None,
        min_length=1,
        description="Folder or URI below which the Delta Lake tables verdicts, run_verdicts and "
        "runs are written; each warehouse needs its own. null: none are written.",
    )
    database: str | None = Field(
        None,
        min_length=1,
        description="PostgreSQL database to write, a libpq URI (postgresql://user@host/name) or "
        "service=NAME. The password comes from PGPASSWORD or ~/.pgpass. null: none is written.",
    )
    database_schema: str = Field(
        "framejury",
        pattern=_NAME,
        description="Schema of the tables in that database, lower case; each warehouse needs its "
        "own.",
    )

    @field_validator("delta")
    @classmethod
    def _delta_has_no_secret(cls, value: str | None) -> str | None:
        if value is not None and redacted(value, {}) != value:
            raise ValueError(
                f"publish.delta {redacted(value, {})} holds a secret, which would be stored with "
                "every run; put it into the environment (such as AWS_ACCESS_KEY_ID)"
            )
        return value

    @field_validator("database")
    @classmethod
    def _database_has_no_secret(cls, value: str | None) -> str | None:
        if value is None:
            return None
        names = _names_in(value)
        if names is None:
            raise ValueError(
                "publish.database is neither a URI that begins with postgresql:// nor pairs such "
                "as service=NAME or host=db dbname=verdicts (the value is not shown here)"
            )
        if secret := sorted(names & _SECRETS):
            raise ValueError(
                f"publish.database sets {secret[0]}, which would be stored with every run; put "
                "it into PGPASSWORD, into ~/.pgpass or into a service file"
            )
        return value


def _names_in(database: str) -> set[str] | None:
    """Return the parameters that a libpq connection string sets; None if it is not one."""
    if database.startswith(_URI_SCHEMES):
        try:
            parts = urlsplit(database)
        except ValueError:
            return None
        names = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
        return names | ({"password"} if ":" in parts.netloc.rpartition("@")[0] else set())
    names, at = set(), 0
    while at < len(database.rstrip()):
        pair = _PAIRS.match(database, at)
        if pair is None:
            return None
        names.add(pair["name"])
        at = pair.end()
    return names
