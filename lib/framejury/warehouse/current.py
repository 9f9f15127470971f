"""`current/`: the latest verdicts, their videos and faces as plain Parquet files. No Spark.

    current/videos.parquet  current/verdicts.parquet  current/faces.parquet

Programs that know nothing of commits read these. `Warehouse.commit` refreshes them after a run is
published; if that fails or the process is killed, the next commit or report does it. Each file is
replaced in one step and names the commit it shows. See docs/decisions/0020-current-files.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset, parquet

from framejury.logs import say
from framejury.schemas.exports import CURRENT, CURRENT_FACES_LIMIT
from framejury.schemas.tables import TABLES
from framejury.storage import Location, is_file, write_whole
from framejury.warehouse.reader import Committed

FOLDER = "current"
SEQUENCE_KEY = b"framejury_sequence"
"""Key of the file's metadata: sequence of the latest commit that the file shows."""

_SHOWS = ("videos", "verdicts", "face_scores", "forgotten")
_PORTION_ROWS = 1 << 19
_KEYS = ["video_id", "model_id", "run_id"]


def place_of_current(committed: Committed, name: str) -> Location:
    """Return the place of one file, such as `verdicts`."""
    return committed.location.child(FOLDER, f"{name}.parquet")


def refresh_current(committed: Committed, *, faces_limit: int = CURRENT_FACES_LIMIT) -> None:
    """Write the files again if a commit has changed what they show.

    Videos and verdicts are held in memory; faces are streamed, `_PORTION_ROWS` at a time.

    Args:
        committed: the warehouse.
        faces_limit: most faces in `faces.parquet`, count.

    Raises:
        OSError: a file cannot be read or written.
        WarehouseError: a commit record is damaged.
    """
    sequence = max(
        (c.sequence for c in committed.commits() if any(c.tables.get(name) for name in _SHOWS)),
        default=0,
    )
    if not committed.with_table("videos") or _shown(committed) == sequence:
        return
    videos = committed.read_snapshot("videos")
    verdicts = _verdicts(committed, videos.filter(videos["missing_since"].is_null()))
    faces = place_of_current(committed, "faces")
    count = pc.sum(verdicts["faces_scored"]).as_py() or 0
    if count <= faces_limit:
        _write(committed, "faces", _faces(committed, verdicts), sequence)
    else:
        if is_file(faces):
            faces.filesystem.delete_file(faces.path)
        say(
            f"  note: {count:,} faces are more than one file should hold ({faces_limit:,}), so "
            f"{faces.uri} is not written; docs/data_dictionary.md tells how to read face_scores"
        )
    _write(committed, "videos", [videos], sequence)
    _write(committed, "verdicts", [verdicts], sequence)  # the last one: `_shown` looks at it


def _shown(committed: Committed) -> int | None:
    """Return the sequence that the files show; None if they are not all there."""
    place = place_of_current(committed, "verdicts")
    try:
        with place.filesystem.open_input_file(place.path) as file:
            found = parquet.read_metadata(file)
    except (OSError, pa.ArrowInvalid):  # not there, or torn by a power cut
        return None
    is_known = found.schema.to_arrow_schema().names == CURRENT["verdicts"].names
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
    latest = committed.read_latest("verdicts")
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
    """Yield the rows of `face_scores` behind these verdicts.

    They are those of the verdict's model in the latest run up to the one that judged, as
    `tables.store.Store.scores_behind` reads them.
    """
    runs = [commit.run_id for commit in committed.with_table("face_scores")]
    used = _used(committed, runs, verdicts)
    for part in _portions(committed, runs, None):
        at = pc.index_in(part["video_id"], used["video_id"].combine_chunks())
        mine = pc.and_(
            pc.equal(used["run_id"].take(at), part["run_id"]),
            pc.equal(used["model_id"].take(at), part["model_id"]),
        )
        yield _beside(part.filter(mine), verdicts, CURRENT["faces"])


def _used(committed: Committed, runs: list[str], verdicts: pa.Table) -> pa.Table:
    """Return `_KEYS` of the scores behind each verdict, one row per scored video."""
    order = {commit.run_id: commit.sequence for commit in committed.commits()}
    ids = pa.array(list(order), pa.string())
    sequences = pa.array(list(order.values()), pa.int64())

    def sequence_of(rows: pa.Table) -> pa.ChunkedArray:
        return sequences.take(pc.index_in(rows["run_id"], ids).combine_chunks())

    # The verdict on a video without a score is based on none, though it may have had one before.
    scored = verdicts.filter(pc.greater(verdicts["faces_scored"], 0)).select(_KEYS)
    scored = scored.append_column("judged_in", sequence_of(scored))
    parts = [part.group_by(_KEYS).aggregate([]) for part in _portions(committed, runs, _KEYS)]
    if not parts:
        return scored.select(_KEYS).slice(0, 0)
    keys = pa.concat_tables(parts).group_by(_KEYS).aggregate([])
    at = pc.index_in(keys["video_id"], scored["video_id"].combine_chunks())
    keys = keys.append_column("sequence", sequence_of(keys))
    right = pc.and_(
        pc.equal(keys["model_id"], scored["model_id"].take(at)),
        pc.less_equal(keys["sequence"], scored["judged_in"].take(at)),
    )
    keys = keys.filter(right)
    newest = keys.group_by("video_id").aggregate([("sequence", "max")])
    return keys.join(
        newest, ["video_id", "sequence"], ["video_id", "sequence_max"], join_type="left semi"
    ).select(_KEYS)


def _portions(
    committed: Committed, runs: list[str], columns: list[str] | None
) -> Iterator[pa.Table]:
    """Yield all rows of `face_scores` of these runs, about `_PORTION_ROWS` at a time."""
    schema = TABLES["face_scores"]
    held: list[pa.RecordBatch] = []
    for stored in committed.stored("face_scores", runs):
        files = dataset.dataset(
            stored.place.path, filesystem=stored.place.filesystem, format="parquet", schema=schema
        )
        for batch in files.to_batches(columns=columns, batch_readahead=2, fragment_readahead=1):
            held.append(batch)
            if sum(map(len, held)) >= _PORTION_ROWS:
                yield pa.Table.from_batches(held)
                held = []
    if held:
        yield pa.Table.from_batches(held)
