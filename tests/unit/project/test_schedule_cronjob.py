"""The plain Kubernetes CronJob: checked against Kubernetes' own schema and framejury's parser."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from framejury.errors import FramejuryError, UsageError
from tests.builders.schedules import CRONJOB, SCHEDULES, kubernetes, nightly_options

ROOT = SCHEDULES.parents[1]
SCHEMA = json.loads((ROOT / "tests" / "data" / "kubernetes_schema.json").read_text())
CRON_JOB, POD = "io.k8s.api.batch.v1.CronJob", "io.k8s.api.core.v1.Pod"
CONFIG_MAP = "io.k8s.api.core.v1.ConfigMap"


def manifests() -> tuple[dict[str, Any], dict[str, Any]]:
    """The CronJob and the ConfigMap."""
    job, files = yaml.safe_load_all(CRONJOB.read_text())
    return job, files


def executor() -> dict[str, Any]:
    """The template of the executors' pods."""
    found: dict[str, Any] = yaml.safe_load(manifests()[1]["data"]["pod.yaml"])
    return found


def driver() -> dict[str, Any]:
    (found,) = pod()["containers"]
    return dict(found)


def pod() -> dict[str, Any]:
    return dict(manifests()[0]["spec"]["jobTemplate"]["spec"]["template"]["spec"])


def faults(kind: str, manifest: dict[str, Any]) -> list[str]:
    schema = {"$ref": f"#/$defs/{kind}", **SCHEMA}
    return [error.message for error in Draft202012Validator(schema).iter_errors(manifest)]


def test_kubernetes_takes_every_field() -> None:
    job, files = manifests()
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    assert (files["apiVersion"], files["kind"]) == ("v1", "ConfigMap")
    assert faults(CRON_JOB, job) == faults(CONFIG_MAP, files) == faults(POD, executor()) == []


@pytest.mark.parametrize(
    "place",
    [
        *("spec", "spec.jobTemplate.spec", "spec.jobTemplate.spec.podFailurePolicy"),
        "spec.jobTemplate.spec.template.spec",
        "spec.jobTemplate.spec.template.spec.containers.0.env.0.valueFrom.fieldRef",
    ],
)
def test_an_invented_field_and_a_wrong_type_would_be_noticed(place: str) -> None:
    for name, value in (("noSuchField", 1), ("restartPolicy", 1)):
        job: Any = copy.deepcopy(manifests()[0])
        node = job
        for step in place.split("."):
            node = node[int(step) if step.isdigit() else step]
        node[name] = value
        assert faults(CRON_JOB, job)


def spark_submit() -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Options, settings and the application with its arguments, of the driver's command line."""
    program, *words = driver()["args"]
    assert program == "/opt/spark/bin/spark-submit" and "command" not in driver()
    options: dict[str, str] = {}
    settings: dict[str, str] = {}
    while words[0].startswith("--"):
        name, value, *words = words
        if name == "--conf":
            key, _, settings[key] = value.partition("=")
        else:
            options[name] = value
    return options, settings, words


def test_it_runs_the_job_with_arguments_it_takes() -> None:
    options, settings, (application, *argv) = spark_submit()
    assert (ROOT / Path(application).relative_to("/opt/framejury")).is_file()
    parsed = nightly_options(argv)
    assert (parsed.archive, parsed.warehouse) == (
        "s3a://archive/videos",
        "s3a://framejury/warehouse",
    )
    # In the pod, so that the pod's exit code is that of the nightly run.
    assert options["--deploy-mode"] == "client"
    assert options["--master"].startswith("k8s://https://kubernetes.default.svc")
    given = {entry["name"] for entry in driver()["env"]}
    used = {value[2:-1] for value in settings.values() if value.startswith("$(")}
    assert used and used <= given
    assert settings["spark.kubernetes.container.image"] == driver()["image"]
    assert driver()["image"] == kubernetes()["spec"]["template"]["image"]


def test_its_settings_are_those_of_kubernetes_conf_and_names_that_spark_knows() -> None:
    options, settings, _ = spark_submit()
    mounts = {mount["name"]: mount["mountPath"] for mount in driver()["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod()["volumes"]}
    assert set(mounts) == set(volumes)
    assert options["--properties-file"] == f"{mounts['spark']}/spark.conf"
    assert "--from-file=spark.conf=conf/spark/kubernetes.conf" in CRONJOB.read_text()
    assert f"create configmap {volumes['spark']['configMap']['name']} " in CRONJOB.read_text()
    template = settings["spark.kubernetes.executor.podTemplateFile"]
    assert template == f"{mounts['executor']}/{next(iter(manifests()[1]['data']))}"
    assert volumes["executor"]["configMap"]["name"] == manifests()[1]["metadata"]["name"]
    memory = dict(
        line.split()[:2]
        for line in (ROOT / "conf" / "spark" / "kubernetes.conf").read_text().splitlines()
        if line.startswith("spark.driver.memory")
    )
    gib = sum(int(value.removesuffix("g")) for value in memory.values())
    assert len(memory) == 2 and driver()["resources"]["limits"]["memory"] == f"{gib}Gi"


def test_a_fault_is_tried_again_and_nothing_else() -> None:
    from framejury.night.ending import JUDGED_WITH_FAILURES

    job = manifests()[0]["spec"]
    assert job["concurrencyPolicy"] == "Forbid"
    assert job["schedule"] == kubernetes()["spec"]["schedule"]
    work = job["jobTemplate"]["spec"]
    assert work["backoffLimit"] > 0 and pod()["restartPolicy"] == "Never"  # the policy needs it
    first, moved = work["podFailurePolicy"]["rules"]
    codes = first["onExitCodes"]
    assert (first["action"], codes["operator"]) == ("FailJob", "In")
    assert codes["containerName"] == driver()["name"]
    assert set(codes["values"]) == {UsageError.exit_code, JUDGED_WITH_FAILURES}
    assert FramejuryError.exit_code not in codes["values"]
    assert moved["action"] == "Ignore" and moved["onPodConditions"][0]["type"] == "DisruptionTarget"


@pytest.mark.parametrize("role", ["driver", "executor"])
def test_pods_have_no_rights_and_take_keys_from_secrets(role: str) -> None:
    spec = pod() if role == "driver" else executor()["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    needed = [source["secretRef"]["name"] for source in container["envFrom"]]
    assert needed[0] == "framejury-object-store"
    for name in needed:
        assert f"create secret generic {name} " in CRONJOB.read_text()
    volumes = {volume["name"] for volume in spec["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_a_webhook_may_be_left_out_and_is_known_to_the_driver_only() -> None:
    from framejury.night.notify import VARIABLE

    (source,) = [one["secretRef"] for one in driver()["envFrom"] if "notify" in str(one)]
    assert source["optional"] is True
    assert f"--from-literal={VARIABLE}=..." in CRONJOB.read_text()
    assert "notify" not in str(executor())
