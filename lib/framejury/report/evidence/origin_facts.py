"""What a file claims about its making, in words. Plain text; nothing here judges the video."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from framejury.report.evidence.video_evidence import Row
from framejury.report.wording import took_word
from framejury.schemas.statuses import C2paState

UNVERIFIED = (
    "The file says so itself. Such tags can be forged, and platforms replace them when they encode "
    "a video again, so they neither support nor weaken the verdict."
)
_C2PA = {
    C2paState.PRESENT: "present, not verified",
    C2paState.ABSENT: "absent, as in most videos",
    None: "not looked for in this format",
}
_EDITORS = re.compile(
    r"(?i)premiere|after effects|final cut|imovie|davinci|resolve|capcut|filmora|kdenlive|shotcut"
    r"|vegas|avid|hitfilm|inshot|openshot|blender|canva|heygen|synthesia|runway|facefusion"
    r"|deepfacelab|roop"
)
_LEAST_APART_S = 60.0
_DAY_S = 86_400.0


def origin_facts(extraction: Row | None) -> list[tuple[str, str]]:
    """Return names and values of what the file claims; empty if nothing was collected.

    Args:
        extraction: columns of `extractions`; None without a row.
    """
    origin = None if extraction is None else extraction.get("origin")
    if origin is None:
        return []
    edits, location = origin["edits"], origin["location"]
    listed: list[tuple[str, str | None]] = [
        ("container brand", origin["brand"]),
        ("written by", _written(origin["muxer"])),
        ("encoded by", _named(origin["encoder"])),
        ("software", _named(origin["software"])),
        ("track names", _named(origin["handlers"])),
        ("device", origin["device"]),
        ("created", origin["created"]),
        ("last changed", _changed(origin["created"], origin["modified"])),
        ("edit list", None if not edits else f"{edits:,} {'entry' if edits == 1 else 'entries'}"),
        ("location", "stored in the file; not shown here" if location else None),
        ("C2PA manifest", _C2PA[origin["c2pa"] and C2paState(origin["c2pa"])]),
    ]
    return [(name, value) for name, value in listed if value is not None]


def _written(muxer: str | None) -> str | None:
    if muxer is None or not muxer.startswith("Lavf"):
        return _named(muxer)
    return f"{muxer} (FFmpeg: saved by a program or a platform, rarely by a camera)"


def _named(text: str | None) -> str | None:
    """Add that a program named there edits films."""
    if text is None or _EDITORS.search(text) is None:
        return text
    return f"{text} (names an editing program)"


def _changed(created: Any, modified: Any) -> str | None:
    """Return the time of the last change, if it is not that of the creation."""
    if modified is None:
        return None
    try:
        apart_s = (_time(modified) - _time(created)).total_seconds()
    except (TypeError, ValueError):
        return str(modified)
    if abs(apart_s) < _LEAST_APART_S:
        return None
    days = int(abs(apart_s) // _DAY_S)
    word = f"{days:,} days" if days > 1 else took_word(abs(apart_s))
    return f"{modified} ({word} {'after' if apart_s > 0 else 'before'} its creation)"


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"no time zone: {text}")
    return found
