"""The ready schedules: read by the tools that will read them, and by framejury's own parser."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
from cronsim import CronSim
from kubeflow_spark_api.models import SparkV1beta2ScheduledSparkApplication

from framejury.cli.options import TERMINATED
from framejury.errors import FramejuryError, UsageError
from framejury.warehouse.lock import LEASE_S
from tests.builders.schedules import (
    CRONJOB,
    CRONTAB,
    KUBERNETES,
    LOGROTATE,
    MAIL,
    SCHEDULES,
    SERVICE,
    TIMER,
    cron_lines,
    dag_call,
    kubernetes,
    nightly_options,
    shell_words,
    unit,
)

ROOT = SCHEDULES.parents[1]


def run(*command: str | Path) -> tuple[int, str]:
    """Exit code, and both outputs as one text."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no {program} on this machine")


# ---------------------------------------------------------------- what is run


def service_argv() -> list[str]:
    (start,) = unit(SERVICE)["Service.ExecStart"]
    return start.split()


def crontab_argv() -> list[str]:
    ((_, command),) = cron_lines()
    return shell_words(command)


@pytest.mark.parametrize("argv_of", [service_argv, crontab_argv])
def test_machines_run_what_submit_sh_and_the_job_take(argv_of: Any, tmp_path: Path) -> None:
    """submit.sh says what it would give spark-submit; that goes through the job's own parser."""
    program, *argv = argv_of()
    assert Path(program).name == "submit.sh"
    if run(ROOT / "bin" / "find-java.sh")[0] != 0:
        pytest.skip("submit.sh finds no Java")
    argv = [word.replace("/var/lib/framejury", str(tmp_path)) for word in argv]
    code, said = run(ROOT / "bin" / "submit.sh", "--dry-run", *argv)
    assert code == 0, said
    (line,) = re.findall(r"(?m)^spark-submit .*/jobs/nightly\.py (.*)$", said)
    options = nightly_options(line.split())
    assert options.archive == "/srv/archive"
    assert options.warehouse == f"{tmp_path}/warehouse"
    # Not below the checkout, which a service may not write.
    assert f"spark.eventLog.dir file:{tmp_path}/spark-events" in said


def spark_application() -> tuple[str, list[str]]:
    template = kubernetes()["spec"]["template"]
    return template["mainApplicationFile"].removeprefix("local://"), template["arguments"]


def airflow_application() -> tuple[str, list[str]]:
    task = dag_call("NightlyOperator")
    return task["application"], task["application_args"]


@pytest.mark.parametrize("application_of", [spark_application, airflow_application])
def test_clusters_run_the_job_with_arguments_it_takes(application_of: Any) -> None:
    application, argv = application_of()
    assert application.startswith("/opt/framejury/")
    assert (ROOT / Path(application).relative_to("/opt/framejury")).is_file()
    options = nightly_options(argv)
    assert options.archive == "s3a://archive/videos"
    assert options.warehouse == "s3a://framejury/warehouse"


def test_the_parser_of_this_test_is_the_real_one() -> None:
    with pytest.raises(SystemExit):
        nightly_options(["/srv/archive", "--warehouse", "w", "--no-such-option"])
    with pytest.raises(SystemExit):
        nightly_options(["/srv/archive"])


def test_no_schedule_holds_a_secret() -> None:
    # `secretRef` and a name are how Kubernetes is told where one is.
    assigned = re.compile(r"(?i)(secret_?access_?key|password|token|access_?key)\w*\s*[=:]\s*(\S+)")
    for path in SCHEDULES.iterdir():
        if path.is_file():
            given = [match[2] for match in assigned.finditer(path.read_text())]
            assert all(value.startswith("...") for value in given), (path.name, given)


# ---------------------------------------------------------------- cron


def times(expression: str, count: int) -> list[datetime]:
    return list(islice(CronSim(expression, datetime(2026, 11, 22)), count))


