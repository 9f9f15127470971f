"""Paths that users give: probed before the work, so that no hour of work ends at a path.

An option declares what its path is for, as the `type` of its argument:
`options.add_argument("--output", type=Place("new folder"))`. `run_command` probes every such option
before the body of a command runs, and `framejury` before the command's libraries are loaded.
"""

from __future__ import annotations

import argparse
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from framejury.errors import MediaError, UsageError
from framejury.redaction import printable
from framejury.storage import is_local, local_path, replace_file

Use = Literal["input", "input file", "folder to open", "file", "folder", "new folder"]
_PROBE = "probe"
_LONGEST_NAME = 200
"""Bytes of a folder's name: drafts beside it have longer names, and 255 is the usual limit."""

_KINDS = {stat.S_IFREG: "a file", stat.S_IFDIR: "a folder"}


@dataclass(frozen=True)
class Place:
    """What the path of an option is for.

    Attributes:
        use: a path that the command opens, and reports if it cannot; a file that is read; a
            folder that the command opens, and reports if it is missing; a file, folder, or new or
            empty folder that is written.
        remote: whether a URI is accepted as well; those are not probed here.
        file_endings: a path with one of these endings is a file instead, such as `.zip`; the
            folder of such a file is made, while that of a plain `file` must exist.
        convert: makes the value of the option from its text.
    """

    use: Use
    remote: bool = False
    file_endings: tuple[str, ...] = ()
    convert: Callable[[str], Any] = str

    def __call__(self, text: str) -> Any:
        """Return the value of the option; argparse calls this.

        Raises:
            ArgumentTypeError: it is empty, as from a variable that is not set.
        """
        if not text:
            raise argparse.ArgumentTypeError(f"the path is empty; give a {_noun(self.use)}")
        return self.convert(text)


