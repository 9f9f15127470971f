"""Evidence by the verbs: a folder to send around, one named video, faces that were kept."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from framejury.cli.main import main
from framejury.faces.crop import decode_crop
from framejury.warehouse import Warehouse
from tests.builders import clips
from tests.builders.bundles import brightness_bundle

pytestmark = pytest.mark.long

HAAR = ["--set", "detection.detector=haar", "--set", "sampling.frames=3"]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Index, extract, score, reduce: the faces are kept, and scored in a run of its own."""
    root = tmp_path_factory.mktemp("evidence")
    archive = root / "archive"
    archive.mkdir()
    clips.write_clip(archive / "<script>alert(1)<&script>.mp4", clips.face_frames(4))
    clips.write_clip(archive / "b.mp4", clips.face_frames(5))
    clips.write_clip(archive / "nobody.mp4", clips.plain_frames(5))
    uri, bundle = str(root / "kept"), str(brightness_bundle(root / "bundle").directory)
    small = ["--set", "evidence.faces=1", "--set", "evidence.face_px=40"]
    for verb in (
        ["index", str(archive)],
        ["extract", *HAAR],
        ["score", "--bundle", bundle, *small],
        ["reduce", "--set", "report.evidence_pages=1"],
    ):
        assert main([*verb, "--warehouse", uri]) == 0
    return Warehouse.open(uri)


def links_of(html: str) -> list[str]:
    return re.findall(r'href="([^"#]+)"', html)


def pages_of(root: Path) -> list[Path]:
    return sorted(root.glob("evidence/*/*.html"))


def test_scores_of_kept_crops_have_pictures_too(warehouse: Warehouse) -> None:
    run_id = warehouse.with_table("pictures")[-1].run_id
    rows = warehouse.read_run(run_id, "pictures").to_pylist()
    scores = warehouse.read_run(run_id, "face_scores").to_pylist()
    assert all(row["box"]["width"] > 0 and row["confidence"] is not None for row in scores)
    videos = {row["video_id"] for row in scores}
    assert len(videos) == 2
    for video_id in videos:
        mine = [row["score"] for row in scores if row["video_id"] == video_id]
        kept = [row["score"] for row in rows if row["video_id"] == video_id]
        assert {min(mine), max(mine)} == set(kept) and len(kept) <= 2
    for row in rows:
        crop = decode_crop(row["picture"])
        assert max(crop.shape) <= 40
        # The test bundle's score is the mean of red.
        assert crop[..., 0].mean() / 255 == pytest.approx(row["score"], abs=0.05)


def test_the_page_of_a_named_video(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(warehouse.location.path)
    assert len(pages_of(root)) == 1  # as reduce was told
    capsys.readouterr()
    uri = warehouse.location.uri
    assert main(["evidence", "nobody.mp4", "nobody.mp4", "--warehouse", uri]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert Path(line) in pages_of(root) and "nobody.mp4" in Path(line).read_text()
    assert main(["evidence", "c.mp4", "--warehouse", uri]) == 2
    assert "did you mean b.mp4" in capsys.readouterr().err


def test_a_folder_to_send_around(warehouse: Warehouse, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["report", "--warehouse", warehouse.location.uri, "--output", str(out)]
    assert main(command) == 0
    found = {
        (out / link).resolve()
        for link in links_of((out / "report.html").read_text())
        if "evidence" in link
    }
    assert found == set(pages_of(out)) and len(found) == 3
    assert main(command) == 2  # nothing is overwritten


def test_a_file_to_send_around(
    warehouse: Warehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "sent" / "for-review.zip"
    command = ["report", "--warehouse", warehouse.location.uri, "--output", str(target)]
    assert main(command) == 0
    assert f"report: {target}" in capsys.readouterr().err
    assert [path.name for path in target.parent.iterdir()] == [target.name]  # no draft is left
    with zipfile.ZipFile(target) as archive:
        archive.extractall(tmp_path)
    out = tmp_path / "for-review"
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(check, cwd=out, check=False).returncode == 0
    assert len(pages_of(out)) == 3
    for page in pages_of(out):
        assert page.relative_to(out).as_posix() in links_of((out / "report.html").read_text())
        assert "../../report.html" in links_of(page.read_text())
    manifest = json.loads((out / "MANIFEST.json").read_text())
    assert manifest["run_id"] == warehouse.require("verdicts")[-1].run_id
    before = target.read_bytes()
    assert main(command) == 2
    assert "exists; choose another name" in capsys.readouterr().err
    assert target.read_bytes() == before


def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")
    for name in (tmp_path / "file" / "a.zip", "s3://bucket/a.zip", "/proc/a.zip"):
        command = ["report", "--warehouse", str(tmp_path / "nowhere"), "--output", str(name)]
        assert main(command) == 2
        assert f"--output {name}" in capsys.readouterr().err
