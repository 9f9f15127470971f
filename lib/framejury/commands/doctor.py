"""doctor: check this machine and print what is missing and what to do about it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from framejury.cli.chatter import quiet_tensorflow
from framejury.cli.options import (
    STAND_INS,
    bundle_dir_of,
    run_command,
    settings_of,
    stand_in,
)
from framejury.errors import BundleError, SetupError, UsageError
from framejury.parsers.doctor import parser
from framejury.redaction import printable
from framejury.settings import DetectionSettings, TrainingSettings
from framejury.settings.learning import NAMED_WEIGHTS

State = Literal["ok", "warning", "problem"]

_EXTRAS = {
    "core": "everything",
    "spark": "every job (not scan)",
    "report": "reports and training",
    "train": "training",
}
_DISK_PROBLEM_BYTES, _DISK_WARNING_BYTES = 1 << 30, 10 << 30
_MEMORY_PER_CORE_BYTES = 3 << 29
_COMMAND_LIMIT_S = 60


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.

    Attributes:
        name: what was checked, in a word or two.
        state: ok; warning: something will not work, or not well; problem: fix it first.
        found: what was found.
        to_do: what to do about it; empty if ok.
    """

    name: str
    state: State
    found: str
    to_do: str = ""


def main(argv: Sequence[str] | None = None) -> int:
    return run_command(parser(), argv, _run)


def _run(args: argparse.Namespace) -> int:
    checks = list(examine_machine(args))
    if args.json:
        print(json.dumps({"checks": [asdict(check) for check in checks]}, indent=1))
    else:
        for line in described(checks):
            print(line)
    return 2 if any(check.state == "problem" for check in checks) else 0


def examine_machine(args: argparse.Namespace) -> Iterator[Check]:
    """Run every check.

    Args:
        args: bundle, warehouse (None: not given), tensorflow, and the options of settings.

    Raises:
        ConfigError: an unknown setting or a value out of range.
    """
    yield check_python()
    yield check_memory()
    yield from check_variables()
    yield from check_libraries()
    yield check_opencv_twice()
    yield from check_detectors()
    yield check_lockdown()
    if find_spec("pyspark") is not None:
        yield check_spark()
        yield check_java(java_command(os.environ, spark_env_file()))
    yield check_gpu()
    if find_spec("tensorflow") is not None:
        yield check_weights(settings_of(args).training)
    if args.tensorflow:
        yield check_tensorflow()
    yield check_disk(Path.cwd() if args.warehouse is None else _existing(args.warehouse))
    yield check_bundle(args)
    if args.warehouse is not None:
        yield check_warehouse(args.warehouse)


def described(checks: Iterable[Check]) -> Iterator[str]:
    """Yield lines for people: one per check, with what to do below it, and a summary."""
    states: list[State] = []
    for check in checks:
        states.append(check.state)
        yield f"{check.state:<8} {check.name:<24} {check.found}"
        if check.to_do:
            yield f"{'':<8} {'':<24} -> {check.to_do}"
    problems, warnings = states.count("problem"), states.count("warning")
    yield f"problems: {problems}, warnings: {warnings}, ok: {states.count('ok')}"


def check_python() -> Check:
    """Check for Python 3.11 to 3.13."""
    found = f"{platform.python_version()} ({sys.executable})"
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Check("Python", "ok", found)
    return Check("Python", "problem", found, "use Python 3.11, 3.12 or 3.13")


