#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# test.sh - installs what is missing (apt), builds kmemsim twice (dev: warnings are errors, invariants checked;
# asan: address and undefined-behaviour sanitizers) and runs all tests on both. Non-zero exit if anything fails.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/setup.sh
. "$root/scripts/lib/setup.sh"

if [ $# != 0 ]; then
    [ "$1" = -h ] || [ "$1" = --help ] || die "scripts/test.sh takes no arguments (see --help)"
    sed -n '3,4s/^# //p' "${BASH_SOURCE[0]}"
    exit 0
fi

passed=0
failed=0

# run_tests PRESET: adds to $passed and $failed.
run_tests() {
    local preset=$1 dir=$root/build/$1 log=$root/build/$1/test.log total bad
    say "testing ($preset)"
    (cd "$dir" && ctest --output-on-failure -j "$(nproc)") >"$log" 2>&1 || true
    # "NN% tests passed, B tests failed out of T"
    bad=$(sed -n 's/^.*tests passed, \([0-9]*\) tests failed out of [0-9]*$/\1/p' "$log")
    total=$(sed -n 's/^.*tests failed out of \([0-9]*\)$/\1/p' "$log")
    if [ -z "$total" ] || [ "$total" = 0 ]; then
        tail -n 40 "$log"
        die "no tests were run ($preset)"
    fi
    if [ "$bad" != 0 ]; then
        cat "$log"
    fi
    say "$preset: $((total - bad)) of $total passed (all output: build/$preset/test.log)"
    passed=$((passed + total - bad))
    failed=$((failed + bad))
}

install_missing
for preset in dev asan; do
    build "$preset"
    run_tests "$preset"
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
