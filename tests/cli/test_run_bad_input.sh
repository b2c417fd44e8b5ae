#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kmemsim run on traces, bundles, configurations and folders that cannot work: one clear message, the right exit code,
# and partial results only under "complete": false.
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2
shipped=$root/traces/pae-512m-forkexec
excerpts=$root/traces/excerpts
no_pictures=(--set report.plots=false --set report.html=false)

one_message() { [ "$(wc -l <"$tmp/err")" = 1 ] || complain "not one message but $(wc -l <"$tmp/err")"; }

# replay CODE TEXT ARG...: a run with this exit code; TEXT is its only message ('': none).
replay() {
    local code=$1 text=$2
    shift 2
    rm -rf "$tmp/run"
    expect "$code" run "$root/configs/replay.yaml" --out "$tmp/run" "${no_pictures[@]}" "$@"
    [ -z "$text" ] && no_err && return
    in_err "$text"
    one_message
}

complete() { # is the run's summary.json there and as complete as said?
    grep -q "\"complete\": $1" "$tmp/run/summary.json" 2>/dev/null || complain "not \"complete\": $1"
}
no_summary() { [ ! -e "$tmp/run/summary.json" ] || complain 'there is a summary.json'; }

lines=$tmp/lines.txt
gzip -dc "$shipped/trace.txt.gz" | head -12000 >"$lines"

# bundle: a copy of the shipped bundle with the first 12000 lines as its trace, for damaging
bundle() {
    rm -rf "$tmp/b"
    cp -r "$shipped" "$tmp/b"
    chmod -R u+w "$tmp/b"
    rm "$tmp/b/trace.txt.gz"
    cp "$lines" "$tmp/b/trace.txt"
}

bundle
replay 0 '' --trace "$tmp/b"
complete true

# Traces
replay 1 "$tmp/missing: " --trace "$tmp/missing"
: >"$tmp/empty"
replay 1 "$tmp/empty: the file is empty" --trace "$tmp/empty"
head -c 100000 /dev/zero | tr '\0' '\377' >"$tmp/binary"
replay 1 "$tmp/binary:1: not a trace" --trace "$tmp/binary"
gzip -c "$tmp/binary" >"$tmp/binary.gz"
replay 1 "$tmp/binary.gz:1: not a trace" --trace "$tmp/binary.gz"
mkdir "$tmp/folder"
replay 1 "$tmp/folder: the folder holds no trace" --trace "$tmp/folder"
grep -v 'mm_page' "$lines" >"$tmp/no-pages.txt"
replay 1 'no kmem page events in this trace' --trace "$tmp/no-pages.txt"
no_summary
head -c 300 "$shipped/trace.txt.gz" >"$tmp/stub.gz"
replay 1 "$tmp/stub.gz:" --trace "$tmp/stub.gz"
in_err 'cut off'
head -c 20000 "$excerpts/record-v7-zstd.dat" >"$tmp/cut.dat"
replay 1 "$tmp/cut.dat: " --trace "$tmp/cut.dat"
in_err 'cut off or damaged'

# A trace that ends in the middle: what was read is replayed, and said to be a part.
for mode in oracle buddy pages objects; do
    bundle
    gzip -c "$lines" | head -c 150000 >"$tmp/b/trace.txt.gz"
    rm "$tmp/b/trace.txt"
    replay 1 "the gzip data ends too early, the file is cut off" --trace "$tmp/b" --set replay.mode=$mode
    in_err "$tmp/b/trace.txt.gz:"
    complete false
    [ "$(wc -l <"$tmp/run/buddyinfo.csv")" -gt 10 ] || complain 'the part before the cut is lost'
done

# Lines that are no events are passed over and counted.
bundle
{
    head -6000 "$lines"
    printf 'neither this line\nnor\001\002this one\n'
    tail -n +6001 "$lines"
} >"$tmp/b/trace.txt"
replay 0 '2 lines are no events and were passed over' --trace "$tmp/b"
complete true

# Pointers the kernel hashed, pointers of a 64-bit kernel: warnings, and page frames are followed all the same.
bundle
sed -E 's/ptr=0x([0-9a-f]+)[0-9a-f]/ptr=0x\17/' "$lines" >"$tmp/b/trace.txt"
replay 0 'pointers look hashed' --trace "$tmp/b"
complete true
bundle
sed -E 's/ptr=0xc/ptr=0xffff8880c/' "$lines" >"$tmp/b/trace.txt"
replay 0 'recorded on a 64-bit kernel' --trace "$tmp/b"
complete true
grep -q '"pfn_agree": [1-9][0-9]' "$tmp/run/summary.json" || complain 'no page was replayed'

