#!/usr/bin/env bash
# Creates out/test/airflow, an environment that holds only Airflow (0.3 GB, half a minute), and prints
# the path of its Python. The tests load conf/schedule/airflow_dag.py with it; nothing else needs it.
set -euo pipefail
. "$(dirname "$0")/common.sh"

airflow="$root/out/test/airflow"
lock="$root/requirements-airflow.lock"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
unset PYTHONHOME PYTHONPATH

# The copy of the lock is written last, so an interrupted installation is started again.
if ! cmp -s "$lock" "$airflow/made-from.lock"; then
    "$venv/bin/python" -m venv --clear "$airflow" >&2
    # Packages that only Spark Connect needs (0.5 GB) are not in the lock, hence --no-deps.
    "$airflow/bin/python" -m pip install --quiet --require-hashes --no-deps -r "$lock" >&2
    cp "$lock" "$airflow/made-from.lock"
fi
say "$airflow/bin/python"
