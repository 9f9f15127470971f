"""The benchmarks' own clips, rivals, clockwork and table."""

from __future__ import annotations

import json
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks import clips, compare, inputs, two_cores
from benchmarks.__main__ import available_cores
from benchmarks.__main__ import main as benchmarks_main
from benchmarks.contenders import Contender, ContenderError, Run, Series, alternate
from benchmarks.figure import Figure, document, markdown, text_table
from benchmarks.rivals import libav, notebook, opencv_seek
from framejury.faces.mtcnn import MtcnnDetector
from framejury.media.decode import VideoFile
from framejury.records import Size
from framejury.settings import LimitSettings, SamplingSettings
from tests.builders.clips import plain_frames, read_frame_number, write_clip

FPS = 25
TINY = clips.ClipPlan("tiny", Size(96, 128), "libx264", 1)


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 numbered frames, a key frame every 30, B-frames between."""
    path = tmp_path_factory.mktemp("clips") / "numbered.mp4"
    return write_clip(path, plain_frames(60), fps=FPS, gop=30, bframes=3)


def ticks(path: Path) -> tuple[list[int], list[bool]]:
    """Presentation ticks of a clip's packets as stored, and which are key frames."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.pts is not None]
    return [packet.pts for packet in packets], [packet.is_keyframe for packet in packets]


def reordered(path: Path) -> bool:
    """Whether packets are stored in another order than shown: there are B-frames."""
    pts, _ = ticks(path)
    return any(later < earlier for earlier, later in pairwise(pts))


# ---------------------------------------------------------------- clips


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_clip_is_as_planned(tmp_path: Path, codec: str) -> None:
    if not clips.available(codec):
        pytest.skip(f"PyAV's libav has no {codec}")
    path = clips.made(clips.ClipPlan("clip", Size(96, 128), codec, 2), tmp_path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.height, stream.width, stream.frames) == (96, 128, 60)
        assert stream.codec_context.name == {"libx264": "h264", "libx265": "hevc"}[codec]
        assert float(stream.average_rate) == clips.FPS
    _, keys = ticks(path)
    assert keys == [True] + 59 * [False]
    assert reordered(path)


def test_a_clip_is_made_once_and_another_plan_is_another_file(tmp_path: Path) -> None:
    path = clips.made(TINY, tmp_path)
    path.write_bytes(b"made before")
    assert clips.made(TINY, tmp_path) == path
    assert path.read_bytes() == b"made before"
    assert clips.ClipPlan("tiny", TINY.size, "libx264", 1, seed=1).file_name != path.name


def test_the_pictures_show_one_moving_face() -> None:
    plan = clips.ClipPlan("face", Size(360, 640), "libx264", 10)
    first, *_, later = islice(clips.pictures(plan), 0, 91, 90)
    found = MtcnnDetector().detect([first, later])
    before, after = (max(faces, key=lambda face: face.confidence).box for faces in found)
    assert min(before.height, after.height) > 40
    assert abs(before.center[0] - after.center[0]) > 20
    assert np.abs(first.astype(int) - later).mean() > 5


