#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# report.trace_out and replay.resync on the shipped captures.
#
# Closed loop: the trace a replay writes, put in the place of the trace it replayed (start files unchanged), leads to
# the same machine: every page frame, every free list and every buddyinfo line of its own.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2

replay() { # CAPTURE OUT [SETTING...]
    local capture=$1 out=$2 setting=()
    shift 2
    for s in "$@"; do setting+=(--set "$s"); done
    expect 0 run "$root/configs/replay.yaml" --trace "$capture" --out "$out" --set report.plots=false \
        --set report.html=false "${setting[@]}"
}

member() { # OUT NAME: all values of a member of summary.json, in order
    grep -E "^ *\"$2\": " "$1/summary.json" | sed 's/^[^:]*: //; s/,$//' | tr '\n' ' '
}

same() { # WHAT WANT GOT
    [ "$2" = "$3" ] || complain "$1 is '$3', not '$2'"
}

closed_loop() { # CAPTURE NAME PFN_EVENTS [SETTING...]
    local capture=$root/traces/$1 a=$tmp/$2.1 b=$tmp/$2.2 again=$tmp/$2.bundle events=$3
    set -- "$1" "${@:4}"
    replay "$capture" "$a" replay.mode=pages report.trace_out=true "${@:2}"
    no_err
    cp -r "$capture" "$again"
    chmod -R u+w "$again"
    rm -f "$again"/trace.*
    gzip -t "$a/trace.out.txt.gz" || complain "$1: trace.out.txt.gz is no gzip file"
    cp "$a/trace.out.txt.gz" "$again/trace.txt.gz"
    replay "$again" "$b" replay.mode=pages report.trace_out=true "${@:2}"
    no_err
    same "$1: page allocations" "$events " "$(member "$b" pfn_events)"
    same "$1: the same frames again" "$events " "$(member "$b" pfn_agree)"
    same "$1: applied events" "$(member "$a" events_applied)" "$(member "$b" events_applied)"
    same "$1: unknown frees" "0 " "$(member "$b" free_of_unknown)"
    for file in proc/buddyinfo proc/pagetypeinfo; do
        cmp -s "$a/$file" "$b/$file" || complain "$1: $file differs after the second replay"
    done
    # What the first run simulated at each sample is what the second one reads as real, and simulates.
    cmp -s <(cut -d, -f1-5 "$a/truth.csv" | tail -n +2) <(cut -d, -f1-4,6 "$b/truth.csv" | tail -n +2) ||
        complain "$1: the written BUDDYINFO lines are not the simulated ones"
    cmp -s <(cut -d, -f1-5 "$a/truth.csv") <(cut -d, -f1-5 "$b/truth.csv") ||
        complain "$1: the second replay has other free lists on the way"
}

closed_loop pae-512m-forkexec forkexec 7915
cmp -s <(zcat "$tmp/forkexec.1/trace.out.txt.gz") <(zcat "$tmp/forkexec.2/trace.out.txt.gz") ||
    complain "the trace of a replayed trace differs from it"
closed_loop excerpts/boot-head boot 826

# The written trace is the model's, not a copy: without looking ahead most frames are other ones than recorded, and
# still the second replay gets every one of them.
closed_loop pae-512m-forkexec blind 7915 replay.lookahead=false
[ "$(member "$tmp/blind.1" pfn_agree)" != "7915 " ] || complain 'the blind replay does not differ from the record'
expect 0 trace info "$tmp/blind.1/trace.out.txt.gz"

# The model's own page events in mode objects: the slab layer's pages are there with their objects.
replay "$root/traces/excerpts/boot-head" "$tmp/objects" replay.mode=objects report.trace_out=true
zcat "$tmp/objects/trace.out.txt.gz" >"$tmp/objects.txt"
for event in mm_page_alloc kmalloc kmem_cache_alloc kfree; do
    grep -q " $event: " "$tmp/objects.txt" || complain "mode objects wrote no $event"
done

# The surplus of alloc_pages_exact is freed at once, and the written trace says so: the second replay frees it, too.
awk 'function put(event, text) { printf "            task-1     [000] %12.6f: %s: %s\n", ++n / 1000, event, text }
     function page(event, pfn, order) { put(event, "page=" pfn " pfn=" pfn " order=" order (event ~ /alloc/ ? " migratetype=0 gfp_flags=GFP_KERNEL" : "")) }
     BEGIN { put("pages_exact", "(c1296f40) size=20480 gfp=0xcc0"); page("mm_page_alloc", "0x5000", 3)
             page("mm_page_free", "0x5005", 0); page("mm_page_free", "0x5006", 0); page("mm_page_free", "0x5007", 0)
             put("pages_exact_ret", "(c1296f40 <- c1000000) ptr=0xc5000000"); page("mm_page_alloc", "0x6000", 0) }' \
    >"$tmp/exact.txt"
replay "$tmp/exact.txt" "$tmp/exact.1" replay.mode=pages report.trace_out=true
[ "$(zcat "$tmp/exact.1/trace.out.txt.gz" | grep -c ' mm_page_free: ')" = 3 ] ||
    complain 'the surplus of alloc_pages_exact is not in the written trace'
replay "$tmp/exact.1/trace.out.txt.gz" "$tmp/exact.2" replay.mode=pages report.trace_out=true
same 'applied events with surplus pages' "$(member "$tmp/exact.1" events_applied)" "$(member "$tmp/exact.2" events_applied)"
cmp -s "$tmp/exact.1/proc/buddyinfo" "$tmp/exact.2/proc/buddyinfo" || complain 'surplus pages: other free lists after the second replay'

# Resynchronisation: the same blind start, but each decision is made from the traced state.
replay "$root/traces/pae-512m-forkexec" "$tmp/resync" replay.mode=pages replay.lookahead=false replay.resync=true
no_err
free=$(member "$tmp/blind.1" pfn_agree) led=$(member "$tmp/resync" pfn_agree) steps=$(member "$tmp/resync" resyncs)
same 'corrections without resync' '0 ' "$(member "$tmp/blind.1" resyncs)"
[ "${led% }" -gt $((2 * ${free% })) ] || complain "with resync $led of 7915 frames agree, $free without it"
[ "${steps% }" -gt 0 ] && [ "${steps% }" -lt 2000 ] || complain "$steps corrections"
# Where the model is right, nothing is corrected.
replay "$root/traces/pae-512m-forkexec" "$tmp/right" replay.mode=pages replay.resync=true
same 'corrections of a run that agrees' "$((7915 - $(member "$tmp/right" pfn_agree))) " "$(member "$tmp/right" resyncs)"

# Where the options do not act, that is said.
replay "$root/traces/excerpts/boot-head" "$tmp/oracle" replay.mode=oracle report.trace_out=true
in_err 'trace_out is written in replay.mode pages and objects only'
[ ! -e "$tmp/oracle/trace.out.txt.gz" ] || complain "mode oracle wrote a trace"
replay "$root/traces/excerpts/boot-head" "$tmp/both" replay.mode=pages report.trace_out=true replay.resync=true
in_err 'trace_out is not written with replay.resync'
[ ! -e "$tmp/both/trace.out.txt.gz" ] || complain "a trace was written with resync"
done_checking
