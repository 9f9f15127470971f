"""bin/submit.sh and bin/package.sh as far as they go without Spark and without an archive."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from framejury.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[3]
SECRET = "not-to-be-printed"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the scripts are for Linux")


def submit(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "bin" / "submit.sh"), *map(str, words)],
        env=os.environ | environment,
        text=True,
        capture_output=True,
        check=False,
    )


def settings(*words: str | Path, **environment: str) -> dict[str, str]:
    """What `--dry-run` says would be set."""
    result = submit("--dry-run", *words, **environment)
    assert result.returncode == 0, result.stderr
    lines = (line.split(None, 1) for line in result.stdout.splitlines())
    return {line[0]: line[1] for line in lines if line[0].startswith("spark.")}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "environment.tar.gz"
    path.touch()
    return path


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "no command"),
        (["scan", "a.mp4"], "framejury scan"),
        (["--verbose", "nightly"], "unknown option --verbose"),
        (["--conf", "nowhere", "nightly"], "there are: gpu kubernetes local"),
        (["--conf"], "--conf needs a value"),
        (["--conf", "standalone", "nightly"], "--master spark://HOST:7077"),
        (["--spark", "driver.memory=1g", "nightly"], "spark.NAME=VALUE"),
        (["--spark", "spark.authenticate.secret=x", "nightly"], "--conf FILE"),
        (["--spark", "spark.hadoop.fs.s3a.access.key=x", "nightly"], "--conf FILE"),
        (["--spark", "spark.ssl.ui.keyStorePassword=x", "nightly"], "--conf FILE"),
    ],
)
def test_a_wrong_option_says_what_to_do(words: list[str], complaint: str) -> None:
    result = submit(*words)
    assert result.returncode == 2
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1


def test_help_names_every_job() -> None:
    said = submit("--help").stdout
    jobs = {name for name, (module, _) in COMMANDS.items() if module.startswith("jobs.")}
    assert "nightly" in jobs
    started = set()
    for verb in jobs | {"inspect"}:  # which is a job for an archive only
        assert re.search(rf"\b{verb}\b", said)
        result = submit("--dry-run", verb)
        assert result.returncode == 0
        started |= set(re.findall(r"/jobs/(\w+)\.py", result.stdout))
    assert started == {path.stem for path in (ROOT / "jobs").glob("[!_]*.py")}


def test_a_cluster_needs_a_secret_from_a_file_that_only_we_can_read(
    tmp_path: Path, archive: Path
) -> None:
    words = ("--conf", "standalone", "--master", "spark://h:7077", "--archive", archive)
    assert "--secret-file" in submit(*words, "nightly").stderr
    file = tmp_path / "secret"
    file.write_text(SECRET)
    for mode in (0o640, 0o604, 0o620):
        file.chmod(mode)
        assert "chmod 600" in submit(*words, "--secret-file", file, "nightly").stderr
    file.chmod(0o600)
    for options, environment in (
        (("--secret-file", file), {}),
        ((), {"FRAMEJURY_SPARK_SECRET": SECRET}),
    ):
        result = submit("--dry-run", *words, *options, "nightly", **environment)
        assert result.returncode == 0
        assert "spark.authenticate.secret (redacted)" in result.stdout
        assert SECRET not in result.stdout + result.stderr


def test_a_cluster_without_a_secret_has_to_be_asked_for(archive: Path) -> None:
    words = ("--conf", "standalone", "--master", "spark://h:7077", "--archive", archive)
    found = settings(*words, "--no-auth", "nightly")
    assert found["spark.authenticate"] == found["spark.network.crypto.enabled"] == "false"
    assert "spark.authenticate.secret" not in found


def test_the_last_setting_wins(tmp_path: Path) -> None:
    mine = tmp_path / "mine.conf"
    mine.write_text("spark.driver.memory 5g\nspark.master local[7]\n")
    found = settings("--conf", "local", "--conf", mine, "nightly")
    assert (found["spark.driver.memory"], found["spark.master"]) == ("5g", "local[7]")
    found = settings("--conf", mine, "--spark", "spark.driver.memory=6g", "nightly")
    assert found["spark.driver.memory"] == "6g"
    assert settings("--conf", mine, "--master", "local[1]", "nightly")["spark.master"] == "local[1]"


def test_executors_get_the_archive_and_its_python(tmp_path: Path, archive: Path) -> None:
    words = ("--conf", "standalone", "--master", "spark://h:7077", "--no-auth")
    result = submit("--dry-run", *words, "--archive", archive, "nightly", "a b")
    assert f"--archives {archive}#environment" in result.stdout
    assert f"{ROOT}/jobs/nightly.py a b" in result.stdout
    found = settings(*words, "--archive", archive, "nightly")
    assert found["spark.pyspark.python"] == "./environment/bin/python"
    assert found["spark.pyspark.driver.python"] == f"{ROOT}/.venv/bin/python"
    missing = submit(*words, "--archive", tmp_path / "none.tar.gz", "nightly")
    assert missing.returncode == 2
    assert "make package" in missing.stderr
    assert "--archives" not in submit("--dry-run", "nightly").stdout


def test_a_driver_in_the_cluster_gets_the_variables_that_stand_in(archive: Path) -> None:
    given = {"FRAMEJURY_WAREHOUSE": "hdfs:///framejury", "FRAMEJURY_BUNDLE": ""}
    yarn = ("--conf", "yarn", "--archive", archive)
    kubernetes = ("--conf", "kubernetes", "--master", "k8s://https://h:6443")
    for words, prefix in (
        (yarn, "spark.yarn.appMasterEnv."),
        (kubernetes, "spark.kubernetes.driverEnv."),
    ):
        shown = submit("--dry-run", *words, "nightly", **given).stdout
        assert f"{prefix}FRAMEJURY_WAREHOUSE hdfs:///framejury\n" in shown
        assert "FRAMEJURY_BUNDLE" not in shown
    assert "FRAMEJURY" not in submit("--dry-run", "nightly", **given).stdout  # inherited


def test_a_driver_in_the_cluster_gets_no_path_of_this_machine(archive: Path) -> None:
    found = settings("--conf", "yarn", "--archive", archive, "nightly")
    assert found["spark.submit.deployMode"] == "cluster"
    assert [key for key, value in found.items() if str(ROOT) in value] == []
    # It writes the report, and needs what that needs.
    result = submit("--dry-run", "--conf", "yarn", "nightly")
    assert "/dist/environment-report-python" in result.stdout + result.stderr
    kubernetes = ("--conf", "kubernetes", "--master", "k8s://https://h:6443")
    said = submit("--dry-run", *kubernetes, "nightly", "s3a://a").stdout
    assert "local:///opt/framejury/jobs/nightly.py s3a://a" in said


def test_events_are_kept_in_the_checkout_unless_a_place_is_named() -> None:
    assert settings("nightly")["spark.eventLog.dir"] == f"file:{ROOT}/out/spark-events"
    named = settings("--spark", "spark.eventLog.dir=hdfs:///events", "nightly")
    assert named["spark.eventLog.dir"] == "hdfs:///events"


def test_packaging_refuses_another_python(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 3.9\n")
    python.chmod(0o755)
    for words, complaint in (
        (["--python", str(python)], "is not Python"),
        (["--pythons"], "unknown option"),
    ):
        result = subprocess.run(
            [str(ROOT / "bin" / "package.sh"), *words], text=True, capture_output=True, check=False
        )
        assert result.returncode == 2
        assert complaint in result.stderr


def test_packages_of_the_archive_are_locked_with_hashes_and_few() -> None:
    result = subprocess.run(
        [
            *(
                sys.executable,
                str(ROOT / "bin" / "package_lock.py"),
                str(ROOT / "requirements.lock"),
            ),
            *("spark", "--without", "pyspark", "--without", "scipy"),
        ],
        text=True,
        capture_output=True,
        check=True,
    )
    blocks = re.split(r"^(?=\w)", result.stdout, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block for block in blocks)
    names = {block.partition("==")[0] for block in blocks}
    assert {"av", "numpy", "onnxruntime", "opencv-python-headless", "pyarrow"} <= names
    # What those need, too; and nothing that trains, draws, or is the cluster's.
    assert {"pydantic-core", "flatbuffers", "pandas"} <= names
    assert not names & {"tensorflow", "keras", "pyspark", "py4j", "matplotlib", "scipy", "pytest"}


@pytest.mark.parametrize("words", [["--notify", "https://h/TOKEN"], ["--notify=https://h/TOKEN"]])
def test_the_address_of_a_webhook_is_not_on_sparks_command_line(words: list[str]) -> None:
    result = submit("--dry-run", "nightly", "/a", *words, "--all")
    assert result.returncode == 0
    assert result.stdout.splitlines()[0].endswith("/jobs/nightly.py /a --all")
    assert "TOKEN" not in result.stdout + result.stderr
    cluster = ("--dry-run", "--conf", "kubernetes", "--master", "k8s://https://h:6443")
    refused = submit(*cluster, "nightly", "/a", *words)
    assert refused.returncode == 2 and "FRAMEJURY_NOTIFY" in refused.stderr
    assert "TOKEN" not in refused.stderr and refused.stderr.count("\n") == 1
