"""Chatter is hidden, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from framejury.cli.chatter import chatter_file, is_chatter

CHATTER = [
    "WARNING: Using incubator modules: jdk.incubator.vector",
    "Picked up JAVA_TOOL_OPTIONS: -Dfile.encoding=UTF-8",
    "NOTE: Picked up JDK_JAVA_OPTIONS: -Xmx1g",
    "Using Spark's default log4j profile: org/apache/spark/log4j2-defaults.properties",
    'Setting default log level to "WARN".',
    "To adjust logging level use sc.setLogLevel(newLevel). For SparkR, use setLogLevel(newLevel).",
    "26/11/20 02:00:00 WARN NativeCodeLoader: Unable to load native-hadoop library for your "
    "platform... using builtin-java classes where applicable",
    "02:00:00 WARN Utils: Your hostname, box, resolves to a loopback address: 127.0.1.1; using "
    "10.0.0.5 instead (on interface eth0)",
    "26/11/20 02:00:00 WARN Utils: Set SPARK_LOCAL_IP if you need to bind to another address",
    "SLF4J: Class path contains multiple SLF4J bindings.",
    "SLF4J(W): Class path contains multiple SLF4J providers.",
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1796056942.239291   18095 port.cc:153] oneDNN custom operations are on.",
    "E0000 00:00:1796056947.643953   18095 cuda_platform.cc:52] failed call to cuInit: INTERNAL: "
    "CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)",
    "To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with "
    "the appropriate compiler flags.",
    "2026-11-20 02:00:00.123456: I tensorflow/core/util/port.cc:153] oneDNN custom operations",
    "2026-11-20 02:00:00.1: W tensorflow/compiler/tf2tensorrt/utils/py_utils.cc:38] TF-TRT "
    "Warning: Could not find TensorRT",
]
MATTERS = [
    "",
    "Traceback (most recent call last):",
    'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space',
    "# A fatal error has been detected by the Java Runtime Environment:",
    "02:00:00 ERROR Executor: Exception in task 0.0 in stage 1.0 (TID 1)",
    "02:00:00 WARN TaskSetManager: Lost task 0.0 in stage 1.0 (TID 1)",
    "26/11/20 02:00:00 ERROR Utils: Aborting task",
    "Error occurred during initialization of VM",
    "Error: Could not create the Java Virtual Machine.",
    "F0000 00:00:1796056942.239291   18095 tensor.cc:1] Check failed: a == b",
    "E0000 00:00:1796056942.239291   18095 gpu.cc:1] failed to allocate 2.0G",
    "2026-11-20 02:00:00.123456: E tensorflow/core/framework/op.cc:1] out of memory",
    "terminate called after throwing an instance of 'std::bad_alloc'",
    "WARNING: Using a self-signed certificate",
    "framejury nightly: error: no archive at /videos",
    '{"event": "video_examined", "error": "Picked up JAVA_TOOL_OPTIONS: x"}',
]


@pytest.mark.parametrize("line", CHATTER)
def test_what_is_hidden(line: str) -> None:
    assert is_chatter(line)


@pytest.mark.parametrize("line", MATTERS)
def test_what_must_be_seen(line: str) -> None:
    assert not is_chatter(line)


def test_grep_hides_the_same_lines() -> None:
    """The list has one regular expression per line; an empty one would hide everything."""
    assert all(chatter_file().read_text().splitlines())
    lines = "\n".join([*CHATTER, *MATTERS]) + "\n"
    done = subprocess.run(
        ["grep", "-vEf", str(chatter_file())],
        input=lines,
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout.splitlines() == MATTERS


NATIVE = """
import os, sys, subprocess
from framejury.cli.chatter import quiet_tensorflow
with quiet_tensorflow():
    print("from Python", file=sys.stderr)
    os.write(2, b"I0000 00:00:1.2 3 port.cc:1] chatter\\n")
    os.write(2, b"F0000 00:00:1.2 3 port.cc:1] Check failed\\n")
    subprocess.run(["sh", "-c", "echo from a child >&2"])
    {last}
print("after", file=sys.stderr)
os.write(2, b"I0000 00:00:1.2 3 port.cc:1] not filtered any more\\n")
"""


def native(last: str = "", **environment: str) -> subprocess.CompletedProcess[str]:

    return subprocess.run(
        [sys.executable, "-c", NATIVE.format(last=last or "pass")],
        env=os.environ | environment,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_native_code_is_filtered_and_python_is_not() -> None:
    done = native()
    assert done.returncode == 0, done.stderr
    assert sorted(done.stderr.splitlines()) == sorted(
        [
            "from Python",
            "F0000 00:00:1.2 3 port.cc:1] Check failed",
            "from a child",
            "after",
            "I0000 00:00:1.2 3 port.cc:1] not filtered any more",
        ]
    )


def test_debug_shows_everything() -> None:
    assert "] chatter" in native(FRAMEJURY_LOG="debug").stderr


def test_the_last_words_of_a_crash_are_seen() -> None:
    done = native("os.write(2, b'terminate called'); os.abort()")
    assert done.returncode == -6
    assert "terminate called" in done.stderr and "Check failed" in done.stderr


def test_a_machine_without_grep_only_sees_more(tmp_path: Path) -> None:
    done = native(PATH=str(tmp_path))
    assert "] chatter" in done.stderr and "from Python" in done.stderr