@pytest.mark.parametrize(
    "expression",
    [cron_lines()[0][0], kubernetes()["spec"]["schedule"], dag_call("DAG")["schedule"]],
    ids=["crontab", "kubernetes", "airflow"],
)
def test_once_a_night(expression: str) -> None:
    first, *others = times(expression, 400)
    assert first.hour < 6
    assert [time - first for time in others] == [timedelta(days=n) for n in range(1, 400)]


def crontab_check(path: Path) -> tuple[int, str]:
    """Debian's `crontab -n FILE` checks and installs nothing; elsewhere -n means other things."""
    needs("crontab")
    if "dry run" not in run("crontab", "-h")[1]:
        pytest.skip("this crontab cannot check a file without installing it")
    return run("crontab", "-n", path)


def test_cron_takes_the_table() -> None:
    code, said = crontab_check(CRONTAB)
    assert (code, "successfully checked" in said) == (0, True), said


def test_cron_would_refuse_a_wrong_one(tmp_path: Path) -> None:
    broken = tmp_path / "crontab"
    broken.write_text(CRONTAB.read_text().replace("15 2 * * *", "15 25 * * *"))
    code, said = crontab_check(broken)
    assert code != 0 and "bad hour" in said


def test_what_cron_would_misread_is_not_there() -> None:
    lines = CRONTAB.read_text().splitlines()
    assert all("%" not in command for _, command in cron_lines())  # a % ends the line
    settings = [line for line in lines if re.match(r"\w+=", line)]
    assert not [line for line in settings if "$" in line or "~" in line]  # taken literally
    assert CRONTAB.read_text().endswith("\n")  # the last line is ignored without
    assert any(line.startswith("MAILTO=") for line in settings)


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_cron_mails_the_exit_code_and_nothing_on_a_good_night(code: int, tmp_path: Path) -> None:
    ((_, command),) = cron_lines()
    program = tmp_path / "submit.sh"
    program.write_text(f"#!/bin/sh\necho progress; echo more >&2\nexit {code}\n")
    program.chmod(0o755)
    command = command.replace("/var/lib/framejury", str(tmp_path))
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.stderr == ""
    assert (f"exit code {code};" in done.stdout) is (code != 0)
    assert "progress" not in done.stdout
    assert (tmp_path / "nightly.log").read_text() == "progress\nmore\n"


# ---------------------------------------------------------------- systemd


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Both units, /opt/framejury moved to where there is a program."""
    needs("systemd-analyze")
    program = tmp_path / "opt" / "framejury" / "bin" / "submit.sh"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for path in (SERVICE, TIMER, MAIL):
        text = path.read_text().replace("/opt/framejury/", f"{tmp_path}/opt/framejury/")
        (tmp_path / path.name).write_text(text)
    return tmp_path


def verify(folder: Path) -> tuple[int, str]:
    mail = folder / MAIL.name.replace("@", f"@{SERVICE.name}")
    mail.unlink(missing_ok=True)
    mail.symlink_to(MAIL.name)
    units = (folder / SERVICE.name, folder / TIMER.name, mail)
    return run("systemd-analyze", "verify", "--man=no", *units)


def test_systemd_takes_both_units(installed: Path) -> None:
    code, said = verify(installed)
    assert [line for line in said.splitlines() if "framejury" in line] == []
    assert code == 0, said


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (("Restart=on-failure", "Restart=always"), "isn't allowed for Type=oneshot"),
        (("UMask=0077", "UMask=private"), "(?i)failed to parse"),
        (("Nice=10", "Nicety=10"), "Unknown key"),
        (("OnCalendar=*-*-* 02:15:00", "OnCalendar=*-*-* 25:15:00"), "(?i)failed to parse"),
        (("ExecStart=/", "ExecStart=/gone/"), "not executable"),
        (("TimeoutStartSec=2min", "TimeoutStartSec=soon"), "(?i)failed to parse"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else None,
)
def test_systemd_would_refuse_wrong_ones(
    installed: Path, wrong: tuple[str, str], words: str
) -> None:
    for name in (SERVICE.name, TIMER.name, MAIL.name):
        path = installed / name
        path.write_text(path.read_text().replace(*wrong))
    assert re.search(words, verify(installed)[1])


def test_the_timer_fires_once_a_night() -> None:
    needs("systemd-analyze")
    (when,) = unit(TIMER)["Timer.OnCalendar"]
    code, said = run("systemd-analyze", "calendar", "--iterations=3", when)
    assert code == 0, said
    elapses = r"(?:Next elapse|Iter(?:ation|\.) #\d): .*?(\d{4}-\d\d-\d\d) 02:15:00"
    days = [datetime.fromisoformat(day) for day in re.findall(elapses, said)]
    assert [after - before for before, after in pairwise(days)] == [timedelta(days=1)] * 2
    assert unit(TIMER)["Timer.Persistent"] == ["yes"]


def test_the_service_is_fenced_in() -> None:
    """2.0 of 10 by systemd's own weights; what is left open, Java and Spark need."""
    needs("systemd-analyze")
    code, said = run(
        *("systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold=20", SERVICE)
    )
    if "unrecognized option" in said:
        pytest.skip("this systemd-analyze cannot judge a file (before version 250)")
    assert code == 0, said.splitlines()[-1]


