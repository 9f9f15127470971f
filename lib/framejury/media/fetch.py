"""Get a video's bytes to where a decoder can open them, and hash them on the way."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from framejury.errors import MediaError, UsageError
from framejury.schemas import Status
from framejury.storage import is_local, local_path, locate

_BLOCK_BYTES = 1 << 20


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


@dataclass(frozen=True)
class KnownContent:
    """What a file held when it was hashed before."""

    size_bytes: int
    content_id: str


@contextmanager
def local_copy(
    uri: str, limit_bytes: int, known: KnownContent | None = None
) -> Iterator[LocalCopy]:
    """The file at `uri` under a local path, hashed; a remote file is spooled to scratch.

    The decoder's process therefore needs neither network nor credentials.

    Args:
        uri: local path or URI.
        limit_bytes: largest file taken.
        known: of a file that was hashed before: a local one is not read again, only its size
            compared; a remote one has to be spooled and is hashed on the way.

    Raises:
        MediaError: with status `missing`, `empty`, `too_large`, or `unreadable`, also when
            the file is not `known` any more.
    """
    scratch: str | None = None
    try:
        if is_local(uri):
            path = local_path(uri)
        else:
            scratch = tempfile.mkdtemp(prefix="framejury-")
            path = Path(scratch) / "video"
        if known is not None and is_local(uri):
            copy = LocalCopy(path, _size_bytes(uri, path), known.content_id)
        else:
            copy = _hash_or_spool(uri, path, limit_bytes)
        if known is not None and known != KnownContent(copy.size_bytes, copy.content_id):
            raise MediaError(
                Status.UNREADABLE, "the file changed while segments of it were worked on"
            )
        yield copy
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


def _size_bytes(uri: str, path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise MediaError(Status.MISSING, f"no file at {uri}") from None
    except OSError as error:
        raise MediaError(Status.UNREADABLE, f"cannot read {uri}: {error}") from error


def _open(uri: str) -> pa.NativeFile:
    location = locate(uri)
    return location.filesystem.open_input_stream(location.path, compression=None)


def _sink(uri: str, path: Path) -> pa.NativeFile:
    """Where spooled bytes go; nowhere for a local file."""
    if is_local(uri):
        return pa.OSFile("/dev/null", "wb")
    return pa.OSFile(str(path), "wb")
