"""Verdict rows and face counts as the evaluation reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from framejury.schemas.tables import VERDICTS

TEXTS = pa.string()
EXTRA = dict.fromkeys(("path", "uri", "layout", "label", "method", "group"), TEXTS)
SCHEMA = pa.schema([*VERDICTS, *(pa.field(name, kind) for name, kind in EXTRA.items())])
FACE_SCHEMA = pa.schema(
    [
        ("label", TEXTS),
        ("method", TEXTS),
        ("layout", TEXTS),
        ("score", pa.float64()),
        ("faces", pa.int64()),
    ]
)


def verdict_row(number: int, **fields: Any) -> dict[str, Any]:
    """Return a row of `verdicts`: scored, called real, in its own group; `fields` override."""
    p_fake = fields.get("p_fake", 0.1)
    row = {
        "video_id": f"{number:020x}",
        "run_id": "run-1",
        "model_id": "b0-000000000000",
        "status": "scored" if p_fake is not None else "no_face",
        "error": None,
        "verdict": "inconclusive" if p_fake is None else "fake" if p_fake >= 0.5 else "real",
        "p_fake": p_fake,
        "p_fake_low": None if p_fake is None else max(p_fake - 0.05, 0.0),
        "p_fake_high": None if p_fake is None else min(p_fake + 0.05, 1.0),
        "faces_scored": 0 if p_fake is None else 11,
        "frames_scored": 0 if p_fake is None else 11,
        "persons": 0 if p_fake is None else 1,
        "worst_person": None if p_fake is None else 0,
        "worst_person_score": p_fake,
        "threshold": 0.5,
        "reducer": "mean",
        "stretches": None if p_fake is None else [],
        "path": f"clips/{number:03d}.mp4",
        "uri": f"/archive/clips/{number:03d}.mp4",
        "layout": "plain",
        "label": "REAL",
        "method": None,
        "group": f"group-{number}",
    }
    return row | fields


def verdict_table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def face_table(rows: list[tuple[str | None, str | None, str, float, int]]) -> pa.Table:
    names = FACE_SCHEMA.names
    return pa.Table.from_pylist(
        [dict(zip(names, row, strict=True)) for row in rows], schema=FACE_SCHEMA
    )


def realistic_run(seed: int = 3) -> tuple[pa.Table, pa.Table]:
    """Return 81 verdicts in four layouts, five not scored, and the histogram of their faces."""
    rng = np.random.default_rng(seed)
    kinds = (
        [("dfdc", "FAKE", None)] * 12
        + [("dfdc", "REAL", None)] * 5
        + [("ffpp", "FAKE", m) for m in ("Deepfakes", "Face2Face", "FaceSwap") for _ in range(7)]
        + [("ffpp", "REAL", None)] * 12
        + [("celebdf", "FAKE", "celeb_synthesis")] * 9
        + [("celebdf", "REAL", None)] * 9
        + [("labels_csv", "REAL", None)] * 8
        + [("labels_csv", "FAKE", None)] * 5
    )
    failures = {4: "no_face", 20: "unreadable", 21: "timeout", 60: "empty", 70: "not_video"}
    errors = {"unreadable": "moov atom not found", "timeout": "decoder ran longer than 120 s"}
    rows, faces = [], []
    for number, (layout, label, method) in enumerate(kinds):
        common = {"layout": layout, "label": label, "method": method, "group": f"g{number % 37}"}
        common["path"] = f"{layout}/{method or 'originals'}/video_{number:03d}.mp4"
        if number in failures:
            status = failures[number]
            rows.append(
                verdict_row(number, p_fake=None, status=status, error=errors.get(status), **common)
            )
            continue
        score = 1 / (1 + np.exp(-rng.normal(1.3 if label == "FAKE" else -1.1, 1.2)))
        half = float(rng.uniform(0.02, 0.2))
        low, high = max(score - half, 0), min(score + half, 1)
        crosses = low < 0.5 <= high
        verdict = "inconclusive" if crosses else "fake" if score >= 0.5 else "real"
        rows.append(
            verdict_row(
                number,
                p_fake=float(score),
                p_fake_low=float(low),
                p_fake_high=float(high),
                verdict=verdict,
                **common,
            )
        )
        for face in np.clip(rng.normal(score, 0.2, 11), 0, 1):
            faces.append((label, method, layout, round(float(face), 4), 1))
    return verdict_table(rows), face_table(faces)


METHOD_ROWS = [
    *(verdict_row(n, label="REAL", p_fake=score) for n, score in enumerate((0.1, 0.3, 0.6))),
    verdict_row(10, label="FAKE", p_fake=0.9, method="old"),
    verdict_row(11, label="FAKE", p_fake=0.8, method="older"),
    verdict_row(12, label="FAKE", p_fake=None, method="older"),
    verdict_row(13, label="FAKE", p_fake=0.2, method="new"),
    verdict_row(14, label="FAKE", p_fake=0.5),
    verdict_row(15, label=None, p_fake=0.7, method=None),
]
"""Reals, and fakes of three methods and of none."""
