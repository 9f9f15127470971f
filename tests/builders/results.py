"""What a judged demo archive must have left in its warehouse."""

from __future__ import annotations

import json
from pathlib import Path

from framejury.warehouse import Warehouse


def check_verdicts(place: Path) -> None:
    """Check a judged demo archive: one verdict per file, statuses, and a complete report."""
    warehouse = Warehouse.open(str(place))
    rows = warehouse.read_latest("verdicts").to_pylist()
    paths = dict(
        zip(
            *warehouse.read_snapshot("videos").select(["video_id", "path"]).to_pydict().values(),
            strict=True,
        )
    )
    statuses = {paths[row["video_id"]]: row["status"] for row in rows}
    assert len(rows) == len(statuses) == len(paths)
    values = list(statuses.values())
    assert values.count("no_face") == 1
    assert values.count("unreadable") == 1
    assert values.count("scored") == len(values) - 2
    last = warehouse.with_table("verdicts")[-1]
    folder = place / "reports" / last.run_id
    report = json.loads((folder / "report.json").read_text())
    assert report["schema_version"] >= 1
    predictions = json.loads((folder / "predictions.json").read_text())
    assert len(predictions) == len(rows)
    for name in ("report.txt", "report.html", "predictions.csv"):
        assert (folder / name).stat().st_size > 0
    names = ["scores.png"]
    if report["videos"]["overall"]["coverage"]["labelled"]:
        names += ["confusion_face.png", "confusion_video.png", "roc.png"]
    for name in names:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
