"""Get a video's bytes to where a decoder can read them, and hash them on the way.

This is done by a thread of its own, for a read from a dead server may never come back. Such a
thread cannot be ended: it is left behind, with one descriptor and a block of memory, until the
system gives up on the read. While that is under way inside the kernel, not even a killed process
goes away.
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
"""Of opening a file: too many are open, or there is no memory."""


class ScratchError(FramejuryError):
    """This machine cannot take a file in: its scratch disk is full, say. No fault of the video."""


@dataclass(frozen=True)
class LocalCopy:
    """A regular file that a decoder can read.

    Attributes:
        path: where the bytes are on this machine.
        file: descriptor of the file, open for reading; whatever happens to the path, this
            stays the file that was hashed.
        size_bytes: how many.
        content_id: SHA-256 of them, hex.
        modified_ns: when the file was written to last, as it was opened.
    """

    path: Path
    file: int
    size_bytes: int
    content_id: str
    modified_ns: int

    def has_changed(self) -> bool:
        """Whether somebody has written to the file, or cut it, since it was opened."""
        now = os.fstat(self.file)
        return (now.st_size, now.st_mtime_ns) != (self.size_bytes, self.modified_ns)


@dataclass(frozen=True)
class KnownContent:
    """What a file held when it was hashed before."""

    size_bytes: int
    content_id: str


@contextmanager
def local_copy(
    uri: str,
    limit_bytes: int,
    known: KnownContent | None = None,
    timeout_s: float | None = None,
) -> Iterator[LocalCopy]:
    """The file at `uri`, open and hashed; a remote file is spooled to scratch.

    The decoder's process therefore needs neither network nor credentials.

    Args:
        uri: local path or URI.
        limit_bytes: largest file taken.
        known: of a file that was hashed before: a local one is not read again, only its size
            compared; a remote one has to be spooled and is hashed on the way.
        timeout_s: for opening and reading it, seconds; None: as long as it takes.

    Raises:
        MediaError: with status `missing`, `empty`, `too_large`, `timeout`, or `unreadable`, also
            when the file is not `known` any more, or changed before the end of the `with`.
        ScratchError: this machine cannot take it in.
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
        # A daemon: the worker may end although a read hangs.
        self._thread = threading.Thread(target=self._run, name="fetch", daemon=True)
        self._thread.start()

    def result(self, timeout_s: float | None) -> LocalCopy:
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise MediaError(
                Status.TIMEOUT, f"reading it takes longer than limits.timeout_s = {timeout_s:g} s"
            )
        if self._error is not None:
            raise self._error
        assert self._copy is not None
        return self._copy

    def discard(self) -> None:
        """Close and remove what there is; the thread does when it comes back."""
        with self._lock:
            self._given_up = True
            if self._finished:
                self._clean()

    def _run(self) -> None:
        try:
            self._copy = self._fetched()
        except BaseException as error:  # raised again by whoever asks for the result
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
                Status.UNREADABLE, "the file changed while segments of it were worked on"
            )
        return copy

    def _local(self, path: Path) -> LocalCopy:
        try:
            # Not blocking: to open a named pipe would else wait for somebody to write to it.
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in _FAULTS_OF_THE_MACHINE:
                raise ScratchError(f"no file can be opened here: {error}") from error
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
                f"no file can be made in {tempfile.gettempdir()}: {error}"
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
                Status.TOO_LARGE, f"more than limits.bytes = {self._limit_bytes:,} bytes"
            )
        if self._given_up:
            raise MediaError(Status.TIMEOUT, "nobody waits for it any more")
