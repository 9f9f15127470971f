# The environment of `make demo` and `make test`: sourced, never run.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# A JAVA_HOME that Spark cannot use would win over the one that `make setup` found.
JAVA_HOME=$("$root/bin/find-java.sh") || fail "no Java for Spark; run: make setup"
export JAVA_HOME
# Another Spark's settings must not leak into ours.
unset SPARK_HOME SPARK_CONF_DIR PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON PYTHONPATH PYTHONHOME
# Works where the machine's own name resolves to nothing.
export SPARK_LOCAL_IP=127.0.0.1
# TensorFlow's remarks about the processor.
export TF_CPP_MIN_LOG_LEVEL=2
export PATH="$venv/bin:$PATH"
