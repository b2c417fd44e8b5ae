#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/check-mutations.sh: every entry of tests/mutations.txt still changes its file, and wrong tables are refused.
# (Building and running the mutants takes minutes: the script does that on its own.)
set -u
root=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

check() { # WHAT CODE TEXT ARG...
    local what=$1 want=$2 text=$3 got=0
    shift 3
    "$root/scripts/check-mutations.sh" "$@" >"$tmp/log" 2>&1 || got=$?
    if [ "$got" != "$want" ] || ! grep -qF -- "$text" "$tmp/log"; then
        printf 'FAILED: %s: exit code %s, not %s; or no "%s" in:\n' "$what" "$got" "$want" "$text"
        sed 's/^/    /' "$tmp/log"
        failed=1
    fi
}

table() { printf '%s\n' "$@" >"$tmp/table"; }

check 'the table' 0 'all apply' --list
table 'mutant a' 'rule 1 r' 'file models/os/buddy.c' 'sed s/no such text//' 'tests os.test_slab'
check 'an expression without effect' 2 'changes nothing in models/os/buddy.c' --list --table "$tmp/table"
table 'mutant a' 'rule 1 r' 'file models/os/none.c' 'sed s/a/b/' 'tests os.test_slab'
check 'no such file' 2 ':1: a: no file models/os/none.c' --list --table "$tmp/table"
table 'mutant a' 'rule 1 r' 'file models/os/buddy.c' 'sed s/a/b' 'tests os.test_slab'
check 'no such expression' 2 'sed does not understand' --list --table "$tmp/table"
table 'mutant a' 'rule 1 r' 'file models/os/buddy.c' 'sed s/a/b/' 'tests os.test_none'
check 'no such test' 2 'no test program os.test_none' --list --table "$tmp/table"
table 'mutant a' 'rule 1 r' 'file models/os/buddy.c' 'tests os.test_slab'
check 'a missing line' 2 'all needed' --list --table "$tmp/table"
table 'mutant a' 'colour 1'
check 'an unknown key' 2 ':2: unknown key colour' --list --table "$tmp/table"
table '# nothing'
check 'an empty table' 2 'no mutants' --list --table "$tmp/table"
check 'an unknown mutant' 2 'no mutant frob' --only frob
check 'an unknown option' 2 'unknown argument --frob' --frob
check 'help' 0 '--list' --help
exit $failed
