#!/usr/bin/env bash
# Build the detector of models/ from the face sets and videos in DATA (../shared): import, extract,
# split, train, calibrate, evaluate. Called by `make train`; about 45 minutes on two idle cores.
# It begins with the previous detector (conf/training/start).
#
# After an interruption, run it again: committed work is kept, and training resumes after its last
# epoch. After an edit of the preset or of conf/training/, it trains again on the faces it has.
# `make train FRESH=1` starts over.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$root"

data=${DATA:-../shared}
out=${OUT:-out/train}
bundle=${BUNDLE:-models/detector}
preset=${PRESET:-detector}

for needed in "$data"/training/{dfdc_faces,real_faces,wild_faces,ff_faces} "$data/corpus"; do
    [ -d "$needed" ] || fail "$needed does not exist; name the folder that holds training/ and" \
        "corpus/: make train DATA=path"
done
if [ -n "${FRESH:-}" ]; then
    rm -rf "$out"
fi
mkdir -p "$out"

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
# TensorFlow prints messages about the processor at any log level.
quiet() { "$@" 2>&1 | { grep --line-buffered -vEf "$root/conf/chatter.txt" || true; }; }
# once NAME COMMAND...: run the command, unless an earlier call succeeded.
once() {
    local name=$1
    shift
    if [ ! -f "$out/.$name.done" ]; then
        step "$name"
        quiet "$@"
        touch "$out/.$name.done"
    fi
}

faces=$out/faces
videos=$out/videos
import_faces() {
    rm -rf "$faces"
    framejury import "$data/training" --warehouse "$faces" --preset "$preset"
}
extract_videos() {
    rm -rf "$videos"
    framejury index "$data/corpus" --warehouse "$videos"
    framejury extract --warehouse "$videos" --preset "$preset"
}
# A bundle of another split or preset must not be evaluated on this one.
bundle_step=train-$(basename "$bundle")
train_bundle() {
    rm -f "$out/.$bundle_step-"????????.done
    framejury train --preset "$preset" --warehouse "$faces" --warehouse "$videos" --output "$bundle"
}

once import import_faces
once extract extract_videos
step "split: each source stays in one split"
framejury split --warehouse "$faces" --preset "$preset" --sides conf/training/sides-faces.csv
framejury split --warehouse "$videos" --preset "$preset" --sides conf/training/sides-corpus.csv
inputs=(conf/training/{sides-*.csv,start/bundle.json} "conf/presets/$preset.yaml")
digest=$(cat "${inputs[@]}" | sha256sum | cut -c1-8)
once "$bundle_step-$digest" train_bundle

step "evaluate: videos of people the network was not trained on"
framejury evaluate --bundle "$bundle" --archive "$data/corpus" \
    --sides conf/training/sides-corpus.csv --side test --output "$out/evaluation"
step "Done in $SECONDS s"
say "Bundle:     $root/$bundle"
say "Evaluation: $root/$out/evaluation/report.html"