def check_memory() -> Check:
    """Check for enough memory for one worker with decoder and network per core."""
    cores = os.cpu_count() or 1
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = f"{cores} cores, {_gib(total)} memory"
    if total >= cores * _MEMORY_PER_CORE_BYTES:
        return Check("machine", "ok", found)
    fits = max(1, total // _MEMORY_PER_CORE_BYTES)
    return Check("machine", "warning", found, f"give Spark fewer cores: --master local[{fits}]")


def check_variables() -> Iterator[Check]:
    """Show the environment variables that stand in for options."""
    given = {variable: stand_in(variable) for variable in STAND_INS.values()}
    found = ", ".join(f"{name}={printable(value)}" for name, value in given.items() if value)
    if found:
        yield Check("environment", "ok", found)


def check_libraries() -> Iterator[Check]:
    """Check every library that framejury declares, in all extras but `dev`."""
    try:
        declared = metadata.requires("framejury") or []
    except metadata.PackageNotFoundError:
        yield Check("framejury", "problem", "not installed", "run: make setup")
        return
    missing: dict[str, list[str]] = {}
    for text in declared:
        requirement = Requirement(text)
        for extra in _EXTRAS:
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
            needless = extra == "core" and requirement.marker is not None
            if wanted and not needless and requirement.name != "framejury":
                if extra != "core" and _version(requirement.name) is None:
                    missing.setdefault(extra, []).append(requirement.name)
                else:
                    yield check_library(requirement, extra)
                break
    for extra, names in missing.items():
        to_do = f"for {_EXTRAS[extra]}: pip install 'framejury[{extra}]'"
        yield Check(f"framejury[{extra}]", "warning", f"not installed: {', '.join(names)}", to_do)


def check_library(requirement: Requirement, extra: str) -> Check:
    """Check one library: installed, in a version that framejury works with."""
    name, need = requirement.name, f"needs {requirement.specifier or 'any version'}"
    install = f"pip install 'framejury[{extra}]'" if extra != "core" else "pip install framejury"
    version = _version(name)
    if version is None:
        return Check(name, "problem", "not installed", install)
    if requirement.specifier.contains(version, prereleases=True):
        return Check(name, "ok", version)
    return Check(name, "problem", f"{version}, framejury {need}", f"{install} (or make setup)")


def check_opencv_twice() -> Check:
    """Check for one OpenCV; several packages would overwrite each other's `cv2` folder."""
    names = [
        f"opencv{middle}-python{end}" for middle in ("", "-contrib") for end in ("", "-headless")
    ]
    present = [name for name in names if _version(name) is not None]
    if present == ["opencv-python-headless"]:
        return Check("one OpenCV", "ok", present[0])
    keep = "then pip install --force-reinstall 'opencv-python-headless<5'"
    return Check(
        "one OpenCV", "problem", ", ".join(present) or "none", f"pip uninstall all of them, {keep}"
    )


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
    except (RuntimeError, OSError) as error:
        found = str(error).strip().splitlines()[-1]
        return Check("sandbox", "problem", found, "run: make setup")
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


def check_spark() -> Check:
    """Check that PySpark imports and that SPARK_HOME names no other Spark."""
    try:
        import pyspark
    except ImportError as error:
        return Check("Spark", "problem", f"pyspark cannot be imported: {error}", "run: make setup")
    home = os.environ.get("SPARK_HOME")
    own = Path(pyspark.__file__).resolve().parent
    if home is None or Path(home).resolve() == own:
        return Check("Spark", "ok", f"{pyspark.__version__} in {own}")
    release = Path(home, "RELEASE")
    found = f"SPARK_HOME is {home}, pyspark is {pyspark.__version__}"
    if release.is_file() and f"Spark {pyspark.__version__} " in release.read_text("utf-8"):
        return Check("Spark", "ok", found)
    return Check("Spark", "warning", found, "unset SPARK_HOME unless both are the same version")


def spark_env_file() -> Path | None:
    """Find the `spark-env.sh` that spark-submit reads; None if there is none."""
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        return None
    home = Path(os.environ.get("SPARK_HOME", Path(spec.origin).parent))
    file = Path(os.environ.get("SPARK_CONF_DIR", home / "conf")) / "spark-env.sh"
    return file if file.is_file() else None


def java_command(environ: os._Environ[str] | dict[str, str], spark_env: Path | None) -> str | None:
    """Find the `java` that Spark uses: by JAVA_HOME, the note of `make setup`, or PATH."""
    home = environ.get("JAVA_HOME")
    if not home and spark_env is not None:
        noted = re.search(r'JAVA_HOME:=([^"}]+)', spark_env.read_text("utf-8"))
        home = noted[1] if noted else None
    if home:
        return str(Path(home) / "bin" / "java")
    return shutil.which("java", path=environ.get("PATH"))


def check_java(java: str | None) -> Check:
    """Check for Java 17 or newer with the module that Spark's Arrow support needs."""
    to_do = "install Java 17 or 21 (make setup does it, or prints how) and set JAVA_HOME to it"
    if java is None:
        return Check("Java", "problem", "none found", to_do)
    version = _output(java, "-version")
    # Java 8 calls itself 1.8, which is too old either way.
    number = re.search(r'version "(\d+)', version or "")
    if version is None or number is None:
        return Check("Java", "problem", f"{java} does not run", to_do)
    found = f"{version.splitlines()[0]} ({java})"
    if int(number[1]) < 17:
        return Check("Java", "problem", found, to_do)
    if "jdk.incubator.vector" not in (_output(java, "--list-modules") or ""):
        return Check("Java", "problem", f"{found} lacks jdk.incubator.vector", to_do)
    return Check("Java", "ok", found)


def check_gpu() -> Check:
    """Report the GPUs that `nvidia-smi` lists; framejury also works without."""
    if shutil.which("nvidia-smi") is None:
        return Check("GPU", "ok", "none found (no nvidia-smi); training runs on the CPU")
    query = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    found = _output("nvidia-smi", *query)
    if found:
        return Check("GPU", "ok", "; ".join(found.splitlines()))
    return Check("GPU", "warning", "nvidia-smi fails", "check the driver; training runs on the CPU")


@quiet_tensorflow()
def check_tensorflow() -> Check:
    """Report the GPUs that TensorFlow can use."""
    try:
        import tensorflow as tf
    except ImportError as error:
        return Check("TensorFlow", "warning", str(error), "pip install 'framejury[train]'")
    gpus = tf.config.list_physical_devices("GPU")
    if gpus or shutil.which("nvidia-smi") is None:
        return Check("TensorFlow", "ok", f"{tf.__version__}, {len(gpus)} GPUs")
    cuda = f"pip install 'tensorflow[and-cuda]=={tf.__version__}'"
    return Check("TensorFlow", "warning", f"{tf.__version__} sees no GPU", cuda)


def check_weights(settings: TrainingSettings) -> Check:
    """Check that the file with a new network's first weights is on this machine."""
    from framejury.model.pretrained import instead_of_download, weights_file

    name, wanted = "first weights", f"{settings.weights} for {settings.backbone}"
    if settings.weights == "none":
        return Check(name, "ok", "random (training.weights=none)")
    try:
        path = weights_file(settings)
    except SetupError as error:
        return Check(name, "warning", str(error), "pip install 'framejury[train]'")
    if path.is_file():
        return Check(name, "ok", f"{wanted} in {path}")
    if settings.weights == "lite0":
        to_do = "run: make lite0"
    elif settings.weights in NAMED_WEIGHTS:
        to_do = f"training downloads them; if it cannot, {instead_of_download(settings)}"
    else:
        to_do = "--set training.weights=PATH names another file"
    return Check(name, "warning", f"{wanted}: not at {path}", to_do)


def check_disk(place: Path) -> Check:
    """Check the free space for tables and for Spark's scratch files."""
    scratch = os.environ.get("SPARK_LOCAL_DIRS", tempfile.gettempdir()).split(",")[0]
    free = {folder: shutil.disk_usage(folder).free for folder in (place, _existing(scratch))}
    folder = min(free, key=lambda key: free[key])
    found = f"{_gib(free[folder])} free in {folder}"
    if free[folder] >= _DISK_WARNING_BYTES:
        return Check("disk", "ok", found)
    state: State = "problem" if free[folder] < _DISK_PROBLEM_BYTES else "warning"
    return Check(
        "disk", state, found, "free some space; SPARK_LOCAL_DIRS moves Spark's scratch files"
    )


def check_bundle(args: argparse.Namespace) -> Check:
    """Check that the model bundle is complete and its network loads."""
    given = args.bundle is not None
    try:
        from framejury.model.bundle import load_bundle
        from framejury.model.runtime import Scorer

        bundle = load_bundle(bundle_dir_of(args))
        Scorer(bundle)
    except BundleError as error:
        state: State = "problem" if given else "warning"
        to_do = "name another with --bundle" if given else "make demo trains a small one"
        return Check("model bundle", state, str(error), to_do)
    except ImportError as error:
        return Check("model bundle", "problem", str(error), "run: make setup")
    found = f"{bundle.model_id} in {bundle.directory}"
    if bundle.purpose == "demo":
        to_do = "its verdicts are meaningless; train one on real data"
        return Check("model bundle", "warning", f"{found}, made for the demo", to_do)
    return Check("model bundle", "ok", found)


def check_warehouse(uri: str) -> Check:
    """Check that a warehouse exists or can be made, and that files can be written there."""
    from framejury.storage import is_local
    from framejury.warehouse import Warehouse

    try:
        Warehouse.open_or_plan(uri)
        if is_local(uri):
            with tempfile.TemporaryFile(dir=_existing(uri)):
                pass
    except (UsageError, OSError) as error:
        return Check(
            "warehouse", "problem", str(error), "choose another folder, or change its permissions"
        )
    tried = "can be written" if is_local(uri) else "can be reached; writing was not tested"
    return Check("warehouse", "ok", f"{uri} {tried}")


def _existing(uri: str) -> Path:
    """Return the nearest existing folder at or above a local path; the working one if remote."""
    from framejury.storage import is_local, local_path

    place = local_path(uri) if is_local(uri) else Path.cwd()
    while not place.is_dir() and place != place.parent:
        place = place.parent
    return place


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _output(*command: str) -> str | None:
    """Return what a program prints (stdout and stderr); None if it cannot run or fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMMAND_LIMIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return (done.stdout + done.stderr).strip()


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"


if __name__ == "__main__":
    sys.exit(main())
