"""Text without secrets and without control characters, for logs, errors and terminals.

What is taken for a secret: the user part of URIs, values of keys that Spark's
`spark.redaction.regex` and Hadoop's `hadoop.security.sensitive-config-keys` call sensitive,
signatures of signed URLs, authorization headers, AWS key pairs, private keys, and every value of
this process's own environment variables of such names. A name that is no secret may be hidden
with them; the other mistake is worse.
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
)
_SENSITIVE_NAME = re.compile(_SENSITIVE, re.IGNORECASE)
_LEAST_KNOWN = 6
"""Shorter values of the environment are words; hiding them would hide half of every text."""

# `quote` may itself be escaped, as in JSON within JSON; `>` as in XML.
_SEPARATOR = r"(?:(?:\\*[\"'])?\s*(?:=|:|%3D)\s*|>)"
_VALUE = (
    r"(?:\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?"
    r"|(?P<escaped>\\+[\"'])(?:.*?(?P=escaped)|[^\s&]*)|[^\s&]+)"
)
# To the last @ of the authority; bounded, for a text may hold many beginnings and no end.
_TAIL = r"[^\s@]{0,2048}@(?:[^\s/@]{0,2048}@)*"
_RULES = (
    (
        re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END [A-Z ]*KEY-----|\Z)", re.S),
        rf"\1{HIDDEN}",
    ),
    # s3://KEY:SECRET@bucket. The secret may hold slashes. A bucket has no port, so a colon is
    # followed by a secret, also where a parser cut it off before its @.
    (
        re.compile(rf"((?:s3[an]?|gc?s)://)[^\s/@:]*:(?:{_TAIL}|[^\s/@]*)", re.I),
        rf"\1{HIDDEN}@",
    ),
    # https://user:password@host; host:8020/a@b is a port and a path.
    (re.compile(rf"(://)[^\s/@:]*:(?!\d{{1,5}}/){_TAIL}"), rf"\1{HIDDEN}@"),
    # https://token@host; abfs://container@account is no secret.
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


# What at least one of the rules needs.
_SUSPECT = re.compile(r"[:=>?]|%3D|--|bearer\s|AKIA|ASIA", re.I)


def redacted(text: object, environment: Mapping[str, str] | None = None) -> str:
    """The text with every secret that can be told as one replaced by `***`.

    Args:
        text: any; what is no text is made one.
        environment: values of its sensitive names are hidden wherever they stand; of this process
            when None.
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
    """Whether what goes by this name is taken for a secret."""
    return _SENSITIVE_NAME.search(name) is not None


def printable(text: object) -> str:
    """One line without control and direction characters, which are shown as escapes.

    A file name then cannot move the cursor, start a line or turn the reading order around.
    """
    return "".join(
        char.encode("unicode_escape").decode()
        if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else char
        for char in str(text)
    )


def _known_secrets(environment: Mapping[str, str]) -> list[str]:
    """Longest first: one may contain another."""
    values = [
        value
        for name, value in environment.items()
        if len(value) >= _LEAST_KNOWN and is_sensitive(name)
    ]
    # As it is, and as it stands in URIs.
    return sorted({*values, *(quote(value, safe="") for value in values)}, key=len, reverse=True)
