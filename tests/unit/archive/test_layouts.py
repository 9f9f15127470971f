"""Labels and sources from names and side files, as real data sets have them."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from framejury.archive.groups import group_names
from framejury.archive.layouts import VideoEntry, describe_videos
from framejury.archive.listing import ArchiveFile, list_local
from framejury.errors import ArchiveError
from framejury.schemas.statuses import Label
from framejury.settings import IndexSettings

REAL, FAKE = Label.REAL, Label.FAKE
CORPUS = Path(__file__).resolve().parents[3].parent / "shared" / "corpus"


class Archive:
    """Files by path; text for label files, None for videos."""

    def __init__(self, files: Mapping[str, str | None], root: str = "/archive") -> None:
        self._texts = files
        self._root = root
        self.notes: list[str] = []
        self.left_out: dict[str, int] = {}

    def entries(self, **settings: Any) -> dict[str, VideoEntry]:
        changed = datetime(2024, 1, 1, tzinfo=UTC)
        files = [ArchiveFile(path, f"{self._root}/{path}", 1, changed) for path in self._texts]
        found, self.notes, self.left_out = describe_videos(
            files, lambda file: self._texts[file.path] or "", IndexSettings(**settings)
        )
        assert [entry.file for entry in found] == [f for f in files if f in [e.file for e in found]]
        return {entry.file.path: entry for entry in found}

    def groups(self) -> list[set[str]]:
        entries = self.entries()
        together = defaultdict(set)
        for path, group in zip(
            entries, group_names([e.group_keys for e in entries.values()]), strict=True
        ):
            together[group].add(path)
        return sorted(together.values(), key=sorted)

    def refuses(self, words: str, **settings: Any) -> None:
        with pytest.raises(ArchiveError, match=words) as caught:
            self.entries(**settings)
        assert "\n" not in str(caught.value)


def videos(*paths: str) -> dict[str, str | None]:
    return dict.fromkeys(paths)


def dfdc(**entries: Any) -> str:
    return json.dumps({f"{name}.mp4": value for name, value in entries.items()})


# ---------------------------------------------------------------- what is a video


def test_endings_of_any_case() -> None:
    archive = Archive(videos("a.MP4", "b.MoV", "c.txt", "d", ".mp4", "e.mp4.part", "f.mpg"))
    assert set(archive.entries()) == {"a.MP4", "b.MoV", "f.mpg"}
    assert set(archive.entries(extensions=(".TXT", "mpg"))) == {"c.txt", "f.mpg"}


def test_no_videos_is_an_error() -> None:
    Archive(videos("a.txt", "b.jpg")).refuses(r"no videos .*2 files checked.*mp4")
    Archive({}).refuses("no videos")


# ---------------------------------------------------------------- DFDC


def test_dfdc() -> None:
    archive = Archive(
        {
            "part_0/metadata.json": dfdc(
                fake={"label": "FAKE", "split": "train", "original": "real.mp4"},
                other={"label": "FAKE", "split": "train", "original": "real.mp4"},
                unknown={"split": "test"},
                absent={"label": "REAL", "original": None},
            ),
            "part_1/metadata.json": dfdc(real={"label": "REAL", "split": "train"}),
            **videos("part_0/fake.mp4", "part_0/other.mp4", "part_0/unknown.mp4"),
            **videos("part_1/real.mp4"),
        }
    )
    found = archive.entries()
    assert {entry.layout for entry in found.values()} == {"dfdc"}
    assert {path: entry.label for path, entry in found.items()} == {
        "part_0/fake.mp4": FAKE,
        "part_0/other.mp4": FAKE,
        "part_0/unknown.mp4": None,
        "part_1/real.mp4": REAL,
    }
    assert found["part_0/fake.mp4"].original == "real.mp4"
    assert archive.groups() == [
        {"part_0/fake.mp4", "part_0/other.mp4", "part_1/real.mp4"},
        {"part_0/unknown.mp4"},
    ]
    assert archive.notes == ["1 labelled files are not in the archive: part_0/absent.mp4"]


def test_a_dfdc_original_that_only_a_labels_csv_knows_is_bound() -> None:
    archive = Archive(
        {
            "fakes/metadata.json": dfdc(fake={"label": "FAKE", "original": "train_1/real.mp4"}),
            "mine/labels.csv": "file,label\nreal.mp4,REAL\nother.mp4,REAL\n",
            **videos("fakes/fake.mp4", "mine/real.mp4", "mine/other.mp4"),
        }
    )
    assert archive.groups() == [{"fakes/fake.mp4", "mine/real.mp4"}, {"mine/other.mp4"}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{not json", "is not JSON"),
        ('{"a.mp4": {"label": "FAKE"}, "a.mp4": {"label": "REAL"}}', "occurs twice"),
        ('{"a.mp4": {"label": "FAKE", "label": "REAL"}}', "a key occurs twice"),
        ('{"a.mp4": {"label": 1}}', "label must be FAKE, REAL or empty, not 1"),
        ('{"a.mp4": {"label": "1"}}', "1 means fake in some data sets"),
        ('{"a.mp4": {"label": "FAKE", "original": ["b"]}}', "original must be a file name"),
        ('{"a.mp4": {"label": "FAKE"}, "b.mp4": "REAL"}', "expected an object"),
        ('{"../a.mp4": {"label": "FAKE"}}', "points outside"),
        ("[" * 100_000, "is not JSON"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_wrong_metadata_json(text: str, words: str) -> None:
    Archive({"metadata.json": text, "a.mp4": None}).refuses(words)


def test_the_same_entry_twice_is_no_contradiction() -> None:
    text = '\ufeff{"a.mp4": {"label": "FAKE"}, "a.mp4": {"label": "FAKE"}}'
    assert Archive({"metadata.json": text, "a.mp4": None}).entries()["a.mp4"].label is FAKE


@pytest.mark.parametrize(
    "text", ['{"title": "Holiday", "tags": []}', "[1, 2]", "{}", '{"info": {"label": "Sony"}}', "3"]
)
def test_another_programs_metadata_json_is_ignored_with_a_note(text: str) -> None:
    archive = Archive({"d/metadata.json": text, "d/a.mp4": None})
    assert archive.entries()["d/a.mp4"].layout == "plain"
    assert len(archive.notes) == 1 and "d/metadata.json" in archive.notes[0]
    archive.refuses("not a DFDC metadata.json", layout="dfdc")


# ---------------------------------------------------------------- FaceForensics++


FFPP_ORIGINALS = "original_sequences/youtube/{q}/videos/{name}.mp4"
FFPP_FAKES = "manipulated_sequences/{method}/{q}/videos/{name}.mp4"


def test_ffpp() -> None:
    paths = [
        FFPP_ORIGINALS.format(q="c23", name="183"),
        FFPP_ORIGINALS.format(q="c40", name="183"),
        FFPP_ORIGINALS.format(q="c23", name="253"),
        FFPP_ORIGINALS.format(q="c23", name="001"),
        FFPP_FAKES.format(method="Deepfakes", q="c23", name="183_253"),
        FFPP_FAKES.format(method="Face2Face", q="c40", name="253_183"),
    ]
    archive = Archive(videos(*paths))
    found = archive.entries()
    assert {entry.layout for entry in found.values()} == {"ffpp"}
    assert [found[path].label for path in paths] == [REAL] * 4 + [FAKE] * 2
    fake = found[paths[4]]
    assert (fake.method, fake.original, fake.donor, fake.subject) == (
        *("Deepfakes", "183", "253", "183"),
    )
    # Both ids bind: target and source, over methods and compressions.
    assert archive.groups() == [set(paths) - {paths[3]}, {paths[3]}]


def test_ffpp_masks_are_neither_real_nor_fake() -> None:
    mask = "manipulated_sequences/Deepfakes/masks/videos/183_253.mp4"
    real = FFPP_ORIGINALS.format(q="c23", name="183")
    archive = Archive(videos(mask, real))
    assert archive.entries()[mask].label is None
    assert archive.groups() == [{mask, real}]


def test_deepfakedetection_actors() -> None:
    actors = "original_sequences/actors/c40/videos"
    fakes = "manipulated_sequences/DeepFakeDetection/c40/videos"
    paths = [
        f"{actors}/01__kitchen_pan.mp4",
        f"{actors}/02__outside.mp4",
        f"{actors}/03__outside.mp4",
        f"{fakes}/01_02__kitchen_pan__YVGY8LOK.mp4",
    ]
    archive = Archive(videos(*paths, FFPP_ORIGINALS.format(q="c40", name="01")))
    found = archive.entries()
    fake = found[paths[3]]
    assert (fake.label, fake.original, fake.donor) == (FAKE, "01__kitchen_pan", "02")
    assert found[paths[0]].label is REAL and found[paths[0]].subject == "01"
    # Actor 01 is not YouTube video 01.
    assert archive.groups() == [{paths[0], paths[1], paths[3]}, {paths[2]}, *archive.groups()[2:]]
    assert len(archive.groups()) == 3


def test_ffpp_when_the_archive_is_a_folder_deep_in_it() -> None:
    root = "/data/ffpp/manipulated_sequences/Deepfakes/c23/videos"
    found = Archive(videos("183_253.mp4"), root).entries()
    assert (found["183_253.mp4"].label, found["183_253.mp4"].method) == (FAKE, "Deepfakes")


def test_strange_names_in_ffpp_folders_get_no_label() -> None:
    odd = ["manipulated_sequences/183_253.mp4", "original_sequences/youtube/c23/videos/x.mp4"]
    odd += ["manipulated_sequences/Deepfakes/c23/videos/183.mp4"]
    found = Archive(videos(*odd)).entries()
    assert {(entry.layout, entry.label) for entry in found.values()} == {("plain", None)}


# ---------------------------------------------------------------- Celeb-DF


def test_celebdf() -> None:
    paths = [
        "Celeb-real/id9_0000.mp4",
        "Celeb-real/id26_0001.mp4",
        "Celeb-real/id2_0000.mp4",
        "Celeb-synthesis/id9_id26_0000.mp4",
        "YouTube-real/00170.mp4",
    ]
    archive = Archive(videos(*paths))
    found = archive.entries()
    assert [found[path].label for path in paths] == [REAL, REAL, REAL, FAKE, REAL]
    fake = found[paths[3]]
    assert (fake.original, fake.donor, fake.subject) == ("id9_0000", "id26", "id9")
    assert {entry.layout for entry in found.values()} == {"celebdf"}
    assert archive.groups() == [
        {paths[0], paths[1], paths[3]},
        {paths[2]},
        {paths[4]},
    ]


# ---------------------------------------------------------------- labels.csv


def labelled(text: str, *paths: str) -> Archive:
    return Archive({"labels.csv": text, **videos(*paths)})


def test_labels_csv() -> None:
    archive = labelled(
        "\ufefffile, label ,original,donor,method,subject\r\n"
        "sub/a b.mp4,fake,real/x.mp4,ann,swap,bob\r\n"
        '"comma,name.mp4", Real ,,,,\r\n'
        "\r\n"
        "none.mp4,,,,,\r\n",
        *("sub/a b.mp4", "real/x.mp4", "comma,name.mp4", "none.mp4"),
    )
    found = archive.entries()
    first = found["sub/a b.mp4"]
    assert (first.label, first.original, first.donor) == (FAKE, "real/x.mp4", "ann")
    assert (first.method, first.subject, first.layout) == ("swap", "bob", "labels_csv")
    assert found["comma,name.mp4"].label is REAL
    assert (found["none.mp4"].label, found["none.mp4"].layout) == (None, "labels_csv")
    assert (found["real/x.mp4"].label, found["real/x.mp4"].layout) == (None, "plain")
    assert archive.notes == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,label\na.mp4,0\n", r"labels.csv line 2: label must be FAKE, REAL or empty, not '0'"),
        ("file,label\n\n\na.mp4,1\n", "line 4"),
        ("file,label\na.mp4,yes\n", "not 'yes'"),
        ("name,label\na.mp4,FAKE\n", "needs the columns file,label.*it has: name, label"),
        ("file|label\na.mp4|FAKE\n", r"it has: file\|label"),
        ("", "it has: none"),
        ("file,label,label\na.mp4,FAKE,REAL\n", "names a column twice"),
        ("file,label\na.mp4,FAKE\na.mp4,REAL\n", "line 3: a.mp4 occurs twice"),
        ("file,label\na.mp4,FAKE\n./a.mp4,REAL\n", "occurs twice"),
        ("file,label\n,FAKE\n", "line 2: no file name"),
        ("file,label\na,b.mp4,FAKE\n", "label must be|more fields than columns"),
        ("file,label\na.mp4,FAKE,x\n", "more fields than columns"),
        ("file,label\n../x.mp4,FAKE\n", "points outside"),
        ("file,label\nsub/../../x.mp4,FAKE\n", "points outside"),
        ("file,label\n..\\x.mp4,FAKE\n", "points outside"),
        ("file,label\n/etc/x.mp4,FAKE\n", "points outside"),
        ("file,label\na.mp4,\0\n", "not a CSV file|label must be"),
    ],
)
def test_a_wrong_labels_csv(text: str, words: str) -> None:
    labelled(text, "a.mp4").refuses(words)


def test_repeated_and_missing_rows_and_unknown_columns() -> None:
    archive = labelled(
        "file,label,orginal,fps\na.mp4,FAKE,b.mp4,25\na.mp4,FAKE,b.mp4,25,\n"
        "gone.mp4,REAL,,\nb\\c.mp4,REAL,,\n",
        *("a.mp4", "b.mp4", "b/c.mp4"),
    )
    found = archive.entries()
    assert (found["a.mp4"].label, found["b/c.mp4"].label) == (FAKE, REAL)
    assert archive.notes == [
        "labels.csv: unused columns: fps, orginal",
        "1 labelled files are not in the archive: gone.mp4",
    ]


def test_an_unreadable_labels_csv() -> None:
    def fail(file: ArchiveFile) -> str:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    changed = datetime(2024, 1, 1, tzinfo=UTC)
    files = [ArchiveFile(name, name, 1, changed) for name in ("labels.csv", "a.mp4")]
    with pytest.raises(ArchiveError, match=r"labels\.csv is not UTF-8.*save it as UTF-8"):
        describe_videos(files, fail, IndexSettings())


@pytest.mark.parametrize("original", ["real/x.mp4", "real/x", "./real//x.mp4", "real\\x.mp4"])
def test_the_original_binds_however_it_is_written(original: str) -> None:
    archive = labelled(
        f"file,label,original\nfakes/1.mp4,FAKE,{original}\nreal/x.mp4,REAL,\nreal/y.mp4,REAL,\n",
        *("fakes/1.mp4", "real/x.mp4", "real/y.mp4"),
    )
    assert archive.groups() == [{"fakes/1.mp4", "real/x.mp4"}, {"real/y.mp4"}]


@pytest.mark.parametrize("original", [".", "..", "/", "../elsewhere/x.mp4", "a.b"])
def test_an_original_that_is_not_there_is_no_error(original: str) -> None:
    archive = labelled(f"file,label,original\na.mp4,FAKE,{original}\nb.mp4,REAL,\n", "a.mp4")
    assert archive.entries()["a.mp4"].original == original


def test_donors_subjects_and_groups_bind() -> None:
    archive = labelled(
        "file,label,donor,subject,group\n"
        "a.mp4,FAKE,ann,,\nb.mp4,REAL,,ann,\nc.mp4,REAL,,bob,\n"
        "d1.mp4,REAL,,,g\nd2.mp4,FAKE,,,g\ne.mp4,REAL,,,h\n",
        *("a.mp4", "b.mp4", "c.mp4", "d1.mp4", "d2.mp4", "e.mp4"),
    )
    assert archive.groups() == [{"a.mp4", "b.mp4"}, {"c.mp4"}, {"d1.mp4", "d2.mp4"}, {"e.mp4"}]


def test_the_nearer_label_file_counts() -> None:
    archive = Archive(
        {
            "labels.csv": "file,label\nsub/a.mp4,REAL\nsub/b.mp4,REAL\nc.mp4,FAKE\n",
            "sub/labels.csv": "file,label,method\na.mp4,FAKE,swap\nb.mp4,REAL,\n",
            **videos("sub/a.mp4", "sub/b.mp4", "c.mp4"),
        }
    )
    found = archive.entries()
    assert (found["sub/a.mp4"].label, found["sub/a.mp4"].method) == (FAKE, "swap")
    assert found["c.mp4"].label is FAKE
    (note,) = archive.notes
    assert "sub/a.mp4" in note and "sub/" in note


def test_the_same_group_name_in_two_folders_is_two_groups() -> None:
    text = "file,label,group\na.mp4,REAL,1\n"
    archive = Archive({"x/labels.csv": text, "y/labels.csv": text, **videos("x/a.mp4", "y/a.mp4")})
    assert len(archive.groups()) == 2


# ---------------------------------------------------------------- names alone


@pytest.mark.parametrize(
    "together",
    [
        ["RealObama.mp4", "FakeObama.mp4", "FakeObama_b.mp4", "obama.mp4"],
        ["real/x.mp4", "fake/x.mp4", "Deepfakes/X.avi"],
        ["0017.mp4", "0017_fake.mp4"],
        ["day1/original/a.mp4", "day1/manipulated/a.mp4"],
        ["clip.mp4", "clip.webm"],
    ],
)
def test_names_that_differ_in_label_words_are_one_source(together: list[str]) -> None:
    apart = ["RealPutin.mp4", "real/y.mp4", "0018.mp4", "day2/original/a.mp4", "clip_2.mp4"]
    groups = Archive(videos(*together, *apart)).groups()
    assert set(together) in groups
    assert len(groups) == 1 + len(apart)


def test_plain_videos_have_no_label() -> None:
    found = Archive(videos("fake/x.mp4", "RealObama.mp4")).entries()
    assert {(entry.layout, entry.label) for entry in found.values()} == {("plain", None)}


# ---------------------------------------------------------------- mixed, and asked for


MIXED: dict[str, str | None] = {
    "tv/dfdc/metadata.json": dfdc(a={"label": "FAKE", "original": "b.mp4"}),
    "tv/dfdc/a.mp4": None,
    "tv/dfdc/unlisted.mp4": None,
    "sets/ffpp/original_sequences/youtube/c23/videos/183.mp4": None,
    "sets/celeb/Celeb-real/id1_0000.mp4": None,
    "mine/labels.csv": "file,label\nclip.mp4,REAL\n",
    "mine/clip.mp4": None,
    "loose.mp4": None,
}


def test_data_sets_mixed_under_one_root() -> None:
    found = Archive(MIXED).entries()
    assert {path: entry.layout for path, entry in found.items()} == {
        "tv/dfdc/a.mp4": "dfdc",
        "tv/dfdc/unlisted.mp4": "plain",
        "sets/ffpp/original_sequences/youtube/c23/videos/183.mp4": "ffpp",
        "sets/celeb/Celeb-real/id1_0000.mp4": "celebdf",
        "mine/clip.mp4": "labels_csv",
        "loose.mp4": "plain",
    }


@pytest.mark.parametrize("layout", ["dfdc", "ffpp", "celebdf", "labels_csv"])
def test_a_layout_that_does_not_fit_is_refused(layout: str) -> None:
    Archive(MIXED).refuses(
        f"does not fit index.layout={layout}; use --set index.layout=auto", layout=layout
    )


def test_layout_plain_reads_no_labels() -> None:
    broken = {**MIXED, "tv/dfdc/metadata.json": "{broken"}
    found = Archive(broken).entries(layout="plain")
    assert {(entry.layout, entry.label) for entry in found.values()} == {("plain", None)}


def test_a_labels_csv_wins_over_folders() -> None:
    archive = Archive(
        {
            "labels.csv": "file,label\nCeleb-real/id1_0000.mp4,FAKE\n",
            **videos("Celeb-real/id1_0000.mp4"),
        }
    )
    assert archive.entries()["Celeb-real/id1_0000.mp4"].label is FAKE


# ---------------------------------------------------------------- real data


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no ../shared/corpus beside this checkout")
def test_the_corpus_has_the_labels_and_groups_of_its_table() -> None:
    files = list_local(CORPUS)
    entries, notes, _ = describe_videos(files, lambda f: Path(f.uri).read_text(), IndexSettings())
    with (CORPUS / "CORPUS.csv").open(newline="", encoding="utf-8") as table:
        truth = {row["file"]: row for row in csv.DictReader(table)}
    assert len(entries) == len(truth) == 81
    assert {e.file.path: e.label or "" for e in entries} == {
        path: row["label"] for path, row in truth.items()
    }
    ours = defaultdict(set)
    groups = group_names([entry.group_keys for entry in entries])
    for entry, group in zip(entries, groups, strict=True):
        ours[truth[entry.file.path]["group"]].add(group)
    assert {name: found for name, found in ours.items() if len(found) > 1} == {}
    assert len(set(groups)) >= 20  # and not simply all in one
    (note,) = notes
    assert "left out by their names: 2 (.csv 1, .md 1)" in note


@pytest.mark.parametrize(
    "text",
    [
        "file,label,,,\na.mp4,FAKE,,,\n,,,,\n",
        "\ufefffile;label\na.mp4;FAKE\n",
        "sep=;\nfile;label\na.mp4;FAKE\n",
        "file\tlabel\na.mp4\tFAKE\n",
        "file,,label,\na.mp4,,FAKE,\n",
    ],
)
def test_a_labels_csv_as_spreadsheets_save_it(text: str) -> None:
    archive = labelled(text, "a.mp4")
    assert archive.entries()["a.mp4"].label is FAKE
    assert archive.notes == []


def test_accents_may_be_written_either_way() -> None:
    composed, apart = "caf\u00e9.mp4", "cafe\u0301.mp4"
    assert labelled(f"file,label\n{apart},FAKE\n", composed).entries()[composed].label is FAKE
    assert labelled(f"file,label\n{composed},FAKE\n", apart).entries()[apart].label is FAKE
    dfdc = Archive({"metadata.json": f'{{"{apart}": {{"label": "FAKE"}}}}', composed: None})
    assert dfdc.entries()[composed].label is FAKE
    # Where the archive has both, each has its own row.
    both = labelled(f"file,label\n{composed},FAKE\n{apart},REAL\n", composed, apart).entries()
    assert (both[composed].label, both[apart].label) == (FAKE, REAL)


def test_names_may_start_at_the_root_of_the_file_system() -> None:
    text = "file,label\n/archive/sub/a.mp4,FAKE\n"
    assert labelled(text, "sub/a.mp4").entries()["sub/a.mp4"].label is FAKE
    labelled("file,label\n/archives/a.mp4,FAKE\n", "a.mp4").refuses("points outside")
    labelled("file,label\n/archive/../a.mp4,FAKE\n", "a.mp4").refuses("points outside")


def test_what_is_left_out_is_counted() -> None:
    archive = Archive(
        {
            **videos("a.mp4", "b.3g2", "._a.mp4", ".trash/b.mkv", "notes.txt", "c.TXT", "video"),
            **videos("d.mp4 (copy)"),
            "labels.csv": "file,label\na.mp4,FAKE\n",
        }
    )
    assert set(archive.entries()) == {"a.mp4", "b.3g2"}
    assert archive.left_out == {"hidden": 2, ".txt": 2, "no ending": 1, "other endings": 1}
    (note,) = archive.notes
    assert note.startswith("files left out by their names: 6 (hidden 2, .txt 2, no ending 1, other")


def test_many_endings_are_counted_together() -> None:
    numbered = [f"a.{number}" for number in range(30)]
    archive = Archive(videos("a.mp4", "x.0", *numbered, *(f"b.{n}" for n in range(5))))
    archive.entries()
    assert archive.left_out == {".0": 3} | dict.fromkeys((".1", ".2", ".3", ".4"), 2) | {
        f".{number}": 1 for number in range(5, 20)
    } | {"other endings": 10}


def test_an_archive_without_videos_says_what_it_holds() -> None:
    Archive(videos("a.txt", ".b.mp4")).refuses(r"2 files checked.*\.txt 1, hidden 1")
