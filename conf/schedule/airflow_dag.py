"""framejury every night, by Airflow 3: put this file into the DAG folder.

Needs apache-airflow-providers-apache-spark, the cluster's `spark-submit` on the workers' PATH and
a connection `spark_default` (its host is the master, such as spark://master:7077). Change the
constants below.

The driver runs on the Airflow worker (deploy mode client), so that spark-submit ends with
framejury's own exit code: 0 all judged; 1 a fault; 2 something must be mended; 3 judged, but many
failed. In cluster mode YARN says only that it failed, and every failure is tried again, which costs
time and nothing else: what is judged stays judged.

Secrets do not belong here. The cluster's own is a line of SPARK_CONF; the keys of an object store
are in the environment of the Airflow worker.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowFailException

FRAMEJURY = "/opt/framejury"  # the checkout, after `make setup` and `make package`
# conf/spark/standalone.conf and the line `spark.authenticate.secret ...`; the worker's user alone
# may read it (chmod 600).
SPARK_CONF = "/etc/framejury/spark.conf"
ARCHIVE = "s3a://archive/videos"
WAREHOUSE = "s3a://framejury/warehouse"

MEND_FIRST, MANY_FAILED = 2, 3
# How the operator says with which code spark-submit ended.
_EXIT_CODE = re.compile(r"Error code is: (\d+)")


class NightlyOperator(SparkSubmitOperator):
    """SparkSubmitOperator that does not try again what would only fail again."""

    def execute(self, context: Any) -> None:
        try:
            super().execute(context)
        except AirflowException as error:
            found = _EXIT_CODE.search(str(error))
            code = None if found is None else int(found[1])
            if code == MEND_FIRST:
                raise AirflowFailException("something must be mended; see the log") from error
            if code == MANY_FAILED:
                # The run is committed; the next night tries retryable videos again.
                raise AirflowFailException("judged, but many videos failed; see the log") from error
            raise


with DAG(
    dag_id="framejury_nightly",
    description="Judge what is new in the video archive",
    schedule="15 2 * * *",  # UTC, unless start_date has another time zone
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,  # one run judges all that earlier nights left
    max_active_runs=1,  # a second one would find the lock of the first and end with 1
    tags=["framejury"],
) as dag:
    NightlyOperator(
        task_id="nightly",
        name="framejury-nightly",
        application=f"{FRAMEJURY}/jobs/nightly.py",
        application_args=[ARCHIVE, "--warehouse", WAREHOUSE],
        conn_id="spark_default",
        deploy_mode="client",
        properties_file=SPARK_CONF,
        # The executors' Python and its packages, from `make package`.
        archives=f"{FRAMEJURY}/dist/environment-python3.11-x86_64.tar.gz#environment",
        conf={"spark.pyspark.driver.python": f"{FRAMEJURY}/.venv/bin/python"},
        # A dead machine or a fault: again, on what is not judged yet. Longer than the lease of a
        # lock (60 s) that a dead driver may have left.
        retries=2,
        retry_delay=timedelta(minutes=10),
    )
