"""The Airflow DAG: read and run by Airflow itself, in an environment of its own."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from framejury.warehouse.lock import LEASE_S
from tests.builders.schedules import DAG, SCHEDULES, dag_call, dag_constants

ROOT = SCHEDULES.parents[1]


# ---------------------------------------------------------------- without Airflow


def test_one_run_at_a_time_and_none_made_up_for() -> None:
    dag = dag_call("DAG")
    assert (dag["max_active_runs"], dag["catchup"]) == (1, False)
    assert dag["schedule"] == "15 2 * * *"
    task = dag_call("NightlyOperator")
    assert task["retries"] > 0 and task["deploy_mode"] == "client"


def test_the_operator_is_airflows_own_with_one_method_changed() -> None:
    (operator,) = (
        node for node in ast.parse(DAG.read_text()).body if isinstance(node, ast.ClassDef)
    )
    assert [ast.unparse(base) for base in operator.bases] == ["SparkSubmitOperator"]
    assert [m.name for m in operator.body if isinstance(m, ast.FunctionDef)] == ["execute"]


def test_the_job_is_there_and_the_archive_is_named_as_make_package_does() -> None:
    task, checkout = dag_call("NightlyOperator"), dag_constants()["FRAMEJURY"]
    assert (ROOT / Path(task["application"]).relative_to(checkout)).is_file()
    name, _, alias = task["archives"].partition("#")
    assert re.fullmatch(rf"{checkout}/dist/environment-python3\.\d+-\w+\.tar\.gz", name)
    settings = (ROOT / "conf" / "spark" / "standalone.conf").read_text()
    assert re.search(rf"(?m)^spark\.pyspark\.python +\./{alias}/bin/python$", settings)


# ---------------------------------------------------------------- with Airflow


def airflow_python() -> str:
    """Airflow's Python; made when it is not there, which needs the package index."""
    made = subprocess.run(
        [ROOT / "bin" / "airflow.sh"], capture_output=True, text=True, check=False, timeout=600
    )
    if made.returncode != 0:
        why = (made.stderr.strip() or "bin/airflow.sh failed").splitlines()[-1]
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(f"no Airflow: {why}")
    return made.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function from a DAG file to the answer of tests/builders/airflow_probe.py."""
    python = airflow_python()

    def ask(dag_file: Path) -> dict[str, Any]:
        scratch = tmp_path_factory.mktemp("airflow")
        environment = {
            "PATH": os.environ["PATH"],
            "AIRFLOW_HOME": str(scratch),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps(
                {"conn_type": "spark", "host": "spark://master", "port": 7077}
            ),
        }
        done = subprocess.run(
            [python, ROOT / "tests" / "builders" / "airflow_probe.py", dag_file, scratch],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env=environment,
            cwd=scratch,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        answer: dict[str, Any] = json.loads((scratch / "answer.json").read_text())
        return answer

    return ask


@pytest.fixture(scope="module")
def answer(probe: Any) -> dict[str, Any]:
    found: dict[str, Any] = probe(DAG)
    return found


@pytest.mark.long
def test_airflow_reads_it(answer: dict[str, Any]) -> None:
    assert answer["errors"] == []
    assert answer["dag"] == {
        "id": "framejury_nightly",
        "schedule": "15 2 * * *",
        "catchup": False,
        "max_active_runs": 1,
        "aware": True,
    }
    assert answer["task"]["operators"][:2] == ["NightlyOperator", "SparkSubmitOperator"]
    assert answer["task"]["retry_delay_s"] > LEASE_S


@pytest.mark.long
def test_airflow_would_refuse_an_invented_option(probe: Any, tmp_path: Path) -> None:
    broken = tmp_path / "dag.py"
    broken.write_text(DAG.read_text().replace("retries=2", "retrys=2"))
    assert any("retrys" in error for error in probe(broken)["errors"])


@pytest.mark.long
def test_only_a_fault_is_tried_again(answer: dict[str, Any]) -> None:
    """AirflowFailException ends a task at once, any other exception is retried."""
    raised = {code: end["raised"] for code, end in answer["ends"].items()}
    assert raised == {
        "0": None,
        "1": "AirflowException",
        "2": "AirflowFailException",
        "3": "AirflowFailException",
        "137": "AirflowException",  # the driver was killed
    }


@pytest.mark.long
def test_spark_submit_is_called_as_the_dag_says(answer: dict[str, Any]) -> None:
    argv, task = answer["ends"]["0"]["argv"], dag_call("NightlyOperator")
    at = argv.index(task["application"])
    assert argv[at + 1 :] == task["application_args"]
    options = dict(zip(argv[:at:2], argv[1:at:2], strict=True))
    assert options["--master"] == "spark://master:7077"
    assert options["--deploy-mode"] == "client"
    assert options["--properties-file"] == task["properties_file"]
    assert options["--archives"] == task["archives"]
    assert options["--conf"] == "spark.pyspark.driver.python=/opt/framejury/.venv/bin/python"