def check_places(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Probe every path that was given for an option with a `Place`; leave nothing behind.

    Raises:
        UsageError: a path cannot be used; the message names the option, the path and the reason.
    """
    for action in parser._actions:
        if isinstance(action.type, Place):
            name = action.option_strings[0] if action.option_strings else str(action.metavar)
            for value in _each(getattr(args, action.dest)):
                if value is not None:
                    check_place(name, str(value), action.type)


def check_place(option: str, name: str, place: Place) -> None:
    """Probe one path: inputs by looking, outputs by writing and removing an empty file.

    Args:
        option: shown in the error, such as `--output`.
        name: path or URI as the user gave it.
        place: what it is for.

    Raises:
        UsageError: it cannot be used.
    """
    use: Use = place.use
    if place.file_endings and name.lower().endswith(place.file_endings):
        use = "file"
    noun = _noun(use)
    shown = f"{option} {printable(name)}"
    if not is_local(name):
        if not place.remote:
            raise UsageError(f"{shown} is not a local {noun}; give a local path")
        return
    path = local_path(name)
    try:
        _check_local(shown, path, place, use)
    except OSError as error:
        does = "write" if use in ("file", "folder", "new folder") else "read"
        raise UsageError(f"cannot {does} {shown}: {error.strerror}; {_to_do(path)}") from error


def is_about_a_path(error: OSError, args: argparse.Namespace) -> bool:
    """Return whether an error names a path that was given as an option or argument."""
    given = [one for value in vars(args).values() for one in _each(value)]
    paths = [str(one) for one in given if isinstance(one, str | Path) and len(str(one)) > 1]
    text = str(error)
    return any(
        repr(path) in text or (is_local(path) and str(local_path(path)) in text) for path in paths
    )


def _check_local(shown: str, path: Path, place: Place, use: Use) -> None:
    noun = _noun(use)
    kind = _kind(path)
    above = _nearest(path.parent)
    if _kind(above) != "a folder":
        raise UsageError(f"cannot use {shown}: {printable(str(above))} is {_kind(above)}")
    if use == "input":
        return
    if kind is not None and kind != f"a {noun}":
        raise UsageError(f"{shown} is {kind}, not a {noun}; give another path")
    if use == "input file":
        if kind is None:
            raise UsageError(f"{shown} does not exist; check the path")
        with path.open("rb"):
            return
    if use == "folder to open":
        if kind is not None:
            os.scandir(path).close()
        return
    if use == place.use == "file" and above != path.parent:
        parent = printable(str(path.parent))
        raise UsageError(f"cannot write {shown}: there is no folder {parent}; make it first")
    if use == "new folder" and kind is not None and any(path.iterdir()):
        raise UsageError(f"{shown} is not an empty folder; choose another")
    if use != "file" and len(os.fsencode(path.name)) > _LONGEST_NAME:
        raise UsageError(
            f"cannot write {shown}: its name is longer than {_LONGEST_NAME} bytes; shorten the name"
        )
    with _made(path.parent if use == "file" else path) as folder:
        if use == "file":
            # As `storage.replace_file` does, with a draft of a longer name.
            draft = path.with_name(f".{path.name}.{_PROBE}")
            replace_file(draft, b"")
            draft.unlink()
        else:
            with tempfile.TemporaryFile(dir=folder):
                pass


@contextmanager
def _made(path: Path) -> Iterator[Path]:
    """Make a folder and those above it while the body runs; remove what was not there before."""
    made: list[Path] = []
    try:
        for folder in (*reversed(path.parents), path):
            if not folder.exists():
                folder.mkdir()
                made.append(folder)
        yield path
    finally:
        for folder in reversed(made):
            with suppress(OSError):  # another process uses it by now
                folder.rmdir()


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _kind(path: Path) -> str | None:
    """Return `a file`, `a folder` or something else in words; None: nothing is there."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _KINDS.get(stat.S_IFMT(mode), "neither a file nor a folder")


def _nearest(path: Path) -> Path:
    """Return the path, or the nearest place above it that exists."""
    while _kind(path) is None and path != path.parent:
        path = path.parent
    return path


def _noun(use: Use) -> str:
    if use == "input":
        return "path"
    return "file" if use.endswith("file") else "folder"


def _to_do(path: Path) -> str:
    longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
    return "shorten the name" if longest > 200 else "choose another, or change its permissions"


def new_folder(name: str) -> Path:
    """Return a local folder to write into, new or empty; it is not created yet.

    Raises:
        UsageError: it is not empty, cannot be written, or is not a local path.
    """
    check_place("--output", name, Place("new folder"))
    return local_path(name)


def check_warehouse_written(args: argparse.Namespace) -> None:
    """Probe the warehouse of a command that writes to it only without `--output`.

    Raises:
        UsageError: nothing can be written there.
    """
    if args.output is None and args.warehouse is not None:
        check_place("--warehouse", args.warehouse, Place("folder", remote=True))


def is_zip(name: str | None) -> bool:
    """Return whether `--output` names a ZIP file."""
    return name is not None and name.lower().endswith(".zip")


@contextmanager
def new_zip(name: str) -> Iterator[tuple[Path, Path]]:
    """Yield an empty folder to fill and the path of a draft; rename the draft to a new ZIP file.

    Both lie beside the file until then, and are gone in any case afterwards.

    Raises:
        UsageError: there is such a file, it is no local path, or its folder cannot be written.
    """
    if not is_local(name):
        raise UsageError(f"--output {printable(name)} is not a local file; write one, then copy it")
    target = local_path(name)
    if os.path.lexists(target):
        raise UsageError(f"--output {printable(name)} exists; choose another name, or delete it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        place = tempfile.TemporaryDirectory(
            dir=target.parent, prefix=".report-", ignore_cleanup_errors=True
        )
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"--output {printable(name)} cannot be written: {reason}") from error
    with place as work:
        folder, draft = Path(work) / "report", Path(work) / target.name
        folder.mkdir()
        yield folder, draft
        draft.replace(target)


def place_of(name: str) -> str:
    """Return a file's absolute path, or its URI.

    Raises:
        UsageError: the name is not UTF-8, so no page could hold it.
    """
    if any("\ud800" <= char <= "\udfff" for char in name):  # bytes that are not UTF-8
        raise UsageError(f"the file name {printable(name)} is not UTF-8; rename the file")
    return str(local_path(name)) if is_local(name) else name


@contextmanager
def read_or_stop(name: str) -> Iterator[None]:
    """End the command if a file cannot be read, with the status a nightly run would give it.

    Raises:
        UsageError: instead of `MediaError`.
    """
    try:
        yield
    except MediaError as error:
        raise UsageError(f"{printable(name)} ({error.status.value}): {error}") from error
