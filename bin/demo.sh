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
log=$root/$out/demo.log
archive=${ARCHIVE:-}
if [ -n "$archive" ] && [ ! -e "$archive" ] && [[ $archive != *://* ]]; then
    fail "ARCHIVE=$archive does not exist; name a folder of videos: make demo ARCHIVE=path"
fi

# submit JOB ARGUMENT...: run a job as on a cluster.
submit() { spark-submit --properties-file conf/spark/local.conf "jobs/$1.py" "${@:2}"; }
# Exit code 3: everything was judged, but more videos failed than the settings allow.
main_job() { submit nightly "$@" || [ "$?" -eq 3 ]; }

rm -rf "$out/archive" "$out/training" "$out/bundle" "$out/.bundle.training" "$out/warehouse" "$log"

bundle=
for manifest in models/*/bundle.json; do
    # A demo bundle is not a detector. If there is no detector, a small network is trained below.
    if [ -z "$bundle" ] && [ -f "$manifest" ] && ! grep -q '"purpose": "demo"' "$manifest"; then
        bundle=${manifest%/bundle.json}
    fi
done

if [ -z "$archive" ] || [ -z "$bundle" ]; then
    logged "Making a small archive: clips of real photographs of faces, some manipulated" \
        python -m framejury.demo "$out/archive"
fi

if [ -z "$bundle" ]; then
    bundle=$out/bundle
    place=(--warehouse "$out/training")
    say "models/ holds no detector, so a small network is trained on that archive:"
    logged "  listing the videos" submit index_videos "$out/archive" "${place[@]}"
    logged "  finding faces" submit extract_faces "${place[@]}" --preset demo
    logged "  splitting the videos by source" submit split_dataset "${place[@]}" --preset demo
    logged "  training" submit train_head "${place[@]}" --preset demo --purpose demo --output "$bundle"
fi

logged "Judging the archive: index, extract, score, reduce, report" \
    main_job "${archive:-$out/archive}" --warehouse "$out/warehouse" --bundle "$bundle"
generated=
if [ -z "$archive" ]; then
    generated=--generated
    framejury verdicts --warehouse "$out/warehouse" --format table
    say
fi

report=$(find "$out/warehouse/reports" -name report.html | sort | tail -n 1)
[ -n "$report" ] || fail "the main job wrote no report.html below $out/warehouse/reports; log: $log"
if [ "$bundle" = "$out/bundle" ]; then
    say "The model was trained on generated clips of three people. Its verdicts show that the"
    say "pipeline runs; they are meaningless for real deepfakes."
fi
# By name and with all that went wrong, so that nobody takes the verdicts for more than they are.
python -m framejury.demo.outcome "$out/warehouse" $generated
say
say "Report:   $root/$report"
# Nothing is opened: this may be a server.
[ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || [ "$(uname)" = Darwin ] ||
    say "          No display here: copy $root/$out/warehouse to a machine with a browser."
say "Verdicts: $venv/bin/framejury verdicts --warehouse $root/$out/warehouse --format csv"
say "Full log: $log"
say
other=
[ "$bundle" != "$out/bundle" ] || other=" --bundle $root/$bundle"
if [ -z "$archive" ]; then
    say "Next, judge a folder of your own videos:"
    place=PATH/TO/VIDEOS
else
    say "Next, judge this archive in a warehouse that stays (the next make demo empties $out); run it"
    say "again at any time, and it judges what is new:"
    [[ $archive == *://* ]] && place=$archive || place=$(realpath "$archive")
    place=$(printf %q "$place")
fi
say "  $venv/bin/framejury nightly $place --warehouse $root/out/warehouse$other"
