"""A video whose resolution changes on the way."""

from __future__ import annotations

from pathlib import Path

from framejury.examine.child import examine_video
from framejury.examine.messages import ExaminePlan
from framejury.examine.toolbox import Toolbox
from framejury.records import Size
from framejury.settings.loading import load_settings
from tests.builders import clips


def test_a_person_stays_one_person(tmp_path: Path) -> None:
    small, large = Size(240, 320), Size(480, 640)
    path = clips.write_size_change(
        tmp_path / "grows.ts", clips.face_frames(25, small), clips.face_frames(25, large)
    )
    settings = load_settings(None, overrides=["sampling.frames=10", "detection.min_face_px=20"])
    tools = Toolbox.load(ExaminePlan("run", settings.model_dump(mode="json"), None, True))
    found = examine_video(path, "video", tools)
    assert {face.person for face in found.faces} == {0}
    widths = [face.face.box.width for face in found.faces]
    assert max(widths) > 1.7 * min(widths)
    assert found.outcome.notes is not None and "size_changed" in found.outcome.notes
