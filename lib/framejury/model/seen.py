"""The videos that a model has seen in training, recognised anywhere without their names.

A bundle keeps 64-bit hashes of the contents and sources of its training and validation videos.
They cannot be read back as names, but whoever guesses a name or has a file can check it.

A video matches by chance with odds of at most (hashes looked up) x (hashes recorded) / 2**64. For
a model of 100,000 videos with three sources each, and an archive of a million such videos, the
odds that even one of them is taken for a seen one are below 1 in 10 million.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet

from framejury.archive.groups import LOCAL_PREFIXES
from framejury.errors import BundleError
from framejury.schemas.statuses import Side

NEW = "no"
"""Of a video that the model has not seen; otherwise `train` or `val`."""

SIDES = (Side.TRAIN, Side.VAL)
_CONTENT, _SOURCE = "content", "source"
_SALT = b"framejury.seen.1"
_SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in (("side", pa.string()), ("kind", pa.string()), ("hash", pa.uint64()))
    ]
)
_INCOMPLETE = {b"complete": b"no"}
"""Metadata of the file of an incomplete record."""

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class KnownVideo:
    """What a video can be recognised by.

    Attributes:
        content_id: SHA-256 of the file, hex; None if it was never read.
        sources: from `source_keys`.
    """

    content_id: str | None
    sources: tuple[str, ...]


def known_video(row: Mapping[str, Any], content_id: str | None, archive: str | None) -> KnownVideo:
    """Return what a video can be recognised by.

    Args:
        row: of `videos`; columns `group_keys` and `group`.
        content_id: as in `extractions`.
        archive: of the video, as in the commit that indexed it.
    """
    keys = (*row["group_keys"], f"group:{row['group']}")
    return KnownVideo(content_id, source_keys(keys, archive))


def source_keys(keys: Iterable[str], archive: str | None) -> tuple[str, ...]:
    """Return group keys that mean the same source in every warehouse.

    Keys made of paths hold within one archive only, so they are bound to its location.
    """
    place = (archive or "").rstrip("/")
    return tuple(f"{place}|{key}" if key.startswith(LOCAL_PREFIXES) else key for key in keys)


@dataclass(frozen=True, eq=False)
class SeenVideos:
    """Hashes of what a model has seen, by split: uint64 (n,), sorted, each once.

    Attributes:
        contents: hashes of content ids.
        sources: hashes of `source_keys`.
        is_complete: whether it has seen no others. Otherwise it was trained elsewhere, on videos
            that nobody recorded, and only its rule was fitted on these.
    """

    contents: Mapping[Side, Hashes]
    sources: Mapping[Side, Hashes]
    is_complete: bool = True

    @classmethod
    def of(cls, videos: Iterable[tuple[Side, KnownVideo]]) -> SeenVideos:
        """Record videos of train and val; those of other splits are left out."""
        seen = [(side, video) for side, video in videos if side in SIDES]
        return cls(
            {side: _sorted(_contents([v for s, v in seen if s is side])[1]) for side in SIDES},
            {side: _sorted(_sources([v for s, v in seen if s is side])[1]) for side in SIDES},
        )

    def joined(self, other: SeenVideos) -> SeenVideos:
        """Return what either has seen."""

        def both(mine: Mapping[Side, Hashes], its: Mapping[Side, Hashes]) -> dict[Side, Hashes]:
            return {side: _sorted(np.concatenate([mine[side], its[side]])) for side in SIDES}

        return SeenVideos(
            both(self.contents, other.contents),
            both(self.sources, other.sources),
            self.is_complete and other.is_complete,
        )

    @property
    def count(self) -> int:
        """Number of hashes."""
        return sum(len(part[side]) for part in (self.contents, self.sources) for side in SIDES)

    def sides_of(self, videos: Sequence[KnownVideo]) -> list[str | None]:
        """Return for each video `train`, `val`, or `no` (None if the record is not complete).

        A video was seen if its content was, or a source of it. Train wins over val.
        """
        found = np.full(len(videos), NEW if self.is_complete else None, object)
        for side in reversed(SIDES):
            for (rows, hashes), known in (
                (_contents(videos), self.contents[side]),
                (_sources(videos), self.sources[side]),
            ):
                found[rows[np.isin(hashes, known)]] = side.value
        sides: list[str | None] = found.tolist()
        return sides

    def to_bytes(self) -> bytes:
        """Return the record as a Parquet file: columns side, kind and hash, sorted."""
        parts = [
            pa.table(
                {
                    "side": pa.array([side.value] * len(hashes[side]), pa.string()),
                    "kind": pa.array([kind] * len(hashes[side]), pa.string()),
                    "hash": pa.array(hashes[side], pa.uint64()),
                }
            ).cast(_SCHEMA)
            for side in SIDES
            for kind, hashes in ((_CONTENT, self.contents), (_SOURCE, self.sources))
        ]
        table = pa.concat_tables(parts)
        if not self.is_complete:
            table = table.replace_schema_metadata(_INCOMPLETE)
        file = io.BytesIO()
        parquet.write_table(table, file)
        return file.getvalue()

    @classmethod
    def of_bytes(cls, data: bytes, name: str) -> SeenVideos:
        """Read the file of `to_bytes`.

        Args:
            data: the file.
            name: of the file, for the error.

        Raises:
            BundleError: it is no such file.
        """
        try:
            read = parquet.read_table(io.BytesIO(data))
            is_complete = _INCOMPLETE.items().isdisjoint((read.schema.metadata or {}).items())
            table = read.cast(_SCHEMA)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise BundleError(f"cannot read {name}: {error}; copy it again") from None
        sides, kinds = (table[name].to_numpy(zero_copy_only=False) for name in ("side", "kind"))
        hashes = table["hash"].to_numpy()

        def of(kind: str) -> dict[Side, Hashes]:
            return {s: _sorted(hashes[(sides == s.value) & (kinds == kind)]) for s in SIDES}

        return cls(of(_CONTENT), of(_SOURCE), is_complete)


@dataclass(frozen=True, eq=False)
class Recognised:
    """Which videos of a report their models have seen.

    Attributes:
        videos: columns `video_id`, and `seen`: train, val, no, or null where the model that judged
            the video has no record of it, or none that is complete.
        odds: that any video is taken for a seen one by chance, at most, 0 to 1.
    """

    videos: pa.Table
    odds: float = 0.0


def seen_ids(found: Recognised | None) -> frozenset[str]:
    """Return the ids of the videos that were seen; empty without a record."""
    rows = [] if found is None else found.videos.to_pylist()
    return frozenset(row["video_id"] for row in rows if row["seen"] in SIDES)


def recognise(
    records: Mapping[str, SeenVideos | None],
    video_ids: Sequence[str],
    model_ids: Sequence[str],
    videos: Sequence[KnownVideo],
) -> Recognised:
    """Compare each video with the record of the model that judged it.

    Args:
        records: model_id -> its record; None or absent: there is none.
        video_ids, model_ids, videos: (n,) of the judged videos.
    """
    models = np.array(model_ids, object)
    seen = np.full(len(videos), None, object)
    odds = 0.0
    for model_id, record in records.items():
        rows = np.flatnonzero(models == model_id).tolist()
        if record is None or not rows:
            continue
        mine = [videos[row] for row in rows]
        seen[rows] = record.sides_of(mine)
        looked_up = sum((video.content_id is not None) + len(video.sources) for video in mine)
        odds += looked_up * record.count / 2**64
    columns = {
        "video_id": pa.array(video_ids, pa.string()),
        "seen": pa.array(seen.tolist(), pa.string()),
    }
    return Recognised(pa.table(columns), min(odds, 1.0))


def _contents(videos: Sequence[KnownVideo]) -> tuple[npt.NDArray[np.intp], Hashes]:
    """Return rows and hashes of the contents that are known."""
    pairs = [(row, v.content_id) for row, v in enumerate(videos) if v.content_id is not None]
    return _hashed(pairs, _CONTENT)


def _sources(videos: Sequence[KnownVideo]) -> tuple[npt.NDArray[np.intp], Hashes]:
    """Return rows and hashes of every source."""
    pairs = [(row, source) for row, video in enumerate(videos) for source in video.sources]
    return _hashed(pairs, _SOURCE)


def _hashed(pairs: Sequence[tuple[int, str]], kind: str) -> tuple[npt.NDArray[np.intp], Hashes]:
    rows = np.array([row for row, _ in pairs], np.intp)
    return rows, np.array([_hash(f"{kind}:{text}") for _, text in pairs], np.uint64)


def _hash(text: str) -> int:
    data = text.encode("utf-8", errors="surrogateescape")
    return int.from_bytes(blake2b(data, digest_size=8, salt=_SALT).digest(), "little")


def _sorted(hashes: Hashes) -> Hashes:
    found: Hashes = np.unique(hashes)
    return found
