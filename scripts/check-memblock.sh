#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check-memblock.sh [KSRC] - runs the kernel's own user-space memblock tests against models/os/memblock.
#
# KSRC is an unpacked Linux 6.1 source; without it linux-source-6.1 (Debian) is used if it is installed. The
# tests (tools/testing/memblock) are compiled where they are, unchanged, against the facade in
# tests/support/memblock_facade; nothing of the kernel is copied and KSRC is not written to.
# Prints one line per build and way of running, "N passed, N failed"; exit 1 if anything failed, 77 if there
# is no kernel source. Needs a compiler with address and undefined-behaviour sanitizers: the tests expect
# their memory where that allocator puts it.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
installed=/usr/src/linux-source-6.1
cc=${CC:-cc}

case ${1-} in
-h | --help)
    sed -n '3,11s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
-*)
    echo "check-memblock.sh: unknown option $1 (usage: check-memblock.sh [KSRC])" >&2
    exit 2
    ;;
esac
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

ksrc=${1-}
if [ -z "$ksrc" ]; then
    if [ -d "$installed" ]; then
        ksrc=$installed
    elif [ -f "$installed.tar.xz" ]; then
        tar -xJf "$installed.tar.xz" -C "$tmp" --wildcards '*/tools/testing/memblock' '*/tools/include' \
            '*/tools/arch' '*/tools/testing/selftests/kselftest.h' || exit 1
        ksrc=$tmp/linux-source-6.1
    else
        echo "check-memblock.sh: no kernel source: give KSRC or install linux-source-6.1; skipped"
        exit 77
    fi
fi
suite=$ksrc/tools/testing/memblock
if [ ! -f "$suite/main.c" ]; then
    echo "check-memblock.sh: $ksrc: not a kernel source with tools/testing/memblock" >&2
    exit 2
fi
suite=$(cd "$suite" && pwd)

# Headers that the suite's own Makefile would link into its folder.
mkdir -p "$tmp/inc/asm" || exit 1
for header in asm.h cmpxchg.h; do
    ln -s "$suite/../../arch/x86/include/asm/$header" "$tmp/inc/asm/$header"
done

failures=0

run() { # NAME PROGRAM [OPTION]
    local name=$1 program=$2 passed failed code
    shift 2
    "$program" -v "$@" >"$tmp/log" 2>"$tmp/err"
    code=$?
    passed=$(grep -c '^ok ' "$tmp/log")
    failed=$(grep -c '^not ok ' "$tmp/log")
    [ "$code" -ne 0 ] && [ "$failed" -eq 0 ] && failed=1 # it ended before it could say so
    echo "$name: $passed passed, $failed failed"
    if [ "$failed" -ne 0 ] || [ "$passed" -eq 0 ]; then
        failures=1
        grep '^not ok ' "$tmp/log" >&2
        head -20 "$tmp/err" >&2
    fi
}

build() { # PROGRAM [FLAG...]
    local out=$1
    shift
    (cd "$suite" && "$cc" -std=gnu11 -O1 -g -w -fsanitize=address,undefined -fno-sanitize-recover=all \
        -D CONFIG_PHYS_ADDR_T_64BIT "$@" -I"$root/tests/support/memblock_facade" -I. -I"$tmp/inc" \
        -I../../include -I"$root" -o "$out" main.c tests/*.c \
        "$root/tests/support/memblock_facade/facade.c" "$root/models/os/memblock.c" "$root/models/cpu/cpu.c")
}

for kind in UMA NUMA; do
    flags=()
    [ $kind = NUMA ] && flags=(-D CONFIG_NUMA -D CONFIG_NODES_SHIFT=4)
    if ! build "$tmp/suite-$kind" "${flags[@]}"; then
        echo "check-memblock.sh: the $kind build failed" >&2
        exit 1
    fi
    run "$kind" "$tmp/suite-$kind"
    run "$kind, movable_node" "$tmp/suite-$kind" -m
done
exit $failures
