"""Paths and URIs: the file system of each, and reading and writing small files there.

A URI is a plain local path, `file:`, any scheme that `pyarrow.fs` knows (s3 and s3a, gs, abfs), or
hdfs and viewfs (`framejury.hdfs`). Paths inside URIs are not percent-decoded: Hadoop prints them
so.
"""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

from framejury.errors import UsageError
from framejury.redaction import redacted

if TYPE_CHECKING:
    from pyarrow import fs

_URI = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<rest>/.*)$", re.DOTALL)
_SAME_AS = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}
_OBJECT_STORES = ("s3", "gs", "abfs", "abfss")
_HADOOP = ("hdfs", "viewfs")
STORES = (*_SAME_AS, *_OBJECT_STORES, *_HADOOP)
"""Schemes of URIs that videos are fetched from."""
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Location:
    """A place on one file system.

    Attributes:
        filesystem: the pyarrow file system.
        path: the path in the form that this file system expects.
        uri: the name that users and Spark use; an absolute path when local.
    """

    filesystem: fs.FileSystem = field(compare=False)
    path: str
    uri: str

    def child(self, *names: str) -> Location:
        """Return the place `names` below this one."""
        tail = "/".join(names)
        return Location(
            self.filesystem, f"{self.path.rstrip('/')}/{tail}", f"{self.uri.rstrip('/')}/{tail}"
        )


def is_local(uri: str) -> bool:
    """Return whether the URI is a plain path or `file:`."""
    match = _URI.match(uri)
    return match is None or match["scheme"].lower() == "file"


def local_path(uri: str) -> Path:
    """Return the absolute path of a local URI; symbolic links are not resolved."""
    match = _URI.match(uri)
    if match is not None:
        return Path("/" + match["rest"].lstrip("/"))
    # A file may be named `~clip.mp4`, so only the user's own home is expanded.
    return (Path(uri).expanduser() if uri == "~" or uri.startswith("~/") else Path(uri)).absolute()


def locate(uri: str) -> Location:
    """Return the file system and path of a URI.

    Raises:
        UsageError: the scheme is unknown, or its file system cannot be reached.
    """
    # Here: paths are checked before libraries are loaded.
    from pyarrow import fs

    if is_local(uri):
        path = str(local_path(uri))
        return Location(fs.LocalFileSystem(), path, path)
    match = _URI.match(uri)
    assert match is not None
    scheme = _scheme(uri)
    if scheme in _HADOOP:
        return _locate_in_hdfs(uri, scheme, match["rest"])
    authority, _, path = match["rest"].lstrip("/").partition("/")
    try:
        filesystem, root = fs.FileSystem.from_uri(f"{scheme}://{authority}/")
    except (OSError, ValueError, NotImplementedError) as error:
        raise UsageError(
            f"cannot reach {scheme}://{authority}/ ({error}); for s3, gs and abfs set the "
            "credentials; other stores are local disks and hdfs"
        ) from error
    return Location(filesystem, f"{root.rstrip('/')}/{path}" if path else root, uri)


def _locate_in_hdfs(uri: str, scheme: str, rest: str) -> Location:
    from framejury.hdfs import connect

    # Also hdfs:/x and hdfs:///x, on the default file system.
    authority = rest[2:].partition("/")[0] if rest.startswith("//") else ""
    path = rest[2 + len(authority) :] if rest.startswith("//") else rest
    return Location(connect(scheme, authority), path or "/", uri)


def check_no_secret(uri: str) -> str:
    """Return the URI if it holds no secret: it is stored in tables, commits and reports.

    Raises:
        UsageError: it holds a secret.
    """
    if redacted(uri, {}) != uri:
        raise UsageError(
            f"{redacted(uri, {})} holds a secret, which would be stored with every row; put it "
            "into the environment (such as AWS_ACCESS_KEY_ID) or into Spark's configuration"
        )
    return uri


def is_file(place: Location) -> bool:
    """Return whether the place is a file."""
    from pyarrow import fs

    return bool(place.filesystem.get_file_info(place.path).type == fs.FileType.File)


def is_taken(place: Location) -> bool:
    """Return whether the place is a file or a folder that is not empty."""
    from pyarrow import fs

    if is_file(place):
        return True
    selector = fs.FileSelector(place.path, allow_not_found=True)
    return bool(place.filesystem.get_file_info(selector))


