#!/usr/bin/env bash
# Build the environment archive that `spark-submit --archives` sends to executors: the locked packages
# of framejury's core and its Spark extra, and framejury itself with jobs/, conf/ and models/. It holds
# no Spark (the cluster has it) and no TensorFlow. Called by `make package`; bin/submit.sh uses it.
#
# The archive holds links to a Python, not Python itself: the executors need the same minor version at
# the same path. On any other machine, starting it fails with a message that explains why. It is built
# again only if the lock, framejury or the Python changed; the same input gives the same bytes.
set -euo pipefail
. "$(dirname "$0")/common.sh"

usage() {
    cat <<'END'
usage: bin/package.sh [--python PATH] [--with EXTRA]... [--output FILE] [--force]

  --python PATH   path of Python on the executors
                  (default: /usr/bin/pythonX.Y with the version of .venv, else the Python that
                  .venv was made with)
  --with EXTRA    add the packages of this extra of framejury; use `report` if the driver runs in
                  the cluster (YARN, Kubernetes), because it writes the report
  --output FILE   file to write (default: dist/environment[-EXTRA]-pythonX.Y-MACHINE.tar.gz)
  --force         build it again even if nothing changed
END
}

python= output= force= extras=(spark)
while [ $# -gt 0 ]; do
    case "$1" in
        --python | --with | --output)
            [ $# -ge 2 ] || fail "$1 needs a value (--help shows the options)"
            case "$1" in
                --python) python=$2 ;;
                --with) extras+=("$2") ;;
                --output) output=$(realpath -m "$2") ;;
            esac
            shift 2
            ;;
        --force) force=yes && shift ;;
        -h | --help) usage && exit 0 ;;
        *) fail "unknown option $1 (--help shows the options)" ;;
    esac
done
[ -x "$venv/bin/python" ] || fail "no .venv; run: make setup"
tar --version 2>/dev/null | grep -q GNU || fail "packaging needs GNU tar"
cd "$root"
unset PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 LC_ALL=C
# Wheels and bytecode carry no build time.
export SOURCE_DATE_EPOCH=315532800 PYTHONHASHSEED=0

minor_of() { "$1" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }
version=$(minor_of "$venv/bin/python")
if [ -z "$python" ]; then
    python=/usr/bin/python$version
    if [ "$(minor_of "$python")" != "$version" ]; then
        python=$("$venv/bin/python" -c 'import os, sys; print(os.path.realpath(sys.executable))')
    fi
fi
[ "$(minor_of "$python")" = "$version" ] || fail "$python is not Python $version; driver and" \
    "executors must use the same version, and .venv has $version (FRAMEJURY_PYTHON=... make setup" \
    "makes another .venv)"
machine=$(uname -m)
suffix=$(printf -- '-%s' "${extras[@]:1}")
[ "${#extras[@]}" -gt 1 ] || suffix=
output=${output:-$root/dist/environment$suffix-python$version-$machine.tar.gz}

