#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# degrade-capture.sh - copies a capture with something missing, to see what that costs a replay.
#
#   scripts/degrade-capture.sh KIND CAPTURE OUT
#
# CAPTURE is a capture folder with a text trace; OUT, which must not exist, becomes one. KIND is one of
#   whole           nothing missing
#   plain           nothing missing, trace not compressed
#   no-kpageflags   no start/kpageflags and kpagecount: which frames were free is known by number only
#   no-pagetype     no pagetypeinfo, no PAGETYPE samples
#   no-zoneinfo     no ZONEINFO samples (the files stay)
#   no-limits       no ZONEINFO samples, no zoneinfo files
#   no-buddyinfo    no BUDDYINFO samples and files (also: nothing to score against)
#   kmem-only       only events of the kmem group and the samples: no probes, no compaction, no vmscan
#   bare            no kpageflags and kmem-only
#   no-carvings     no mm_page_alloc_zone_locked
#   no-drains       no mm_page_pcpu_drain
#   no-locked       neither of the two, nor mm_page_alloc_extfrag
#   no-batched      no mm_page_free_batched
#   requests-only   no kpageflags, only mm_page_alloc and mm_page_free and the samples
#   trace-only      no start/ and end/
#   tail-cut        the first half of the trace
#   head-cut        the trace from a sample with PAGETYPE at two fifths on; of start/ and end/ what does not change
#   lost            three bursts of 60 events lost, with the tracer's marks
#   holes           every 499th event missing, without a mark
#   no-cpuinfo      no cpuinfo and zoneinfo files
# The same CAPTURE gives the same OUT.
set -euo pipefail
if [ "${1:-}" = -h ] || [ "${1:-}" = --help ] || [ $# != 3 ]; then
    sed -n '3,29s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    [ $# = 3 ] || [ $# = 1 ] || exit 2
    exit 0
fi
kind=$1 capture=$2 out=$3
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}
[ ! -e "$out" ] || die "$out exists"

text() {
    if [ -f "$capture/trace.txt.gz" ]; then
        gzip -dc "$capture/trace.txt.gz"
    elif [ -f "$capture/trace.txt" ]; then
        cat "$capture/trace.txt"
    else
        die "$capture has no text trace"
    fi
}

# Name of the event of a line: the word behind the time stamp.
name_of='function name(   i) { for (i = 1; i < NF; i++) if ($i ~ /^[0-9]+\.[0-9]+:$/) return $(i + 1); return "" }'
drop_events() { awk "$name_of"' name() !~ '"/^($1):\$/"; }
keep_events() { awk "$name_of"' { n = name() } n == "" || n ~ '"/^($1):\$/"; }
drop_marks() { grep -v "print:.*: \?$1 "; }
lines=0
count() { lines=$(text | wc -l); }

degrade() {
    case $kind in
    whole | plain | no-kpageflags | no-cpuinfo | trace-only) cat ;;
    bare) keep_events 'kmalloc|kfree|kmem_cache_alloc|kmem_cache_free|mm_page_.*|rss_stat|print' ;;
    no-pagetype) drop_marks PAGETYPE ;;
    no-zoneinfo | no-limits) drop_marks ZONEINFO ;;
    no-buddyinfo) drop_marks BUDDYINFO ;;
    kmem-only) keep_events 'kmalloc|kfree|kmem_cache_alloc|kmem_cache_free|mm_page_.*|rss_stat|print' ;;
    no-carvings) drop_events mm_page_alloc_zone_locked ;;
    no-drains) drop_events mm_page_pcpu_drain ;;
    no-locked) drop_events 'mm_page_alloc_zone_locked|mm_page_pcpu_drain|mm_page_alloc_extfrag' ;;
    no-batched) drop_events mm_page_free_batched ;;
    requests-only) keep_events 'mm_page_alloc|mm_page_free|print' ;;
    tail-cut) awk -v n="$lines" 'NR <= n / 2' ;;
    head-cut) awk -v n="$lines" 'NR == 1 && /^cpus=/ { print; next }
        NR > n * 2 / 5 && /SAMPLE_BEGIN [0-9]*0 *$/ { on = 1 }
        on' ;;
    lost) awk -v n="$lines" '{ k = 0; for (p = 4; p <= 8; p += 2) if (NR > n * p / 10 && NR <= n * p / 10 + 60) k = 1 }
        k && !was { print "CPU:1 [LOST 60 EVENTS]" }
        { was = k }
        !k || /print:/' ;;
    holes) awk 'NR % 499 || /print:/' ;;
    *) die "unknown kind $kind" ;;
    esac
}

case $kind in tail-cut | head-cut | lost) count ;; esac
mkdir -p "$out"
for part in start end early; do
    [ "$kind" != trace-only ] && [ -d "$capture/$part" ] && cp -r "$capture/$part" "$out/"
done
case $kind in
no-kpageflags | requests-only | bare) rm -f "$out"/*/kpage* ;;
no-pagetype) rm -f "$out"/*/pagetypeinfo ;;
no-limits) rm -f "$out"/*/zoneinfo ;;
no-buddyinfo) rm -f "$out"/*/buddyinfo ;;
head-cut)
    for file in "$out"/*/*; do
        case $(basename "$file") in cpuinfo | version | iomem | cmdline | dmesg.gz | sys_vm | zoneinfo | slab_attrs) ;;
        *) rm -f "$file" ;;
        esac
    done
    ;;
no-cpuinfo) rm -f "$out"/*/cpuinfo "$out"/*/zoneinfo ;;
esac
if [ "$kind" = plain ]; then
    text | degrade >"$out/trace.txt"
else
    text | degrade | gzip -1n >"$out/trace.txt.gz"
fi
