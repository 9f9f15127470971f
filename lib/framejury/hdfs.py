"""HDFS as a pyarrow file system, without an installation of Hadoop.

The client is hdfs-native (decision 34). It reads `core-site.xml` and `hdfs-site.xml` in
`HADOOP_CONF_DIR` (or `HADOOP_HOME/etc/hadoop`), the tokens that YARN gives to containers, and
Kerberos tickets.
"""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import fs

from framejury.errors import UsageError

if TYPE_CHECKING:
    from hdfs_native import Client, FileStatus

SCHEMES = ("hdfs", "viewfs")
_TRIES = 6
"""How often a file is written when data nodes fail: after 1, 2, 4, 8 and 16 seconds again."""
_IN_MEMORY_BYTES = 16 << 20
_BLOCK_BYTES = 1 << 20


def connect(scheme: str, authority: str) -> fs.PyFileSystem:
    """Return the file system of `scheme://authority/`; nothing is sent to it yet.

    Args:
        scheme: one of `SCHEMES`.
        authority: `host:port` of the name node, or the name of a name service; empty for the
            default file system of Hadoop's configuration.

    Raises:
        UsageError: hdfs-native is not installed, or Hadoop's configuration is missing.
    """
    # The client's threads do not survive a fork, so each process has its own.
    return _connect(scheme, authority, os.getpid())


@lru_cache(maxsize=16)
def _connect(scheme: str, authority: str, _process: int) -> fs.PyFileSystem:
    uri = f"{scheme}://{authority}/"
    try:
        from hdfs_native import Client
    except ModuleNotFoundError:
        raise UsageError(
            f"{uri} needs hdfs-native: pip install 'framejury[spark]', or make the environment "
            "archive again: make package"
        ) from None
    try:
        client = Client(uri)
    except (OSError, RuntimeError) as error:
        raise UsageError(
            f"cannot reach {uri} ({_first_line(error)}); set HADOOP_CONF_DIR to the folder of "
            "Hadoop's core-site.xml and hdfs-site.xml, or name host and port: hdfs://HOST:PORT/"
        ) from error
    return fs.PyFileSystem(Hdfs(client, uri))


class Hdfs(fs.FileSystemHandler):  # type: ignore[misc]  # pyarrow has no types
    """What pyarrow asks of a file system, answered by HDFS. Paths are absolute, not encoded.

    Args:
        client: the connection.
        uri: its root, which tells two of them apart.
    """

    def __init__(self, client: Client, uri: str) -> None:
        self._client = client
        self._uri = uri

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hdfs) and self._uri == other._uri

    def __hash__(self) -> int:
        return hash(self._uri)

    def get_type_name(self) -> str:
        return "hdfs"

    def normalize_path(self, path: str) -> str:
        return path

    # ------------------------------------------------------------ looking

    def get_file_info(self, paths: list[str]) -> list[fs.FileInfo]:
        return [self._info(path) for path in paths]

    def get_file_info_selector(self, selector: fs.FileSelector) -> list[fs.FileInfo]:
        base = selector.base_dir or "/"
        with _explained():
            found = self._info(base)
            if found.type == fs.FileType.NotFound and selector.allow_not_found:
                return []
            if found.type == fs.FileType.File:
                raise NotADirectoryError(base)
            return [_described(one) for one in self._client.list_status(base, selector.recursive)]

    def _info(self, path: str) -> fs.FileInfo:
        try:
            with _explained():
                return _described(self._client.get_file_info(path or "/"), path)
        except FileNotFoundError:
            return fs.FileInfo(path, fs.FileType.NotFound)

    # ------------------------------------------------------------ folders

    def create_dir(self, path: str, recursive: bool) -> None:
        with _explained():
            self._client.mkdirs(path, create_parent=recursive)

    def delete_dir(self, path: str) -> None:
        self._delete(path, recursive=True)

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = False) -> None:
        selector = fs.FileSelector(path, allow_not_found=missing_dir_ok)
        for info in self.get_file_info_selector(selector):
            self._delete(info.path, recursive=True)

    def delete_root_dir_contents(self) -> None:
        raise PermissionError("framejury does not empty a whole HDFS")

    # ------------------------------------------------------------ files

    def delete_file(self, path: str) -> None:
        self._delete(path, recursive=False)

    def move(self, src: str, dest: str) -> None:
        """Rename, in one step also when a file of that name is there and goes."""
        with _explained():
            self._client.rename(src, dest, overwrite=True)

    def move_to_free_name(self, src: str, dest: str) -> None:
        """Rename unless the name is taken; of several at once, the name node lets one do it.

        Raises:
            FileExistsError: the name is taken.
        """
        with _explained():
            self._client.rename(src, dest, overwrite=False)

    def copy_file(self, src: str, dest: str) -> None:
        with self.open_input_file(src) as source, self._writer(dest) as sink:
            while block := source.read(_BLOCK_BYTES):
                sink.write(block)

    def open_input_stream(self, path: str) -> pa.NativeFile:
        return self.open_input_file(path)

    def open_input_file(self, path: str) -> pa.NativeFile:
        with _explained():
            return pa.PythonFile(self._client.read(path), mode="r")

    def open_output_stream(self, path: str, metadata: Any) -> pa.NativeFile:
        return pa.PythonFile(self._writer(path), mode="w")

    def open_append_stream(self, path: str, metadata: Any) -> pa.NativeFile:
        raise NotImplementedError("framejury appends to no file")

    def _writer(self, path: str) -> _Writer:
        return _Writer(self._client, path)

    def _delete(self, path: str, *, recursive: bool) -> None:
        with _explained():
            if not self._client.delete(path, recursive):
                raise FileNotFoundError(path)