mkdir -p build "$(dirname "$output")"
scratch=$(mktemp -d build/package.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
# The cluster provides pyspark; a second one, of another version, would override it. SciPy is large and
# needed only by the driver (the extra `report` includes it).
without=(--without pyspark)
[ "${#extras[@]}" -gt 1 ] || without+=(--without scipy)
"$venv/bin/python" bin/package_lock.py requirements.lock "${extras[@]}" "${without[@]}" \
    >"$scratch/requirements.txt"
sources=(lib jobs conf models pyproject.toml setup.py README.md LICENSE)
not=(--exclude=__pycache__ --exclude='*.egg-info' --exclude='*.pyc')
steady=(--sort=name --mtime=@$SOURCE_DATE_EPOCH --owner=0 --group=0 --numeric-owner)
tar cf "$scratch/source.tar" "${not[@]}" "${steady[@]}" --mode=u=rwX,go=rX "${sources[@]}"

key=$({
    sha256sum <"$scratch/requirements.txt"
    sha256sum <"$scratch/source.tar"
    sha256sum <bin/package.sh
    say "$python" "$("$python" -VV)" "$machine"
} | sha256sum | cut -c1-16)
if [ -z "$force" ] && [ -f "$output" ] && grep -qs "\"key\": \"$key\"" "${output%.tar.gz}.json"; then
    say "unchanged: $output"
    exit 0
fi

say "packages: $(grep -c '==' "$scratch/requirements.txt"), for $python on $machine"
environment=$scratch/environment
"$python" -m venv --without-pip "$environment"
pip() { "$venv/bin/python" -m pip "$@"; }
pip --python "$environment/bin/python" install --quiet --no-compile --no-deps --require-hashes \
    -r "$scratch/requirements.txt"
mkdir "$scratch/source" "$scratch/wheel"
tar xf "$scratch/source.tar" -C "$scratch/source"
# The log is shown only on failure: setuptools comments on every folder without Python in it.
pip wheel --no-deps --no-build-isolation --no-index -w "$scratch/wheel" "$scratch/source" \
    >"$scratch/wheel.log" 2>&1 || { cat "$scratch/wheel.log" >&2 && fail "cannot build the wheel"; }
# By name, not by path: pip would record the path.
pip --python "$environment/bin/python" install --quiet --no-compile --no-deps --no-index \
    --find-links "$scratch/wheel" framejury

# Remove what executors never use: tests, headers, scripts that contain the build folder's path.
site=$environment/lib/python$version/site-packages
find "$site" -type d \( -path '*/pandas/tests' -o -path '*/pyarrow/tests' \
    -o -path '*/pyarrow/include' -o -path '*/numpy/*/tests' \) -prune -exec rm -rf {} +
find "$environment/bin" -mindepth 1 ! -name 'python*' -delete
find "$site" -name RECORD -exec sed -i '/^\.\.\/\.\.\/\.\.\/bin\//d' {} +
rm -rf "$environment/include" "$environment/lib64"
"$environment/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash \
    -s "$environment" "$site"
printf 'home = %s\ninclude-system-site-packages = false\n' "$(dirname "$python")" \
    >"$environment/pyvenv.cfg"

framejury=$("$environment/bin/python" -c 'import framejury; print(framejury.__version__)')
cat >"$environment/framejury-environment.json" <<END
{"framejury": "$framejury", "python": "$version", "python_path": "$python",
 "machine": "$machine", "extras": "${extras[*]}", "key": "$key"}
END
rm "$environment"/bin/*
ln -s "$python" "$environment/bin/python$version"
cat >"$environment/bin/python" <<END
#!/bin/sh
# Python with framejury's packages; explains what is wrong if it cannot run.
bin=\$(cd "\$(dirname "\$0")" && pwd) || exit 1
wrong() {
    echo "framejury's environment archive was built for Python $version on $machine," \\
        "at $python. On \$(uname -n) (\$(uname -m)) \$1. Build a matching one on the" \\
        "executors' operating system: bin/package.sh --python PATH" >&2
    exit 1
}
[ "\$(uname -m)" = "$machine" ] || wrong "the architecture is different"
[ -x "\$bin/python$version" ] || wrong "there is no $python"
found=\$("\$bin/python$version" -I -S -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[ "\$found" = "$version" ] || wrong "it is Python \$found"
exec "\$bin/python$version" "\$@"
END
chmod 755 "$environment/bin/python"

tar c -C "$environment" "${steady[@]}" --mode=u+rwX,go=rX . | gzip -n -6 >"$output.new"
mv "$output.new" "$output"
cp "$environment/framejury-environment.json" "${output%.tar.gz}.json"
unpacked=$(du -sm "$environment" | cut -f1)
say "$output: $(du -m "$output" | cut -f1) MB, $unpacked MB unpacked, for Python $version at $python"
