"""A matrix of media files, codec x container x trouble, made by the `ffmpeg` of this machine.

Each entry says how its file is made and which pictures a player shows. They are decoded by the same
`ffmpeg`, mostly from the file itself, and where `ffmpeg` shows what no one filmed (pictures without
their key frame) from the file before it was damaged.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

FPS = 25
SECONDS = 2
Frames = npt.NDArray[np.uint8]
Make = Callable[[Path], list[tuple[Path, slice]]]
"""Writes the file; returns which frames of which files a player shows, in order. They may be the
file itself."""

_WHOLE = slice(None)
_X264 = ("-c:v", "libx264", "-preset", "veryfast", "-qp", "18", "-g", "12", "-bf", "2")
_MPEG4 = ("-c:v", "mpeg4", "-q:v", "3", "-g", "12")
_MPEG2 = ("-c:v", "mpeg2video", "-q:v", "3", "-g", "12", "-bf", "2")


@dataclass(frozen=True)
class Entry:
    """One file of the matrix.

    Attributes:
        name: its file name; the ending is the container.
        make: writes it.
        tolerance: largest mean difference, grey levels.
        sizes: (height, width) of its frames as shown.
        frame_s: duration of a frame.
        stream: index of the stream a player shows.
        notes: codes of the notes it must have.
        filters: ffmpeg's filters that show it as a player does.
    """

    name: str
    make: Make
    tolerance: float = 1.0
    sizes: frozenset[tuple[int, int]] = frozenset({(112, 192)})
    frame_s: float = 1 / FPS
    stream: int = 0
    notes: tuple[str, ...] = ()
    filters: str = ""


def ffmpeg(*args: str | Path) -> None:
    """Run `ffmpeg`; fail with what it prints."""
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-threads", "2", *map(str, args)],
        check=True,
        capture_output=True,
        timeout=120,
    )


def shown_frames(path: Path, entry: Entry, size: tuple[int, int]) -> Frames:
    """Decode all frames as a player shows them: uint8 (n, height, width, 3) RGB.

    Args:
        path: the file.
        entry: its filters and stream.
        size: (height, width) as shown.
    """
    height, width = size
    square = f"{entry.filters}{',' * bool(entry.filters)}scale={width}:{height},format=rgb24"
    stream = entry.stream if path.name == entry.name else 0
    done = subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-threads", "2", "-i", str(path), "-map", f"0:{stream}"),
            *("-vf", square, "-fps_mode", "passthrough", "-copyts"),
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-"),
        ],
        capture_output=True,
        check=False,
        timeout=120,
    )
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)


def shown_times_s(path: Path, entry: Entry) -> npt.NDArray[np.float64]:
    """Return when `ffprobe` says each frame is shown, from the first one on: float64 (n,).

    Not a number where it does not know.
    """
    stream = entry.stream if path.name == entry.name else 0
    done = subprocess.run(
        [
            *("ffprobe", "-v", "error", "-select_streams", str(stream), "-of", "csv=p=0"),
            *("-show_entries", "frame=best_effort_timestamp_time", str(path)),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    texts = [line.strip(",") for line in done.stdout.splitlines()]
    times = np.array([np.nan if text == "N/A" else float(text) for text in texts if text])
    return times - times[0]


def encoded(*options: str, size: str = "192x112", start: int = 0, seconds: float = SECONDS) -> Make:
    """Return how to encode a moving test picture with these options of `ffmpeg`."""

    def make(path: Path) -> list[tuple[Path, slice]]:
        source = f"testsrc2=size={size}:rate={FPS}:duration={start + seconds}"
        ffmpeg(
            "-f", "lavfi", "-i", source, "-ss", str(start), "-pix_fmt", "yuv420p", *options, path
        )
        return [(path, _WHOLE)]

    return make


def pale(*options: str, start: int = 0) -> Make:
    """Return how to encode a soft and pale picture: scalers differ where colours clip."""
    return encoded("-vf", "hue=s=0.3,gblur=2", *options, start=start)


def copied(source: Make, ending: str, *options: str, input_options: tuple[str, ...] = ()) -> Make:
    """Return how to write `source` (a file with this ending) again without encoding it."""

    def make(path: Path) -> list[tuple[Path, slice]]:
        before = path.with_name(f"before_{path.name}.{ending}")
        source(before)
        ffmpeg(*input_options, "-i", before, "-c", "copy", *options, path)
        return [(path, _WHOLE)]

    return make


def joined(*parts: Make) -> Make:
    """Return how to put files of one kind end to end, byte by byte."""

    def make(path: Path) -> list[tuple[Path, slice]]:
        files = [path.with_name(f"part{number}_{path.name}") for number in range(len(parts))]
        for file, part in zip(files, parts, strict=True):
            part(file)
        path.write_bytes(b"".join(file.read_bytes() for file in files))
        return [(file, _WHOLE) for file in files]

    return make


def without_first_key(source: Make, dropped: int = 5, group: int = 12) -> Make:
    """Return how to drop the first packets: nothing is shown before the second key frame."""

    def make(path: Path) -> list[tuple[Path, slice]]:
        before = path.with_name(f"before_{path.name}")
        source(before)
        drop = f"noise=drop='lt(n,{dropped})'"
        ffmpeg("-i", before, "-c", "copy", "-bsf:v", drop, path)
        return [(before, slice(group, None))]

    return make


def jumped(source: Make, at_frame: int, by_s: float) -> Make:
    """Return how to let the clock jump in the middle."""

    def make(path: Path) -> list[tuple[Path, slice]]:
        before = path.with_name(f"before_{path.name}")
        source(before)
        at_s = at_frame / FPS
        later = f"setts=ts='TS+gte(TS*TB-STARTPTS*TB,{at_s - 0.001})*{by_s}/TB'"
        ffmpeg("-copyts", "-i", before, "-c", "copy", "-bsf:v", later, path)
        return [(before, _WHOLE)]

    return make


def matrixed(source: Make, matrix: tuple[int, int, int, int]) -> Make:
    """Return how to write a display matrix (a, b, c, d) into an MP4, MOV or Matroska file."""

    def make(path: Path) -> list[tuple[Path, slice]]:
        if path.suffix == ".mkv":
            before = path.with_name(f"before_{path.name}.mp4")
            make(before)
            _copied_by_libav(before, path)
            return [(path, _WHOLE)]
        source(path)
        data = bytearray(path.read_bytes())
        at = data.index(b"tkhd") + 4
        at += 40 if data[at] == 0 else 52
        a, b, c, d = (value << 16 for value in matrix)
        data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
        path.write_bytes(data)
        return [(path, _WHOLE)]

    return make


def _copied_by_libav(source: Path, target: Path) -> None:
    """Copy the picture with PyAV's libav, which writes display matrices into Matroska."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        stream = after.add_stream_from_template(before.streams.video[0])
        for packet in before.demux(before.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                after.mux(packet)


def with_streams(*sources: tuple[Make, str], options: tuple[str, ...]) -> Make:
    """Return how to put several pictures into one file; `options` set their dispositions."""

    def make(path: Path) -> list[tuple[Path, slice]]:
        inputs: list[str | Path] = []
        for number, (source, ending) in enumerate(sources):
            file = path.with_name(f"stream{number}_{path.name}.{ending}")
            source(file)
            inputs += ["-i", file]
        maps = [word for number in range(len(sources)) for word in ("-map", f"{number}:v")]
        ffmpeg(*inputs, *maps, "-c", "copy", *options, path)
        return [(path, _WHOLE)]

    return make


def lit(transfer: str) -> Make:
    """Return how to store an ordinary film with another transfer function, in BT.2020."""

    def make(path: Path) -> list[tuple[Path, slice]]:
        before = path.with_name(f"before_{path.name}.mkv")
        ordinary = ("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709")
        encoded("-vf", "hue=s=0.3,gblur=2", *ordinary, "-c:v", "ffv1")(before)
        other = f"zscale=tin=709:pin=709:min=709:t={transfer}:p=2020:m=2020_ncl:npl=203:agamma=0"
        lossless = ("-x265-params", "log-level=none:lossless=1", "-preset", "ultrafast")
        tags = (
            "-color_primaries",
            "bt2020",
            "-color_trc",
            {"2020_10": "bt2020-10"}.get(transfer, transfer),
        )
        tags += ("-colorspace", "bt2020nc")
        ffmpeg(
            *("-i", before, "-vf", f"{other},format=yuv420p10le", "-c:v", "libx265", *lossless),
            *(*tags, path),
        )
        return [(before, _WHOLE)]

    return make


def _plain() -> list[Entry]:
    codecs: dict[str, tuple[tuple[str, ...], str, str]] = {
        "h264": (_X264, "mp4 mov mkv ts avi flv mpg 3gp m4v", "192x112"),
        "h264_open": ((*_X264, "-x264-params", "open-gop=1:bframes=3"), "mp4 mkv ts", "192x112"),
        "h264_intra": (("-c:v", "libx264", "-g", "1", "-qp", "18"), "mp4 mxf", "192x112"),
        "hevc": (
            ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"),
            "mp4 mkv ts mov",
            "192x112",
        ),
        "mpeg4": (_MPEG4, "mp4 avi mkv mov 3gp", "192x112"),
        "mpeg4_b": ((*_MPEG4, "-bf", "2"), "mp4 mkv", "192x112"),
        "mpeg2": (_MPEG2, "mpg ts mkv vob mxf", "192x112"),
        "mpeg1": (("-c:v", "mpeg1video", "-q:v", "3"), "mpg mkv", "192x112"),
        "vp8": (("-c:v", "libvpx", "-b:v", "1M", "-deadline", "realtime"), "webm mkv", "192x112"),
        "vp9": (
            ("-c:v", "libvpx-vp9", "-b:v", "1M", "-deadline", "realtime"),
            "webm mp4",
            "192x112",
        ),
        "av1": (("-c:v", "libsvtav1", "-preset", "12"), "mp4 mkv", "192x112"),
        "mjpeg": (("-c:v", "mjpeg", "-q:v", "3"), "avi mov mkv", "192x112"),
        "prores": (("-c:v", "prores_ks"), "mov", "192x112"),
        "ffv1": (("-c:v", "ffv1"), "mkv avi", "192x112"),
        "wmv2": (("-c:v", "wmv2", "-q:v", "3"), "wmv avi", "192x112"),
        "flv1": (("-c:v", "flv", "-q:v", "3"), "flv", "192x112"),
        "theora": (("-c:v", "libtheora", "-q:v", "8"), "ogv", "192x112"),
        "h263": (("-c:v", "h263", "-q:v", "3"), "3gp mov", "176x144"),
        "qtrle": (("-c:v", "qtrle"), "mov", "192x112"),
        "gif": (("-c:v", "gif"), "gif", "192x112"),
        "raw": (("-c:v", "rawvideo", "-pix_fmt", "uyvy422"), "avi mov", "192x112"),
        "apng": (("-c:v", "png"), "mov", "192x112"),
    }
    return [
        Entry(f"{codec}.{ending}", encoded(*options, size=size), sizes=_sizes(size))
        for codec, (options, endings, size) in codecs.items()
        for ending in endings.split()
    ]


def _sizes(*written: str) -> frozenset[tuple[int, int]]:
    """Return (height, width) of sizes as `ffmpeg` writes them."""
    pairs = [tuple(map(int, size.split("x"))) for size in written]
    return frozenset((height, width) for width, height in pairs)


def _shapes() -> list[Entry]:
    found = []
    for sar, size in (
        ("1:2", "192x224"),
        ("16:11", "279x112"),
        ("64:45", "273x112"),
        ("2:1", "384x112"),
    ):
        width, height = map(int, sar.split(":"))
        # Soft and pale as films are: two versions of one scaler differ where colours clip.
        setsar = ("-vf", f"hue=s=0.3,gblur=2,setsar={width}/{height}")
        for codec, options, ending in (
            ("h264", _X264, "mp4"),
            ("h264", _X264, "mkv"),
            ("h264", _X264, "ts"),
            ("mpeg4", _MPEG4, "avi"),
        ):
            name = f"{codec}_sar{width}x{height}.{ending}"
            found.append(Entry(name, encoded(*setsar, *options), sizes=_sizes(size)))
    wide = encoded("-vf", "hue=s=0.3,gblur=2", "-aspect", "16:9", *_MPEG2)
    found.append(Entry("mpeg2_wide.mpg", wide, sizes=_sizes("199x112")))
    found += [
        # As television does between two programmes.
        Entry(
            f"shape_changes_{name}.ts",
            joined(pale(*shape, *options), pale(*later, *options, start=3)),
            sizes=_sizes(*sizes),
            notes=("clock_restarted", "size_changed"),
        )
        for name, options, shape, later, sizes in (
            ("h264", _X264, (), ("-aspect", "16:7"), ("192x112", "256x112")),
            ("mpeg2", _MPEG2, ("-aspect", "4:3"), ("-aspect", "16:9"), ("192x144", "199x112")),
        )
    ]
    found += [
        Entry(
            f"size_changes.{ending}",
            joined(encoded(*_X264), encoded(*_X264, size="128x80", start=3)),
            sizes=_sizes("192x112", "128x80"),
            notes=("clock_restarted", "size_changed"),
        )
        for ending in ("ts",)
    ]
    return found


def _orientations() -> list[Entry]:
    matrices = {
        "turned_90": (0, 1, -1, 0),
        "turned_180": (-1, 0, 0, -1),
        "turned_270": (0, -1, 1, 0),
        "mirrored_h": (-1, 0, 0, 1),
        "mirrored_v": (1, 0, 0, -1),
        "transposed": (0, 1, 1, 0),
        "transversed": (0, -1, -1, 0),
    }
    return [
        Entry(
            f"{name}.{ending}",
            matrixed(encoded(*_X264), matrix),
            sizes=_sizes("192x112" if matrix[0] else "112x192"),
        )
        for name, matrix in matrices.items()
        for ending in ("mp4", "mov", "mkv")
    ]


def _streams() -> list[Entry]:
    film, other = encoded(*_X264), encoded(*_X264, size="96x64")
    still = encoded("-c:v", "mjpeg", "-frames:v", "1", size="320x240")
    default_second = ("-disposition:v:0", "0", "-disposition:v:1", "default")
    others = ("other_streams",)
    return (
        [
            Entry(
                f"second_default.{ending}",
                with_streams((other, "mp4"), (film, "mp4"), options=default_second),
                stream=1,
                notes=others,
            )
            for ending in ("mp4", "mkv", "mov")
        ]
        + [
            Entry(
                f"thumbnail_first.{ending}",
                with_streams((still, "mjpeg"), (film, "mp4"), options=("-disposition:v:0", "0")),
                stream=1,
            )
            for ending in ("mp4", "mkv", "mov")
        ]
        + [
            Entry(
                "larger_second.ts",
                with_streams((other, "mp4"), (film, "mp4"), options=()),
                stream=1,
                notes=others,
            ),
            Entry(
                "cover_first.mp4",
                with_streams(
                    (still, "mjpeg"), (film, "mp4"), options=("-disposition:v:0", "attached_pic")
                ),
                stream=0,
            ),
        ]
    )


def _clocks() -> list[Entry]:
    first, second = encoded(*_X264), encoded(*_X264, start=3)
    mpeg2, mpeg2_later = encoded(*_MPEG2), encoded(*_MPEG2, start=3)
    fragments = ("-movflags", "frag_keyframe+empty_moov+default_base_moof")
    restarted, gap = ("clock_restarted",), ("clock_jumped",)
    return [
        Entry("joined.ts", joined(first, second), notes=restarted),
        Entry("joined_mpeg2.mpg", joined(mpeg2, mpeg2_later), notes=restarted),
        Entry("joined_mpeg2.ts", joined(mpeg2, mpeg2_later), notes=restarted),
        Entry("joined_three.ts", joined(first, second, first), notes=restarted),
        Entry("joined.mkv", joined(first, second), notes=restarted),
        Entry(
            "joined_frag.mp4",
            joined(encoded(*_X264, *fragments), encoded(*_X264, *fragments, start=3)),
            notes=restarted,
        ),
        Entry("jump_8h.ts", jumped(first, 24, 8 * 3600), notes=gap),
        Entry("jump_8h.mkv", jumped(first, 24, 8 * 3600), notes=gap),
        Entry("jump_60s_mpeg2.ts", jumped(mpeg2, 24, 60), notes=gap),
        Entry("wraps.ts", encoded(*_X264, "-output_ts_offset", "95442.7")),
        Entry("offset.ts", encoded(*_X264, "-output_ts_offset", "5000")),
        Entry("offset.mkv", copied(first, "mp4", "-output_ts_offset", "3600")),
        Entry("negative.mp4", copied(first, "ts", "-avoid_negative_ts", "disabled")),
        Entry(
            "dropped.avi", encoded("-vf", "select='not(eq(mod(n,7),3))'", "-vsync", "vfr", *_MPEG4)
        ),
        Entry(
            "dropped_b.avi",
            encoded("-vf", "select='not(eq(mod(n,7),3))'", "-vsync", "vfr", *_MPEG4, "-bf", "2"),
        ),
        Entry(
            "copyts.mkv",
            copied(
                encoded(*_X264, "-output_ts_offset", "5000"),
                "ts",
                "-copyts",
                input_options=("-copyts",),
            ),
        ),
        Entry(
            "uneven.mkv", encoded("-vf", "select='not(eq(mod(n,7),3))'", "-vsync", "vfr", *_X264)
        ),
        Entry(
            "uneven.mp4", encoded("-vf", "select='not(eq(mod(n,7),3))'", "-vsync", "vfr", *_X264)
        ),
    ]


def _references() -> list[Entry]:
    concealed = ("frames_concealed",)
    cut = ("-ss", "0.7")
    return [
        Entry(f"cut_{name}.{ending}", copied(encoded(*options), "mp4", input_options=cut))
        for name, options in (
            ("h264", _X264),
            ("mpeg4", _MPEG4),
            ("mpeg4_b", (*_MPEG4, "-bf", "2")),
        )
        for ending in ("mp4", "mov")
    ] + [
        Entry(
            f"keyless_{name}.{ending}",
            without_first_key(encoded(*options, size=size)),
            sizes=_sizes(size),
            notes=concealed,
        )
        for name, options, ending, size in (
            ("h264", _X264, "mp4", "192x112"),
            ("h264", _X264, "ts", "192x112"),
            ("mpeg4", _MPEG4, "mp4", "192x112"),
            ("mpeg4", _MPEG4, "avi", "192x112"),
            ("mpeg2", (*_MPEG2[:-2],), "ts", "192x112"),
            ("h263", ("-c:v", "h263", "-q:v", "3", "-g", "12"), "3gp", "176x144"),
            ("flv1", ("-c:v", "flv", "-q:v", "3", "-g", "12"), "flv", "192x112"),
            ("wmv2", ("-c:v", "wmv2", "-q:v", "3", "-g", "12"), "wmv", "192x112"),
            ("qtrle", ("-c:v", "qtrle", "-g", "12"), "mov", "192x112"),
        )
    ]


def _pixels() -> list[Entry]:
    deep = {"yuv420p10le": 2.0, "yuv422p": 1.0, "yuv444p": 1.0, "yuv422p10le": 2.0, "yuvj420p": 1.0}
    found = [
        Entry(f"h264_{layout}.mp4", encoded("-pix_fmt", layout, *_X264), tolerance=tolerance)
        for layout, tolerance in deep.items()
    ]
    return [
        *found,
        Entry(
            "odd.mkv",
            encoded("-vf", "crop=191:111:exact=1", "-pix_fmt", "yuv444p", *_X264),
            sizes=_sizes("191x111"),
        ),
        Entry(
            "hevc_10.mp4",
            encoded(
                "-pix_fmt",
                "yuv420p10le",
                "-c:v",
                "libx265",
                "-preset",
                "ultrafast",
                "-x265-params",
                "log-level=none",
            ),
            tolerance=2.0,
        ),
    ]


def _lights() -> list[Entry]:
    mapped = ("tone_mapped",)
    return [
        Entry("pq.mov", lit("smpte2084"), tolerance=2.0, notes=mapped),
        Entry("pq.mkv", lit("smpte2084"), tolerance=2.0, notes=mapped),
        Entry("hlg.mp4", lit("arib-std-b67"), tolerance=2.0, notes=mapped),
        Entry("bt2020.mp4", lit("2020_10"), tolerance=2.0, notes=mapped),
    ]


def _interlaced() -> list[Entry]:
    woven = ("-vf", "hue=s=0.3,gblur=2,tinterlace=interleave_top,setfield=tff")
    fields = ("-flags", "+ilme+ildct")
    return [
        Entry(
            name,
            encoded(*woven, *options, *fields),
            notes=("interlaced",),
            frame_s=2 / FPS,
            filters="field=top",
        )
        for name, options in (
            ("interlaced_mpeg2.mpg", _MPEG2),
            ("interlaced_mpeg2.ts", _MPEG2),
            ("interlaced_h264.mp4", _X264),
            ("interlaced_mpeg4.avi", _MPEG4),
        )
    ]


ENTRIES = (
    *_plain(), *_shapes(), *_orientations(), *_streams(), *_clocks(), *_references(), *_pixels(),
    *_lights(), *_interlaced(),
)  # fmt: skip
