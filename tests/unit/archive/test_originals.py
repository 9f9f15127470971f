"""Which video a fake was made from, in each layout, and where that cannot be told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from framejury.archive.layouts import describe_videos
from framejury.archive.listing import list_local
from framejury.archive.originals import Originals, pairs_of
from framejury.archive.video_rows import videos_table, with_missing
from framejury.settings import IndexSettings

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def originals(root: Path, *paths: str, **texts: str) -> Originals:
    """Of an archive with these files; `texts` are side files: `a__labels_csv` is a/labels.csv."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")
    for name, text in texts.items():
        stem, _, ending = name.replace("__", "/").rpartition("_")
        (root / stem).parent.mkdir(parents=True, exist_ok=True)
        (root / f"{stem}.{ending}").write_text(text, "utf-8")
    files = list_local(root)
    entries, *_ = describe_videos(files, lambda file: Path(file.uri).read_text(), IndexSettings())
    return pairs_of(videos_table(entries, "run").to_pylist())


def told(found: Originals) -> dict[str, str]:
    return {pair.fake["path"]: pair.original["path"] for pair in found.pairs}


def alone(found: Originals) -> list[str]:
    return [row["path"] for row in found.alone]


def test_dfdc_names_a_file_of_any_part(tmp_path: Path) -> None:
    entry = '"{}": {{"label": "{}", "original": {}}}'
    found = originals(
        tmp_path,
        *("p0/a.mp4", "p0/b.mp4", "p0/c.mp4", "p0/real.mp4"),
        *("p1/real.mp4", "p1/other.mp4", "p1/d.mp4", "p1/e.mp4"),
        p0__metadata_json="{"
        + ", ".join(
            [
                entry.format("a.mp4", "FAKE", '"real.mp4"'),
                entry.format("b.mp4", "FAKE", '"other.mp4"'),
                entry.format("c.mp4", "FAKE", '"lost.mp4"'),
                entry.format("real.mp4", "REAL", "null"),
            ]
        )
        + "}",
        p1__metadata_json="{"
        + ", ".join(
            [
                entry.format("real.mp4", "REAL", "null"),
                entry.format("other.mp4", "REAL", "null"),
                entry.format("d.mp4", "FAKE", '"d.mp4"'),
                entry.format("e.mp4", "FAKE", '"real.mp4"'),
            ]
        )
        + "}",
    )
    # The fake's own folder comes first; else wherever it is. A fake is not its own original.
    assert told(found) == {
        "p0/a.mp4": "p0/real.mp4",
        "p0/b.mp4": "p1/other.mp4",
        "p1/e.mp4": "p1/real.mp4",
    }
    assert alone(found) == ["p0/c.mp4", "p1/d.mp4"]


def test_ffpp_names_a_stem_in_the_same_compression(tmp_path: Path) -> None:
    found = originals(
        tmp_path,
        "manipulated_sequences/Deepfakes/c40/videos/000_003.mp4",
        "manipulated_sequences/Deepfakes/c40/masks/videos/000_003.mp4",
        "manipulated_sequences/Face2Face/raw/videos/000_003.mp4",
        "manipulated_sequences/FaceSwap/c40/videos/003_000.mp4",
        "manipulated_sequences/DeepFakeDetection/c23/videos/01_11__outside__AB12.mp4",
        "original_sequences/actors/c23/videos/01__outside.mp4",
        "original_sequences/actors/c23/videos/11__outside.mp4",
        "original_sequences/youtube/c23/videos/000.mp4",
        "original_sequences/youtube/c40/videos/000.mp4",
        "000.mp4",
    )
    assert told(found) == {
        "manipulated_sequences/Deepfakes/c40/videos/000_003.mp4": (
            "original_sequences/youtube/c40/videos/000.mp4"
        ),
        # No raw one is there: any compression is the same video.
        "manipulated_sequences/Face2Face/raw/videos/000_003.mp4": (
            "original_sequences/youtube/c23/videos/000.mp4"
        ),
        "manipulated_sequences/DeepFakeDetection/c23/videos/01_11__outside__AB12.mp4": (
            "original_sequences/actors/c23/videos/01__outside.mp4"
        ),
    }
    assert alone(found) == ["manipulated_sequences/FaceSwap/c40/videos/003_000.mp4"]


