#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/check-memblock.sh: the kernel's own memblock tests, where a kernel source is installed; else what it says.
set -u
root=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

complain() {
    printf 'FAILED: check-memblock.sh: %s\n' "$1"
    sed 's/^/    /' "$tmp/log"
    failed=1
}

"$root/scripts/check-memblock.sh" "$tmp" >"$tmp/log" 2>&1
[ $? = 2 ] || complain 'a folder that is no kernel source must be refused with exit code 2'
grep -q 'not a kernel source' "$tmp/log" || complain 'it does not say what is wrong'
"$root/scripts/check-memblock.sh" --wrong >"$tmp/log" 2>&1
[ $? = 2 ] || complain 'an unknown option must be refused with exit code 2'

"$root/scripts/check-memblock.sh" >"$tmp/log" 2>&1
case $? in
77) ;; # no kernel source on this machine
0)
    for line in 'UMA: 150' 'UMA, movable_node: 150' 'NUMA: 202' 'NUMA, movable_node: 202'; do
        grep -qx "$line passed, 0 failed" "$tmp/log" || complain "no line '$line passed, 0 failed'"
    done
    ;;
*) complain 'the suite fails' ;;
esac
exit $failed
