"""Hadoop's mini cluster from Maven Central, by digest, kept in ~/.cache/framejury/jars.

FRAMEJURY_JARS names another folder, such as one that was filled before the network was cut.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import urllib.request
from dataclasses import dataclass
from pathlib import Path

CENTRAL = "https://repo1.maven.org/maven2"
_LIMIT_S = 120


class OutOfReachError(Exception):
    """Maven Central cannot be reached, and a jar is not here yet."""


@dataclass(frozen=True)
class Jar:
    """A file of Maven Central by its coordinates and its SHA-256."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def url(self) -> str:
        group = self.group.replace(".", "/")
        return f"{CENTRAL}/{group}/{self.artifact}/{self.version}/{self.name}"


HADOOP = (
    # The version of PySpark's own Hadoop.
    Jar(
        "org.apache.hadoop",
        "hadoop-client-minicluster",
        "3.5.0",
        "06772d24529e59939915979b3edba204d367750ef7dc5120411f35221dd4818c",
    ),
    # The resource manager needs it, and the mini cluster does not name it.
    Jar(
        "org.bouncycastle",
        "bcprov-jdk18on",
        "1.82",
        "14cde2fdfaa8890480a8e5b67aceef0c90f96682c1e23c133bafdc9e0b3255ce",
    ),
    Jar(
        "org.bouncycastle",
        "bcpkix-jdk18on",
        "1.82",
        "bdc723e20834832ac6af136cb5b5ff05e43b71d4fa151cc6510d9212ee086e63",
    ),
    Jar(
        "org.bouncycastle",
        "bcutil-jdk18on",
        "1.82",
        "4420691958ad1c0ba275a6d6d8a6317adbdbdc9277055b6a72aa89c88cda8c7d",
    ),
)


def hadoop_jars() -> list[Path]:
    """Return the jars of Hadoop's daemons, downloaded when they are not here yet.

    Raises:
        OutOfReachError: Maven Central cannot be reached.
        ValueError: a file has another digest.
    """
    return [_fetched(jar) for jar in HADOOP]


def _fetched(jar: Jar) -> Path:
    folder = Path(os.environ.get("FRAMEJURY_JARS") or Path.home() / ".cache/framejury/jars")
    path = folder / jar.name
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{jar.name}.{secrets.token_hex(4)}"
        try:
            with (
                urllib.request.urlopen(jar.url, timeout=_LIMIT_S) as answer,
                draft.open("wb") as to,
            ):
                shutil.copyfileobj(answer, to)
            draft.replace(path)
        except OSError as error:
            raise OutOfReachError(f"{jar.url}: {error}") from error
        finally:
            draft.unlink(missing_ok=True)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != jar.sha256:
        raise ValueError(f"{path} has the SHA-256 {digest}, not {jar.sha256}; remove it")
    return path
