# shellcheck shell=bash
# Sourced by spark-submit before it starts Java: keeps what Java and Spark print about themselves
# (conf/chatter.txt) off stderr. FRAMEJURY_LOG=debug shows it. `make setup` makes .venv's own
# spark-submit read this file; elsewhere: export SPARK_CONF_DIR=/path/to/conf/spark
#
# A JVM that framejury itself starts is filtered by framejury (_PYSPARK_DRIVER_CONN_INFO_PATH is set).
framejury_chatter=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/chatter.txt
if [ "${FRAMEJURY_LOG:-}" != debug ] && [ -z "${_PYSPARK_DRIVER_CONN_INFO_PATH:-}" ] &&
    [ -r "$framejury_chatter" ] && command -v grep >/dev/null; then
    # Ctrl-C and SIGTERM go to the whole group of processes; the filter ends when Java has ended.
    exec 2> >(trap '' INT TERM HUP && exec grep --line-buffered -vEf "$framejury_chatter" >&2)
fi
unset framejury_chatter
