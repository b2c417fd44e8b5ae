# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# runs.sh - what the scripts share that make tables from many runs. Source it; it needs $root (the source folder) and
# defines say, die, use_kmemsim (sets $kmemsim) and add (fills the array captures).

: "${root:?set by the script that sources this}"

say() { printf '== %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# The release build, made if it is not there, or $KMEMSIM.
use_kmemsim() {
    command -v python3 >/dev/null || die "python3 is needed to read summary.json"
    kmemsim=${KMEMSIM:-$root/build/release/bin/kmemsim}
    if [ ! -x "$kmemsim" ]; then
        [ -z "${KMEMSIM:-}" ] || die "$kmemsim cannot be run"
        say "building (release)"
        (cd "$root" && cmake --preset release && cmake --build --preset release) >&2
    fi
}

# A capture folder has a trace and what was true at its start or end.
is_capture() {
    [ -d "$1/start" ] || [ -d "$1/end" ] || return 1
    [ -f "$1/trace.txt.gz" ] || [ -f "$1/trace.txt" ] || [ -f "$1/trace.dat.gz" ] || [ -f "$1/trace.dat" ]
}

# add FOLDER: a capture, or all captures in it
captures=()
add() {
    local found=0 dir
    if is_capture "$1"; then
        captures+=("$(cd "$1" && pwd)")
        return
    fi
    for dir in "$1"/*/; do
        if is_capture "$dir"; then
            captures+=("$(cd "$dir" && pwd)")
            found=1
        fi
    done
    [ $found = 1 ] || say "no capture in $1: left out"
}
