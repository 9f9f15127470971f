"""Paths and URIs: which file system one is on, and how to reach the bytes.

A URI is a plain local path, `file:` or any scheme that `pyarrow.fs` knows
(s3 and s3a, gs, abfs, hdfs where libhdfs is installed). Paths inside URIs are
taken as they are, not percent-decoded, which is how Hadoop prints them.
"""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from pyarrow import fs

from framejury.errors import UsageError
from framejury.redaction import redacted

_URI = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<rest>/.*)$", re.DOTALL)
_SAME_AS = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}
_OBJECT_STORES = ("s3", "gs", "abfs", "abfss")
_HADOOP = ("hdfs", "viewfs")
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Location:
    """A place on one file system.

    Attributes:
        filesystem: the pyarrow file system.
        path: the path as that file system wants it.
        uri: how the user and Spark name it; an absolute path when local.
    """

    filesystem: fs.FileSystem = field(compare=False)
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
    scheme = _scheme(uri)
    authority, _, path = match["rest"].lstrip("/").partition("/")
    try:
        filesystem, root = fs.FileSystem.from_uri(f"{scheme}://{authority}/")
    except (OSError, ValueError, NotImplementedError) as error:
        raise UsageError(
            f"cannot reach {scheme}://{authority}/ ({error}); for hdfs install the Hadoop "
            "client (libhdfs, CLASSPATH), for s3, gs and abfs set its credentials"
        ) from error
    return Location(filesystem, f"{root.rstrip('/')}/{path}" if path else root, uri)


def check_no_secret(uri: str) -> str:
    """The URI, when it holds no password: tables, commits and reports keep it, and are read.

    Raises:
        UsageError: it holds one.
    """
    if redacted(uri, {}) != uri:
        raise UsageError(
            f"{redacted(uri, {})} holds a secret, which would be stored with every row; put it "
            "into the environment (AWS_ACCESS_KEY_ID and the like) or Spark's configuration"
        )
    return uri


def is_file(place: Location) -> bool:
    """Whether there is a file."""
    return bool(place.filesystem.get_file_info(place.path).type == fs.FileType.File)


def is_taken(place: Location) -> bool:
    """Whether there is a file, or a folder with anything in it."""
    if is_file(place):
        return True
    selector = fs.FileSelector(place.path, allow_not_found=True)
    return bool(place.filesystem.get_file_info(selector))


def read_json(place: Location) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON object.
    """
    if not is_local(place.uri) and _scheme(place.uri) in _HADOOP and not is_file(place):
        place = place.child(_record_in(place))
    with place.filesystem.open_input_stream(place.path) as stream:
        content = json.loads(stream.read())
    if not isinstance(content, dict):
        raise ValueError("not a JSON object")
    return content


def write_json(place: Location, content: Mapping[str, Any]) -> None:
    """Write a JSON object; what was there is replaced, locally in one step."""
    if is_local(place.uri):
        draft = _draft(Path(place.path), content)
        draft.replace(place.path)
        return
    if _scheme(place.uri) in _HADOOP and is_taken(place) and not is_file(place):
        place = place.child(_record_in(place))
    with place.filesystem.open_output_stream(place.path) as stream:
        stream.write(_as_json(content))


def write_whole(place: Location, content: bytes | BinaryIO) -> None:
    """Write a file that nobody sees before it is complete; what was there is replaced.

    An object store does so by itself; elsewhere a draft is renamed.

    Args:
        place: of the file; folders above it are made.
        content: all of it, or a file that holds it and is read from where it stands.
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
    """Create a file with all of its content, or fail when the name is taken. Atomic.

    Of any number of writers one wins, and no reader sees half a record:

    * on a local disk (and NFS) by `link(2)` of a finished draft, which fails when the name is
      taken;
    * on an object store by one conditional put (S3 and Azure: `If-None-Match: *`; Google:
      `ifGenerationMatch=0`), which the store itself decides;
    * on HDFS by renaming a finished folder, which the name node decides (`_create_by_rename`).

    Raises:
        FileExistsError: the name is taken by another writer.
        OSError: it cannot be written.
        UsageError: the file system has no such step, or its library is not installed.
    """
    if is_local(place.uri):
        target = Path(place.path)
        draft = _draft(target, content)
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
            f"{place.uri}: no atomic way to create a file is known for this file system; keep "
            "the warehouse on a local disk, HDFS, S3, Google Cloud Storage or Azure"
        )


def _record_in(place: Location) -> str:
    """Name of the one file in a folder that `_create_by_rename` made."""
    infos = place.filesystem.get_file_info(fs.FileSelector(place.path))
    names = [info.base_name for info in infos if info.type == fs.FileType.File]
    if len(names) != 1:
        raise FileNotFoundError(f"no record in {place.uri}")
    return str(names[0])


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
    # A server on the own network may speak plain HTTP; its address then says so.
    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    try:
        # Quoted, for a URL is expected; our paths are taken as they are.
        store = from_url(quote(folder, safe=":/"), client_options={"allow_http": plain})
        obstore.put(store, name, _as_json(content), mode="create")
    except AlreadyExistsError:
        # A put whose answer was lost is tried again, and then finds its own record.
        if read_json(place) != content:
            raise FileExistsError(place.uri) from None
    except (BaseError, OSError, ValueError) as error:
        reason = str(error).partition("\n\nDebug source:")[0]
        raise OSError(f"cannot write {place.uri}: {reason}") from error


def _create_by_rename(place: Location, content: Mapping[str, Any]) -> None:
    """HDFS's rename never replaces: onto a taken folder, it moves into it, where we see it.

    The record is a folder with one file named by its writer, for a rename of files is done by
    pyarrow as delete and rename when the name is taken.
    """
    token = secrets.token_hex(8)
    draft = Location(place.filesystem, f"{place.path}.{token}", f"{place.uri}.{token}")
    place.filesystem.create_dir(draft.path)
    with place.filesystem.open_output_stream(draft.child(token).path) as stream:
        stream.write(_as_json(content))
    try:
        place.filesystem.move(draft.path, place.path)
    except OSError:
        if not is_taken(place):
            raise
    if not is_file(place.child(token)):
        nested = place.child(Path(draft.path).name)
        for lost in (nested, draft):
            if is_taken(lost):
                place.filesystem.delete_dir(lost.path)
        raise FileExistsError(place.uri)


def _draft(target: Path, content: Mapping[str, Any]) -> Path:
    """The content in a file beside its place, safely on the disk."""
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("wb") as stream:
            stream.write(_as_json(content))
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
