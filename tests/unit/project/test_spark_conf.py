"""conf/spark: names that Spark knows, no secret, the choices that keep a run safe. No JVM."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from functools import cache
from pathlib import Path

import pyspark
import pytest

CONF = Path(__file__).resolve().parents[3] / "conf" / "spark"
FILES = sorted(CONF.glob("*.conf"))
CLUSTERS = ("standalone", "yarn", "kubernetes")

# Names that Spark puts together, and the pieces that its classes must hold for each.
_FAMILIES = (
    r"spark\.(driver|executor|task|worker)\.resource\.\w+\.(amount|discoveryScript|vendor)",
    r"spark\.ssl\.ui\.(enabled|protocol|keyStore|keyStorePassword|keyPassword)",
    r"spark\.kubernetes\.authenticate\.driver\.serviceAccountName",
    r"spark\.org\.apache\.spark\.ui\.JWSFilter\.param\.secretKey",
)


@cache
def words_of_spark() -> frozenset[str]:
    """Every string constant of Spark's classes that looks like a name or a piece of one."""
    words: set[str] = set()
    for jar in (Path(pyspark.__file__).parent / "jars").glob("spark-*.jar"):
        with zipfile.ZipFile(jar) as classes:
            for name in classes.namelist():
                if name.endswith(".class"):
                    found = re.findall(rb"[A-Za-z.][\w.]{3,}", classes.read(name))
                    words.update(word.decode() for word in found)
                    if name.endswith("/JWSFilter.class"):
                        words.add("org.apache.spark.ui.JWSFilter")
    return frozenset(words)


def settings_of(path: Path, *, commented: bool = False) -> list[tuple[str, str]]:
    """Names and values of a file; also those that stand there as an example."""
    prefix = r"^#?\s*" if commented else r"^"
    return re.findall(
        prefix + r"(spark\.[\w.]+)[ \t]+(\S.*)$", path.read_text("utf-8"), re.MULTILINE
    )


def is_known(name: str) -> bool:
    words = words_of_spark()
    if name in words:
        return True
    head, _, variable = name.rpartition(".")
    if variable.isupper():  # of an environment
        return f"{head}." in words
    if any(re.fullmatch(family, name) for family in _FAMILIES):
        head, _, last = name.rpartition(".")
        # Its last piece, and some beginning of it, are constants.
        known = last in words or f".{last}" in words
        return known and any(
            piece in words or f"{piece}." in words
            for piece in (head, head.rpartition(".")[0], head.removeprefix("spark."), "spark.ssl")
        )
    return False


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_setting_is_one_of_spark(path: Path) -> None:
    named = settings_of(path, commented=True)
    assert named
    assert [name for name, _ in named if not is_known(name)] == []


def test_a_setting_that_spark_lacks_would_be_found() -> None:
    assert is_known("spark.excludeOnFailure.enabled")
    assert not is_known("spark.blacklist.enabledd")
    assert not is_known("spark.executor.resource.gpu.amounts")
    assert not is_known("spark.ssl.ui.keyStoreWord")
    assert is_known("spark.executorEnv.HOME") and not is_known("spark.executorEnvs.HOME")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_file_sets_a_name_twice_or_holds_a_secret(path: Path) -> None:
    names = [name for name, _ in settings_of(path)]
    assert len(names) == len(set(names))
    secret = re.compile(r"(?i)(secret|password|token)$")
    assert [name for name in names if secret.search(name)] == []


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_cluster_authenticates_and_encrypts(name: str) -> None:
    settings = dict(settings_of(CONF / f"{name}.conf"))
    for key in ("authenticate", "network.crypto.enabled", "io.encryption.enabled"):
        assert settings[f"spark.{key}"] == "true", key
    assert settings["spark.network.crypto.saslFallback"] == "false"


def test_daemons_agree_with_the_drivers_on_how_to_talk() -> None:
    drivers = dict(settings_of(CONF / "standalone.conf"))
    daemons = dict(settings_of(CONF / "standalone-daemons.conf"))
    talk = [
        key for key in drivers if key.startswith(("spark.network.crypto", "spark.authenticate"))
    ]
    assert len(talk) == 5
    assert {key: daemons[key] for key in talk} == {key: drivers[key] for key in talk}
    assert daemons["spark.decommission.enabled"] == drivers["spark.decommission.enabled"] == "true"


@pytest.mark.parametrize("name", [*CLUSTERS, "local"])
def test_events_are_logged_without_secrets_and_no_page_is_open(name: str) -> None:
    settings = dict(settings_of(CONF / f"{name}.conf"))
    assert settings["spark.eventLog.enabled"] == "true"
    assert settings["spark.eventLog.dir"]
    assert settings["spark.ui.enabled"] == "false"
    hidden = re.compile(settings["spark.redaction.regex"])
    for key in (
        *(
            "spark.authenticate.secret",
            "spark.ssl.ui.keyPassword",
            "spark.hadoop.fs.s3a.secret.key",
        ),
        *("spark.hadoop.fs.s3a.access.key", "spark.hadoop.fs.azure.account.key.a.dfs"),
        *("spark.hadoop.fs.s3a.session.token", "AWS_SECRET_ACCESS_KEY"),
    ):
        assert hidden.search(key), key
    for key in ("spark.executor.memory", "spark.master", "spark.eventLog.dir"):
        assert not hidden.search(key), key


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_broken_machine_cannot_end_a_run(name: str) -> None:
    settings = dict(settings_of(CONF / f"{name}.conf"))
    most = int(settings["spark.task.maxFailures"])
    assert settings["spark.excludeOnFailure.enabled"] == "true"
    # One executor cannot use up the tries of a task, and two can: a fault of the job is told.
    one = int(settings["spark.excludeOnFailure.task.maxTaskAttemptsPerExecutor"])
    assert one < most <= 2 * one
    # A film is not decoded twice for being long.
    assert settings["spark.speculation"] == "false"


def test_the_page_is_never_open_to_all() -> None:
    settings = dict(settings_of(CONF / "ui.conf"))
    assert settings["spark.ssl.ui.enabled"] == settings["spark.acls.enable"] == "true"
    assert settings["spark.ui.filters"] in words_of_spark()


def test_gpus_are_shared_by_the_tasks_of_an_executor() -> None:
    settings = dict(settings_of(CONF / "gpu.conf"))
    gpus = float(settings["spark.executor.resource.gpu.amount"])
    share = float(settings["spark.task.resource.gpu.amount"])
    assert gpus / share == int(settings["spark.executor.cores"])


@pytest.mark.parametrize(("printed", "addresses"), [("0\n1\n", ["0", "1"]), (None, [])])
def test_gpu_discovery(printed: str | None, addresses: list[str], tmp_path: Path) -> None:
    if printed is not None:
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\nprintf '{printed}'\n")
        tool.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin" if printed is not None else "/usr/bin:/bin"
    if printed is None and shutil.which("nvidia-smi", path=path):
        pytest.skip("this machine has GPUs")
    script = CONF / "find-gpus.sh"
    assert os.access(script, os.X_OK)
    said = subprocess.run(
        [str(script)], env={"PATH": path}, capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(said) == {"name": "gpu", "addresses": addresses}
