#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Captures with something missing are replayed, say what was missing, and lose no more skill than known
# (docs/model-allocators.md, "What missing information costs").
source_dir=$2
# shellcheck source=tests/cli/lib_check.sh
. "$source_dir/tests/cli/lib_check.sh"
cd "$source_dir" || exit 1

# Skill of zone Normal of the run just made.
skill() { awk '/"skill": \{/ { on = 1 } on && /"Normal":/ { gsub(/[^0-9.-]/, "", $2); print $2; exit }' "$tmp/run/summary.json"; }

# degraded KIND LEAST_SKILL [TEXT]: replays the capture without KIND; TEXT: on standard error
degraded() {
    local kind=$1 least=$2
    scripts/degrade-capture.sh "$kind" traces/pae-512m-forkexec "$tmp/$kind" || complain "cannot make $kind"
    expect 0 run configs/replay.yaml --trace "$tmp/$kind" --set replay.mode=pages --set report.plots=false \
        --set report.html=false --out "$tmp/run" --force --quiet
    awk -v s="$(skill)" -v l="$least" 'BEGIN { exit !(s != "" && s + 0 >= l + 0) }' ||
        complain "$kind: skill $(skill), at least $least is known to be possible"
    [ -z "${3:-}" ] || in_err "$3"
    rm -rf "${tmp:?}/$kind"
}

degraded bare 0.999
degraded head-cut 0.999
degraded trace-only 0.999
degraded no-pagetype 0.9 'no PAGETYPE sample'
degraded no-zoneinfo 0.999 'no ZONEINFO sample'
degraded no-limits 0.9
degraded no-carvings 0.99 'no mm_page_alloc_zone_locked events'
degraded no-drains 0.5 'no mm_page_pcpu_drain events'
degraded lost 0.8 '180 events were lost'
degraded holes 0.6
degraded requests-only 0.15 'no mm_page_alloc_zone_locked and mm_page_pcpu_drain events'
done_checking