def test_a_fault_is_tried_again_and_nothing_else() -> None:
    from framejury.night.ending import JUDGED_WITH_FAILURES

    service = unit(SERVICE)
    assert service["Service.Type"] == ["oneshot"]
    assert service["Service.Restart"] == ["on-failure"]
    prevented = {int(code) for code in service["Service.RestartPreventExitStatus"][0].split()}
    assert prevented == {UsageError.exit_code, JUDGED_WITH_FAILURES}
    assert FramejuryError.exit_code not in prevented
    # 3 is a failure that somebody hears of; only being stopped is none.
    assert service["Service.SuccessExitStatus"] == [str(TERMINATED)]
    minutes = int(service["Service.RestartSec"][0].removesuffix("min"))
    assert minutes * 60 > LEASE_S


# ---------------------------------------------------------------- Kubernetes


def manifest_without_quantities() -> dict[str, Any]:
    """The models, made by a generator, take a quantity for an object; it is checked here."""
    manifest = kubernetes()
    for volume in manifest["spec"]["template"]["volumes"]:
        assert re.fullmatch(r"\d+(Ki|Mi|Gi|Ti)", volume["emptyDir"].pop("sizeLimit"))
    return manifest


def round_trip(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest as the operator's own models keep it; what they do not know is gone."""
    model = SparkV1beta2ScheduledSparkApplication.model_validate(manifest)
    kept: dict[str, Any] = model.model_dump(by_alias=True, exclude_unset=True, mode="json")
    return kept


def test_the_operators_schema_knows_every_field() -> None:
    assert round_trip(manifest_without_quantities()) == manifest_without_quantities()


@pytest.mark.parametrize(
    "place",
    ["spec", "spec.template", "spec.template.driver", "spec.template.restartPolicy"],
)
def test_an_invented_field_would_be_noticed(place: str) -> None:
    manifest = manifest_without_quantities()
    node = manifest
    for name in place.split("."):
        node = node[name]
    node["noSuchField"] = 1
    assert round_trip(manifest) != manifest


def test_a_wrong_type_would_be_refused() -> None:
    manifest = manifest_without_quantities()
    manifest["spec"]["template"]["sparkConf"]["spark.speculation"] = False  # must be text
    with pytest.raises(ValueError, match="sparkConf"):
        round_trip(manifest)


def test_kubernetes_runs_one_at_a_time_and_tries_a_failure_again() -> None:
    manifest = kubernetes()
    assert manifest["apiVersion"] == "sparkoperator.k8s.io/v1beta2"
    assert manifest["kind"] == "ScheduledSparkApplication"
    spec = manifest["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"  # of Allow, Forbid, Replace
    restart = spec["template"]["restartPolicy"]
    assert restart["type"] == "OnFailure"  # of Never, OnFailure, Always
    assert restart["onFailureRetryInterval"] > LEASE_S
    assert (spec["template"]["type"], spec["template"]["mode"]) == ("Python", "cluster")


@pytest.mark.parametrize("role", ["driver", "executor"])
def test_pods_have_no_rights_and_take_keys_from_a_secret(role: str) -> None:
    template = kubernetes()["spec"]["template"]
    pod = template[role]
    assert pod["podSecurityContext"]["runAsNonRoot"] is True
    assert pod["podSecurityContext"]["runAsUser"] > 0
    assert pod["podSecurityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["securityContext"]["allowPrivilegeEscalation"] is False
    assert pod["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "gpu" not in pod
    assert [list(source) for source in pod["envFrom"]] == [["secretRef"]]
    volumes = {volume["name"] for volume in template["volumes"]}
    assert {mount["name"] for mount in pod["volumeMounts"]} <= volumes
    # Spark takes volumes of such names as its scratch folders.
    assert all(name.startswith("spark-local-dir-") for name in volumes)


def spark_settings() -> dict[str, str]:
    """conf/spark/kubernetes.conf as Spark reads it."""
    lines = (ROOT / "conf" / "spark" / "kubernetes.conf").read_text().splitlines()
    return dict(line.split(None, 1) for line in lines if line.startswith("spark."))


def test_the_manifest_has_the_settings_of_kubernetes_conf() -> None:
    template = kubernetes()["spec"]["template"]
    # The operator makes these from fields of its own.
    fields: dict[str, Any] = {"spark.submit.deployMode": template["mode"]}
    for role in ("driver", "executor"):
        fields[f"spark.{role}.memory"] = template[role]["memory"]
        fields[f"spark.{role}.memoryOverhead"] = template[role]["memoryOverhead"]
        fields[f"spark.{role}.cores"] = str(template[role]["cores"])
    allocation = template["dynamicAllocation"]
    for key, name in (
        ("enabled", "enabled"),
        ("shuffleTracking.enabled", "shuffleTrackingEnabled"),
        ("minExecutors", "minExecutors"),
        ("initialExecutors", "initialExecutors"),
        ("maxExecutors", "maxExecutors"),
    ):
        fields[f"spark.dynamicAllocation.{key}"] = str(allocation[name]).lower()
    given = spark_settings()
    # With it the operator's spark-submit would sit and wait; the operator watches the driver.
    assert given.pop("spark.kubernetes.submission.waitAppCompletion").strip() == "true"
    assert given  # or this would compare nothing
    assert not set(template["sparkConf"]) & set(fields)
    assert not [key for key in template["sparkConf"] if "waitAppCompletion" in key]
    manifest = {**fields, **template["sparkConf"]}
    assert {key: manifest.get(key) for key in given} == {
        key: value.strip() for key, value in given.items()
    }


def test_the_manifest_names_the_spark_of_the_lock() -> None:
    (version,) = re.findall(r"(?m)^pyspark==(\S+)", (ROOT / "requirements.lock").read_text())
    assert kubernetes()["spec"]["template"]["sparkVersion"] == version


# ---------------------------------------------------------------- they are shipped


def test_setup_py_packs_every_schedule(tmp_path: Path) -> None:
    copy = tmp_path / "source"
    # Everything that setup.py reads, without what it would leave in the checkout.
    for name in ("lib", "jobs", "conf", "models"):
        shutil.copytree(
            *(ROOT / name, copy / name),
            ignore=shutil.ignore_patterns("*.egg-info", "__pycache__", "*.onnx", "*.keras"),
        )
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    code, said = _build(copy, tmp_path / "built")
    assert code == 0, said
    packed = tmp_path / "built" / "framejury" / "conf" / "schedule"
    ours = {path.name: path.read_bytes() for path in SCHEDULES.iterdir() if path.is_file()}
    assert {path.name: path.read_bytes() for path in packed.iterdir()} == ours
    assert {KUBERNETES.name, CRONJOB.name, CRONTAB.name, SERVICE.name, TIMER.name} < set(ours)
    assert {MAIL.name, LOGROTATE.name} < set(ours)


def _build(source: Path, target: Path) -> tuple[int, str]:
    import sys

    done = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", str(target)],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stderr
