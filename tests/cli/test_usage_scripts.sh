#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/run.sh and test.sh: what they install and what they say when they cannot, with stand-ins for the
# system's tools (no package is touched).
# shellcheck disable=SC2016 # the stand-ins expand their own variables
set -u
# shellcheck source=tests/cli/lib_check.sh
. "$(dirname "$0")/lib_check.sh"
root=$2
fake=$tmp/fake
mkdir "$fake"
: >"$tmp/out"
: >"$tmp/err"

tool() { # NAME BODY
    rm -f "$fake/$1"
    printf '#!/bin/sh\n%s\n' "$2" >"$fake/$1"
    chmod +x "$fake/$1"
}

# Runs install_missing with only the stand-ins and a few real tools in PATH.
for real in bash sh env mktemp rm tail cat printf grep true; do
    ln -sf "$(type -P "$real")" "$fake/$real"
done
install() { # CODE
    local got=0
    last="install_missing ($case)"
    : >"$tmp/calls"
    PATH=$fake CALLS=$tmp/calls root=$root bash -c '. "$root/scripts/lib/setup.sh"; install_missing' \
        >"$tmp/out" 2>"$tmp/err" </dev/null || got=$?
    [ "$got" = "$1" ] || complain "exit code $got, not $1"
}
called() { grep -qF -- "$1" "$tmp/calls" || complain "never called: $1 (but: $(tr '\n' ';' <"$tmp/calls"))"; }

case='everything is there'
tool dpkg-query 'printf installed'
tool apt-get 'echo "apt-get $*" >>"$CALLS"'
tool id 'echo 0'
install 0
no_out
no_err
[ ! -s "$tmp/calls" ] || complain 'called apt-get for nothing'

case='root, one library missing'
tool dpkg-query 'case "$*" in *libyaml-dev*) exit 1;; esac; printf installed'
install 0
in_out 'installing: libyaml-dev'
called 'apt-get install -y --no-install-recommends libyaml-dev'
[ "$(wc -l <"$tmp/calls")" = 1 ] || complain 'refreshed the package lists for nothing'

case='no package lists yet'
tool apt-get 'echo "apt-get $*" >>"$CALLS"; [ "$1" = update ] || [ "$(grep -c . "$CALLS")" -gt 1 ]'
install 0
called 'apt-get update'

case='apt-get fails'
tool apt-get 'echo "apt-get $*" >>"$CALLS"; echo "no network here"; exit 100'
install 1
in_err 'no network here'
in_err 'error: apt-get update failed'

case='user with sudo'
tool id 'echo 1000'
tool apt-get 'echo "apt-get $*" >>"$CALLS"'
tool sudo 'echo "sudo $*" >>"$CALLS"; exec "$@"'
install 0
called 'sudo env DEBIAN_FRONTEND=noninteractive apt-get install'

case='user without sudo'
rm "$fake/sudo"
install 1
in_err 'not root and no sudo; have an administrator run: apt-get install libyaml-dev'

case='not Debian'
rm "$fake/dpkg-query"
tool pkg-config 'case "$*" in *systemc*) exit 1;; esac'
install 1
in_err 'missing: systemc (development files)'
in_err 'this is not Debian or Ubuntu'

for script in run test; do
    last="scripts/$script.sh"
    (cd / && "$root/scripts/$script.sh" --help) >"$tmp/out" 2>"$tmp/err" || complain 'no help'
    in_out "$script.sh"
    "$root/scripts/$script.sh" --frob >"$tmp/out" 2>"$tmp/err" && complain 'takes any argument'
    in_err 'takes no arguments'
done
done_checking
