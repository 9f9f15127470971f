"""Run by Airflow's own Python (bin/airflow.sh), never by ours: what Airflow makes of a DAG file.

Prints one JSON object: `errors` of reading it, `dag`, `task`, and `ends`: for each exit code of
spark-submit the exception that the task raised, and what spark-submit was called with.
"""

import json
import os
import sys
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

SPARK_SUBMIT = '#!/bin/sh\nprintf "%s\\0" "$@" >"$0.argv"\nexit $(cat "$0.code")\n'


def main(dag_file: str, scratch: str) -> None:
    bag = DagBag(dag_folder=dag_file)
    answer: dict[str, object] = {"errors": list(bag.import_errors.values())}
    if not answer["errors"]:
        (dag,) = bag.dags.values()
        (task,) = dag.tasks
        answer |= {
            "dag": {
                "id": dag.dag_id,
                "schedule": dag.timetable.expression,
                "catchup": dag.catchup,
                "max_active_runs": dag.max_active_runs,
                "aware": dag.start_date.tzinfo is not None,
            },
            "task": {
                "operators": [kind.__name__ for kind in type(task).__mro__],
                "retries": task.retries,
                "retry_delay_s": task.retry_delay.total_seconds(),
            },
            "ends": {code: end_of(task, code, Path(scratch)) for code in (0, 1, 2, 3, 137)},
        }
    # Airflow's log goes to stdout too.
    Path(scratch, "answer.json").write_text(json.dumps(answer))


def end_of(task, code: int, scratch: Path) -> dict[str, object]:
    """The task run with a spark-submit that only ends with `code`."""
    program = scratch / "spark-submit"
    program.write_text(SPARK_SUBMIT)
    program.chmod(0o755)
    Path(f"{program}.code").write_text(str(code))
    os.environ["PATH"] = f"{scratch}:{os.environ['PATH']}"
    raised = None
    try:
        task.execute({})
    except Exception as error:  # whatever it is, it is the answer
        raised = type(error).__name__
    return {"raised": raised, "argv": Path(f"{program}.argv").read_text().split("\0")[:-1]}


if __name__ == "__main__":
    main(*sys.argv[1:])
