"""Bring a video's bytes to where a decoder can read them, hashing them on the way.

A thread does this, since a read from a dead server may never return. Such a thread cannot be
ended: it stays behind, with one descriptor and a block of memory, until the system gives up on
the read. A process blocked in such a read inside the kernel cannot even be killed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from framejury.errors import FramejuryError, MediaError, UsageError
from framejury.schemas.statuses import Status
from framejury.storage import is_local, local_path, locate

_BLOCK_BYTES = 1 << 20
_FAULTS_OF_THE_MACHINE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors of opening a file that are not the video's fault: too many open files, no memory."""


class ScratchError(FramejuryError):
    """This machine cannot store a file: a full scratch disk, for example. Not the video's fault."""


@dataclass(frozen=True)
class LocalCopy:
    """A regular file that a decoder can read.

    Attributes:
        path: where the bytes are on this machine.
        file: descriptor open for reading; remains the file that was hashed, whatever happens
            to the path.
        size_bytes: size.
        content_id: SHA-256 of the bytes, hex.
        modified_ns: time of the last write, when the file was opened.
    """

    path: Path
    file: int
    size_bytes: int
    content_id: str
    modified_ns: int

    def has_changed(self) -> bool:
        """Check whether the file was written to or truncated since it was opened."""
        now = os.fstat(self.file)
        return (now.st_size, now.st_mtime_ns) != (self.size_bytes, self.modified_ns)


@dataclass(frozen=True)
class KnownContent:
    """Size and hash of a file from an earlier read."""

    size_bytes: int
    content_id: str


@contextmanager
def local_copy(
    uri: str,
    limit_bytes: int,
    known: KnownContent | None = None,
    timeout_s: float | None = None,
) -> Iterator[LocalCopy]:
    """Open and hash the file at `uri`; spool a remote file to scratch.

    The decoding process therefore needs neither network nor credentials.

    Args:
        uri: local path or URI.
        limit_bytes: largest file accepted.
        known: of a file hashed before. A local file is then not read again, only its size is
            compared; a remote file must be spooled and is hashed on the way.
        timeout_s: for opening and reading the file, seconds; None: no limit.

    Raises:
        MediaError: with status `missing`, `empty`, `too_large`, `timeout`, or `unreadable`, also
            when the file differs from `known` or changes before the end of the `with`.
        ScratchError: this machine cannot store it.
    """
    fetch = _Fetch(uri, limit_bytes, known)
    try:
        copy = fetch.result(timeout_s)
        yield copy
        if copy.has_changed():
            raise MediaError(Status.UNREADABLE, "the file changed while it was read")
    finally:
        fetch.discard()


class _Fetch:
    """Opens, spools and hashes one file in a thread; cleans up wherever that stands."""

    def __init__(self, uri: str, limit_bytes: int, known: KnownContent | None) -> None:
        self._uri = uri
        self._limit_bytes = limit_bytes
        self._known = known
        self._file: int | None = None
        self._scratch: str | None = None
        self._copy: LocalCopy | None = None
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self._finished = False
        self._given_up = False
        # A daemon, so that the worker can exit while a read hangs.
        self._thread = threading.Thread(target=self._run, name="fetch", daemon=True)
        self._thread.start()

    def result(self, timeout_s: float | None) -> LocalCopy:
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise MediaError(
                Status.TIMEOUT,
                f"reading the file took longer than limits.timeout_s = {timeout_s:g} s",
            )
        if self._error is not None:
            raise self._error
        assert self._copy is not None
        return self._copy

    def discard(self) -> None:
        """Close and remove the copy, now or when the thread returns."""
        with self._lock:
            self._given_up = True
            if self._finished:
                self._clean()

    def _run(self) -> None:
        try:
            self._copy = self._fetched()
        except BaseException as error:  # raised again by `result`
            self._error = error
        with self._lock:
            self._finished = True
            if self._given_up:
                self._clean()

    def _clean(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _fetched(self) -> LocalCopy:
        path = local_path(self._uri) if is_local(self._uri) else self._spool_path()
        try:
            copy = self._local(path) if is_local(self._uri) else self._spooled(path)
        except FileNotFoundError:
            raise MediaError(Status.MISSING, f"no file at {self._uri}") from None
        except (OSError, UsageError, pa.ArrowException) as error:
            raise MediaError(Status.UNREADABLE, f"cannot read {self._uri}: {error}") from error
        if copy.size_bytes == 0:
            raise MediaError(Status.EMPTY, "the file has 0 bytes")
        if self._known not in (None, KnownContent(copy.size_bytes, copy.content_id)):
            raise MediaError(
                Status.UNREADABLE, "the file changed while its segments were processed"
            )
        return copy

    def _local(self, path: Path) -> LocalCopy:
        try:
            # Not blocking, or opening a named pipe would wait for a writer.
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in _FAULTS_OF_THE_MACHINE:
                raise ScratchError(f"this machine cannot open another file: {error}") from error
            raise
        facts = os.fstat(self._file)
        if not stat.S_ISREG(facts.st_mode):
            raise MediaError(Status.UNREADABLE, f"cannot read {self._uri}: not a regular file")
        size_bytes = facts.st_size
        if self._known is not None:
            content_id = self._known.content_id
        else:
            self._check(size_bytes)
            digest = hashlib.sha256()
            block = bytearray(_BLOCK_BYTES)
            size_bytes = 0
            while count := os.readv(self._file, [block]):
                size_bytes += count
                self._check(size_bytes)
                digest.update(memoryview(block)[:count])
            content_id = digest.hexdigest()
        return LocalCopy(path, self._file, size_bytes, content_id, facts.st_mtime_ns)

    def _spool_path(self) -> Path:
        try:
            self._scratch = tempfile.mkdtemp(prefix="framejury-")
            path = Path(self._scratch) / "video"
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ScratchError(
                f"cannot create a file in {tempfile.gettempdir()}: {error}"
            ) from error
        return path

    def _spooled(self, path: Path) -> LocalCopy:
        assert self._file is not None
        digest = hashlib.sha256()
        size_bytes = 0
        place = locate(self._uri)
        with place.filesystem.open_input_stream(place.path, compression=None) as source:
            while block := source.read(_BLOCK_BYTES):
                size_bytes += len(block)
                self._check(size_bytes)
                digest.update(block)
                self._write(block)
        facts = os.fstat(self._file)
        return LocalCopy(path, self._file, size_bytes, digest.hexdigest(), facts.st_mtime_ns)

    def _write(self, block: bytes) -> None:
        assert self._file is not None
        rest = memoryview(block)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise ScratchError(f"cannot spool to {tempfile.gettempdir()}: {error}") from error

    def _check(self, size_bytes: int) -> None:
        if size_bytes > self._limit_bytes:
            raise MediaError(
                Status.TOO_LARGE, f"larger than limits.bytes = {self._limit_bytes:,} bytes"
            )
        if self._given_up:
            raise MediaError(Status.TIMEOUT, "reading was given up")