def test_of_two_copies_of_a_data_set_each_has_its_own(tmp_path: Path) -> None:
    found = originals(
        tmp_path,
        *(
            f"{copy}/{name}"
            for copy in ("a", "b")
            for name in (
                "manipulated_sequences/Deepfakes/c40/videos/000_003.mp4",
                "original_sequences/youtube/c40/videos/000.mp4",
                "Celeb-synthesis/id1_id2_0000.mp4",
                "Celeb-real/id1_0000.mp4",
            )
        ),
    )
    pairs = told(found)
    assert len(pairs) == 4
    assert all(fake[0] == original[0] for fake, original in pairs.items())


def test_celebdf_names_a_stem_in_celeb_real(tmp_path: Path) -> None:
    found = originals(
        tmp_path,
        "Celeb-synthesis/id9_id26_0000.mp4",
        "Celeb-synthesis/id9_id26_0001.mp4",
        "Celeb-real/id9_0000.mp4",
        "Celeb-real/id26_0000.mp4",
        "YouTube-real/id9_0001.mp4",
    )
    assert told(found) == {"Celeb-synthesis/id9_id26_0000.mp4": "Celeb-real/id9_0000.mp4"}
    assert alone(found) == ["Celeb-synthesis/id9_id26_0001.mp4"]


def test_labels_csv_names_a_path_below_its_folder(tmp_path: Path) -> None:
    found = originals(
        tmp_path,
        *("set/a.mp4", "set/b.mp4", "set/c.mp4", "set/d.mp4", "set/e.mp4", "set/f.mkv"),
        *("set/real/x.mp4", "set/y.avi", "set/y.mkv", "set/z.mp4", "x.mp4", "set/f.mp4"),
        set__labels_csv="file,label,original\n"
        "a.mp4,FAKE,real/x.mp4\n"
        "b.mp4,FAKE,real\\x\n"
        "c.mp4,FAKE,y\n"
        "d.mp4,FAKE,y.mkv\n"
        "e.mp4,FAKE,x.mp4\n"
        "f.mkv,FAKE,f.mp4\n"
        "z.mp4,FAKE,\n",
    )
    assert told(found) == {
        "set/a.mp4": "set/real/x.mp4",
        "set/b.mp4": "set/real/x.mp4",
        "set/d.mp4": "set/y.mkv",
        "set/f.mkv": "set/f.mp4",
    }
    # Two files may be `y`; `x.mp4` lies in another folder; of one nothing is said.
    assert alone(found) == ["set/c.mp4", "set/e.mp4", "set/z.mp4"]


def test_what_is_gone_or_no_fake_counts_for_nothing(tmp_path: Path) -> None:
    names = ("a.mp4", "b.mp4", "real.mp4", "gone.mp4", "unsaid.mp4")
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "labels.csv").write_text(
        "file,label,original\na.mp4,FAKE,gone.mp4\nb.mp4,FAKE,real.mp4\n"
        "real.mp4,REAL,a.mp4\nunsaid.mp4,,real.mp4\n",
        "utf-8",
    )

    def listed() -> list[object]:
        files = list_local(tmp_path)
        settings = IndexSettings()
        return list(describe_videos(files, lambda one: Path(one.uri).read_text(), settings)[0])

    before = videos_table(listed(), "one")  # type: ignore[arg-type]
    (tmp_path / "gone.mp4").unlink()
    rows = with_missing(videos_table(listed(), "two"), before, NOW)  # type: ignore[arg-type]
    found = pairs_of(rows.to_pylist())
    assert told(found) == {"b.mp4": "real.mp4"}
    assert alone(found) == ["a.mp4"]
