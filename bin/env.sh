# The environment of `make demo` and `make test`: sourced, never executed.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# A JAVA_HOME that Spark cannot use would override the one that `make setup` found.
JAVA_HOME=$("$root/bin/find-java.sh") || fail "found no Java that Spark can use; run: make setup"
export JAVA_HOME
# Another Spark's settings must not leak into ours.
unset SPARK_HOME SPARK_CONF_DIR PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON PYTHONPATH PYTHONHOME
# Also works on machines whose host name does not resolve.
export SPARK_LOCAL_IP=127.0.0.1
# Hides TensorFlow's messages about the processor.
export TF_CPP_MIN_LOG_LEVEL=2
export PATH="$venv/bin:$PATH"
