# SPDX-License-Identifier: MIT
# compare_memory.gp - free pages and unusable index of order 9, one line per run.
# ARG4 zone names, ARG5 run names; data block zone * runs + run: seconds, free pages, unusable index
load ARG3."/style.inc"
set autoscale xfix
n = words(ARG4)
runs = words(ARG5)
H = n * 250.0 + 40 + runs * 22
set terminal svg size 1000,H dynamic enhanced font FONT background "#ffffff"
set output ARG2
set multiplot layout n,2 margins 0.09,0.98,(66 / H),(1 - (30.0 + 22 * runs) / H) spacing 0.09,(75 / H)
do for [z = 0:n - 1] {
    set xlabel (z == n - 1 ? "time since the first sample (s)" : "")
    set title word(ARG4, z + 1) noenhanced font ",15" offset 0,-0.5
    set ylabel "free pages" offset 1,0
    set yrange [*:*]
    set format y "%.0f"
    set ytics auto
    if (z == 0) { set key at screen 0.98,0.995 top right vertical noenhanced maxrows 20 } else { unset key }
    plot for [r = 0:runs - 1] ARG1 index z * runs + r using 1:2 with lines linewidth 1.6 \
        linecolor rgb LINE[r + 1] title word(ARG5, r + 1)
    unset key
    set ylabel "unusable index, order 9" offset 1,0
    set yrange [0:*<1.02]
    set format y "%.2g"
    plot for [r = 0:runs - 1] ARG1 index z * runs + r using 1:3 with lines linewidth 1.6 linecolor rgb LINE[r + 1]
}
unset multiplot
