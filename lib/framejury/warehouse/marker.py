"""Which folder is a warehouse, and where one may be made: by the marker `framejury.json`."""

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
"""What a run that was killed at its beginning may have left, and `framejury inspect`."""


def place_of(uri: str) -> Location:
    """Where a warehouse is, or may be made.

    Raises:
        WarehouseError: no such place can be, or its address holds a secret.
    """
    try:
        return locate(check_no_secret(uri))
    except UsageError as error:
        raise WarehouseError(str(error)) from error


def is_warehouse(place: Location) -> bool:
    """Whether the marker is there."""
    return is_file(place.child(_MARKER))


def mark(place: Location) -> None:
    """Make the folder, which exists, a warehouse.

    Raises:
        OSError: it cannot be written.
    """
    facts = {"format_version": FORMAT_VERSION, "framejury": __version__}
    write_json(place.child(_MARKER), facts)


def check_format(place: Location) -> None:
    """That this framejury can read the warehouse.

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
    """That a warehouse is there, or nothing is that is not ours.

    Raises:
        WarehouseError: the place is taken by something else, or the format is another.
    """
    # Another first run may make it between the two looks.
    others = not is_warehouse(place) and _holds_others(place)
    if is_warehouse(place):
        check_format(place)
    elif others:
        raise WarehouseError(
            f"{place.uri} is not empty and no warehouse; give a new or empty folder"
        )


def check_writable(place: Location) -> None:
    """That a local folder can be made and written; an object store tells only when written to.

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
    """A JSON object of the warehouse.

    Raises:
        WarehouseError: it cannot be read or is none.
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
