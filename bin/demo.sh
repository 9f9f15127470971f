#!/usr/bin/env bash
# Run the main job through spark-submit, from a folder of videos to verdicts and a report. Called by
# `make demo`; ARCHIVE=path judges your own videos instead of the generated archive.
#
# Every run starts from scratch: results of an earlier demo in out/demo are removed first.
set -euo pipefail
. "$(dirname "$0")/env.sh"
# A relative ARCHIVE is relative to where make was called: the root.
cd "$root"

out=out/demo
archive=${ARCHIVE:-}
if [ -n "$archive" ] && [ ! -e "$archive" ] && [[ $archive != *://* ]]; then
    fail "ARCHIVE=$archive does not exist; name a folder of videos: make demo ARCHIVE=path"
fi

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
# Messages to filter out because they do not help the reader: Java's about a module that Spark needs,
# and TensorFlow's about the processor, which it prints at any log level.
remarks='^(WARNING: (Using incubator modules|All log messages before absl)|I0000 |E0000 .*cuInit|\{"format_version")'
submit() {
    local job=$1
    shift
    # spark-submit redirects a job's stderr to stdout, so both are one stream here.
    spark-submit --properties-file conf/spark/local.conf "jobs/$job.py" "$@" 2>&1 |
        { grep --line-buffered -vE "$remarks" || true; }
}

rm -rf "$out/archive" "$out/training" "$out/bundle" "$out/.bundle.training" "$out/warehouse"
mkdir -p "$out"

bundle=
for manifest in models/*/bundle.json; do
    # A demo bundle is not a detector. If there is no detector, a small network is trained below.
    if [ -z "$bundle" ] && [ -f "$manifest" ] && ! grep -q '"purpose": "demo"' "$manifest"; then
        bundle=${manifest%/bundle.json}
    fi
done

if [ -z "$archive" ] || [ -z "$bundle" ]; then
    step "Making a small archive: clips of real photographs of faces, some of them manipulated"
    python -m framejury.demo "$out/archive"
fi

if [ -z "$bundle" ]; then
    bundle=$out/bundle
    place=(--warehouse "$out/training")
    step "No detector in models/: training a small network on that archive (a minute or two)"
    submit index_videos "$out/archive" "${place[@]}"
    step "Training 1/3: finding faces"
    submit extract_faces "${place[@]}" --preset demo
    step "Training 2/3: splitting the videos by source"
    submit split_dataset "${place[@]}" --preset demo
    step "Training 3/3: training the network"
    submit train_head "${place[@]}" --preset demo --purpose demo --output "$bundle"
fi

step "The main job: index, extract, score, reduce, report"
# Exit code 3: everything was judged, but more videos failed than the settings allow.
submit nightly "${archive:-$out/archive}" --warehouse "$out/warehouse" --bundle "$bundle" ||
    [ "$?" -eq 3 ]

step "Verdicts"
framejury verdicts --warehouse "$out/warehouse" --format table

report=$(find "$out/warehouse/reports" -name report.html | sort | tail -n 1)
[ -n "$report" ] || fail "the main job wrote no report.html below $out/warehouse/reports"
step "Done in $SECONDS s"
if [ "$bundle" = "$out/bundle" ]; then
    say "The model was trained on generated clips of three people. Its verdicts show that the"
    say "pipeline runs; they are meaningless for real deepfakes."
fi
say "Report:   $root/$report"
say "Verdicts: $venv/bin/framejury verdicts --warehouse $out/warehouse --format csv"
