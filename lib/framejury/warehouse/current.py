"""`current/`: the latest verdicts, their videos and faces as plain Parquet files. No Spark.

    current/videos.parquet  current/verdicts.parquet  current/faces.parquet

Programs that know nothing of commits read these. `Warehouse.commit` refreshes them after a run is
published; if that fails or the process is killed, the next commit or report does it. Each file is
replaced in one step and names the commit it shows. See docs/decisions/0020-current-files.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from framejury.logs import say
from framejury.schemas.exports import CURRENT, CURRENT_FACES_LIMIT
from framejury.schemas.tables import TABLES
from framejury.storage import Location, is_file, write_whole
from framejury.warehouse.deciding import with_decisions
from framejury.warehouse.frame_scores import faces_behind
from framejury.warehouse.reader import Committed

FOLDER = "current"
SEQUENCE_KEY = b"framejury_sequence"
"""Key of the file's metadata: sequence of the latest commit that the file shows."""

_SHOWS = ("videos", "verdicts", "face_scores", "forgotten")
"""Tables behind the files; `verdicts` shows `decisions`, too."""
_PORTION_ROWS = 1 << 19


def place_of_current(committed: Committed, name: str) -> Location:
    """Return the place of one file, such as `verdicts`."""
    return committed.location.child(FOLDER, f"{name}.parquet")


def refresh_current(
    committed: Committed,
    *,
    faces_limit: int = CURRENT_FACES_LIMIT,
    only_decisions: bool = False,
) -> None:
    """Write the files again if a commit has changed what they show.

    Videos and verdicts are held in memory; faces are streamed, `_PORTION_ROWS` at a time. Decisions
    are recorded without the lock, so two processes may do this at once: whoever wrote last looks
    whether it wrote the latest state.

    Args:
        committed: the warehouse.
        faces_limit: most faces in `faces.parquet`, count.
        only_decisions: write `verdicts` alone; what a run under way committed is left to it.

    Raises:
        OSError: a file cannot be read or written.
        WarehouseError: a commit record is damaged.
    """
    while committed.with_table("videos"):
        base, latest = _last(committed, _SHOWS), _last(committed, (*_SHOWS, "decisions"))
        shown = _shown(committed, "verdicts")
        is_base_shown = only_decisions or (
            shown is not None and _shown(committed, "videos") == base
        )
        if is_base_shown and shown == latest:
            return
        videos = committed.read_snapshot("videos")
        verdicts = _verdicts(committed, videos.filter(videos["missing_since"].is_null()))
        if not is_base_shown:
            _write_faces(committed, verdicts, base, faces_limit)
            _write(committed, "videos", [videos], base)
        _write(committed, "verdicts", [verdicts], latest)


def _last(committed: Committed, tables: Sequence[str]) -> int:
    """Return the sequence of the latest commit with rows of one of these tables; 0 without."""
    sequences = (c.sequence for c in committed.commits() if any(map(c.tables.get, tables)))
    return max(sequences, default=0)


def _write_faces(committed: Committed, verdicts: pa.Table, sequence: int, faces_limit: int) -> None:
    """Write the faces behind these verdicts; with more than the limit, remove the file."""
    faces = place_of_current(committed, "faces")
    count = pc.sum(verdicts["faces_scored"]).as_py() or 0
    if count <= faces_limit:
        _write(committed, "faces", _faces(committed, verdicts), sequence)
    else:
        if is_file(faces):
            faces.filesystem.delete_file(faces.path)
        say(
            f"  note: {count:,} faces are more than one file should hold ({faces_limit:,}), so "
            f"{faces.uri} is not written; docs/data_dictionary.md explains how to read face_scores"
        )


def _shown(committed: Committed, name: str) -> int | None:
    """Return the sequence that a file shows; None if it is not there."""
    place = place_of_current(committed, name)
    try:
        with place.filesystem.open_input_file(place.path) as file:
            found = parquet.read_metadata(file)
    except (OSError, pa.ArrowInvalid):  # not there, or torn by a power cut
        return None
    is_known = found.schema.to_arrow_schema().names == CURRENT[name].names
    return int((found.metadata or {}).get(SEQUENCE_KEY, -1)) if is_known else None


def _write(committed: Committed, name: str, parts: Iterable[pa.Table], sequence: int) -> None:
    schema = CURRENT[name].with_metadata({SEQUENCE_KEY: str(sequence)})
    # A local file first: an object store would show half a file when this process fails.
    with tempfile.TemporaryFile() as file:
        with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            for part in parts:
                writer.write_table(part.select(schema.names).cast(schema))
        file.seek(0)
        write_whole(place_of_current(committed, name), file)


def _verdicts(committed: Committed, videos: pa.Table) -> pa.Table:
    """Return the latest verdict on each of these videos, by path."""
    if not committed.with_table("verdicts"):
        return CURRENT["verdicts"].empty_table()
    latest = with_decisions(committed, committed.read_latest("verdicts"))
    return _beside(latest, videos, CURRENT["verdicts"]).sort_by("path")


def _beside(rows: pa.Table, others: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows with an id of `others`, with the columns of `schema` that only `others` has."""
    at = pc.index_in(rows["video_id"], others["video_id"].combine_chunks())
    rows, at = rows.filter(at.is_valid()), at.drop_null()
    for name in schema.names:
        if name not in rows.column_names:
            rows = rows.append_column(name, others[name].take(at))
    return rows.select(schema.names)


def _faces(committed: Committed, verdicts: pa.Table) -> Iterator[pa.Table]:
    """Yield the rows of `face_scores` behind these verdicts, about `_PORTION_ROWS` at a time."""
    held: list[pa.Table] = []
    for rows, _ in faces_behind(committed, verdicts, TABLES["face_scores"].names):
        held.append(rows)
        if sum(map(len, held)) >= _PORTION_ROWS:
            yield _beside(pa.concat_tables(held), verdicts, CURRENT["faces"])
            held = []
    if held:
        yield _beside(pa.concat_tables(held), verdicts, CURRENT["faces"])
