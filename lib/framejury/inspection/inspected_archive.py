"""An inspected archive: one row per video, and their summary. No Spark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa

from framejury.errors import MediaError
from framejury.inspection.agreement import Agreement, agreement_of
from framejury.inspection.inspected import Inspection
from framejury.schemas.statuses import Status

_ASKED = [
    ("video_id", pa.string()),
    ("path", pa.string()),
    ("uri", pa.string()),
    ("layout", pa.string()),
    ("label", pa.string()),
    ("method", pa.string()),
    ("bytes", pa.int64()),
]
_COUNTS = [
    (part.name, pa.float64() if part.name == "iou_sum" else pa.int32())
    for part in fields(Agreement)
]
ROWS = pa.schema(
    [
        *_ASKED,
        ("status", pa.string()),
        ("error", pa.string()),
        ("container", pa.string()),
        ("codec", pa.string()),
        ("pixel_format", pa.string()),
        ("width_px", pa.int32()),
        ("height_px", pa.int32()),
        ("duration_s", pa.float64()),
        ("video_frames", pa.int64()),
        ("frames_per_s", pa.float64()),
        ("key_frames", pa.int64()),
        ("sound_codec", pa.string()),
        ("sound_rate_hz", pa.int64()),
        *_COUNTS,
        ("mtcnn_s", pa.float64()),
        ("haar_s", pa.float64()),
        ("wall_s", pa.float64()),
    ]
)
"""`videos.parquet`: the index of a video, its status, its headers, and both detectors (`Agreement`)
on frames spread over it. Null where it could not be read."""

NO_LABEL = "no label"


@dataclass(frozen=True, slots=True)
class Counts:
    """The most frequent names with their counts, and the rest together.

    Attributes:
        rest: number of other names, and their total count.
    """

    shown: tuple[tuple[str, int], ...]
    rest: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class ArchiveSummary:
    """The summary of the rows.

    Attributes:
        videos: their number, including failed ones.
        labels, layouts, methods, codecs, sounds, containers, sizes, statuses: counts.
        durations_s: float64 (n,), of readable videos.
        mtcnn_rates, haar_rates: float64 (n,), their faces per frame.
        agreement: of all frames together.
        mtcnn_s, haar_s: time of the detectors, seconds.
        failures: rows with a status other than extracted and no_face, at most `_FAILURES`.
        failed: their number.
    """

    videos: int
    labels: Counts
    layouts: Counts
    methods: Counts
    codecs: Counts
    sounds: Counts
    containers: Counts
    sizes: Counts
    statuses: Counts
    durations_s: Any
    mtcnn_rates: Any
    haar_rates: Any
    agreement: Agreement
    mtcnn_s: float
    haar_s: float
    failures: tuple[Mapping[str, Any], ...]
    failed: int


_FACTS = ("container", "codec", "pixel_format", "width_px", "height_px", "duration_s")
_READ = (Status.EXTRACTED.value, Status.NO_FACE.value)
_FAILURES = 200
_SHOWN = 12


def row_of(video: Mapping[str, Any], found: Inspection, wall_s: float) -> dict[str, Any]:
    """Return the row of a readable video; status `extracted` or `no_face`.

    Args:
        video: columns `video_id` to `bytes`.
        found: of frames spread over it.
        wall_s: processing time, seconds.
    """
    facts, both = found.facts, agreement_of(found.looks)
    sound = facts.sound
    return {
        **{name: video[name] for name, _ in _ASKED},
        "status": (Status.EXTRACTED if both.mtcnn_faces else Status.NO_FACE).value,
        "error": facts.damage,
        **{name: getattr(facts, name) for name in _FACTS},
        "video_frames": facts.frames,
        "frames_per_s": facts.frames_per_s,
        "key_frames": facts.key_frames,
        "sound_codec": None if sound is None else sound.codec,
        "sound_rate_hz": None if sound is None else sound.rate_hz,
        **asdict(both),
        "mtcnn_s": found.mtcnn_s,
        "haar_s": found.haar_s,
        "wall_s": wall_s,
    }


def failed_row(video: Mapping[str, Any], error: MediaError, wall_s: float) -> dict[str, Any]:
    """Return the row of a video that could not be read."""
    row: dict[str, Any] = dict.fromkeys(ROWS.names)
    row |= {name: video[name] for name, _ in _ASKED}
    return row | {"status": error.status.value, "error": str(error), "wall_s": wall_s}


def chosen_for_sheet(labels: Sequence[str | None], most: int) -> list[int]:
    """Choose videos for the contact sheet: evenly over the archive, equally many per label.

    Args:
        labels: of the videos, in order of their paths.
        most: their number, if there are enough.

    Returns:
        increasing indices.
    """
    groups: dict[str | None, list[int]] = {}
    for index, label in enumerate(labels):
        groups.setdefault(label, []).append(index)
    wanted = dict.fromkeys(groups, 0)
    left = min(most, len(labels))
    while left:
        for label, members in groups.items():
            if left and wanted[label] < len(members):
                wanted[label] += 1
                left -= 1
    chosen = []
    for label, members in groups.items():
        count = wanted[label]
        chosen += [members[(2 * at + 1) * len(members) // (2 * count)] for at in range(count)]
    return sorted(chosen)


def summary_of(rows: pa.Table) -> ArchiveSummary:
    """Summarise the rows of an archive.

    Args:
        rows: schema `ROWS`, one per video.
    """
    status = rows["status"].to_pylist()
    read = np.array([one in _READ for one in status], np.bool_)
    good = rows.filter(pa.array(read))
    frames = good["frames"].to_numpy().astype(np.float64)
    sampled = np.maximum(frames, 1)
    sizes = [f"{row['width_px']} x {row['height_px']}" for row in good.to_pylist()]
    failures = rows.filter(pa.array(~read)).select(["path", "status", "error"])
    return ArchiveSummary(
        videos=rows.num_rows,
        labels=_counted([label or NO_LABEL for label in rows["label"].to_pylist()]),
        layouts=_counted(rows["layout"].to_pylist()),
        methods=_counted([one for one in rows["method"].to_pylist() if one]),
        codecs=_counted(good["codec"].to_pylist()),
        sounds=_counted([one or "no sound" for one in good["sound_codec"].to_pylist()]),
        containers=_counted(good["container"].to_pylist()),
        sizes=_counted(sizes),
        statuses=_counted(status),
        durations_s=good["duration_s"].to_numpy(),
        mtcnn_rates=good["mtcnn_faces"].to_numpy() / sampled,
        haar_rates=good["haar_faces"].to_numpy() / sampled,
        agreement=Agreement(
            **{part.name: sum(good[part.name].to_pylist()) for part in fields(Agreement)}
        ),
        mtcnn_s=sum(good["mtcnn_s"].to_pylist()),
        haar_s=sum(good["haar_s"].to_pylist()),
        failures=tuple(failures.slice(0, _FAILURES).to_pylist()),
        failed=failures.num_rows,
    )


def _counted(names: Sequence[str]) -> Counts:
    counts = Counter(names)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rest = ranked[_SHOWN:]
    return Counts(tuple(ranked[:_SHOWN]), (len(rest), sum(count for _, count in rest)))