def test_repeated_packets_show_the_clip_again(numbered: Path, tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    clips.repeat_packets(numbered, path, 3)
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    assert [read_frame_number(f.to_ndarray(format="rgb24")) for f in frames] == 3 * list(range(60))
    assert np.diff([frame.time for frame in frames]) == pytest.approx(1 / FPS, abs=1e-6)


def test_copies_are_files_of_their_own(numbered: Path, tmp_path: Path) -> None:
    paths = clips.copies([numbered], tmp_path, 3)
    assert len(set(paths)) == 3
    assert {path.read_bytes() for path in paths} == {numbered.read_bytes()}


# ---------------------------------------------------------------- rivals


def test_the_floor_gives_the_frames_that_framejury_takes(numbered: Path) -> None:
    with VideoFile(numbered, LimitSettings()) as video:
        chosen = video.choose(SamplingSettings(frames=5), "key")
        times_s = [frame.pts_s for frame in video.frames(chosen)]
    route = libav.plan_route(str(numbered), times_s)
    decoded, found = libav.decode(str(numbered), route)
    pts = sorted(ticks(numbered)[0])
    assert found == {pts[rank] for rank in chosen}
    assert decoded < 60


@pytest.mark.parametrize(
    ("ranks", "skips"),
    [([0, 30], {"NONKEY"}), ([58], {"NONREF", "DEFAULT"}), (list(range(60)), {"DEFAULT"})],
)
def test_the_floor_takes_the_cheapest_route(
    numbered: Path, ranks: list[int], skips: set[str]
) -> None:
    route = libav.plan_route(str(numbered), [rank / FPS for rank in ranks])
    decoded, found = libav.decode(str(numbered), route)
    assert route.skip in skips
    assert len(found) == len(ranks)
    # Only the second stretch, from the key frame 30 on, is decoded for frame 58.
    assert decoded == len(ranks) or (ranks == [58] and decoded <= 30)
    assert [stretch.seek for stretch in route.stretches] == (
        [True] if ranks == [58] else [False, True]
    )


def test_opencv_reads_the_frames_asked_for(numbered: Path) -> None:
    frames = opencv_seek.read_frames(str(numbered), [3, 31, 59])
    assert [read_frame_number(frame) for frame in frames] == [3, 31, 59]


def test_the_notebook_takes_eleven_frames_from_end_to_end(numbered: Path) -> None:
    numbers = [read_frame_number(frame) for frame in notebook.read_frames(str(numbered))]
    assert numbers == [0, 5, 11, 17, 23, 29, 35, 41, 47, 53, 59]


def test_the_notebooks_crop_has_the_networks_size() -> None:
    crop = notebook.cropped(plain_frames(1)[0], [-4, 10, 50, 60])
    assert crop.shape == (224, 224, 3)


def test_inputs_are_the_frames_at_these_times(numbered: Path) -> None:
    frames = inputs.frames_at(str(numbered), [0.0, 7 / FPS, 59 / FPS])
    assert [read_frame_number(frame) for frame in frames] == [0, 7, 59]


# ---------------------------------------------------------------- clockwork


def journal(setup):
    """A contender that writes down when it is asked."""

    def run(request):
        with Path(setup["path"]).open("a") as file:
            file.write(f"{setup['name']}{request['number']} ")
        if request["number"] == setup.get("breaks_at"):
            raise ValueError("cannot do it")
        return {"seen": request["number"]}

    return run


def contender(name: str, path: Path, **fields) -> Contender:
    repeats = fields.pop("repeats", None)
    setup = {"name": name, "path": str(path), **fields}
    return Contender(name, f"{__name__}:journal", setup, available_cores()[:1], repeats)


def test_contenders_take_turns_after_a_warm_up(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    contenders = [contender("a", path), contender("b", path, repeats=1)]
    series = alternate(
        contenders, [{"number": 1}, {"number": 2}], repeats=2, log_dir=tmp_path / "log"
    )
    assert path.read_text().split() == ["a1", "b1", *("a1", "b1", "a2", "b2"), *("a1", "a2")]
    assert [len(runs) for runs in series["a"].runs] == [2, 2]
    assert [facts["seen"] for facts in series["b"].facts()] == [1, 2]


def test_a_failing_contender_says_why(tmp_path: Path) -> None:
    contenders = [contender("a", tmp_path / "journal", breaks_at=2)]
    with pytest.raises(ContenderError, match="a: ValueError: cannot do it"):
        alternate(contenders, [{"number": 2}], repeats=1, log_dir=tmp_path)
    assert "Traceback" in (tmp_path / "a.log").read_text()


# ---------------------------------------------------------------- figures


def series(*runs_s: tuple[float, ...]) -> Series:
    """Seconds by request and repeat."""
    return Series([[Run(wall_s, wall_s, {}) for wall_s in repeats] for repeats in runs_s])


def test_a_ratio_is_of_sums_of_medians_and_its_range_of_repeats() -> None:
    once, often = series((30.0,), (60.0,)), series((1.0, 2.0, 9.0), (1.0, 1.0, 1.0))
    figure = compare.faster("x", (once, often), at_least=30)
    assert (figure.value, figure.low, figure.high) == (30, 9, 45)
    assert figure.met is True
    assert compare.faster("x", (once, often), at_least=31).met is False
    inverse = compare.slower("x", (often, once), at_most=0.03)
    assert inverse.value == pytest.approx(1 / 30)
    assert inverse.met is False
    assert compare.slower("x", (often, once), at_most=0.04).met is True


def test_over_the_ideal_time_in_per_cent() -> None:
    figure = compare.over(
        "x", series((6.0, 6.0)), series((10.0, 8.0)), share=0.5, at_most=15, note="two cores"
    )
    assert figure.value == pytest.approx(100 * (6 / 4.5 - 1))
    assert (figure.low, figure.high) == pytest.approx((20, 50))
    assert figure.met is False


def test_the_reduce_scales_python_up_to_all_rows() -> None:
    seconds = {"framejury_spark": 4.0, "duckdb": 2.5, "polars": 2.0, "python_reducebykey": 12.0}
    rows = {f"{name}_rows": 20e6 for name in seconds} | {"python_reducebykey_rows": 2e6}
    python, duckdb, polars = two_cores.reduce_figures(seconds | rows)
    assert (python.value, python.met) == (30, True)
    assert (duckdb.value, duckdb.met) == (1.6, True)
    assert (polars.value, polars.met) == (2, None)


def test_only_known_figures_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        benchmarks_main(["--only", "extract,speed"])
    assert "speed: not one of extract, frames" in capsys.readouterr().err


FACTS = {
    "date": "2026-11-22",
    "commit": "abc",
    "machine": {"cpu": "a processor", "cores": 2, "memory_gb": 24},
    "versions": {"av": "18.1"},
    "repeats": 3,
    "clips": ["one.mp4", "two.mp4"],
}
FIGURES = [
    Figure("a against b", "times faster", 31.26, 30.04, 33.0, at_least=25, note="one core"),
    Figure("c", "MB", 712.4, at_most=700),
    Figure("d", "", None, at_most=5, note="not there"),
]


def test_the_tables_say_what_was_measured_and_what_was_not() -> None:
    assert text_table(FIGURES).splitlines()[1:] == [
        "a against b  31.3 times faster  30 to 33  at least 25  yes",
        "    one core",
        "c            712 MB                       at most 700  no",
        "d            not measured                 at most 5",
        "    not there",
    ]
    lines = markdown(FIGURES, FACTS).splitlines()
    assert lines[:5] == [
        "| figure | measured | range | goal | met |",
        "|---|---|---|---|---|",
        "| a against b | 31.3 times faster | 30 to 33 | at least 25 | yes |",
        "| c | 712 MB |  | at most 700 | no |",
        "| d | not measured |  | at most 5 |  |",
    ]
    assert "- *d*: not there" in lines
    assert any("a processor, 2 cores" in line and "abc" in line for line in lines)


def test_the_document_is_json_and_says_what_is_met() -> None:
    read = json.loads(json.dumps(document(FIGURES, FACTS)))
    assert read["machine"] == FACTS["machine"]
    assert [figure["met"] for figure in read["figures"]] == [True, False, None]
