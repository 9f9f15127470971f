"""The videos that are damaged: small ones in many containers and codecs, and a few real ones."""

from __future__ import annotations

from pathlib import Path

import av

from framejury.records import Size
from tests.builders import clips

_SIZE = Size(120, 160)
CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"

# File name, codec, pixel format: what is met in archives, and what is hardly ever.
_KINDS = (
    *(
        ("a.mp4", "libx264", "yuv420p"),
        ("b.mp4", "libx265", "yuv420p"),
        ("c.mov", "mpeg4", "yuv420p"),
    ),
    *(("d.mkv", "libx264", "yuv420p"), ("e.webm", "libvpx-vp9", "yuv420p")),
    *(
        ("f.webm", "libvpx", "yuv420p"),
        ("g.avi", "mpeg4", "yuv420p"),
        ("h.avi", "mjpeg", "yuvj420p"),
    ),
    *(("i.ts", "libx264", "yuv420p"), ("j.mpg", "mpeg2video", "yuv420p"), ("k.gif", "gif", "rgb8")),
    *(("l.flv", "flv", "yuv420p"), ("m.wmv", "wmv2", "yuv420p"), ("n.mp4", "libsvtav1", "yuv420p")),
    *(
        ("o.mov", "prores_ks", "yuv422p10le"),
        ("p.mkv", "ffv1", "yuv420p"),
        ("q.mov", "qtrle", "rgb24"),
    ),
    *(("r.avi", "huffyuv", "yuv422p"), ("s.mxf", "mpeg2video", "yuv420p")),
    *(("t.avi", "msmpeg4v3", "yuv420p"), ("u.mkv", "libx265", "yuv420p")),
)


def written(folder: Path) -> dict[str, bytes]:
    """Name to content of each clip this PyAV can write; twelve frames of a face."""
    frames = clips.face_frames(12, _SIZE)
    found: dict[str, bytes] = {}
    for name, codec, pixel_format in _KINDS:
        if codec not in av.codecs_available:
            continue
        sound = name in ("a.mp4", "d.mkv", "g.avi", "i.ts")
        path = clips.write_clip(
            folder / name, frames, codec=codec, pixel_format=pixel_format, gop=6, sound=sound
        )
        found[f"{name[2:]} {codec}"] = path.read_bytes()
    front = clips.write_clip(folder / "v.mp4", frames, gop=6, faststart=True)
    turned = clips.write_rotated(folder / "w.mp4", frames, 90)
    found |= {"mp4 in front": front.read_bytes(), "mp4 turned": turned.read_bytes()}
    return found


def real(count: int) -> dict[str, bytes]:
    """The smallest videos of the corpus beside the checkout; none where there is none."""
    paths = sorted(CORPUS.rglob("*.mp4"), key=lambda path: (path.stat().st_size, path.name))
    return {f"real {path.name}": path.read_bytes() for path in paths[:count]}
