#!/usr/bin/env bash
# facenet.sh FOLDER: an environment of its own for facenet-pytorch, as its own pins want it
# (torch 2.2, NumPy 1; some 5 GB on Linux). Run by `make bench FACENET=1`; made once.
set -euo pipefail

folder=$1
python=$(dirname "$0")/../../.venv/bin/python
if [ -f "$folder/.ready" ]; then
    exit 0
fi
"$python" -m venv --clear "$folder"
"$folder/bin/python" -m pip install --quiet facenet-pytorch==2.6.0
"$folder/bin/python" -c 'import facenet_pytorch'
touch "$folder/.ready"
