"""Presets compared: the shared sides, a preset's row, and the tables of all."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import TypeAdapter

from framejury.archive.csv_files import read_pins
from framejury.archive.labelled_video import Candidate
from framejury.errors import SplitError
from framejury.model.bundle import load_bundle
from framejury.model.manifest import Bundle, Measurement
from framejury.recipes.comparison_table import (
    csv_table,
    json_table,
    presets_page,
    remarks,
    text_table,
)
from framejury.recipes.preset_comparison import check_sides, shared_sides, sides_csv
from framejury.recipes.preset_outcome import Failure, PresetOutcome, outcome_of, with_truth
from framejury.schemas.statuses import Label, Side
from framejury.schemas.tables import VERDICTS, VIDEOS
from framejury.settings import SplitSettings
from tests.builders.bundles import brightness_bundle
from tests.builders.curves import EPOCHS

SHARES = SplitSettings(train=0.6, val=0.2, test=0.2)
LEAKY = SplitSettings(train=0.6, val=0.2, test=0.2, unit="face", balance="runs")


def candidate(number: int, label: Label, *, usable: bool = True, content: str = "") -> Candidate:
    name = f"{label.value.lower()}_{number}"
    return Candidate(
        video_id=name,
        path=f"set [1]/{name}.mp4",
        label=label,
        group_keys=(f"person:{number}",),
        content_id=content or name,
        usable=usable,
    )


def archive() -> list[Candidate]:
    return [
        candidate(number, label, usable=number % 3 > 0)
        for number in range(20)
        for label in (Label.REAL, Label.FAKE, Label.FAKE)[: 2 + number % 2]
    ][:50]


def test_shared_sides_are_by_source_and_keep_everybody() -> None:
    placements = shared_sides(archive(), LEAKY)
    assert {row.side for row in placements} == {Side.TRAIN, Side.VAL, Side.TEST}
    sides = {}
    for row in placements:
        assert sides.setdefault(row.path.rpartition("_")[2], row.side) is row.side
    assert Counter(row.side for row in placements)[Side.TRAIN] == pytest.approx(30, abs=6)


def test_identical_files_stand_on_one_side() -> None:
    twins = [
        candidate(100, Label.REAL, content="same"),
        candidate(101, Label.FAKE, content="same"),
    ]
    for seed in range(12):
        settings = SHARES.model_copy(update={"seed": seed})
        placed = {row.video_id: row.side for row in shared_sides([*archive(), *twins], settings)}
        assert placed["real_100"] is placed["fake_101"]


def test_a_file_of_sides_says_the_same_of_every_path(tmp_path: Path) -> None:
    odd = ["#1.mp4", " a.mp4", "a.mp4", "a.mp4 ", "\t", "[g", '"f,"']
    odd += ["b\nc.mp4", "b\r\nc", "d\u2028e"]
    named = [replace(candidate(200 + at, Label.FAKE), path=path) for at, path in enumerate(odd)]
    placements = shared_sides([*archive(), *named], SHARES)
    assert len({row.side for row in placements if row.path in odd}) > 1
    file = tmp_path / "sides.csv"
    file.write_bytes(sides_csv(placements).encode())
    pins = read_pins(file)  # brackets in a path are no pattern
    assert {row.path: pins.side_of(row.path) for row in placements} == {
        row.path: row.side for row in placements
    }


def test_a_video_on_another_side_than_for_the_others_is_refused() -> None:
    placements = shared_sides(archive(), SHARES)
    sides = {row.video_id: row.side.value for row in placements}
    check_sides(placements, sides)
    reals = [row for row in placements if row.label is Label.REAL and row.side is Side.TEST]
    dropped, other = reals[:2]
    check_sides(placements, sides | {dropped.video_id: "excluded"})
    check_sides(placements, {key: side for key, side in sides.items() if key != dropped.video_id})
    with pytest.raises(SplitError, match=r"of 1 of \d+ videos .* in train instead of te"):
        check_sides(placements, sides | {other.video_id: "train"})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    place = tmp_path_factory.mktemp("bundle") / "bundle"
    brightness_bundle(place)
    return load_bundle(place)


def verdicts_of(scores: dict[str, float | None]) -> pa.Table:
    rows = [
        {
            "video_id": video_id,
            "run_id": "run",
            "model_id": "model",
            "status": "no_face" if score is None else "scored",
            "verdict": "inconclusive" if score is None else "fake" if score >= 0.5 else "real",
            "p_fake": score,
            "faces_scored": 0 if score is None else 11,
            "frames_scored": 0 if score is None else 11,
            "persons": 1,
            "threshold": 0.5,
            "reducer": "mean",
        }
        for video_id, score in scores.items()
    ]
    return pa.Table.from_pylist(rows, schema=VERDICTS)


def videos_of(names: list[str]) -> pa.Table:
    rows = [
        {
            "video_id": name,
            "run_id": "index",
            "path": f"{name}.mp4",
            "uri": f"/archive/{name}.mp4",
            "bytes": 1,
            "layout": "plain",
            "label": name.partition("_")[0].upper() if "_" in name else None,
            "group_keys": [name],
            "group": name,
        }
        for name in names
    ]
    return pa.Table.from_pylist(rows, schema=VIDEOS)


SCORES: dict[str, float | None] = {
    "fake_1": 0.9,
    "fake_2": 0.4,
    "fake_3": 0.8,
    "fake_4": None,
    "real_1": 0.1,
    "real_2": 0.2,
}


def outcome(bundle: Bundle) -> PresetOutcome:
    judged = with_truth(verdicts_of(SCORES), videos_of([*SCORES, "unjudged"]))
    extractions = pa.table({"cpu_s": [1.0, 2.0, 3.0], "peak_memory_bytes": [2**20, 2**28, None]})
    history = [replace(EPOCHS[0], seconds=5.0), replace(EPOCHS[1], seconds=6.0)]
    return outcome_of("some", bundle, judged, extractions, history, remark="a remark")


def test_a_row_counts_what_was_scored_and_what_was_right(bundle: Bundle) -> None:
    row = outcome(bundle)
    assert (row.labelled, row.scored) == (6, 5)
    figures = {name: getattr(row, name) for name in ("accuracy", "auc", "on_fakes", "on_originals")}
    assert {name: figure.value for name, figure in figures.items()} == pytest.approx(
        {"accuracy": 4 / 5, "auc": 1.0, "on_fakes": 2 / 3, "on_originals": 1.0}
    )
    assert (row.seconds_a_video, row.peak_memory_bytes) == (2.0, 2**28)
    assert (row.epochs, row.train_s, row.remark) == (2, 11.0, "a remark")
    assert (row.p_true, row.p_true_fake, row.p_true_real) == pytest.approx(
        ((0.9 + 0.4 + 0.8 + 0.9 + 0.8) / 5, 0.7, 0.85)
    )
    assert (
        "mean probability of the true class 0.76 (fakes 0.70, originals 0.85)" in remarks([row])[0]
    )


def test_the_mean_probability_is_over_faces_and_only_of_plain_means(bundle: Bundle) -> None:
    verdicts = verdicts_of({"fake_1": 0.9, "fake_2": 0.5})
    faces = pa.array([30, 10], verdicts.schema.field("faces_scored").type)
    verdicts = verdicts.set_column(
        verdicts.schema.get_field_index("faces_scored"), "faces_scored", faces
    )
    judged = with_truth(verdicts, videos_of(["fake_1", "fake_2"]))
    empty = pa.table({"cpu_s": pa.array([], pa.float64()), "peak_memory_bytes": pa.array([], "i8")})
    row = outcome_of("some", bundle, judged, empty, [])
    assert (row.p_true, row.p_true_real) == (pytest.approx(0.8), None)
    other = pa.array(["top_share"] * 2)
    at = judged.schema.get_field_index("reducer")
    worst = outcome_of("some", bundle, judged.set_column(at, "reducer", other), empty, [])
    assert worst.p_true is None and "true class" not in remarks([worst])[0]


def test_a_row_reads_back_as_it_was_written(bundle: Bundle) -> None:
    row = outcome(bundle)
    kept = json.loads(json.dumps(asdict(row)))
    assert TypeAdapter(PresetOutcome).validate_python(kept) == row


def test_a_side_without_reals_gives_no_figure_rather_than_a_wrong_one(bundle: Bundle) -> None:
    fakes = {name: score for name, score in SCORES.items() if name.startswith("fake")}
    judged = with_truth(verdicts_of(fakes), videos_of(list(fakes)))
    empty = pa.table({"cpu_s": pa.array([], pa.float64()), "peak_memory_bytes": pa.array([], "i8")})
    row = outcome_of("some", bundle, judged, empty, [])
    assert (row.auc, row.on_originals, row.seconds_a_video, row.peak_memory_bytes) == (None,) * 4
    assert "-" in text_table([row])


def test_the_text_has_a_line_a_preset_and_says_what_failed(bundle: Bundle) -> None:
    row = replace(
        outcome(bundle),
        auc=Measurement(value=0.8, low=0.61, high=0.93, level=0.95),
        leak="Split by face: x.",
    )
    failed = Failure(preset="other", step="train", reason="it ended")
    text = text_table([row, failed])
    line = next(one for one in text.splitlines() if one.startswith("some "))
    assert "0.800 (0.610 to 0.930)" in line
    assert "5 of 6" in line
    assert "256" in line  # MiB
    assert "other: failed in step train: it ended" in text
    assert "Split by face: x." in remarks([row])[0]


def test_figures_of_too_few_videos_say_so_everywhere(bundle: Bundle) -> None:
    """Two test videos gave an AUC of 1.000 and one of 0.000 without a remark."""
    row = outcome(bundle)
    said = "figures of 2 real videos and 3 fakes say little"
    facts = {"archive": "a", "created_at": "2026", "overrides": []}
    text = text_table([row])
    assert "5 of 6 (too few)" in text and said in text
    assert said in presets_page([row], facts | {"videos": {"train": 3, "val": 2, "test": 6}})
    assert said in json.loads(json_table([row], facts))["presets"][0]["few"]
    assert said in csv_table([row])
    enough = {f"{kind}_{n}": 0.1 * n for kind in ("real", "fake") for n in range(10)}
    judged = with_truth(verdicts_of(enough), videos_of(list(enough)))
    times = pa.table({"cpu_s": [1.0], "peak_memory_bytes": [1]})
    whole = outcome_of("some", bundle, judged, times, [])
    assert whole.few is None and "too few" not in text_table([whole])


def test_a_preset_of_whole_frames_learned_frames(bundle: Bundle) -> None:
    row = replace(outcome(bundle), faces=3)
    assert "3 faces" in remarks([row])[0]
    frames = remarks([replace(row, judges="frame")])[0]
    assert "3 frames" in frames and "face" not in frames
    framed = replace(bundle, framing=replace(bundle.framing, judges="frame"))
    assert outcome(framed).judges == "frame"


def test_csv_and_json_hold_every_figure(bundle: Bundle) -> None:
    row = outcome(bundle)
    (line,) = csv.DictReader(io.StringIO(csv_table([row])))
    assert float(line["accuracy"]) == pytest.approx(0.8)
    assert line["preset"] == "some"
    assert "accuracy_low" in line
    failed = Failure(preset="other", step="split", reason="no")
    content = json.loads(json_table([row, failed], {"archive": "/a"}))
    assert content["archive"] == "/a"
    assert content["presets"][0]["auc"]["value"] == 1.0
    assert content["failures"] == [{"preset": "other", "step": "split", "reason": "no"}]


def test_the_page_escapes_names_and_tells_of_overrides(bundle: Bundle) -> None:
    row = replace(outcome(bundle), remark="<script>alert(1)</script>")
    facts = {
        "archive": "/data/<b>archive</b>",
        "created_at": "2026-01-01",
        "overrides": ["training.finetune_epochs=1"],
        "videos": {"train": 3, "val": 2, "test": 6},
    }
    page = presets_page([row, Failure(preset="other", step="train", reason="it")], facts)
    assert "<script>" not in page
    assert "training.finetune_epochs=1" in page
    assert "other has no figures" in page
    assert "With only 6 test videos" in page
    assert "<svg" in page
