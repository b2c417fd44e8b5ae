#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The dependency law of docs/architecture.md, checked on the #include lines:
# models/ is pure C (no stdio, SystemC, yaml, zlib, clocks, rand), models/os never includes a hardware
# model and no hardware model includes models/os; sim/ never includes sim/cli or sim/top except cli itself.
set -u
root=${1:-.}
cd "$root" || exit 2
bad=0
forbid() { # what, grep output
    [ -z "$2" ] && return
    printf 'forbidden: %s\n%s\n' "$1" "$2"
    bad=1
}
forbid 'models/ must not use host services' \
    "$(grep -rnE '#include *[<"](stdio|systemc|yaml|zlib|jansson|time|unistd|pthread|stdlib)[./h]' models --include='*.[ch]' | grep -v 'models/base/pool')"
forbid 'models/os must not know the hardware' \
    "$(grep -rnE '#include *"models/(mmu|cache|bus|dram|dma|dev)/' models/os)"
forbid 'hardware must not know the allocators' \
    "$(grep -rnE '#include *"models/os/' models/mmu models/cache models/bus models/dram models/cpu models/dma models/dev 2>/dev/null)"
forbid 'models/ must not know the shell' "$(grep -rnE '#include *"sim/' models)"
forbid 'only sim/cli may include sim/top and sim/cli' \
    "$(grep -rnE '#include *"sim/(top|cli)/' sim | grep -vE '^sim/(top|cli)/|^sim/main.cpp')"
forbid 'trace and config stay independent of each other and of report' \
    "$(grep -rnE '#include *"sim/(config|report|workload)/' sim/trace; grep -rnE '#include *"sim/(trace|report|workload)/' sim/config)"
[ $bad = 0 ] && echo 'dependency law holds'
exit $bad
