"""Figures per core: the whole way of a video, and each step of it, against its rivals."""

from __future__ import annotations

import numpy as np

from benchmarks.bench import Bench
from benchmarks.compare import fact_sum, faster, seconds_of, slower
from benchmarks.contenders import ContenderError
from benchmarks.figure import Figure

SCORED_FACES = 96
_KEYFRAMES = {"sampling": {"mode": "keyframes"}}


def extract(bench: Bench) -> list[Figure]:
    """Extract + score: against the notebook, against the floor, and by key frames."""
    ours = {"settings": {}, "bundle_dir": bench.bundle}
    times_s = {clip: sampled["times_s"] for clip, sampled in bench.sampled.items()}
    contenders = [
        bench.one_core("framejury", "benchmarks.ours:examine", ours),
        bench.one_core("floor", "benchmarks.rivals.libav:make", {"times_s": times_s}),
        bench.one_core("keyframes", "benchmarks.ours:examine", {**ours, "settings": _KEYFRAMES}),
        bench.one_core(
            "notebook", "benchmarks.rivals.notebook:make", {"keras": bench.keras}, repeats=1
        ),
    ]
    series = bench.alternate(contenders, [{"clip": clip} for clip in bench.clips])
    details = seconds_of(series, bench.clips)
    faces = {name: fact_sum(series[name], "faces_kept") for name in ("framejury", "keyframes")}
    samples = {
        name: fact_sum(series[name], "frames_sampled") for name in ("framejury", "keyframes")
    }
    notebook = series["notebook"]
    note = (
        f"{len(bench.clips)} clips, one core; the notebook ran once after a warm-up: "
        f"{fact_sum(notebook, 'frames')} frames, {fact_sum(notebook, 'faces')} faces; "
        f"framejury: {samples['framejury']} and {faces['framejury']}"
    )
    return [
        faster(
            "extract + score against the notebook way (a)",
            (notebook, series["framejury"]),
            at_least=25,
            note=note,
            details=details,
        ),
        slower(
            "extract + score against libav's decoding of the same frames (e)",
            (series["framejury"], series["floor"]),
            at_most=1.6,
            note="the floor skips "
            + ", ".join(sorted({str(facts["skip"]) for facts in series["floor"].facts()})),
            details=details,
        ),
        faster(
            "extract + score, sampling.mode = keyframes, against the notebook way (a)",
            (notebook, series["keyframes"]),
            at_least=100,
            note=f"{samples['keyframes']} frames, {faces['keyframes']} faces",
            details=details,
        ),
    ]


def frames(bench: Bench) -> list[Figure]:
    """Reading the sampled frames as RGB: against OpenCV's seek and against the floor."""
    times_s = {clip: sampled["times_s"] for clip, sampled in bench.sampled.items()}
    contenders = [
        bench.one_core("framejury-frames", "benchmarks.ours:frames", {"settings": {}}),
        bench.one_core("floor", "benchmarks.rivals.libav:make", {"times_s": times_s}),
        bench.one_core("opencv-seek", "benchmarks.rivals.opencv_seek:make", {}, repeats=1),
    ]
    requests = [
        {"clip": clip, "indices": sampled["indices"]} for clip, sampled in bench.sampled.items()
    ]
    series = bench.alternate(contenders, requests)
    details = seconds_of(series, bench.clips)
    ours = series["framejury-frames"]
    return [
        faster(
            "reading the frames against OpenCV's seek (b)",
            (series["opencv-seek"], ours),
            note="frames as RGB in full size, no faces; OpenCV ran once after a warm-up",
            details=details,
        ),
        slower(
            "reading the frames against libav's decoding of them (e)",
            (ours, series["floor"]),
            note="RGB in full size is more than framejury converts when it looks for faces",
            details=details,
        ),
    ]


def detect(bench: Bench) -> list[Figure]:
    """MTCNN on the same reduced frames: against the `mtcnn` package and facenet-pytorch."""
    setup = {"inputs": bench.inputs}
    contenders = [
        bench.one_core("framejury-mtcnn", "benchmarks.ours:detect", setup),
        bench.one_core("mtcnn-package", "benchmarks.rivals.mtcnn_package:make", setup),
    ]
    facenet = bench.out / "venv-facenet" / "bin" / "python"
    if facenet.exists():
        contenders.append(
            bench.one_core(
                "facenet-pytorch", "benchmarks.rivals.facenet:make", setup, python=str(facenet)
            )
        )
    series = bench.alternate(contenders, [{"inputs": path} for path in bench.inputs])
    details = seconds_of(series, bench.clips)
    ours = series["framejury-mtcnn"]
    found = {name: fact_sum(each, "faces") for name, each in series.items()}
    note = "faces found: " + ", ".join(f"{name} {count}" for name, count in found.items())
    facenet_name = "MTCNN against facenet-pytorch on the same reduced frames (d)"
    return [
        faster(
            "MTCNN against the mtcnn package on the same reduced frames (c)",
            (series["mtcnn-package"], ours),
            at_least=8,
            note=note,
            details=details,
        ),
        faster(facenet_name, (series["facenet-pytorch"], ours), details=details)
        if "facenet-pytorch" in series
        else Figure(facenet_name, "", None, note="left out; make bench FACENET=1 installs it"),
    ]


def score(bench: Bench) -> list[Figure]:
    """The network on faces of its size: against Keras."""
    faces = np.concatenate([np.load(path)["faces"] for path in bench.inputs])
    if len(faces) == 0:
        raise ContenderError("no clip shows a face to score")
    path = str(bench.out / "inputs" / "faces.npz")
    np.savez(path, faces=faces[np.arange(SCORED_FACES) % len(faces)])
    setup = {"inputs": [path], "keras": bench.keras, "bundle_dir": bench.bundle}
    contenders = [
        bench.one_core("framejury-score", "benchmarks.ours:score", setup),
        bench.one_core("keras-predict", "benchmarks.rivals.keras_scoring:predict", setup),
        bench.one_core("tf-function", "benchmarks.rivals.keras_scoring:function", setup),
    ]
    series = bench.alternate(contenders, [{"inputs": path}])
    per_s = {name: SCORED_FACES / each.total_s for name, each in series.items()}
    scores = {name: np.array(each.facts()[0]["scores"]) for name, each in series.items()}
    ours, own = series["framejury-score"], scores["framejury-score"]
    apart = max(float(np.abs(other - own).max()) for other in scores.values())
    details = {"faces_per_s": per_s, "largest_difference": apart}
    note = ", ".join(f"{name} {value:.0f} faces/s" for name, value in per_s.items())
    return [
        faster(
            "face scoring against Keras predict, batch 32 (g)",
            (series["keras-predict"], ours),
            at_least=3,
            note=f"{note}; scores differ by {apart:.0e} at most",
            details=details,
        ),
        faster(
            "face scoring against tf.function, batch 32 (g)",
            (series["tf-function"], ours),
            details=details,
        ),
    ]
