"""Paths and URIs: which file system one is on, and how to reach the bytes.

A URI is a plain local path, `file:` or any scheme that `pyarrow.fs` knows
(s3 and s3a, gs, abfs, hdfs where libhdfs is installed). Paths inside URIs are
taken as they are, not percent-decoded, which is how Hadoop prints them.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from framejury.errors import MediaError, UsageError
from framejury.schemas import Status

_URI = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<rest>/.*)$", re.DOTALL)
_SAME_AS = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Location:
    """A place on one file system.

    Attributes:
        filesystem: the pyarrow file system.
        path: the path as that file system wants it.
        uri: how the user and Spark name it; an absolute path when local.
    """

    filesystem: fs.FileSystem
    path: str
    uri: str

    def child(self, *names: str) -> Location:
        """The place `names` below this one."""
        tail = "/".join(names)
        return Location(
            self.filesystem, f"{self.path.rstrip('/')}/{tail}", f"{self.uri.rstrip('/')}/{tail}"
        )


def is_local(uri: str) -> bool:
    """Whether the URI is a plain path or `file:`."""
    match = _URI.match(uri)
    return match is None or match["scheme"].lower() == "file"


def local_path(uri: str) -> Path:
    """The absolute path of a local URI; symbolic links stay as they are."""
    match = _URI.match(uri)
    if match is not None:
        return Path("/" + match["rest"].lstrip("/"))
    # A file may be named `~clip.mp4`; only the user's own home is meant.
    return (Path(uri).expanduser() if uri == "~" or uri.startswith("~/") else Path(uri)).absolute()


def locate(uri: str) -> Location:
    """The file system and path of a URI.

    Raises:
        UsageError: the scheme is unknown, or its file system cannot be reached.
    """
    if is_local(uri):
        path = str(local_path(uri))
        return Location(fs.LocalFileSystem(), path, path)
    match = _URI.match(uri)
    assert match is not None
    scheme = _SAME_AS.get(match["scheme"].lower(), match["scheme"].lower())
    authority, _, path = match["rest"].lstrip("/").partition("/")
    try:
        filesystem, root = fs.FileSystem.from_uri(f"{scheme}://{authority}/")
    except (OSError, ValueError, NotImplementedError) as error:
        raise UsageError(
            f"cannot reach {scheme}://{authority}/ ({error}); for hdfs install the Hadoop "
            "client (libhdfs, CLASSPATH), for s3, gs and abfs set its credentials"
        ) from error
    return Location(filesystem, f"{root.rstrip('/')}/{path}" if path else root, uri)


@dataclass(frozen=True)
class LocalCopy:
    """A file that a decoder can open by path.

    Attributes:
        path: where the bytes are on this machine.
        size_bytes: how many.
        content_id: SHA-256 of them, hex.
    """

    path: Path
    size_bytes: int
    content_id: str


@contextmanager
def local_copy(uri: str, limit_bytes: int) -> Iterator[LocalCopy]:
    """The file at `uri` under a local path, hashed; a remote file is spooled to scratch.

    The decoder's process therefore needs neither network nor credentials.

    Raises:
        MediaError: with status `missing`, `empty`, `too_large` or `unreadable`.
    """
    scratch: str | None = None
    try:
        if is_local(uri):
            path = local_path(uri)
        else:
            scratch = tempfile.mkdtemp(prefix="framejury-")
            path = Path(scratch) / "video"
        yield _hash_or_spool(uri, path, limit_bytes)
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


def _hash_or_spool(uri: str, path: Path, limit_bytes: int) -> LocalCopy:
    digest = hashlib.sha256()
    size_bytes = 0
    try:
        with _open(uri) as source, _sink(uri, path) as sink:
            while block := source.read(_BLOCK_BYTES):
                size_bytes += len(block)
                if size_bytes > limit_bytes:
                    raise MediaError(
                        Status.TOO_LARGE, f"more than limits.bytes = {limit_bytes:,} bytes"
                    )
                digest.update(block)
                sink.write(block)
    except FileNotFoundError:
        raise MediaError(Status.MISSING, f"no file at {uri}") from None
    except (OSError, UsageError) as error:
        raise MediaError(Status.UNREADABLE, f"cannot read {uri}: {error}") from error
    if size_bytes == 0:
        raise MediaError(Status.EMPTY, "the file has 0 bytes")
    return LocalCopy(path, size_bytes, digest.hexdigest())


def _open(uri: str) -> pa.NativeFile:
    location = locate(uri)
    return location.filesystem.open_input_stream(location.path, compression=None)


def _sink(uri: str, path: Path) -> pa.NativeFile:
    """Where spooled bytes go; nowhere for a local file."""
    if is_local(uri):
        return pa.OSFile("/dev/null", "wb")
    return pa.OSFile(str(path), "wb")
