#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh - from a fresh checkout to a report: installs what is missing (apt), builds kmemsim (release) and runs
# configs/quickstart.yaml, a captured kernel trace replayed on a simulated machine. Safe to repeat; quick then.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/setup.sh
. "$root/scripts/lib/setup.sh"

if [ $# != 0 ]; then
    [ "$1" = -h ] || [ "$1" = --help ] || die "scripts/run.sh takes no arguments (see --help)"
    sed -n '3,4s/^# //p' "${BASH_SOURCE[0]}"
    exit 0
fi

install_missing
build release

cd "$root"
say "running configs/quickstart.yaml"
build/release/bin/kmemsim run configs/quickstart.yaml --out results/quickstart --force

cat <<END

Done. Open in a browser: $root/results/quickstart/report.html
  - "simulated against real": free blocks per order as the model has them and as the traced kernel had them
  - the free lists of each zone over time, and how allocator latency is distributed
  - summary.json beside it has the same numbers for scripts; *.csv the series, proc/ the end state as /proc text
More: build/release/bin/kmemsim --help
END
