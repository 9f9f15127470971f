"""Paths and URIs: which file system one is on, and how to reach the bytes.

A URI is a plain local path, `file:` or any scheme that `pyarrow.fs` knows
(s3 and s3a, gs, abfs, hdfs where libhdfs is installed). Paths inside URIs are
taken as they are, not percent-decoded, which is how Hadoop prints them.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyarrow import fs

from framejury.errors import UsageError

_URI = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<rest>/.*)$", re.DOTALL)
_SAME_AS = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}


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
    with place.filesystem.open_input_stream(place.path) as stream:
        content = json.loads(stream.read())
    if not isinstance(content, dict):
        raise ValueError("not a JSON object")
    return content


def write_json(place: Location, content: Mapping[str, Any]) -> None:
    """Write a JSON object; what was there is replaced."""
    with place.filesystem.open_output_stream(place.path) as stream:
        stream.write(json.dumps(content, indent=1).encode())


def create_json(place: Location, content: Mapping[str, Any]) -> None:
    """Create a file with all of its content, or fail when the name is taken.

    Locally one `link(2)`, which is atomic. Elsewhere one put after a look, so that of two
    writers in the same instant the second may replace the first.

    Raises:
        FileExistsError: the name is taken.
        OSError: it cannot be written.
    """
    if not is_local(place.uri):
        if is_file(place):
            raise FileExistsError(place.uri)
        write_json(place, content)
        return
    target = Path(place.path)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    with draft.open("w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(draft, target)
    finally:
        draft.unlink()
