"""The marker `framejury.json`: which folder is a warehouse, and where one can be made."""

from __future__ import annotations

import os
from typing import Any

from pyarrow import fs

from framejury import __version__
from framejury.errors import UsageError, WarehouseError
from framejury.storage import (
    Location,
    check_no_secret,
    is_file,
    is_local,
    local_path,
    locate,
    read_json,
    write_json,
)

FORMAT_VERSION = 1

_MARKER = "framejury.json"
_OURS = ("lock", "commits", "runs", "inspections")
"""Folders that a run killed at its start, or `framejury inspect`, may have left."""


def place_of(uri: str) -> Location:
    """Return the place of a warehouse that is there or can be made.

    Raises:
        WarehouseError: the file system cannot be reached, or the URI holds a secret.
    """
    try:
        return locate(check_no_secret(uri))
    except UsageError as error:
        raise WarehouseError(str(error)) from error


def is_warehouse(place: Location) -> bool:
    """Return whether the marker is there."""
    return is_file(place.child(_MARKER))


def mark(place: Location) -> None:
    """Mark an existing folder as a warehouse.

    Raises:
        OSError: it cannot be written.
    """
    facts = {"format_version": FORMAT_VERSION, "framejury": __version__}
    write_json(place.child(_MARKER), facts)


def check_format(place: Location) -> None:
    """Check that this framejury can read the warehouse.

    Raises:
        WarehouseError: it has another format, or its marker cannot be read.
    """
    found = read_record(place.child(_MARKER)).get("format_version")
    if found != FORMAT_VERSION:
        raise WarehouseError(
            f"{place.uri} has warehouse format {found}; this framejury "
            f"{__version__} reads format {FORMAT_VERSION}"
        )


def check_may_hold(place: Location) -> None:
    """Check that the place holds a warehouse, or nothing that is not framejury's.

    Raises:
        WarehouseError: the place holds something else, or a warehouse of another format.
    """
    # Another first run may make it between the two checks.
    others = not is_warehouse(place) and _holds_others(place)
    if is_warehouse(place):
        check_format(place)
    elif others:
        raise WarehouseError(
            f"{place.uri} is neither empty nor a warehouse; name a new or empty folder"
        )


def check_writable(place: Location) -> None:
    """Check that a local folder can be made and written; others fail when written to.

    Raises:
        WarehouseError: it cannot.
    """
    if not is_local(place.uri):
        return
    there = local_path(place.uri)
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise WarehouseError(f"cannot make a warehouse at {place.uri}: {there} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise WarehouseError(f"cannot write below {there}; choose another --warehouse")


def read_record(place: Location) -> dict[str, Any]:
    """Read a JSON object of the warehouse.

    Raises:
        WarehouseError: it cannot be read, or is not a JSON object.
    """
    try:
        return read_json(place)
    except (OSError, ValueError) as error:
        raise WarehouseError(f"cannot read {place.uri}: {error}") from error


def _holds_others(place: Location) -> bool:
    if is_file(place):
        return True
    selector = fs.FileSelector(place.path, allow_not_found=True)
    names = [info.base_name for info in place.filesystem.get_file_info(selector)]
    return any(name not in _OURS and not name.startswith(f".{_MARKER}.") for name in names)
