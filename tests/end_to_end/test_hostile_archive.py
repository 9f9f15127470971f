"""The main job on an archive that strangers filled: odd names, links to elsewhere, label files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from framejury.warehouse import Warehouse
from tests.builders.bundles import brightness_bundle
from tests.builders.clips import ODD_NAMES, face_frames, write_clip
from tests.builders.programs import run, shown
from tests.builders.reports import Page

pytestmark = pytest.mark.long

NOT_UTF8 = b"caf\xe9.mp4"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("archive")
    honest = write_clip(root / "honest.mp4", face_frames(6))
    for name in ODD_NAMES:
        shutil.copy(honest, root / name)
    shutil.copy(honest, os.fsdecode(os.fsencode(root) + b"/" + NOT_UTF8))
    (root / "poison.mp4").write_bytes(b"garbage")
    (root / "passwd.mp4").symlink_to("/etc/passwd")
    (root / "labels.csv").symlink_to("/proc/self/environ")
    return root


def test_every_video_gets_a_status_and_nothing_leaves_the_archive(
    archive: Path, tmp_path: Path
) -> None:
    bundle, warehouse = brightness_bundle(tmp_path / "bundle"), tmp_path / "warehouse"
    result = run(
        *("framejury", "nightly", archive, "--warehouse", warehouse, "--bundle", bundle.directory)
    )
    # 3: some failed, as they must.
    assert result.returncode in (0, 3), shown(result)
    assert "links out of the archive, not followed: 2 (" in result.stderr
    assert "names are not UTF-8: 1 (" in result.stderr
    said = result.stdout + result.stderr
    assert "root:x:" not in said and all(char.isprintable() or char == "\n" for char in said)

    opened = Warehouse.open(str(warehouse))
    names = {row["video_id"]: row["path"] for row in opened.read_snapshot("videos").to_pylist()}
    verdicts = opened.read_latest("verdicts").to_pylist()
    statuses = {names[row["video_id"]]: row["status"] for row in verdicts}
    assert statuses == {
        **dict.fromkeys((*ODD_NAMES, "honest.mp4"), "scored"),
        r"caf\xe9.mp4": "missing",  # nothing of that name can be opened
        "poison.mp4": "not_video",
    }

    (report,) = warehouse.glob("reports/*/report.html")
    page = Page(report.read_text())
    assert page.tags.count("script") == 1 and page.text.count("<script>") > 0
    assert "root:x:" not in report.read_text()
    for name in ODD_NAMES:
        shown_name = "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode() for char in name
        )
        assert shown_name.strip() in page.text
