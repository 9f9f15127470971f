"""framejury's side: the only module here that calls its engine on one core.

Imports inside the functions: a contender holds no more than it needs, and `resident` would
otherwise count libraries that a Spark worker never loads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from framejury.examine.messages import ExaminePlan, VideoJob
from framejury.schemas.statuses import Status
from framejury.settings.loading import settings_from

Values = Mapping[str, Any]
Work = Callable[[Values], dict[str, Any]]

_JUDGED = (Status.EXTRACTED.value, Status.NO_FACE.value)


def plan_of(setup: Values) -> ExaminePlan:
    """A nightly run's plan: scores, no crops. `setup`: `settings` (overrides), `bundle_dir`.

    One round of frames: how many rounds a network with random weights asks for means nothing.
    """
    settings = settings_from(setup["settings"]).in_one_round()
    return ExaminePlan("bench", settings.model_dump(mode="json"), setup["bundle_dir"], False)


def check_status(status: str, error: object, path: str) -> None:
    """Raise unless the video was judged: a failure is quick, and no result."""
    if status not in _JUDGED:
        raise RuntimeError(f"{path} was not judged: {status}, {error}")


def examine(setup: Values) -> Work:
    """From a file to scores, in this process. Requests: `clip`."""
    from framejury.examine.child import examine_video
    from framejury.examine.toolbox import Toolbox

    tools = Toolbox.load(plan_of(setup))

    def run(request: Values) -> dict[str, Any]:
        outcome = examine_video(Path(request["clip"]), request["clip"], tools).outcome
        check_status(outcome.status, outcome.error, request["clip"])
        names = ("frames_decoded", "frames_sampled", "faces_kept")
        return {name: getattr(outcome, name) for name in names}

    return run


def frames(setup: Values) -> Work:
    """The sampled frames as RGB in full size, and nothing else. Requests: `clip`."""
    from framejury.media.decode import VideoFile

    settings = settings_from(setup["settings"])

    def run(request: Values) -> dict[str, Any]:
        path = Path(request["clip"])
        indices, times_s = [], []
        with VideoFile(path, settings.limits, settings.scoring.threads) as video:
            for frame in video.frames(video.choose(settings.sampling, request["clip"])):
                frame.picture.reduced(frame.picture.size)
                indices.append(frame.frame_index)
                times_s.append(frame.pts_s)
        return {"indices": indices, "times_s": times_s}

    return run


def detect(setup: Values) -> Work:
    """MTCNN on reduced frames. Requests: `inputs`, one of `setup["inputs"]` (see `inputs`)."""
    import cv2
    import numpy as np

    from framejury.faces.detect import make_detector

    cv2.setNumThreads(1)
    detector = make_detector(settings_from({}).detection, threads=1)
    frames_of = {path: list(np.load(path)["frames"]) for path in setup["inputs"]}

    def run(request: Values) -> dict[str, Any]:
        return {"faces": sum(map(len, detector.detect(frames_of[request["inputs"]])))}

    return run


def score(setup: Values) -> Work:
    """The network on faces of its own size. Requests: `inputs`, one of `setup["inputs"]`."""
    import numpy as np

    from framejury.model.bundle import load_bundle
    from framejury.model.runtime import Scorer

    faces_of = {path: list(np.load(path)["faces"]) for path in setup["inputs"]}
    batch_size = settings_from({}).scoring.batch_size
    scorer = Scorer(load_bundle(setup["bundle_dir"]), threads=1, batch_size=batch_size)

    def run(request: Values) -> dict[str, Any]:
        return {"scores": scorer.score(faces_of[request["inputs"]]).tolist()}

    return run


def resident(setup: Values) -> Work:
    """Peak memory of a Spark worker and its child for one video, bytes. Requests: `clip`.

    Peaks of two processes, added: at least what they held at any one time. Start a new process
    for each video; a peak never falls.
    """
    import pyspark.worker  # noqa: F401 - what a worker has loaded

    import framejury.tables.extract  # noqa: F401
    from framejury.examine.worker import Examiner

    examiner = Examiner(plan_of(setup))

    def run(request: Values) -> dict[str, Any]:
        row = examiner.examine(VideoJob(request["clip"], request["clip"])).to_pylist()[0]
        check_status(row["status"], row["error"], request["clip"])
        (child,) = _children_of_this()
        return {"worker_bytes": _peak_bytes("self"), "child_bytes": _peak_bytes(child)}

    return run


def _children_of_this() -> list[str]:
    own = Path("/proc/self").resolve().name
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
        except OSError:
            continue  # it ended meanwhile
        if fields["PPid"].strip() == own:
            found.append(status.parent.name)
    return found


def _peak_bytes(process: str) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/{process}/status names no VmHWM")