# Start files
bundle
head -c 2000 "$shipped/start/kpageflags.gz" >"$tmp/b/start/kpageflags.gz"
replay 1 "$tmp/b/start/kpageflags.gz" --trace "$tmp/b"
in_err 'cut off'
bundle
gzip -dc "$shipped/start/kpageflags.gz" | head -c 12345 | gzip >"$tmp/b/start/kpageflags.gz"
replay 1 'the length is no multiple of 8 bytes' --trace "$tmp/b"
bundle
cp "$tmp/binary" "$tmp/b/start/zoneinfo"
replay 1 'zoneinfo names no zone' --trace "$tmp/b"
bundle
sed -i 's/^\( *min *\)[0-9]*/\1many/' "$tmp/b/start/zoneinfo"
replay 1 "$tmp/b/start/zoneinfo:" --trace "$tmp/b"
in_err 'not a line of zoneinfo'
bundle
cp "$tmp/binary" "$tmp/b/start/buddyinfo"
replay 1 "$tmp/b/start/buddyinfo:1: not a line of buddyinfo" --trace "$tmp/b"

# Machines that cannot be
bundle
replay 2 'machine.l1d: impossible geometry: 36864 bytes / (8 ways * 64 bytes) makes 72 sets (allowed a power of two)' \
    --trace "$tmp/b" --set machine.l1d.size=36KiB
expect 2 run "$root/configs/replay.yaml" --out "$tmp/run" --trace "$tmp/b" --set machine.ram=8GiB \
    --set machine.paging=2level # and a warning about the DRAM channel
in_err 'larger than paging: 2level can address (at most 4GiB; paging: pae allows 64GiB)'
replay 2 'machine.ram: 128GiB is out of range (allowed 8MiB..64GiB, or auto)' --trace "$tmp/b" --set machine.ram=128GiB
replay 2 'machine.cpus: 0 is out of range' --trace "$tmp/b" --set machine.cpus=0
replay 2 'workload.trase: unknown key' --trace "$tmp/b" --set workload.trase=1
in_err "did you mean"
replay 2 'os.e820: expected START-END at "all"' --trace "$tmp/b" --set os.e820=all
replay 2 'MiB of RAM do not fit PAE paging (at most 64 GiB)' --trace "$tmp/b" --set os.e820=0-0x100000000000
replay 2 'RAM ranges overlap' --trace "$tmp/b" --set os.e820=0x100000-0x8000000,0x4000000-0x9000000
no_summary

# The results folder: in use, a file, not writable.
bundle
replay 0 '' --trace "$tmp/b"
cp -r "$tmp/run" "$tmp/before"
expect 2 run "$root/configs/replay.yaml" --out "$tmp/run" "${no_pictures[@]}" --trace "$tmp/b"
in_err 'the output folder is not empty; --force'
one_message
diff -r "$tmp/run" "$tmp/before" >/dev/null || complain 'a refused run changed the folder'
expect 2 run "$root/configs/replay.yaml" --out "$tmp/empty" "${no_pictures[@]}" --trace "$tmp/b"
in_err 'the output path exists and is not a folder'
if [ "$(id -u)" != 0 ]; then
    mkdir -m 500 "$tmp/locked"
    expect 1 run "$root/configs/replay.yaml" --out "$tmp/locked/run" "${no_pictures[@]}" --trace "$tmp/b"
    in_err 'cannot create the output folder: Permission denied'
fi

# A full disk: a tmpfs of 64 KiB, where this user may mount one. The run ends early, and nothing looks finished.
mkdir "$tmp/disk"
cat >"$tmp/on-full-disk.sh" <<'END'
mount -t tmpfs -o size=64k tmpfs "$1" 2>/dev/null || exit 99
"$2" run "$3" --out "$1/run" --set report.plots=false --set report.html=false --trace "$4"
code=$?
[ -e "$1/run/summary.json" ] && echo 'there is a summary.json'
ls "$1/run"/*.part >/dev/null || echo 'no .part file'
umount "$1"
exit $code
END
last='kmemsim run on a full disk'
for alone in '' 'unshare -rm'; do
    code=0
    # shellcheck disable=SC2086 # two words
    $alone bash "$tmp/on-full-disk.sh" "$tmp/disk" "$kmemsim" "$root/configs/replay.yaml" "$shipped" \
        >"$tmp/out" 2>"$tmp/err" || code=$?
    [ "$code" = 99 ] || [ "$code" = 127 ] || break
done
if [ "$code" = 99 ] || [ "$code" = 127 ] || grep -q '^unshare:' "$tmp/err"; then
    echo 'not tested: a full disk (no right to mount a tmpfs)'
else
    [ "$code" = 1 ] || complain "exit code $code, not 1"
    in_err 'cannot write: No space left on device'
    one_message
    no_out
fi
done_checking
