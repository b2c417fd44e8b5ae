#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Mode objects keeps its scores, and loses them by degrees where a capture lacks what another one has: slab files,
# the page-flag snapshot or its mark, probes, the end of the trace. Nothing of that may stop a replay.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2
bundle=$root/traces/pae-512m-forkexec

# Member of summary.json below the line with another one.
member() { # run, section, key
    sed -n "/\"$2\": {/,\$p" "$tmp/$1/summary.json" | grep -m1 -o "\"$3\": *-*[0-9.]*" | grep -o '[0-9.]*$'
}

at_least() { # run, section, key, minimum
    awk -v v="$(member "$1" "$2" "$3")" -v l="$4" 'BEGIN { exit !(v != "" && v >= l) }' ||
        complain "$1: $3 of $2 is $(member "$1" "$2" "$3"), less than $4"
}

at_most() { # run, section, key, maximum
    awk -v v="$(member "$1" "$2" "$3")" -v h="$4" 'BEGIN { exit !(v != "" && v <= h) }' ||
        complain "$1: $3 of $2 is $(member "$1" "$2" "$3"), more than $4"
}

copy() { # name: a copy of the capture that can be changed
    cp -r "$bundle" "$tmp/c-$1"
    chmod -R u+w "$tmp/c-$1"
    rm -f "$tmp/c-$1"/trace.dat.gz
}

edit() { # name, command: the trace of the copy through a filter
    gzip -dc "$tmp/c-$1/trace.txt.gz" | eval "$2" | gzip -1 >"$tmp/new.gz" && mv "$tmp/new.gz" "$tmp/c-$1/trace.txt.gz"
}

replay() { # name, trace
    expect 0 run "$root/configs/replay.yaml" --trace "$2" --set replay.mode=objects --set report.plots=false \
        --set report.html=false --out "$tmp/$1" --quiet
}

replay whole "$bundle"
at_least whole skill Normal 0.9
at_least whole slab_pages ratio 0.95
at_most whole slab_pages ratio 1.06
at_most whole slab_pages order_gfp_mismatch 1
at_most whole slab_pages cache_difference 3
at_most whole objects slabs_total_rel_error 0.002
at_most whole objects slabs_median_rel_error 0.01

# No word about slabs but the samples in the trace.
copy bare
rm -f "$tmp"/c-bare/*/slab* "$tmp"/c-bare/*/kpage*
replay bare "$tmp/c-bare"
at_least bare skill Normal 0.75
at_least bare slab_pages ratio 0.9
at_most bare slab_pages ratio 1.1
at_most bare objects slabs_total_rel_error 0.05
at_most bare objects objects_median_rel_error 0.05

# No probes, no samples, and the end cut off in the middle of a line.
copy short
edit short "grep -v 'slab_alloc_bulk\\|slab_free_bulk\\|pages_bulk\\|cache_create\\|SLABINFO' | head -c 4000007"
rm -f "$tmp/c-short/probes"
replay short "$tmp/c-short"
at_least short skill Normal 0.8
at_most short slab_pages order_gfp_mismatch 2

# Page flags, but nothing that says when they were read.
copy unmarked
edit unmarked "grep -v KPAGE_ | head -n 40000"
replay unmarked "$tmp/c-unmarked"
grep -q 'no KPAGE_END mark says' "$tmp/err" || complain 'nobody says that kpageflags was left out'
at_least unmarked skill Normal 0.5
done_checking
