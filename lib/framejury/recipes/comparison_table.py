"""Table of compared presets, as text, CSV, JSON, and as a page with a chart."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure as Drawing

from framejury import __version__
from framejury.labelled.measure import figure_text
from framejury.model.manifest import Measurement
from framejury.pages.style import (
    LIGHT,
    inline_svg,
    new_figure,
    picture_files,
    style_axes,
    style_legend,
    svg,
)
from framejury.pages.templating import POLICY, environment, style_of
from framejury.pages.text_table import counted, grid
from framejury.recipes.preset_outcome import FIGURES, Failure, PresetOutcome

Row = PresetOutcome | Failure

HEADINGS = (
    *("preset", "accuracy", "AUC", "on fakes", "on originals"),
    *("s/video", "peak MiB", "scored"),
)
_FEW_VIDEOS = 100
_SHOWN = (("auc", "AUC", -0.12, "o"), ("accuracy", "accuracy", 0.12, "s"))
_MIB = 2**20


def cells_of(row: PresetOutcome) -> list[str]:
    """Return the texts of a row, one per entry of `HEADINGS`."""
    peak = row.peak_memory_bytes
    return [
        row.preset,
        *(figure_text(getattr(row, name)) for name in FIGURES),
        "-" if row.seconds_a_video is None else f"{row.seconds_a_video:.2f}",
        "-" if peak is None else f"{peak / _MIB:,.0f}",
        f"{row.scored} of {row.labelled}{' (too few)' if row.few else ''}",
    ]


def text_table(rows: Sequence[Row]) -> str:
    """Return the table, followed by failures and a remark on each preset."""
    outcomes = [row for row in rows if isinstance(row, PresetOutcome)]
    table = [grid(HEADINGS, [cells_of(row) for row in outcomes], "llllrrr"), ""] if outcomes else []
    return "\n".join([*table, *remarks(rows)]) + "\n"


def remarks(rows: Sequence[Row]) -> list[str]:
    """Return one line per row: why it failed, or what the preset learned and its caveats."""
    found = []
    for row in rows:
        if isinstance(row, Failure):
            found.append(f"{row.preset}: failed in step {row.step}: {row.reason}")
            continue
        learned = (
            f"{row.preset}: {row.backbone} on {row.signal}, {counted(row.faces, row.judges)}, "
            f"{counted(row.epochs, 'epoch')} in {row.train_s:,.0f} s"
        )
        parts = (learned, _true_class(row), row.remark, row.leak, row.few)
        found.append("; ".join(part for part in parts if part))
    return found


def _true_class(row: PresetOutcome) -> str:
    """Return the measure that some recipes call accuracy, in words; empty: not measured."""
    if row.p_true is None:
        return ""
    of_class = {"fakes": row.p_true_fake, "originals": row.p_true_real}
    parts = ", ".join(f"{name} {one:.2f}" for name, one in of_class.items() if one is not None)
    return f"mean probability of the true class {row.p_true:.2f} ({parts})"


def csv_table(rows: Sequence[Row]) -> str:
    """Return one line per measured preset; interval ends have columns of their own."""
    text = io.StringIO()
    flat = [_flat(row) for row in rows if isinstance(row, PresetOutcome)]
    names = list(flat[0]) if flat else list(HEADINGS)
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def json_table(rows: Sequence[Row], facts: Mapping[str, Any]) -> bytes:
    """Return all rows in full as JSON, after `facts` about the comparison."""
    content = {
        **facts,
        "presets": [asdict(row) for row in rows if isinstance(row, PresetOutcome)],
        "failures": [asdict(row) for row in rows if isinstance(row, Failure)],
    }
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def _flat(row: PresetOutcome) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in asdict(row).items():
        if name in FIGURES:
            ends = value or {"value": None, "low": None, "high": None}
            values |= {
                name: ends["value"],
                f"{name}_low": ends["low"],
                f"{name}_high": ends["high"],
            }
        else:
            values[name] = value
    return values


def comparison_files(rows: Sequence[Row], facts: Mapping[str, Any]) -> dict[str, bytes]:
    """Return every file of a comparison by name; arguments as of `presets_page`."""
    outcomes = [row for row in rows if isinstance(row, PresetOutcome)]
    return {
        "comparison.txt": text_table(rows).encode(),
        "comparison.csv": csv_table(rows).encode(),
        "comparison.json": json_table(rows, facts),
        "comparison.html": presets_page(rows, facts).encode(),
        **picture_files({"comparison": drawing(outcomes)} if outcomes else {}),
    }


def presets_page(rows: Sequence[Row], facts: Mapping[str, Any]) -> str:
    """Render `comparison.html`.

    Args:
        rows: outcomes and failures, in the order of the presets.
        facts: `archive`, `created_at`, `overrides`, and `videos` by split.
    """
    outcomes = [row for row in rows if isinstance(row, PresetOutcome)]
    chart = Markup("")
    if outcomes:
        words = "AUC and accuracy of each preset with their intervals; the table has the figures"
        chart = Markup(inline_svg(svg(drawing(outcomes)), "comparison", words))
    return (
        environment()
        .get_template("comparison.html")
        .render(
            policy=POLICY,
            style=style_of(),
            archive=str(facts["archive"]).rstrip("/").rpartition("/")[2],
            made=f"framejury {__version__}, {facts['created_at'].replace('T', ' ')[:16]} UTC",
            overrides=facts["overrides"],
            videos=facts["videos"],
            few=_FEW_VIDEOS,
            headings=HEADINGS,
            rows=[cells_of(row) for row in outcomes],
            failures=[row for row in rows if isinstance(row, Failure)],
            remarks=remarks(outcomes),
            too_few=next((row.few for row in outcomes if row.few), None),
            no_interval=any(row.auc and row.auc.low is None for row in outcomes),
            chart=chart,
        )
    )


def drawing(outcomes: Sequence[PresetOutcome]) -> Drawing:
    """Draw AUC and accuracy of each preset with intervals, and chance as a line at 0.5."""
    figure = new_figure(7.2, 1.4 + 0.5 * len(outcomes))
    axes = figure.subplots()
    style_axes(axes, title="On the test videos", x_label="0.5 is chance", y_label="")
    axes.axvline(0.5, color=LIGHT.faint, linewidth=1.2)
    colours = {"auc": LIGHT.real, "accuracy": LIGHT.fake}
    for name, words, offset, marker in _SHOWN:
        for place, outcome in enumerate(outcomes):
            estimate: Measurement | None = getattr(outcome, name)
            if estimate is None:
                continue
            at = place + offset
            if estimate.low is not None and estimate.high is not None:
                axes.plot([estimate.low, estimate.high], [at, at], color=colours[name], lw=1.6)
            label = words if place == 0 else None
            axes.plot([estimate.value], [at], marker, color=colours[name], label=label)
    axes.set_yticks(range(len(outcomes)), [outcome.preset for outcome in outcomes])
    axes.set_ylim(len(outcomes) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    style_legend(axes, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return figure
