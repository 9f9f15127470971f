"""Facts about a file and its processing: those for readers, and those for engineers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from framejury.pages.text_table import counted
from framejury.redaction import redacted
from framejury.report.evidence.video_evidence import Row
from framejury.report.wording import bytes_word, took_word
from framejury.storage import is_local, local_path


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of a table; `link` is a `file:` URI that opens the value, or None."""

    name: str
    value: str
    link: str | None = None


def file_facts(verdict: Row, extraction: Row | None, judges: str = "face") -> list[Fact]:
    """Return the known facts about the file.

    Args:
        verdict: columns of `verdicts` and `videos`.
        extraction: columns of `extractions`; None without a row.
        judges: face or frame: what the model scores.
    """
    uri = verdict["uri"]
    found = [Fact("file", verdict["path"]), Fact("address", redacted(uri), file_link(uri))]
    if extraction is None:
        return found
    e = extraction
    width, height = e["width_px"], e["height_px"]
    faces = f"{e['faces_found']:,}, {e['faces_kept']:,}"
    return found + _known(
        ("size", None if e["bytes"] is None else _bytes(e["bytes"])),
        ("SHA-256", e["content_id"]),
        ("resolution", None if width is None else f"{width} x {height} pixels"),
        ("length", None if e["duration_s"] is None else took_word(e["duration_s"])),
        ("frames", None if e["frames_total"] is None else f"{e['frames_total']:,}"),
        ("faces found, kept", None if judges == "frame" else faces),
    )


def technical_facts(verdict: Row, extraction: Row | None, *, scanned: bool = False) -> list[Fact]:
    """Return the known facts about the processing.

    Args:
        verdict: columns of `verdicts` and `videos`.
        extraction: columns of `extractions`; None without a row.
        scanned: the video is a single file, without a warehouse and its ids.
    """
    seen: list[tuple[str, Any]] = []
    if extraction is not None:
        e = extraction
        seen = [
            ("container, codec", _joined(e["container"], e["codec"])),
            ("frames decoded, sampled", f"{e['frames_decoded']:,}, {e['frames_sampled']:,}"),
            ("processing time", _took(e["wall_s"], e["cpu_s"])),
            ("settings_id", e["settings_id"]),
        ]
    own = () if scanned else ("video_id", "run_id")
    return _known(
        *((name, verdict[name]) for name in ("layout", "group")),
        *seen,
        *((name, verdict[name]) for name in (*own, "model_id")),
        ("aggregation", verdict["reducer"]),
    )


def added_frames(extraction: Mapping[str, Any]) -> str:
    """Return that frames were added, after a blank; empty where there was one round.

    Args:
        extraction: row of `extractions`, also of runs that kept no rounds.
    """
    further = (extraction.get("rounds") or 1) - 1
    if not further:
        return ""
    rounds = counted(further, "further round")
    return f" Frames were added in {rounds}, because the verdict was still open."


def file_link(uri: str) -> str | None:
    """Return the `file:` URI of an absolute local path, quoted; None for all others.

    An address with a secret has none either.
    """
    is_absolute = uri.startswith("/") or uri.lower().startswith("file:")
    if not is_absolute or not is_local(uri) or redacted(uri) != uri:
        return None
    return local_path(uri).as_uri()


def _known(*facts: tuple[str, Any]) -> list[Fact]:
    return [Fact(name, str(value)) for name, value in facts if value is not None]


def _took(wall_s: float | None, cpu_s: float | None) -> str | None:
    if wall_s is None or cpu_s is None:
        return None
    return f"{took_word(wall_s)} wall-clock, {took_word(cpu_s)} processor"


def _joined(*texts: str | None) -> str | None:
    return ", ".join(text for text in texts if text) or None


def _bytes(count: int) -> str:
    """Return `1.2 MB (1,234,567 bytes)`."""
    return bytes_word(count) if count < 1000 else f"{bytes_word(count)} ({count:,} bytes)"
