"""The process of one contender: `python -m benchmarks.child`, started by `contenders`.

Reads one JSON line `{"factory", "setup", "cores"}`, pins itself to the cores, calls the factory
(which loads models, untimed) and then times one call of what it returned for each further line.
Imports the standard library only: rivals may live in an environment without framejury.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from typing import Any


def main() -> int:
    # Libraries print; the answers keep the real standard output for themselves.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**fields: Any) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    hello = json.loads(sys.stdin.readline())
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(hello["cores"]))
    try:
        module, _, name = hello["factory"].partition(":")
        run = getattr(importlib.import_module(module), name)(hello["setup"])
        answer(ready=True)
        for line in sys.stdin:
            request = json.loads(line)
            started_cpu_s, started_s = time.process_time(), time.perf_counter()
            facts = run(request)
            wall_s = time.perf_counter() - started_s
            answer(wall_s=wall_s, cpu_s=time.process_time() - started_cpu_s, facts=facts)
    except Exception as error:  # whatever it is, the table says so
        traceback.print_exc()
        answer(error=f"{type(error).__name__}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
