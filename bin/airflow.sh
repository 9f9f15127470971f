#!/usr/bin/env bash
# Makes out/test/airflow, an environment with Airflow alone (0.3 GB, half a minute), and prints its
# Python. The tests read conf/schedule/airflow_dag.py with it; nothing else of framejury needs it.
set -euo pipefail
. "$(dirname "$0")/common.sh"

airflow="$root/out/test/airflow"
lock="$root/requirements-airflow.lock"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
unset PYTHONHOME PYTHONPATH

# The copy is written last: what was interrupted is made anew.
if ! cmp -s "$lock" "$airflow/made-from.lock"; then
    "$venv/bin/python" -m venv --clear "$airflow" >&2
    # Without what only Spark Connect needs (0.5 GB): not in the lock, hence --no-deps.
    "$airflow/bin/python" -m pip install --quiet --require-hashes --no-deps -r "$lock" >&2
    cp "$lock" "$airflow/made-from.lock"
fi
say "$airflow/bin/python"
