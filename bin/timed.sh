#!/usr/bin/env bash
# timed.sh NAME COMMAND...: run the command in the environment of bin/env.sh, print how long it took,
# and end with its status.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$root"

name=$1
shift
say "== $name"
status=0
"$@" || status=$?
say "== $name: $([ "$status" -eq 0 ] && say ok || say "FAILED ($status)"), ${SECONDS} s"
exit "$status"
