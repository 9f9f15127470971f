"""The child's side of a trial: load a foreign network and run it, without any rights."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from framejury.model.manifest import OUTPUT_NAME
from framejury.model.runtime import cpu_options

HEAD = np.dtype([("seconds", "<f8"), ("rows", "<i8")])
"""Begins an answer: how long the network took, and how many scores follow as float32."""


def serve(setup: dict[str, Any]) -> Callable[[dict[str, Any]], bytes]:
    """Return the handler of a trial; the network is not parsed before its first request.

    Args:
        setup: `path` of an ONNX file, `threads`.
    """
    content = Path(setup["path"]).read_bytes()
    loaded: list[onnxruntime.InferenceSession] = []

    def answer(request: dict[str, Any]) -> bytes:
        if not loaded:
            loaded.append(_session(content, setup["threads"]))
        if "shape" not in request:
            return b""
        pixels = _read(request["file"], request["shape"])
        (given,) = loaded[0].get_inputs()
        scores, seconds = [np.zeros(0, np.float32)], 0.0
        for start in range(0, len(pixels), request["batch"]):
            part = pixels[start : start + request["batch"]]
            started_s = time.perf_counter()
            (found,) = loaded[0].run([OUTPUT_NAME], {given.name: part})
            seconds += time.perf_counter() - started_s
            scores.append(np.asarray(found, np.float32).reshape(-1))
        joined = np.concatenate(scores)
        head = np.array([(seconds, len(joined))], HEAD)
        return head.tobytes() + joined.tobytes()

    return answer


def _session(content: bytes, threads: int) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(
        content, cpu_options(threads), providers=["CPUExecutionProvider"]
    )


def _read(file: int, shape: list[int]) -> np.ndarray:
    """Read pixels from an open file."""
    count = int(np.prod(shape)) * 4
    data = bytearray()
    while len(data) < count:
        part = os.pread(file, count - len(data), len(data))
        if not part:
            raise ValueError("the pictures of the trial are cut short")
        data += part
    return np.frombuffer(bytes(data), np.float32).reshape(shape)
