#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kmemsim run on the shipped captures: how well the model meets the real kernel, to the last event.
#
# These figures are measurements of this model on these captures, not tolerances: a change that moves one has changed
# what the allocators do. If it is an improvement, put the new figures here and say in the commit why they moved.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2

replay() { # TRACE MODE
    rm -rf "$tmp/run"
    expect 0 run "$root/configs/replay.yaml" --trace "$root/traces/$1" --out "$tmp/run" --set "replay.mode=$2" \
        --set report.plots=false --set report.html=false
    no_err
}

says() { # MEMBER VALUE: summary.json has this line
    grep -qE "^ *\"$1\": $2,?\$" "$tmp/run/summary.json" ||
        complain "\"$1\" is not $2 but $(grep -E "^ *\"$1\":" "$tmp/run/summary.json" | tr -s '\n ' ' ')"
}

# A 512 MB PAE machine with 2 CPUs running a fork/exec loop: 158061 events, 997 truth samples of two zones.
# DMA never changes; Normal is exact in all 997 samples. "Stays as at the start" would be 27.9 blocks off on average.
same_samples() {
    says complete true
    says events 158061
    says before_start_snapshot 138
    says samples 1994
    says samples_exact 997
    says max_abs_error_blocks 0
    says stay_put_error_blocks 27.889669007
    says DMA 1.0
    says Normal 1.0
    for member in free_of_unknown conflict out_of_range silent_free_inferred failed_allocation; do says $member 0; done
}

replay pae-512m-forkexec oracle
same_samples
says events_applied 1944 # 1130 blocks leave the buddy lists, 814 come back, one of them past the per-CPU lists

replay pae-512m-forkexec buddy
same_samples
says events_applied 1944
says buddy_events 1130 # mm_page_alloc_zone_locked events after the snapshot ...
says buddy_agree 1130  # ... and how many take the very block the kernel took
says first_divergence '""'

replay pae-512m-forkexec pages
same_samples
says events_applied 15645 # page allocations and frees
says pfn_events 7915      # mm_page_alloc events ...
says pfn_agree 7915       # ... and how many get the very page frame: all

# The first 4000 events of a boot with 1 GB, from memblock's hand-over on: every decision is the kernel's.
replay excerpts/boot-head oracle
says events 4000
says events_applied 986
says conflict 0
replay excerpts/boot-head buddy
says buddy_events 986
says buddy_agree 986
replay excerpts/boot-head pages
says pfn_events 826
says pfn_agree 826
says free_of_unknown 0
# A plain trace without snapshot or bundle: places of the free blocks are guessed and must not overlap (checked builds
# look), and what the trace carves is found where the kernel found it.
for mode in oracle buddy pages objects; do
    replay excerpts/ftrace-head.txt.gz $mode
    says complete true
    says DMA 1.0
done
done_checking
