# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# lib_check.sh - what the scripts of tests/cli share: run the program, look at what it says.
#
#   expect CODE ARG...   runs $kmemsim ARG..., checks the exit code; output in $tmp/out and $tmp/err
#   in_out TEXT, in_err TEXT, no_out, no_err   check what it said
#   done_checking        ends the script: non-zero if anything failed

kmemsim=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0
last=''

complain() {
    printf 'FAILED: %s: %s\n' "$last" "$1"
    sed 's/^/    out: /' "$tmp/out" | head -20
    sed 's/^/    err: /' "$tmp/err" | head -20
    failed=1
}

expect() {
    local want=$1 got=0
    shift
    last="kmemsim $*"
    "$kmemsim" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || got=$?
    [ "$got" = "$want" ] || complain "exit code $got, not $want"
}

in_out() { grep -qF -- "$1" "$tmp/out" || complain "not on standard output: $1"; }
in_err() { grep -qF -- "$1" "$tmp/err" || complain "not on standard error: $1"; }
no_out() { [ ! -s "$tmp/out" ] || complain 'standard output is not empty'; }
no_err() { [ ! -s "$tmp/err" ] || complain 'standard error is not empty'; }

done_checking() { exit "$failed"; }
