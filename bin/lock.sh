#!/usr/bin/env bash
# Resolve pyproject.toml and requirements-{demo,bench,airflow}.in into the lock files, with hashes and
# without anything specific to this machine. Pins stay unless they must change; to get newer versions:
# bin/lock.sh --upgrade
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$root"

# compile OUTPUT ARGUMENT...: `--unsafe-package` names a package that pip-compile leaves out. It then
# adds a warning about these packages, which is removed.
compile() {
    local output=$1
    shift
    "$venv/bin/pip-compile" --quiet --no-header --generate-hashes --strip-extras \
        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
        --output-file "$output" "$@"
    {
        say "# Made by \`make lock\` with $("$venv/bin/python" --version). Do not edit."
        sed -e '/^# Made by/d' -e '/^# WARNING: The following packages were not pinned/,$d' "$output"
    } >"$output.new"
    mv "$output.new" "$output"
    if grep -n -E '@ |file:|^-|://' "$output"; then
        fail "$output pins a location instead of a version (see above)"
    fi
}

compile requirements.lock --all-extras --unsafe-package framejury "$@" pyproject.toml
compile requirements-demo.lock --unsafe-package numpy --unsafe-package pillow \
    --unsafe-package scipy "$@" requirements-demo.in
compile requirements-bench.lock "$@" requirements-bench.in
compile requirements-airflow.lock --unsafe-package pyspark-client --unsafe-package pandas \
    --unsafe-package pyarrow --unsafe-package numpy --unsafe-package grpcio-status "$@" \
    requirements-airflow.in
