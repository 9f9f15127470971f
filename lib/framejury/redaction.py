"""Text without secrets and without control characters, for logs, errors and terminals.

These count as secrets: the user part of URIs, values of keys that Spark's
`spark.redaction.regex` and Hadoop's `hadoop.security.sensitive-config-keys` call sensitive,
signatures of signed URLs, authorization headers, AWS key pairs, private keys, and the value of
every environment variable of this process with such a name. Harmless text may be hidden as well;
a secret that is shown would be worse.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

HIDDEN = "***"

_SENSITIVE = (
    r"secret|passw(?:or)?d|passphrase|token|credential|signature|authorization|session[._-]?key"
    r"|(?:access|api|private|account|encryption|storage|shared|auth|client)[._-]?key"
    r"|framejury_notify"  # addresses of webhooks
)
_SENSITIVE_NAME = re.compile(_SENSITIVE, re.IGNORECASE)
_LEAST_KNOWN = 6
"""Shorter values of environment variables are ordinary words that occur in any text."""

# `quote` may itself be escaped, as in JSON within JSON; `>` as in XML.
_SEPARATOR = r"(?:(?:\\*[\"'])?\s*(?:=|:|%3D)\s*|>)"
_VALUE = (
    r"(?:\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?"
    r"|(?P<escaped>\\+[\"'])(?:.*?(?P=escaped)|[^\s&]*)|[^\s&]+)"
)
# To the last @ of the authority; bounded, as a text may hold many starts and no end.
_TAIL = r"[^\s@]{0,2048}@(?:[^\s/@]{0,2048}@)*"
_RULES = (
    (
        re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END [A-Z ]*KEY-----|\Z)", re.S),
        rf"\1{HIDDEN}",
    ),
    # s3://KEY:SECRET@bucket. The secret may hold slashes. A bucket has no port, so a secret
    # follows the colon, even if a parser cut the text off before the @.
    (
        re.compile(rf"((?:s3[an]?|gc?s)://)[^\s/@:]*:(?:{_TAIL}|[^\s/@]*)", re.I),
        rf"\1{HIDDEN}@",
    ),
    # https://user:password@host; host:8020/a@b is a port and a path.
    (re.compile(rf"(://)[^\s/@:]*:(?!\d{{1,5}}/){_TAIL}"), rf"\1{HIDDEN}@"),
    # https://token@host; abfs://container@account holds no secret.
    (
        re.compile(r"(?<!abfs)(?<!abfss)(?<!wasb)(?<!wasbs)(://)[^\s/@]+@", re.I),
        rf"\1{HIDDEN}@",
    ),
    (re.compile(rf"(authorization{_SEPARATOR})[^\n]+", re.I), rf"\1{HIDDEN}"),
    (re.compile(r"\b(bearer\s+)\S+", re.I), rf"\1{HIDDEN}"),
    # AWS_SECRET_ACCESS_KEY=abc, "fs.s3a.secret.key": "abc", &X-Amz-Signature=abc
    (
        re.compile(rf"((?:{_SENSITIVE})[\w.-]{{0,80}}{_SEPARATOR}){_VALUE}", re.I | re.S),
        rf"\1{HIDDEN}",
    ),
    # Short names, whole words only: ?sig=abc, pwd=abc
    (
        re.compile(rf"(?<![\w.-])((?:sig|pwd|pass|auth){_SEPARATOR}){_VALUE}", re.I | re.S),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"([?&]key=)[^\s&]+", re.I), rf"\1{HIDDEN}"),
    (
        re.compile(rf"(?<![\w-])(--[\w-]{{0,80}}(?:{_SENSITIVE})[\w-]{{0,80}}\s+)[^\s-]\S*", re.I),
        rf"\1{HIDDEN}",
    ),
    # An AWS key pair without any name.
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,124}([\s:/,;=\"']+)\S+"), rf"{HIDDEN}\1{HIDDEN}"),
)


# Every match of a rule holds one of these.
_SUSPECT = re.compile(r"[:=>?]|%3D|--|bearer\s|AKIA|ASIA", re.I)


def redacted(text: object, environment: Mapping[str, str] | None = None) -> str:
    """Replace every recognisable secret in a text by `***`.

    Args:
        text: anything; converted to a string.
        environment: variables whose values are hidden if their names are sensitive; those of
            this process if None.
    """
    found = str(text)
    for value in _known_secrets(os.environ if environment is None else environment):
        found = found.replace(value, HIDDEN)
    if _SUSPECT.search(found):
        for pattern, replacement in _RULES:
            found = pattern.sub(replacement, found)
    return found


@lru_cache(4096)
def is_sensitive(name: str) -> bool:
    """Whether values under this name count as secrets."""
    return _SENSITIVE_NAME.search(name) is not None


def printable(text: object) -> str:
    """Return one line with control and direction characters shown as escapes.

    So a file name cannot move the cursor, start a line or reverse the reading order.
    """
    words = str(text)
    if words.isprintable():  # a tenth of the time, for a million paths
        return words
    return "".join(
        char.encode("unicode_escape").decode()
        if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else char
        for char in words
    )


def _known_secrets(environment: Mapping[str, str]) -> list[str]:
    """Return the secrets of the environment, longest first, as one may contain another."""
    values = [
        value
        for name, value in environment.items()
        if len(value) >= _LEAST_KNOWN and is_sensitive(name)
    ]
    # As they are, and as quoted in URIs.
    return sorted({*values, *(quote(value, safe="") for value in values)}, key=len, reverse=True)
