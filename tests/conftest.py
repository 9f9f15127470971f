"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# Machines that run these tests are busy: how long an example takes says nothing about the code.
settings.register_profile("framejury", deadline=None)
settings.load_profile("framejury")

# Most of Spark's code runs once or twice in a test, so Java's second compiler and its parallel
# collector cost more than they save. For drivers, the launcher, and standalone masters and workers.
for _name in ("SPARK_SUBMIT_OPTS", "SPARK_LAUNCHER_OPTS", "SPARK_DAEMON_JAVA_OPTS"):
    os.environ.setdefault(_name, "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")

# Whoever runs the tests may have a warehouse of their own.
for _name in ("FRAMEJURY_WAREHOUSE", "FRAMEJURY_BUNDLE"):
    os.environ.pop(_name, None)
