"""The pages of `inspect` and `compare`, each one self-contained HTML file without a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from framejury import __version__
from framejury.inspection.agreement import agreement_of
from framejury.inspection.charts import Chart
from framejury.inspection.compare import Comparison
from framejury.inspection.difference import CHANGED_RATIO, LEAST_LEVELS
from framejury.inspection.drawing import clock
from framejury.inspection.findings_text import agreement_rows, answer_of, facts_rows
from framejury.inspection.inspected import Inspection
from framejury.inspection.inspected_archive import ArchiveSummary
from framejury.pages.style import inline_svg
from framejury.pages.templating import POLICY, data_uri, environment, style_of
from framejury.pages.text_table import counted
from framejury.report.wording import FILTERS, flat
from framejury.settings import Settings

_KINDS = {".jpg": "image/jpeg", ".webp": "image/webp"}


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The content that all pages have.

    Attributes:
        title: of the page.
        pictures: JPEG and WebP files by name.
        charts: of the page.
        made_at: time of the page.
    """

    title: str
    pictures: Mapping[str, bytes]
    charts: Sequence[Chart]
    made_at: datetime


def video_page(
    parts: Parts, found: Inspection, settings: Settings, label: str | None = None
) -> bytes:
    """Make `inspect.html` of one video from pictures of `album` and charts of `charts`.

    Args:
        parts: of the page.
        found: of `inspector.Inspector.inspect`.
        settings: as used.
        label: REAL or FAKE, the title of the pictures; None: the video has no label.
    """
    notes = []
    if found.facts.damage:
        notes.append(f"The file is damaged: {found.facts.damage}")
    asked = settings.inspect
    if len(found.looks) == asked.frames:
        notes.append(f"{asked.frames:,} frames were inspected, the limit of inspect.frames.")
    shown_at = ""
    if found.shown is not None:
        frame = found.looks[found.shown]
        shown_at = f" (frame {frame.frame_index:,} at {clock(frame.pts_s)})"
    steps = f"every {asked.sheet_every:,} frames" if asked.sheet_every else "spread evenly"
    return _page(
        "inspect.html",
        parts,
        notes=notes,
        shown_at=shown_at,
        label=label,
        facts=facts_rows(found.facts),
        agreement=agreement_rows(agreement_of(found.looks), found.mtcnn_s, found.haar_s),
        sheet_alt=f"{counted(len(found.sheet_s), 'frame')} of the video with times",
        sheet_caption=f"{counted(len(found.sheet_s), 'frame')}, {steps}, with times.",
        face_sheet_alt=f"{counted(len(found.face_sheet_s), 'face')}, enlarged, with times",
        face_sheet_caption="The largest face of each of these frames: "
        f"{counted(len(found.face_sheet_s), 'face')}, enlarged.",
        settings=_settings(settings, ("inspect", "detection")),
        files=_names(parts, "inspect.json"),
    )


def comparison_page(parts: Parts, found: Comparison, notes: Sequence[str]) -> bytes:
    """Make `compare.html` from pictures and charts of `compare_figures`.

    Args:
        parts: of the page.
        found: of `compare.compare_streams`.
        notes: shown on top.
    """
    css = {"unknown": "unknown", "none": "same"}.get(found.modality, "changed")
    aligned = found.alignment
    motion = "too little motion" if aligned.motion is None else f"{aligned.motion:.3f}"
    alignment = [
        ("aligned by", {"motion": "motion", "time": "common start"}.get(aligned.by, "not aligned")),
        ("offset", f"{aligned.offset_s:+.3f} s (second video minus first)"),
        ("motion correlation", motion),
        ("picture correlation", f"{aligned.scene:.3f}"),
        ("shared length", f"{aligned.overlap_s:.2f} s"),
        ("pairs compared", "0" if found.pairs is None else f"{len(found.pairs.times_s):,}"),
    ]
    if found.picture is not None:
        moved = "yes, by an affine map" if found.picture.moved else "no"
        alignment.append(("pictures shifted or scaled", moved))
    if found.sound.offset_s is not None:
        alignment.append(("sound offset", f"{found.sound.offset_s:+.3f} s"))
    return _page(
        "compare.html",
        parts,
        answer=answer_of(found),
        css=css,
        reasons=found.why,
        notes=notes,
        alignment=alignment,
        fake=facts_rows(found.fake),
        original=facts_rows(found.original),
        threshold=f"{CHANGED_RATIO:g}",
        least=f"{LEAST_LEVELS:g}",
        files=_names(parts, "compare.json"),
    )


def archive_page(
    parts: Parts,
    found: ArchiveSummary,
    sheet: Sequence[str],
    notes: Sequence[str],
    settings: Settings,
) -> bytes:
    """Make `inspect.html` of an archive from its contact sheet and `charts`.

    Args:
        parts: of the page.
        found: of `inspected_archive.summary_of`.
        sheet: paths of the videos on the contact sheet, in order.
        notes: shown on top.
        settings: as used.
    """
    return _page(
        "archive.html",
        parts,
        found=found,
        sheet=sheet,
        notes=notes,
        agreement=agreement_rows(found.agreement, found.mtcnn_s, found.haar_s),
        settings=_settings(settings, ("index", "sampling", "inspect", "detection")),
        files=_names(parts, "inspect.json", "videos.parquet"),
    )


def _page(template: str, parts: Parts, **more: Any) -> bytes:
    pictures = {
        name: data_uri(content, _KINDS[Path(name).suffix])
        for name, content in parts.pictures.items()
    }
    page = _environment().get_template(template)
    text = page.render(
        title=parts.title,
        policy=POLICY,
        style=style_of("inspection.css"),
        made=f"framejury {__version__}, {parts.made_at:%Y-%m-%d %H:%M %Z}",
        pictures=pictures,
        charts={chart.name: _drawn(chart) for chart in parts.charts},
        **more,
    )
    return text.encode("utf-8", errors="backslashreplace")


@cache
def _environment() -> Environment:
    return environment(**FILTERS)


def _drawn(chart: Chart) -> dict[str, Any]:
    if chart.empty:
        return {"label": chart.label, "markup": Markup("<p>{}</p>").format(chart.label)}
    return {
        "label": chart.label,
        "markup": Markup(inline_svg(chart.svg, f"chart-{chart.name}", chart.label)),
    }


def _settings(settings: Settings, sections: Sequence[str]) -> list[tuple[str, str]]:
    chosen = settings.model_dump(mode="json", include=set(sections))
    return [(str(key), str(value)) for key, value in flat(chosen)]


def _names(parts: Parts, *more: str) -> list[str]:
    drawn = [f"{one.name}.png and .svg" for one in parts.charts]
    return [*parts.pictures, *drawn, *more]
