"""A report with its evidence pages as one ZIP file that shows whether it was changed."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from framejury import __version__
from framejury.report.report import REPORT_JSON

MANIFEST = "MANIFEST.json"
CHECKSUMS = "SHA256SUMS"
README = "README.txt"
SCHEMA_VERSION = 1
"""Of `MANIFEST.json`."""

_BLOCK_BYTES = 1 << 20
_FILE_MODE = 0o100644 << 16


def pack(folder: Path, target: Path) -> None:
    """Write a report's folder into a new ZIP file.

    All is in one folder of the archive, named after the file: the report's files by path,
    `README.txt`, `MANIFEST.json` (run, model, version, time, number of files) and `SHA256SUMS`,
    which `sha256sum --check` reads and which covers all others. Equal folders give equal bytes.

    Args:
        folder: as `framejury report --output` writes it, with `report.json`.
        target: the file; write to a draft and rename it.

    Raises:
        ValueError: a file's name cannot be written safely, or it is a link.
        OSError: the file cannot be written.
    """
    run = json.loads((folder / REPORT_JSON).read_bytes())["run"]
    root = folder_name(target)
    made = datetime.fromisoformat(run["created_at"]).timetuple()[:6]
    sums: dict[str, str] = {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in _files(folder):
            info = _entry(f"{root}/{name}", made, path.stat().st_size)
            with path.open("rb") as source, archive.open(info, "w") as sink:
                sums[name] = _copy(source, sink)
        made_here = {MANIFEST: _manifest(run, len(sums)), README: _readme(run).encode()}
        sums |= {name: hashlib.sha256(content).hexdigest() for name, content in made_here.items()}
        lines = "".join(f"{digest}  {name}\n" for name, digest in sums.items()).encode()
        for name, content in {**made_here, CHECKSUMS: lines}.items():
            archive.writestr(_entry(f"{root}/{name}", made, len(content)), content)


def folder_name(target: Path) -> str:
    """Return the name of the folder in the archive: that of the file, without odd characters."""
    return re.sub(r"[^\w .-]", "-", target.stem).strip(" .") or "report"


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a folder by relative path, in the order of their names."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        # A line break would break SHA256SUMS, a backslash is a folder elsewhere.
        if path.is_symlink() or not name.isprintable() or "\\" in name:
            raise ValueError(f"{name!r} cannot be packed: it is a link or has an unsafe name")
        if path.is_file():
            yield name, path


def _entry(name: str, made: tuple[int, ...], size: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (max(made[0], 1980), *made[1:6]))  # type: ignore[arg-type]
    info.create_system = 3  # Unix, so that the mode counts
    info.external_attr = _FILE_MODE
    info.compress_type = zipfile.ZIP_DEFLATED
    info.file_size = size  # from 2 GiB on, zipfile takes its 64-bit fields
    return info


def _copy(source: IO[bytes], sink: IO[bytes]) -> str:
    """Copy block by block; return the SHA-256 digest."""
    digest = hashlib.sha256()
    while block := source.read(_BLOCK_BYTES):
        digest.update(block)
        sink.write(block)
    return digest.hexdigest()


def _manifest(run: Mapping[str, Any], files: int) -> bytes:
    content = {
        "schema_version": SCHEMA_VERSION,
        "run_id": run["run_id"],
        "model_id": run["model_id"],
        "framejury": __version__,
        "created_at": run["created_at"],
        "files": files,
        "checksums": CHECKSUMS,
    }
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _readme(run: Mapping[str, Any]) -> str:
    return f"""A report of framejury: run {run["run_id"]}, model {run["model_id"]}.

WHERE TO BEGIN
Open report.html in a browser. It links to the evidence pages, and needs neither network nor
framejury. The files beside it hold the same for other programs.

WHAT THIS DISCLOSES
Paths and names of the videos and of the archive, pictures and clips with faces, scores and
verdicts, and what people decided, with the names of these reviewers and their notes. Pass it on
only to people who may see all of that.

WHETHER IT WAS CHANGED
In this folder, run one of these; each line must end with OK:
  sha256sum --check {CHECKSUMS}           (Linux)
  shasum -a 256 --check {CHECKSUMS}       (macOS)
That finds damage and changed files. It does not prove who made them: somebody who changes a file
can change {CHECKSUMS} as well.
"""
