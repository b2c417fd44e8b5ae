# SPDX-License-Identifier: MIT
# compare_latency.gp - latency distribution per API, one line per run.
# ARG4 API names, ARG5 run names; data block API * runs + run: cycles, share of calls
load ARG3."/style.inc"
n = words(ARG4)
runs = words(ARG5)
rows = (n + 1) / 2
H = rows * 280.0 + 40 + runs * 22
set terminal svg size 1000,H dynamic enhanced font FONT background "#ffffff"
set output ARG2
set multiplot layout rows,2 margins 0.07,0.98,(66 / H),(1 - (30.0 + 22 * runs) / H) spacing 0.08,(95 / H)
set logscale x
set format x "%.0s%c"
set format y "%.1f"
set yrange [0:1.01]
set ylabel "share of calls" offset 1,0
set xlabel "cycles per call"
do for [i = 0:n - 1] {
    set title word(ARG4, i + 1) noenhanced font ",15" offset 0,-0.5
    if (i == 0) { set key at screen 0.98,0.995 top right vertical noenhanced maxrows 20 } else { unset key }
    plot for [r = 0:runs - 1] ARG1 index i * runs + r using 1:2 with steps linewidth 1.8 \
        linecolor rgb LINE[r + 1] title word(ARG5, r + 1)
}
unset multiplot
