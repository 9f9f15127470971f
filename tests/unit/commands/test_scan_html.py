"""`framejury scan --html`: the evidence page of a file, without Spark and without a warehouse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from framejury.cli.main import main
from framejury.commands.scan import NOT_ALL_JUDGED
from tests.builders import clips
from tests.builders.bundles import brightness_bundle
from tests.builders.reports import Page

Capture = pytest.CaptureFixture[str]
HOSTILE = "<script>alert(1)<\\script>.mp4"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return brightness_bundle(tmp_path_factory.mktemp("model") / "bundle").directory


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.write_clip(tmp_path_factory.mktemp("clips") / HOSTILE, clips.face_frames(12))


def scan(bundle: Path, *argv: str | Path) -> int:
    options = ["--bundle", str(bundle), "--set", "sampling.frames=4"]
    return main(["scan", *map(str, argv), *options])


def test_the_page_of_one_file(bundle: Path, clip: Path, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "new" / "out.html"
    assert scan(bundle, clip, "--html", target, "--json") == 0
    out, said = capsys.readouterr()
    verdict = json.loads(out)
    assert str(target) in said
    unknown = "wrong is not known: its model card has no figures"
    assert [path.name for path in target.parent.iterdir()] == ["out.html"]
    page = Page(target.read_text(encoding="utf-8"))
    assert f"p_fake is {verdict['p_fake']:.3f}" in page.text
    assert HOSTILE in page.text and "script" not in page.tags
    assert unknown in said and unknown in page.text
    assert "Face score (not calibrated)" in page.text and "SSIM" in page.text
    assert "4 of 12 frames were sampled" in page.text
    # Four faces, each also with its map by occlusion, the frame and the still of a clip.
    assert (page.tags.count("img"), page.tags.count("video")) == (10, 1)
    own = ("data:image/jpeg", "data:video/webm", "#")
    outside = [address for address in page.addresses if not address.startswith(own)]
    assert outside == [clip.as_uri()]  # opens the video; loads nothing
    assert "What the file says about its making" in page.text
    assert verdict["origin"]["muxer"] in page.text and verdict["origin"]["c2pa"] == "absent"


def test_several_files_get_a_folder(
    bundle: Path, clip: Path, tmp_path: Path, capsys: Capture
) -> None:
    text = clips.write_text(tmp_path / "text.mp4")
    folder = tmp_path / "pages"
    plain = clips.write_clip(tmp_path / "plain.mp4", clips.plain_frames(6))
    assert scan(bundle, clip, text, plain, "--html", folder) == NOT_ALL_JUDGED
    assert f"evidence: {folder / 'index.html'}" in capsys.readouterr().err
    pages = ["001-script-alert-1-script-.mp4.html", "002-text.mp4.html", "003-plain.mp4.html"]
    assert sorted(path.name for path in folder.iterdir()) == [*pages, "index.html"]
    index = Page((folder / "index.html").read_text(encoding="utf-8"))
    assert index.addresses == pages
    assert HOSTILE in index.text and "script" not in index.tags
    for name, words in zip(pages, ("p_fake is", "not video", "no face"), strict=True):
        page = Page((folder / name).read_text(encoding="utf-8"))
        assert words in page.text
        assert "index.html" in page.addresses


def test_what_is_refused_before_anything_is_judged(
    bundle: Path, clip: Path, tmp_path: Path, capsys: Capture
) -> None:
    def refused(*argv: str | Path) -> str:
        assert scan(bundle, *argv) == 2
        out, err = capsys.readouterr()
        assert out == ""
        return err

    assert "name a folder" in refused(clip, clip, "--html", tmp_path / "one.html")
    (tmp_path / "taken.html").mkdir()
    assert "is a folder" in refused(clip, "--html", tmp_path / "taken.html")
    (tmp_path / "file").touch()
    assert "is a file" in refused(clip, "--html", tmp_path / "file" / "pages")
    assert "verdict.threshold" in refused(
        clip, "--html", tmp_path / "x", "--set", "verdict.threshold=2"
    )
    assert not (tmp_path / "x").exists()


_WITHOUT = """
import sys
sys.modules.update({name: None for name in %r})
from framejury.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.long
@pytest.mark.parametrize("missing", ["matplotlib", "jinja2"])
def test_without_the_libraries_of_the_report(
    missing: str, bundle: Path, clip: Path, tmp_path: Path
) -> None:
    """--html says what to install; a plain scan does without."""

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        argv = ["scan", str(clip), "--bundle", str(bundle), "--set", "sampling.frames=2", *more]
        code = _WITHOUT % [missing]
        return subprocess.run(
            [sys.executable, "-c", code, *argv],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    refused = run("--html", str(tmp_path / "x"))
    assert refused.returncode == 2
    assert "pip install 'framejury[report]'" in refused.stderr
    assert not (tmp_path / "x").exists()
    plain = run()
    assert plain.returncode == 0 and "p_fake" in plain.stdout


def test_a_plain_scan_keeps_no_pictures(
    bundle: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Making them costs a second pass of the network over each."""
    from framejury.commands import scan as command

    plans = []
    real = command.Examiner

    def spied(plan: object) -> object:
        plans.append(plan)
        return real(plan)  # type: ignore[arg-type]

    monkeypatch.setattr(command, "Examiner", spied)
    assert scan(bundle, clip) == 0
    assert plans[0].settings["evidence"]["faces"] == 0
