#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check-mutations.sh [--list | --docs | --table FILE | --only NAME] - do the tests notice when a rule is broken?
#
# Takes the entries of tests/mutations.txt one at a time: breaks the rule in a copy of the source, builds the test
# programs named there and runs them. A mutant is killed when a test fails; one that all tests accept survives.
# Prints a table; exit 1 if a mutant survives or cannot be built, 2 if an entry of the table is wrong.
#   --list        only checks that every entry still changes its file (no build)
#   --docs        also writes the table into docs/testing.md
#   --only NAME   only this mutant (may be repeated)
#   --table FILE  another table
# Takes about two seconds a mutant on top of one build, so scripts/test.sh only runs --list.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
table=$root/tests/mutations.txt
list=false docs=false
only=()

die() {
    printf 'check-mutations.sh: %s\n' "$*" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        sed -n '3,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    --list) list=true ;;
    --docs) docs=true ;;
    --only | --table)
        [ $# -ge 2 ] || die "$1 needs a value"
        [ "$1" = --only ] && only+=("$2") || table=$2
        shift
        ;;
    *) die "unknown argument $1 (see --help)" ;;
    esac
    shift
done
[ -r "$table" ] || die "$table: cannot be read"

names=() rules=() files=() seds=() tests=() lines=()
number=0
while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    key=${line%%[[:space:]]*}
    value=${line#"$key"}
    value=${value#"${value%%[![:space:]]*}"}
    last=$((${#names[@]} - 1))
    case $key in
    '' | '#'*) continue ;;
    mutant)
        names+=("$value") rules+=('') files+=('') seds+=('') tests+=('') lines+=("$number")
        continue
        ;;
    rule | file | sed | tests) ;;
    *) die "$table:$number: unknown key $key" ;;
    esac
    [ "$last" -ge 0 ] || die "$table:$number: $key before the first mutant"
    [ -n "$value" ] || die "$table:$number: $key has no value"
    case $key in
    rule) rules[last]=$value ;;
    file) files[last]=$value ;;
    sed) seds[last]=$value ;;
    tests) tests[last]=$value ;;
    esac
done <"$table"
[ ${#names[@]} -gt 0 ] || die "$table: no mutants"

wanted() {
    local name
    [ ${#only[@]} = 0 ] && return 0
    for name in "${only[@]}"; do [ "$name" = "$1" ] && return 0; done
    return 1
}
for name in ${only[@]+"${only[@]}"}; do
    case " ${names[*]} " in *" $name "*) ;; *) die "no mutant $name in $table" ;; esac
done

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

source=$root # what is mutated; later a copy, so that the tree may change meanwhile
# mutate INDEX OUT: the changed file; exit 2 if the entry is wrong.
mutate() {
    local i=$1 at=$table:${lines[$1]}
    for field in "${rules[i]}" "${files[i]}" "${seds[i]}" "${tests[i]}"; do
        [ -n "$field" ] || die "$at: ${names[i]}: rule, file, sed and tests are all needed"
    done
    [ -f "$root/${files[i]}" ] || die "$at: ${names[i]}: no file ${files[i]}"
    sed "${seds[i]}" "$source/${files[i]}" >"$2" || die "$at: ${names[i]}: sed does not understand the expression"
    ! cmp -s "$source/${files[i]}" "$2" || die "$at: ${names[i]}: the expression changes nothing in ${files[i]}"
}

for i in "${!names[@]}"; do
    mutate "$i" "$work/mutated"
    for test in ${tests[i]}; do
        [ -f "$root/tests/unit/${test//.//}.c" ] || die "$table:${lines[i]}: ${names[i]}: no test program $test"
    done
done
if $list; then
    echo "${#names[@]} mutants, all apply"
    exit 0
fi

mkdir "$work/src"
for part in CMakeLists.txt cmake models sim tests configs traces docs scripts; do
    cp -r "$root/$part" "$work/src/" || exit 1
done
mkdir "$work/orig"
cp -r "$work/src/models" "$work/orig/" || exit 1
source=$work/orig
: >"$work/log"
quietly() { "$@" >"$work/log" 2>&1 </dev/null; }
targets=$(printf '%s\n' "${tests[@]}" | tr ' ' '\n' | sort -u)
quietly cmake -S "$work/src" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_C_FLAGS_DEBUG=-O1" \
    "-DCMAKE_CXX_FLAGS_DEBUG=-O1" -DKM_CHECK=ON || { tail -20 "$work/log" >&2; exit 1; }
# shellcheck disable=SC2086 # a list of targets
quietly cmake --build "$work/build" --target $targets || { tail -20 "$work/log" >&2; exit 1; }
for test in $targets; do
    quietly timeout 120 "$work/build/tests/$test" || { tail -20 "$work/log" >&2; die "$test fails without any mutant"; }
done

# verdict INDEX: sets $result; $by is the test that noticed.
verdict() {
    local i=$1 test code
    by='' result=survived
    for test in ${tests[i]}; do
        if ! quietly cmake --build "$work/build" --target "$test"; then
            result='does not build'
            return
        fi
        quietly timeout 120 "$work/build/tests/$test"
        code=$?
        [ "$code" = 0 ] && continue
        by=$test result=killed
        [ "$code" = 124 ] && result='killed (hangs)'
        return
    done
}

bad=0 killed=0
say() {
    # shellcheck disable=SC2059 # the format is ours
    printf "$@" | tee -a "$work/table"
}
say '%-24s %-14s %-23s %s\n' mutant result 'noticed by' 'rule broken'
for i in "${!names[@]}"; do
    wanted "${names[i]}" || continue
    mutate "$i" "$work/src/${files[i]}"
    verdict "$i"
    case $result in killed*) killed=$((killed + 1)) ;; *) bad=$((bad + 1)) ;; esac
    say '%-24s %-14s %-23s %s\n' "${names[i]}" "$result" "${by:--}" "${rules[i]}"
    [ "$result" = 'does not build' ] && grep -m3 'error:' "$work/log" >&2
    cp "$source/${files[i]}" "$work/src/${files[i]}"
done
say '%s killed, %s not\n' "$killed" "$bad"
if $docs; then
    { echo '```' && cat "$work/table" && echo '```'; } >"$work/fenced"
    sed -i -e '/^<!-- mutations: begin -->$/,/^<!-- mutations: end -->$/{/^<!--/!d}' \
        -e "/^<!-- mutations: begin -->\$/{r $work/fenced
        }" "$root/docs/testing.md"
fi
[ "$bad" = 0 ]
