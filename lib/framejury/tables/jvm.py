"""The JVM of a Spark session that this process starts, and what it prints.

Its stderr, and that of the Python workers it starts, comes through a pipe: so lines appear above a
live line (`cli.live_line`), and chatter (`cli.chatter`) goes to the log of the run only. Under
spark-submit the JVM is there already; `conf/spark/spark-env.sh` filters its stderr.
"""

from __future__ import annotations

import contextvars
import os
import sys
import threading
from contextlib import suppress

from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway

from framejury import logs
from framejury.cli.chatter import is_chatter

_LAST_WORDS_S = 10.0


def start_jvm(conf: SparkConf) -> None:
    """Start the JVM of the next session, unless one runs already.

    Args:
        conf: settings that a JVM needs when it starts.

    Raises:
        PySparkRuntimeError: it did not start; what it printed appears on stderr.
    """
    if SparkContext._gateway is not None or logs.is_debug():
        return
    ours, theirs = os.pipe()
    context = contextvars.copy_context()  # its lines belong to this run
    reader = threading.Thread(target=context.run, args=(_pass_on, ours), daemon=True)
    reader.start()
    try:
        gateway = launch_gateway(conf, {"stderr": theirs})  # type: ignore[no-untyped-call]
    except BaseException:
        os.close(theirs)
        reader.join(_LAST_WORDS_S)
        raise
    os.close(theirs)
    SparkContext._ensure_initialized(gateway=gateway)


def _pass_on(descriptor: int) -> None:
    """Print what comes through a pipe, except for chatter, until all its writers are gone."""
    with open(descriptor, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if is_chatter(line.rstrip("\n")):
                logs.event("chatter", message=line.rstrip("\n"))
            else:
                with suppress(ValueError, OSError):  # stderr was closed
                    sys.stderr.write(line)
                    sys.stderr.flush()
