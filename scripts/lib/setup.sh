# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# setup.sh - what run.sh and test.sh share: install what is missing, configure, build. Source it; it needs
# $root (the source folder) and defines say, die, install_missing and build.

: "${root:?set by the script that sources this}"

say() { printf '== %s\n' "$*"; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# What kmemsim needs, as Debian and Ubuntu call it.
packages=(build-essential cmake ninja-build pkg-config libsystemc-dev libyaml-dev zlib1g-dev
    libjansson-dev libcmocka-dev libtracecmd-dev libtraceevent-dev libtracefs-dev libzstd-dev gnuplot-nox)

is_installed() {
    case $1 in
    gnuplot-nox) command -v gnuplot >/dev/null && return 0 ;; # any gnuplot will do
    pkg-config) command -v pkg-config >/dev/null && return 0 ;;
    esac
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Runs a command with its output in a log file; shows the end of it if the command fails.
logged() {
    local log=$1
    shift
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 40 "$log" >&2
        printf '(all of it: %s)\n' "$log" >&2
        return 1
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

# Without dpkg: only look, by the files the packages bring.
check_without_dpkg() {
    local tool library missing=()
    for tool in cc c++ cmake ninja pkg-config gnuplot; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    for library in systemc yaml-0.1 zlib jansson cmocka libtracecmd libtraceevent libtracefs libzstd; do
        pkg-config --exists "$library" 2>/dev/null || missing+=("$library (development files)")
    done
    [ ${#missing[@]} = 0 ] && return
    printf 'missing: %s\n' "${missing[@]}" >&2
    die "this is not Debian or Ubuntu: install the above, then run this again"
}

install_missing() {
    local package missing=() log
    if ! command -v dpkg-query >/dev/null; then
        check_without_dpkg
        return
    fi
    for package in "${packages[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return

    command -v apt-get >/dev/null || die "please install: ${missing[*]}"
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        die "not root and no sudo; have an administrator run: apt-get install ${missing[*]}"
    fi
    say "installing: ${missing[*]}"
    if [ "$(id -u)" != 0 ]; then
        sudo true || die "sudo refused; have an administrator run: apt-get install ${missing[*]}"
    fi
    log=$(mktemp)
    # The package lists may be missing or old: refresh them only if installing fails without.
    if ! as_root apt-get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1 </dev/null; then
        say "refreshing the package lists"
        logged "$log" as_root apt-get update || die "apt-get update failed"
        logged "$log" as_root apt-get install -y --no-install-recommends "${missing[@]}" ||
            die "apt-get install failed"
    fi
    rm -f "$log"
}

# build PRESET: configures and builds in $root/build/PRESET.
build() {
    local preset=$1 dir=$root/build/$1 start=$SECONDS
    mkdir -p "$dir"
    say "building ($preset, in build/$preset)"
    (cd "$root" && logged "$dir/configure.log" cmake --preset "$preset") || die "cannot configure"
    logged "$dir/build.log" ninja -C "$dir" -j "$(nproc)" || die "cannot build"
    say "built in $((SECONDS - start)) s"
}