class _Writer(io.RawIOBase):
    """A file that is collected here and written when it is closed, again if a data node fails.

    The client gives up a file when a data node refuses the connection, which the name node
    notices after ten minutes; Hadoop's own client asks for other data nodes.
    """

    def __init__(self, client: Client, path: str) -> None:
        self._client = client
        self._path = path
        spool = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - closed by close
        self._spool: IO[bytes] = spool

    def writable(self) -> bool:
        return True

    def write(self, block: Any) -> int:
        return self._spool.write(block)

    def close(self) -> None:
        """Write the file.

        Raises:
            OSError: it could not be written, `_TRIES` times.
        """
        if self.closed:
            return
        super().close()
        with self._spool:
            for number in range(_TRIES):
                try:
                    self._spool.seek(0)
                    with _explained():
                        self._write_once()
                    break
                # Asking again would not help.
                except (FileNotFoundError, FileExistsError, PermissionError, NotADirectoryError):
                    raise
                except OSError:
                    if number == _TRIES - 1:
                        raise
                    time.sleep(2**number)

    def _write_once(self) -> None:
        from hdfs_native import WriteOptions

        sink = self._client.create(self._path, WriteOptions(overwrite=True))
        try:
            while block := self._spool.read(_BLOCK_BYTES):
                sink.write(block)
            sink.close()
        except BaseException:
            # Python would close it, and closing waits long for data nodes that do not answer.
            with suppress(AttributeError):
                sink.close = lambda: None  # type: ignore[method-assign]
            raise


def _described(status: FileStatus, path: str | None = None) -> fs.FileInfo:
    if status.isdir:
        return fs.FileInfo(path or status.path, fs.FileType.Directory)
    return fs.FileInfo(
        path or status.path,
        fs.FileType.File,
        size=status.length,
        mtime_ns=status.modification_time * 1_000_000,
    )


@contextmanager
def _explained() -> Iterator[None]:
    """Turn the client's errors into an `OSError` of one line; the name node sends stack traces."""
    try:
        yield
    except OSError as error:
        raise type(error)(_first_line(error)) from error
    except RuntimeError as error:
        raise OSError(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].partition("\\n")[0]
