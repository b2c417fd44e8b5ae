#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kmemsim trace info|check|convert: results, messages and exit codes, on good and on bad input.
set -u
kmemsim=$1
traces=$2/traces
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

fail() {
    echo "FAILED: $*"
    failed=1
}
# expect EXIT "text in stdout" "text in stderr" command...
expect() {
    local code=$1 out=$2 err=$3
    shift 3
    "$@" >"$work/out" 2>"$work/err" </dev/null
    local got=$?
    [ $got = "$code" ] || fail "$*: exit $got instead of $code: $(head -3 "$work/err")"
    [ -z "$out" ] || grep -qF -- "$out" "$work/out" || fail "$*: '$out' is not in its output"
    if [ -z "$err" ]; then
        [ -s "$work/err" ] && fail "$*: unexpected message: $(head -3 "$work/err")"
    else
        grep -qF -- "$err" "$work/err" || fail "$*: '$err' is not in: $(head -3 "$work/err")"
    fi
    return 0
}
one_message() { [ "$(wc -l <"$work/err")" = 1 ] || fail "more than one message: $(cat "$work/err")"; }
t() { "$kmemsim" trace "$@"; }

# good input
expect 0 'format          tracedat' '' t info "$traces/excerpts/record-v7-zstd.dat"
expect 0 'format          tracedat' '' t info "$traces/excerpts/record-v6.dat.gz"
expect 0 'format          ftrace' '' t info "$traces/excerpts/ftrace-head.txt.gz"
expect 0 'begins          at boot' '' t info "$traces/excerpts/boot-head"
expect 0 'ram             512 MiB' '' t info "$traces/pae-512m-forkexec"
expect 0 'verdict         usable' '' t check "$traces/pae-512m-forkexec"
expect 0 'truth samples   996, clean 732' '' t check "$traces/pae-512m-forkexec"
expect 0 'balance total Normal   pairs 731 exact 709 worst -1 drift 0 pages' '' t check "$traces/pae-512m-forkexec"
expect 0 'balance buddy Normal   pairs 731 exact 730 worst 2 drift 2 pages' '' t check "$traces/pae-512m-forkexec"

# convert: plain, gzipped and stdout say the same; converting twice changes nothing
for source in excerpts/record-v7-zstd.dat excerpts/ftrace-head.txt.gz excerpts/pressure-rare.txt.gz; do
    expect 0 '' '' t convert "$traces/$source" -o "$work/a.txt"
    expect 0 '' '' t convert "$traces/$source" --out "$work/a.txt.gz"
    gzip -dc "$work/a.txt.gz" | cmp -s - "$work/a.txt" || fail "$source: gzipped output differs"
    expect 0 '' '' t convert "$traces/$source"
    cmp -s "$work/out" "$work/a.txt" || fail "$source: stdout differs"
    expect 0 '' '' t convert "$work/a.txt" -o "$work/b.txt"
    cmp -s "$work/a.txt" "$work/b.txt" || fail "$source: converting again changes it"
done
[ -e "$work/a.txt.part" ] && fail 'a temporary file is left behind'

# bad input: one message, exit 1
head -c 12000 "$traces/excerpts/record.txt.gz" >"$work/cut.txt.gz"
expect 1 'verdict         not usable' 'cut off' t check "$work/cut.txt.gz"
one_message
expect 1 'events          ' "$work/cut.txt.gz:" t info "$work/cut.txt.gz"
expect 1 '' 'cut off' t convert "$work/cut.txt.gz" -o "$work/salvaged.txt"
[ "$(wc -l <"$work/salvaged.txt")" -gt 100 ] || fail 'events before the cut are lost'
head -c 20000 "$traces/excerpts/record-v7-zstd.dat" >"$work/cut.dat"
expect 1 '' 'cut off or damaged' t info "$work/cut.dat"
one_message
head -c 9 "$traces/excerpts/record-v7-zstd.dat" >"$work/start.dat"
expect 1 '' 'not a trace' t info "$work/start.dat"
: >"$work/empty"
expect 1 '' 'the file is empty' t check "$work/empty"
one_message
head -c 5000 /dev/zero >"$work/zeros"
expect 1 '' 'not a trace' t check "$work/zeros"
expect 1 '' 'No such file' t check "$work/missing"
mkdir "$work/folder"
expect 1 '' 'the folder holds no trace' t check "$work/folder"
printf '# tracer: nop\n  bash-1 [000] d..2. 1.000001: sched_switch: prev_comm=bash\n' >"$work/sched.txt"
expect 1 'events          1' 'no kmem events' t check "$work/sched.txt"
one_message
expect 0 'kmem events     0' '' t info "$work/sched.txt"

# limits are warnings
head='  bash-1     [001] .....    57.089903: kmalloc: call_site=f+0x1/0x2 ptr='
tail=' bytes_req=8 bytes_alloc=8 gfp_flags=GFP_KERNEL node=-1 accounted=false'
for hash in 9f3a1c27 5be2d0a1 1c47e39b e0d1f24e; do echo "$head$hash$tail"; done >"$work/hashed.txt"
expect 0 'pointers        32 bit, hashed' 'hashed' t check "$work/hashed.txt"
echo "${head}ffff888003c4a000$tail" >"$work/wide.txt"
expect 0 'pointers        64 bit' '64-bit kernel' t check "$work/wide.txt"
printf '%s\nCPU:1 [LOST 42 EVENTS]\n' "${head}c1000000$tail" >"$work/lost.txt"
expect 0 'lost events     42 in 1 places' 'lost events' t check "$work/lost.txt"

# usage
expect 2 '' 'trace' t
expect 2 '' 'unknown action' t frobnicate "$work/lost.txt"
expect 2 '' 'for convert only' t info "$work/lost.txt" -o "$work/x"
expect 1 '' 'cannot write' t convert "$work/lost.txt" -o "$work/no/such/folder/x.txt"
# what is no regular file is written, not replaced
mkfifo "$work/pipe"
timeout 60 cat "$work/pipe" >"$work/piped" &
expect 0 '' '' t convert "$work/a.txt" -o "$work/pipe"
wait
[ -p "$work/pipe" ] || fail 'a pipe was replaced by a file'
cmp -s "$work/piped" "$work/b.txt" || fail 'what came through the pipe differs'
[ ! -e "$work/pipe.part" ] || fail 'a temporary file beside the pipe'
if [ -w /dev/full ]; then
    t convert "$traces/excerpts/record.txt.gz" >/dev/full 2>"$work/err"
    [ $? = 1 ] || fail 'a full disk goes unnoticed'
    grep -qF 'No space left' "$work/err" || fail "a full disk is not named: $(cat "$work/err")"
fi

[ $failed = 0 ] && echo 'trace commands: all good'
exit $failed
