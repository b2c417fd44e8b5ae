# SPDX-License-Identifier: MIT
# lat_mem_rd.gp - latency of dependent loads by buffer size.
# ARG4 strides in bytes; one data block each: KiB, nanoseconds
load ARG3."/style.inc"
n = words(ARG4)
set terminal svg size 1000,420 dynamic enhanced font FONT background "#ffffff"
set output ARG2
set rmargin 22
set key outside right top vertical reverse Left samplen 2 spacing 1.2 noenhanced
set logscale x 2
set logscale y
set xlabel "buffer (KiB, logarithmic)"
set ylabel "ns per load (logarithmic)"
plot for [i = 0:n - 1] ARG1 index i using 1:2 with linespoints linewidth 1.8 pointtype 7 pointsize 0.4 \
    linecolor rgb LINE[i + 1] title sprintf("stride %s", word(ARG4, i + 1))
