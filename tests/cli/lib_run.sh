# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# lib_run.sh - a small finished run made by hand: make_run DIR EXTRA_BLOCKS (blocks of order 0 the model has too many).

make_run() {
    local dir=$1 extra=$2 t o
    mkdir -p "$dir"
    cat >"$dir/summary.json" <<EOF
{"schema": 1, "version": "0.1.0", "config": "hand & <made>", "complete": true, "events": 1000,
 "truth": {"skill": {"Normal": 0.9$extra}, "zones": {"Normal": {"skill": 0.9$extra, "samples": 3}}},
 "latency": {"kfree": {"count": 30, "mean": 70.5, "p99": 90}}, "wall_s": 1.$extra, "nondeterministic": ["wall_s"]}
EOF
    echo time_ns,node,zone,order{0..10} | tr ' ' , | sed 's/time_ns,node,zone,order0.*/time_ns,node,zone/' >"$dir/buddyinfo.csv"
    sed -i "1s/\$/$(printf ',order%d' {0..10})/" "$dir/buddyinfo.csv"
    echo time_ns,node,zone,order,sim,real >"$dir/truth.csv"
    for t in 1000000000 2000000000 3000000000; do
        echo "$t,0,Normal,$((5 + extra)),4,3,2,1,0,0,0,0,0,9" >>"$dir/buddyinfo.csv"
        echo "$t,0,Normal,0,$((5 + extra)),5" >>"$dir/truth.csv"
        for o in 1 2 3 4 5 6 7 8 9 10; do
            echo "$t,0,Normal,$o,$o,$o" >>"$dir/truth.csv"
        done
    done
    printf 'api,cpu,low_cycles,high_cycles,count\nkfree,0,70,70,20\nkfree,1,90,90,10\n' >"$dir/latency_hist.csv"
    printf 'time_ns,cpu,kind,detail\n5,0,extfrag,"order 1, <b>"\n' >"$dir/events.csv"
}
