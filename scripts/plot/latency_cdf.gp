# SPDX-License-Identifier: MIT
# latency_cdf.gp - share of calls that took at most so many cycles.
# ARG4 API names; one data block each: cycles, share
load ARG3."/style.inc"
n = words(ARG4)
set terminal svg size 1000,420 dynamic enhanced font FONT background "#ffffff"
set output ARG2
set rmargin 26
set key outside right top vertical reverse Left samplen 2 spacing 1.2 width 0 noenhanced
set logscale x
set format x "%.0s%c"
set format y "%.1f"
set yrange [0:1.01]
set xlabel "cycles per call (logarithmic)"
set ylabel "share of calls"
plot for [i = 0:n - 1] ARG1 index i using 1:2 with steps linewidth 1.8 linecolor rgb LINE[i + 1] \
    dashtype 1 + (i > 4) title word(ARG4, i + 1)
