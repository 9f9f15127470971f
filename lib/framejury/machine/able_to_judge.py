"""What judging needs: detectors, sandbox, bundle, warehouse; and a clip judged as a trial."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from framejury.errors import BundleError, ConfigError, FramejuryError, UsageError
from framejury.machine.check import Check, State, existing_folder
from framejury.schemas.statuses import Status
from framejury.settings import DetectionSettings, Settings
from framejury.storage import is_local

if TYPE_CHECKING:
    from framejury.model.manifest import Bundle

_REPORT_IT = (
    "install framejury into a new virtual environment; if this fails there too, report this line"
)
_AFTER_TRIAL = {
    Status.NO_FACE: "the detectors find this face elsewhere; reinstall opencv-python-headless and "
    "onnxruntime",
    Status.TIMEOUT: "this machine is too slow or too busy; try again, or raise limits.timeout_s",
    Status.UNREADABLE: "reinstall av (pip install --force-reinstall av)",
}
"""What to do when the clip of the trial ends otherwise than judged."""


def check_detectors() -> Iterator[Check]:
    """Check that both face detectors load: MTCNN's networks, OpenCV's cascades (not in 5.x)."""
    try:
        from framejury.faces.haar import HaarDetector
        from framejury.faces.mtcnn import MtcnnDetector
    except ImportError as error:
        yield Check("detectors", "problem", str(error), "run: make setup")
        return
    cascades = DetectionSettings.model_json_schema()["properties"]["haar_cascade"]["enum"]
    try:
        MtcnnDetector()
        yield Check("MTCNN", "ok", "its three networks load")
    except UsageError as error:
        yield Check("MTCNN", "problem", str(error), "reinstall framejury")
    try:
        for cascade in cascades:
            HaarDetector(DetectionSettings(haar_cascade=cascade))
        yield Check("Haar cascades", "ok", f"{len(cascades)} cascades load")
    except UsageError as error:
        yield Check(
            "Haar cascades", "problem", str(error), "pip install 'opencv-python-headless<5'"
        )


def check_lockdown() -> Check:
    """Check how far this machine can lock down the decoding process (`limits.jail`)."""
    from framejury.sandbox.sandbox import Sandbox

    box = Sandbox("framejury.sandbox.lockdown:probe", {}, 2**28)
    try:
        lockdown = box.lockdown()
    except (FramejuryError, OSError) as error:
        return Check("sandbox", "problem", str(error), "run: make setup")
    finally:
        box.close()
    found = f"in force: {', '.join(lockdown.in_force) or 'nothing'}"
    if not lockdown.lacking:
        return Check("sandbox", "ok", found)
    lacking = "; ".join(f"{name} ({why})" for name, why in lockdown.lacking.items())
    to_do = (
        "hostile videos are less confined here; for the full sandbox use Linux 5.13 or newer with "
        "Landlock, in a container that allows seccomp (limits.jail=require insists on it)"
    )
    return Check("sandbox", "warning", f"{found}; lacking: {lacking}", to_do)


def check_bundle(directory: Path, *, given: bool) -> tuple[Check, Bundle | None]:
    """Check that a model bundle is complete and its network loads.

    Args:
        directory: of the bundle.
        given: whether the user named it.

    Returns:
        the check, and the bundle if it can be used.
    """
    name = "model bundle"
    try:
        from framejury.model.bundle import load_bundle
        from framejury.model.ensemble_scorer import scorer_for

        bundle = load_bundle(directory)
        scorer_for(bundle)
    except BundleError as error:
        return bundle_missing(error, given=given), None
    except ImportError as error:
        return Check(name, "problem", str(error), "run: make setup"), None
    found = f"{bundle.model_id} in {bundle.directory}"
    if bundle.purpose == "demo":
        to_do = "its verdicts are meaningless; train one on real data"
        return Check(name, "warning", f"{found}, made for the demo", to_do), bundle
    return Check(name, "ok", found), bundle


def bundle_missing(error: BundleError, *, given: bool) -> Check:
    """Return the check of a bundle that cannot be used."""
    state: State = "problem" if given else "warning"
    to_do = "name another with --bundle" if given else "make demo trains a small one"
    return Check("model bundle", state, str(error), to_do)


def check_trial(settings: Settings, bundle: Bundle | None) -> Check:
    """Have a clip with a drawn face judged in the sandbox, as `framejury scan` judges a video.

    Args:
        settings: as `framejury scan` would use them.
        bundle: scores the faces; None: they are only found.

    Raises:
        ConfigError: the settings do not fit the bundle.
    """
    name = "a clip judged"
    started_s = time.perf_counter()
    try:
        status, error, faces = _tried(settings, bundle)
    except ConfigError:
        raise
    except UsageError as fault:  # it says what to do
        return Check(name, "problem", str(fault))
    except (FramejuryError, ImportError) as fault:
        return Check(name, "problem", str(fault), _REPORT_IT)
    except OSError as fault:
        to_do = "make room there, or name another folder in TMPDIR"
        return Check(name, "problem", f"no clip can be written: {fault}", to_do)
    if status is not Status.EXTRACTED:
        found = f"{status.value}: {error or 'the face in it was not found'}"
        return Check(name, "problem", found, _AFTER_TRIAL.get(status, _REPORT_IT))
    done = "found" if bundle is None else "found and scored"
    took_s = time.perf_counter() - started_s
    found = f"decoded in the sandbox, {faces} faces {done}, in {took_s:.1f} s"
    return Check(name, "ok", found)


def _tried(settings: Settings, bundle: Bundle | None) -> tuple[Status, str | None, int]:
    """Return the status of the clip, its error, and how many faces were kept."""
    from framejury.examine.messages import ExaminePlan, VideoJob
    from framejury.examine.worker import Examiner
    from framejury.media.small_clip import trial_clip
    from framejury.model.framing import framed_for

    if bundle is not None:
        settings = framed_for(bundle, settings)
    directory = None if bundle is None else str(bundle.directory)
    plan = ExaminePlan(
        "doctor", settings.model_dump(mode="json"), directory, keep_crops=bundle is None
    )
    with trial_clip() as clip, Examiner(plan) as examiner:
        row = examiner.examine(VideoJob(video_id=str(clip), uri=str(clip))).to_pylist()[0]
    return Status(row["status"]), row["error"], row["faces_kept"]


def check_warehouse(uri: str) -> Check:
    """Check that a warehouse exists or can be made, and that files can be written there."""
    from framejury.warehouse import Warehouse

    try:
        Warehouse.open_or_plan(uri)
        if is_local(uri):
            with tempfile.TemporaryFile(dir=existing_folder(uri)):
                pass
    except (UsageError, OSError) as error:
        return Check(
            "warehouse", "problem", str(error), "choose another folder, or change its permissions"
        )
    tried = "can be written" if is_local(uri) else "can be reached; writing was not tested"
    return Check("warehouse", "ok", f"{uri} {tried}")
