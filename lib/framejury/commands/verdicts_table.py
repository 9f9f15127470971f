"""The table of `framejury verdicts` for people: one line per video or face, in columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from framejury.pages.text_table import UNKNOWN, Fit, Layout
from framejury.pages.text_width import terminal_width
from framejury.report.sound_words import decided_word
from framejury.report.wording import outcome_word

_SHOWN = (
    *("path", "label", "verdict", "decision", "p_fake", "interval", "faces_scored", "status"),
    "error",
)
_SHOWN_FRAMES = ("path", "frame", "time_s", "track", "score", "box, pixels")
_LEAST_PATH, _LEAST_ERROR = 32, 12
"""Cells of columns that are cut on a terminal."""
_SPARE = ("faces_scored", "interval", "error", "label", "status")
"""Columns that a narrow terminal does without, the first one first."""


def print_table(
    tables: Callable[[], Iterator[pa.Table]], is_frames: bool, archive: str | None
) -> None:
    """Print a table for people.

    Args:
        tables: called twice, as the widths of all rows come before the first line.
        is_frames: whether rows are faces, not videos.
        archive: paths below it are shown without it.
    """
    heading, words = (_SHOWN_FRAMES, _frame_words) if is_frames else (_SHOWN, _words)

    def rows() -> Iterator[tuple[str, ...]]:
        for table in tables():
            for row in table.to_pylist():
                yield words(row | {"path": _below(archive, row["uri"])})

    width = terminal_width()
    layout = Layout.of(heading, rows(), fit=None if width is None else _fit(heading, width))
    print(layout.line(heading))
    for row in rows():
        print(layout.line(row))


def _fit(heading: Sequence[str], width: int) -> Fit:
    place = {name: at for at, name in enumerate(heading)}
    return Fit(
        width,
        paths={place["path"]: _LEAST_PATH},
        texts={place["error"]: _LEAST_ERROR} if "error" in place else {},
        spare=[place[name] for name in _SPARE if name in place],
    )


def _below(archive: str | None, uri: str) -> str:
    """Return where a video is below the archive; its address if it is elsewhere."""
    return uri if archive is None else uri.removeprefix(f"{archive.rstrip('/')}/")


def _words(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a row in the table for people, in the order of `_SHOWN`."""
    scored = row["p_fake"] is not None
    return (
        row["path"],
        row["label"] or UNKNOWN,
        outcome_word(row) + decided_word(row),
        row["decision"] or "",
        f"{row['p_fake']:.3f}" if scored else UNKNOWN,
        f"{row['p_fake_low']:.2f}..{row['p_fake_high']:.2f}" if scored else UNKNOWN,
        str(row["faces_scored"]),
        row["status"],
        row["error"] or "",
    )


def _frame_words(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a face in the table for people, in the order of `_SHOWN_FRAMES`."""
    box = row["box"]
    where = "{width:.0f} x {height:.0f} at {x:.0f}, {y:.0f}"
    return (
        row["path"],
        str(row["frame_index"]),
        f"{row['time_s']:.2f}",
        str(row["person"]),
        f"{row['score']:.3f}",
        UNKNOWN if box is None else where.format(**box),
    )
