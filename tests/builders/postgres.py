"""A real PostgreSQL in a temporary folder: Debian's package `postgresql`, started as any user."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OWNER = "postgres"
"""System user that runs the server if the tests run as root, which PostgreSQL refuses."""
PASSWORD = "a secret of twenty-five c"


def programs() -> Path | None:
    """Return the folder of the newest PostgreSQL's programs; None if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return None if path is None else Path(path).resolve().parent


@dataclass
class Server:
    """A PostgreSQL on a Unix socket, where everyone is trusted, and on loopback, with a password.

    Attributes:
        programs: folder of its programs.
        folder: its data, log and socket.
        port: of the socket's name and on loopback.
    """

    programs: Path
    folder: Path
    port: int
    _databases: int = 0

    def database(self) -> str:
        """Make an empty database, and return its libpq URI through the socket."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.query("postgres", f"create database {name}", autocommit=True)
        return self.uri(name)

    def uri(self, name: str) -> str:
        return f"postgresql:///{name}?host={self.folder}&port={self.port}&user={OWNER}"

    def query(self, database: str, text: str, *, autocommit: bool = False) -> list[tuple[Any, ...]]:
        """Run SQL in a database, named or by its URI, and return the rows."""
        import psycopg

        uri = database if "://" in database else self.uri(database)
        with psycopg.connect(uri, autocommit=autocommit) as connection:
            cursor = connection.execute(text)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description is not None else []

    def start(self) -> None:
        options = f"-k {self.folder} -p {self.port} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run(
            *("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-t", "120"),
            *("-o", options, "start"),
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")

    def init(self) -> None:
        data = self.folder / "data"
        # A cluster of Debian's default locale C.UTF-8, whatever the tests' environment.
        self._run("initdb", "-D", data, "-U", OWNER, "--auth=trust", "-E", "UTF8", "--no-sync")
        (data / "pg_hba.conf").write_text(
            "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )

    def _run(self, program: str, *args: object) -> None:
        command = [str(self.programs / program), *map(str, args)]
        subprocess.run(
            _as_owner(command),
            check=True,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]},
        )


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server in a folder of its own; the path of its socket must be short."""
    place = programs()
    assert place is not None
    with tempfile.TemporaryDirectory(prefix="fj-pg-", dir="/tmp") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(OWNER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = Server(place, folder, port)
        server.init()
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _as_owner(command: Sequence[str]) -> list[str]:
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--init-groups", *command]


def _version(path: Path) -> float:
    try:
        return float(path.parts[-3])
    except ValueError:
        return 0.0