def read_json(place: Location) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a JSON object.
    """
    with place.filesystem.open_input_stream(place.path) as stream:
        content = json.loads(stream.read())
    if not isinstance(content, dict):
        raise ValueError("not a JSON object")
    return content


def write_json(place: Location, content: Mapping[str, Any]) -> None:
    """Write a JSON object over what was there, in one step."""
    if is_local(place.uri):
        replace_file(Path(place.path), _as_json(content))
    else:
        write_whole(place, _as_json(content))


def replace_file(target: Path, content: bytes | Iterable[bytes]) -> None:
    """Replace a local file in one step: readers see the old or the new content, whole.

    Args:
        target: the file.
        content: the content, or its parts, which need not fit into memory together.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    draft = _draft(target, content)
    try:
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_whole(place: Location, content: bytes | BinaryIO) -> None:
    """Write a file over what was there; no reader sees it before it is complete.

    Object stores guarantee this; elsewhere a draft is renamed.

    Args:
        place: the file; folders above it are made.
        content: the content, or an open file that is read from its current position.
    """
    source = io.BytesIO(content) if isinstance(content, bytes) else content
    filesystem = place.filesystem
    if not is_local(place.uri) and _scheme(place.uri) in _OBJECT_STORES:
        with filesystem.open_output_stream(place.path) as stream:
            shutil.copyfileobj(source, stream, _BLOCK_BYTES)
        return
    parent, _, name = place.path.rpartition("/")
    filesystem.create_dir(parent, recursive=True)
    draft = f"{parent}/.{name}.{secrets.token_hex(4)}"
    try:
        with filesystem.open_output_stream(draft) as stream:
            shutil.copyfileobj(source, stream, _BLOCK_BYTES)
        filesystem.move(draft, place.path)
    except BaseException:
        with suppress(OSError):
            filesystem.delete_file(draft)
        raise


def create_json(place: Location, content: Mapping[str, Any]) -> None:
    """Create a file with its whole content in one atomic step, or fail if the name is taken.

    One of any number of writers succeeds, and no reader sees half a record:

    * on a local disk (and NFS), `link(2)` of a finished draft fails if the name is taken;
    * on an object store, one conditional put (S3 and Azure: `If-None-Match: *`; Google:
      `ifGenerationMatch=0`) is decided by the store;
    * on HDFS, renaming a finished draft to a free name is decided by the name node.

    Raises:
        FileExistsError: another writer took the name.
        OSError: the file cannot be written.
        UsageError: the file system has no such operation, or its library is not installed.
    """
    if is_local(place.uri):
        target = Path(place.path)
        draft = _draft(target, _as_json(content))
        try:
            os.link(draft, target)
        finally:
            draft.unlink()
    elif _scheme(place.uri) in _OBJECT_STORES:
        _create_by_put(place, content)
    elif _scheme(place.uri) in _HADOOP:
        _create_by_rename(place, content)
    else:
        raise UsageError(
            f"{place.uri}: framejury cannot create files atomically on this file system; keep "
            "the warehouse on a local disk, HDFS, S3, Google Cloud Storage or Azure"
        )


def _create_by_put(place: Location, content: Mapping[str, Any]) -> None:
    try:
        import obstore
        from obstore.exceptions import AlreadyExistsError, BaseError
        from obstore.store import from_url
    except ModuleNotFoundError:
        raise UsageError(
            f"a warehouse at {place.uri} needs obstore: pip install 'framejury[cloud]'"
        ) from None
    folder, _, name = place.uri.rpartition("/")
    # A server in the local network may use plain HTTP.
    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    try:
        # A URL is expected, and our paths are not percent-encoded.
        store = from_url(quote(folder, safe=":/"), client_options={"allow_http": plain})
        obstore.put(store, name, _as_json(content), mode="create")
    except AlreadyExistsError:
        # A put that is retried because its answer was lost finds its own record.
        if read_json(place) != json.loads(_as_json(content)):
            raise FileExistsError(place.uri) from None
    except (BaseError, OSError, ValueError) as error:
        reason = str(error).partition("\n\nDebug source:")[0]
        raise OSError(f"cannot write {place.uri}: {reason}") from error


def _create_by_rename(place: Location, content: Mapping[str, Any]) -> None:
    filesystem = place.filesystem
    parent, _, name = place.path.rpartition("/")
    draft = f"{parent}/.{name}.{secrets.token_hex(4)}"
    try:
        with filesystem.open_output_stream(draft) as stream:
            stream.write(_as_json(content))
        filesystem.handler.move_to_free_name(draft, place.path)
    except OSError as error:
        with suppress(OSError):
            filesystem.delete_file(draft)
        # A rename that is repeated because its answer was lost finds its own record.
        if not is_file(place):
            raise
        if read_json(place) != json.loads(_as_json(content)):
            raise FileExistsError(place.uri) from error


def _draft(target: Path, content: bytes | Iterable[bytes]) -> Path:
    """Write the content to a file beside its target and flush it to the disk."""
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("wb") as stream:
            stream.writelines([content] if isinstance(content, bytes) else content)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return draft


def _as_json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1).encode()


def _scheme(uri: str) -> str:
    match = _URI.match(uri)
    assert match is not None
    return _SAME_AS.get(match["scheme"].lower(), match["scheme"].lower())
