# SPDX-License-Identifier: MIT
# cost_cdf.gp - share of calls that need at most so many instructions besides stores, recorded kernel and model.
# ARG1 data, ARG2 output, ARG3 folder of style.inc, ARG4 function names; per function two data blocks: recorded, model
load ARG3."/style.inc"
set terminal svg size 1000,620 dynamic enhanced font FONT background "#ffffff"
set output ARG2
set multiplot layout 2,3 margins 0.08,0.98,0.12,0.93 spacing 0.05,0.14
set logscale x
set xrange [50:20000]
set yrange [0:1.02]
set format x "%.0s%c"
set format y "%.1f"
set key bottom right noenhanced samplen 2
do for [i = 0:words(ARG4) - 1] {
    set title word(ARG4, i + 1) noenhanced
    set xlabel i < 3 ? "" : "instructions besides stores"
    set ylabel i % 3 ? "" : "share of calls"
    plot ARG1 index 2 * i using 1:2 with steps linewidth 2.4 linecolor rgb LINE[1] title "recorded", \
         ARG1 index 2 * i + 1 using 1:2 with steps linewidth 1.6 linecolor rgb LINE[2] dashtype 2 title "model"
}
unset multiplot
