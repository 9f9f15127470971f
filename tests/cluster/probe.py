"""A job that asks executors what they have. Run with spark-submit; prints one JSON object."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from pyspark import SparkContext


def look(_: Iterator[int]) -> Iterator[dict[str, object]]:
    """What one task sees; runs on an executor."""
    import os
    import subprocess
    import time

    from pyspark import TaskContext

    import framejury

    context = TaskContext.get()
    assert context is not None
    # The machine's own Python, as a worker finds it.
    bare = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    own = {
        name: subprocess.run(
            ["python3", "-c", f"import {name}"],
            env=bare,
            capture_output=True,
            text=True,
            check=False,
        ).stderr
        for name in ("framejury", "av", "onnxruntime")
    }
    time.sleep(2)  # long enough that the other executor gets a task as well
    yield {
        "prefix": sys.prefix,
        "executable": sys.executable,
        "framejury": framejury.__file__,
        "path": sys.path,
        "own": own,
        "variables": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109
        "gpus": {name: found.addresses for name, found in context.resources().items()},
    }


if __name__ == "__main__":
    spark = SparkContext.getOrCreate()
    print(json.dumps(spark.parallelize(range(4), 4).mapPartitions(look).collect()))
    spark.stop()
