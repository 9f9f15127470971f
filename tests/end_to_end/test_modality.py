"""Fakes by picture and by sound told apart, as users start the verb, in DFDC's layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from framejury.warehouse import Warehouse
from tests.builders.clips import face_frames
from tests.builders.programs import ok, run, submit
from tests.builders.talkies import voice, with_other_face, write_talkie

pytestmark = pytest.mark.long


def test_the_verb_and_the_job_say_which_fakes_only_sound_different(tmp_path: Path) -> None:
    archive, warehouse = tmp_path / "archive", tmp_path / "warehouse"
    for part in ("part_0", "part_1"):
        (archive / part).mkdir(parents=True)
    frames, sound = face_frames(50), voice(2, seed=1)
    write_talkie(archive / "part_1" / "real.mp4", frames, sound)
    write_talkie(archive / "part_0" / "heard.mp4", frames, voice(2, seed=2), options={"crf": "28"})
    write_talkie(archive / "part_0" / "seen.mp4", [with_other_face(one) for one in frames], sound)
    write_talkie(archive / "part_0" / "lonely.mp4", frames, sound)
    fakes = {"heard": "real.mp4", "seen": "real.mp4", "lonely": "lost.mp4"}
    entries = {
        f"{name}.mp4": {"label": "FAKE", "split": "train", "original": original}
        for name, original in fakes.items()
    }
    (archive / "part_0" / "metadata.json").write_text(json.dumps(entries))
    real = {"real.mp4": {"label": "REAL", "split": "train", "original": None}}
    (archive / "part_1" / "metadata.json").write_text(json.dumps(real))
    ok(run("framejury", "index", archive, "--warehouse", warehouse))

    first = run("framejury", "modality", "--warehouse", warehouse)
    printed = ok(first)
    assert printed.endswith("\nonly the sound was changed:\n  part_0/heard.mp4\n")
    assert "1 fake without an original here" in first.stderr
    rows = Warehouse.open(str(warehouse)).read_snapshot("modalities").to_pylist()
    assert sorted(row["modality"] for row in rows) == ["audio", "video"]
    again = ok(submit("label_modalities", "--warehouse", warehouse))
    assert "nothing new to compare" in again and "part_0/heard.mp4" in again
    assert len(Warehouse.open(str(warehouse)).with_table("modalities")) == 1
