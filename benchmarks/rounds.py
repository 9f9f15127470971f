"""Accuracy against processor time: fixed counts of frames per video against rounds of frames.

    python -m benchmarks.rounds --archive DIR [--sides FILE] [--bundle DIR] [--output FILE]

Examines each labelled video once per sampling, in one process with one thread, and prints a
Markdown table for docs/performance.md. What is measured, and how: `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from framejury.archive.csv_files import read_pins
from framejury.evaluation.binary import auc_or_none
from framejury.evaluation.bootstrap import Interval, bootstrap_intervals
from framejury.examine.child import examine_video
from framejury.examine.faces import scores_of
from framejury.examine.messages import ExaminePlan
from framejury.examine.toolbox import Toolbox
from framejury.model.bundle import load_bundle
from framejury.model.framing import framed_for
from framejury.protocol.selection import VideoRow, labelled_videos_of, on_pinned_side
from framejury.schemas.statuses import Label, Verdict
from framejury.settings import Settings
from framejury.settings.loading import load_settings
from framejury.verdict.judge import judge, unscored
from framejury.verdict.rule import rule_in_use

SAMPLINGS: Mapping[str, Mapping[str, Any]] = {
    "11": {"frames": 11},
    "24": {"frames": 24},
    "48": {"frames": 48},
    "96": {"frames": 96},
    "rounds of 11, 32": {"frames": None, "rounds": (11, 32)},
    "rounds of 11, 32, 96": {"frames": None, "rounds": (11, 32, 96)},
}
_HEADINGS = (
    *("frames", "sampled per video", "CPU seconds per video", "times 11 frames", "AUC"),
    *("decided", "right, of all", "reals called fake", "fakes called fake"),
)


def main(argv: Sequence[str] | None = None) -> int:
    args = _arguments(argv)
    bundle = load_bundle(args.bundle)
    settings = load_settings(judging=True, of_bundle=bundle.judging).without_evidence()
    settings = framed_for(bundle, settings)
    selection = labelled_videos_of(args.archive, settings.index)
    if args.sides is not None:
        selection = on_pinned_side(selection, read_pins(args.sides), None)
    plan = ExaminePlan("rounds", settings.model_dump(mode="json"), str(args.bundle), False)
    rows = measured(selection.videos, Toolbox.load(plan))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps({"model_id": bundle.model_id, "rows": rows}, indent=1))
    print(table(rows, bundle.model_id))
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.rounds", description=__doc__.split("\n")[0])
    parser.add_argument("--archive", required=True, help="local folder with labelled videos")
    parser.add_argument("--sides", help="CSV file pattern,side; those of train are left out")
    parser.add_argument("--bundle", type=Path, default=Path("models/detector"), help="the bundle")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("out/bench/rounds.json"),
        help="JSON file with one row per video and sampling (default: %(default)s)",
    )
    return parser.parse_args(argv)


def measured(videos: Sequence[VideoRow], tools: Toolbox) -> list[dict[str, Any]]:
    """Examine and judge every video under each sampling; one row for each.

    The samplings of one video follow each other, so that other work of the machine slows all alike.
    """
    settings = tools.settings
    assert tools.scorer is not None
    rule = rule_in_use(tools.scorer.bundle.rule, settings.verdict)
    kits = {
        name: replace(tools, settings=_sampled(settings, values))
        for name, values in SAMPLINGS.items()
    }
    examine_video(Path(videos[0]["uri"]), "", kits["11"])  # warm-up
    rows = []
    for number, video in enumerate(videos, start=1):
        print(f"{number} of {len(videos)}: {video['path']}", file=sys.stderr, flush=True)
        for name, kit in kits.items():
            found = examine_video(Path(video["uri"]), video["video_id"], kit)
            scores = scores_of(found.faces)
            outcome = found.outcome
            judged = (
                judge(scores, rule, settings.verdict) if scores.score else unscored(outcome.status)
            )
            rows.append(
                {
                    "sampling": name,
                    "path": video["path"],
                    "label": video["label"],
                    "group": video["group"],
                    "verdict": judged.verdict.value,
                    "p_fake": judged.p_fake,
                    "frames": outcome.frames_sampled,
                    "rounds": outcome.rounds,
                    "cpu_s": outcome.cpu_s,
                    "scores": np.round(scores.score, 5).tolist(),
                    "pts_s": list(scores.pts_s),
                    "person": list(scores.person),
                }
            )
    return rows


def _sampled(settings: Settings, values: Mapping[str, Any]) -> Settings:
    return settings.model_copy(update={"sampling": settings.sampling.model_copy(update=values)})


def table(rows: Sequence[Mapping[str, Any]], model_id: str) -> str:
    """Return the rows of `measured` as a Markdown table, one line per sampling."""
    first = _of(rows, next(iter(SAMPLINGS)))
    base_s = float(np.mean([row["cpu_s"] for row in first]))
    labels = [row["label"] for row in first]
    lines = [f"| {' | '.join(_HEADINGS)} |", f"|{'---|' * len(_HEADINGS)}"]
    lines += [f"| {' | '.join(_cells(name, _of(rows, name), base_s))} |" for name in SAMPLINGS]
    reals, fakes = labels.count(Label.REAL.value), labels.count(Label.FAKE.value)
    return "\n".join(
        [*lines, "", f"{model_id}; {len(first)} videos: {reals} real, {fakes} fake.", ""]
    )


def _of(rows: Sequence[Mapping[str, Any]], sampling: str) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["sampling"] == sampling]


def _cells(name: str, rows: Sequence[Mapping[str, Any]], base_s: float) -> list[str]:
    cpu_s = float(np.mean([row["cpu_s"] for row in rows]))
    calls = [(row["label"], row["verdict"]) for row in rows]
    wanted = {Label.FAKE.value: Verdict.FAKE.value, Label.REAL.value: Verdict.REAL.value}
    decided = [call for call in calls if call[1] != Verdict.INCONCLUSIVE.value]
    value, ends = _auc(rows)
    within = "" if ends is None else f" ({ends.low:.2f} to {ends.high:.2f})"
    return [
        name,
        f"{np.mean([row['frames'] for row in rows]):.1f}",
        f"{cpu_s:.2f}",
        f"{cpu_s / base_s:.2f}",
        "" if value is None else f"{value:.3f}{within}",
        f"{len(decided)} of {len(rows)}",
        f"{sum(wanted[label] == verdict for label, verdict in calls)}",
        _called_fake(calls, Label.REAL),
        _called_fake(calls, Label.FAKE),
    ]


def _called_fake(calls: Sequence[tuple[str, str]], label: Label) -> str:
    own = [verdict for truth, verdict in calls if truth == label.value]
    return f"{own.count(Verdict.FAKE.value)} of {len(own)}"


def _auc(rows: Sequence[Mapping[str, Any]]) -> tuple[float | None, Interval | None]:
    """Return the AUC of the videos with a score, and its interval by groups."""
    scored = [row for row in rows if row["p_fake"] is not None]
    labels = np.array([row["label"] == Label.FAKE.value for row in scored], np.int8)
    scores = np.array([row["p_fake"] for row in scored], np.float64)
    groups = np.unique([row["group"] for row in scored], return_inverse=True)[1]
    called = np.array([row["verdict"] == Verdict.FAKE.value for row in scored])
    ends = bootstrap_intervals(labels, scores, called, groups).intervals["auc"]
    return auc_or_none(labels, scores), ends


if __name__ == "__main__":
    sys.exit(main())
