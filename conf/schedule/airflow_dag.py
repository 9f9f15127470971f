"""Run framejury every night with Airflow 3: put this file into the DAG folder.

Requires apache-airflow-providers-apache-spark, the cluster's `spark-submit` on the workers' PATH,
and a connection `spark_default` (its host is the master, such as spark://master:7077). Change the
constants below.

The driver runs on the Airflow worker (deploy mode client), so that spark-submit ends with
framejury's own exit code: 0 all judged; 1 a fault; 2 something must be fixed; 3 judged, but many
failed. In cluster mode, YARN reports only that the run failed, and every failure is retried. That
costs only time: verdicts already committed are kept.

Do not put secrets here. The cluster's secret is a line of SPARK_CONF; the keys of an object store
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
# conf/spark/standalone.conf plus the line `spark.authenticate.secret ...`; readable only by the
# worker's user (chmod 600).
SPARK_CONF = "/etc/framejury/spark.conf"
ARCHIVE = "s3a://archive/videos"
WAREHOUSE = "s3a://framejury/warehouse"

MEND_FIRST, MANY_FAILED = 2, 3
# How the Airflow operator reports the exit code of spark-submit.
_EXIT_CODE = re.compile(r"Error code is: (\d+)")


class NightlyOperator(SparkSubmitOperator):
    """A SparkSubmitOperator that does not retry what would only fail again."""

    def execute(self, context: Any) -> None:
        try:
            super().execute(context)
        except AirflowException as error:
            found = _EXIT_CODE.search(str(error))
            code = None if found is None else int(found[1])
            if code == MEND_FIRST:
                raise AirflowFailException("something must be fixed; see the log") from error
            if code == MANY_FAILED:
                # The run is committed; the next nightly run retries videos worth retrying.
                raise AirflowFailException("judged, but many videos failed; see the log") from error
            raise


with DAG(
    dag_id="framejury_nightly",
    description="Judge what is new in the video archive",
    schedule="15 2 * * *",  # UTC, unless start_date has another time zone
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,  # one run judges everything that earlier runs left
    max_active_runs=1,  # a second one would find the first one's lock and end with 1
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
        # After a dead machine or a fault, retry what is not judged yet. The delay is longer than
        # the lease (60 s) of a lock that a dead driver may have left.
        retries=2,
        retry_delay=timedelta(minutes=10),
    )
