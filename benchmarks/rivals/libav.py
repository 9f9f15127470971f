"""(e) The floor: libav decodes the frames that framejury used, and nothing else is done.

One thread, the cheapest of libav's own ways to skip frames that still gives all of them, a seek
to the key frame before a frame where that saves decoding, an end after the last one; no RGB, no
search for the way (that is planned beforehand, untimed). Written with PyAV alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import av

Skip = Literal["NONKEY", "NONREF", "DEFAULT"]
_CHEAPEST_FIRST: tuple[Skip, ...] = ("NONKEY", "NONREF", "DEFAULT")


@dataclass(frozen=True)
class Stretch:
    """Frames decoded from one key frame on: presentation ticks. `seek`: go to `key` first."""

    key: int
    seek: bool
    wanted: frozenset[int]


@dataclass(frozen=True)
class Route:
    """How a file is decoded: libav's `skip_frame` and the stretches in order."""

    skip: Skip
    stretches: tuple[Stretch, ...]


def make(setup: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """`setup`: `times_s`, by clip the seconds from its first frame. Requests: `clip`."""
    routes = {clip: plan_route(clip, times_s) for clip, times_s in setup["times_s"].items()}

    def run(request: Mapping[str, Any]) -> dict[str, Any]:
        route = routes[request["clip"]]
        decoded, _ = decode(request["clip"], route)
        return {"frames_decoded": decoded, "skip": route.skip}

    return run


def plan_route(clip: str, times_s: list[float]) -> Route:
    """The cheapest route through `clip` that gives the frames nearest to `times_s`.

    Raises:
        RuntimeError: libav cannot give all of them.
    """
    with av.open(clip) as container:
        stream = container.streams.video[0]
        packets = [(packet.pts, packet.is_keyframe) for packet in container.demux(stream)]
        ticks = sorted(pts for pts, _ in packets if pts is not None)
        keys = sorted(pts for pts, is_key in packets if pts is not None and is_key)
        assert stream.time_base is not None
        time_base = float(stream.time_base)
    wanted = [min(ticks, key=lambda tick: abs((tick - ticks[0]) * time_base - t)) for t in times_s]
    by_key: dict[int, set[int]] = {}
    for tick in wanted:
        by_key.setdefault(max(key for key in keys if key <= tick), set()).add(tick)
    stretches = tuple(
        Stretch(key, key != keys[0], frozenset(by_key[key])) for key in sorted(by_key)
    )
    for skip in _CHEAPEST_FIRST:
        route = Route(skip, stretches)
        if decode(clip, route)[1] >= set(wanted):
            return route
    raise RuntimeError(f"libav does not give all of the frames at {times_s} of {clip}")


def decode(clip: str, route: Route) -> tuple[int, set[int]]:
    """How many frames came out of the decoder, and the presentation ticks of those wanted."""
    decoded = 0
    found: set[int] = set()
    with av.open(clip) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.skip_frame = route.skip
        for stretch in route.stretches:
            if stretch.seek:
                container.seek(stretch.key, stream=stream)
            missing = set(stretch.wanted)
            for packet in container.demux(stream):
                frames = packet.decode()
                missing -= {packet.pts}
                if not missing:  # the last was handed in: let it out without more input
                    frames = [*frames, *stream.codec_context.decode(None)]
                decoded += len(frames)
                found |= stretch.wanted.intersection(frame.pts for frame in frames)
                if not missing:
                    break
    return decoded, found
