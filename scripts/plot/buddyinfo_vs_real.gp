# SPDX-License-Identifier: MIT
# buddyinfo_vs_real.gp - free blocks per order: lines simulated, circles real; below: blocks that differ.
# ARG4 zone names; one data block each: seconds, sim order 0..10, real order 0..10, blocks that differ
load ARG3."/style.inc"
set autoscale xfix
n = words(ARG4)
HEIGHT = 430.0
TOTAL = n * HEIGHT + 10
set terminal svg size 1000,TOTAL dynamic enhanced font FONT background "#ffffff"
set output ARG2
set multiplot
set key outside right top vertical reverse Left samplen 1.5 width -3 noautotitle
set tmargin 2.2
do for [z = 0:n - 1] {
    set yrange [*:*]
    stats ARG1 index z using 24 nooutput
    top_error = STATS_max < 4 ? 4 : STATS_max
    # about 60 circles per order, or they cover their lines; the lower panel shows every sample
    step = STATS_records > 60 ? int(STATS_records / 60) : 1
    top = 1.0 - z * HEIGHT / TOTAL
    set size 1,(0.72 * HEIGHT / TOTAL)
    set origin 0,(top - 0.72 * HEIGHT / TOTAL)
    set title word(ARG4, z + 1) noenhanced font ",15" offset 0,-0.5
    set xlabel ""
    set bmargin 1.5
    # blocks + 1, so that zero has a place on the logarithmic axis; the labels are the true counts
    set logscale y
    set yrange [0.8:*]
    set format y "%g"
    set ytics ("0" 1, "1" 2, "2" 3, "5" 6, "10" 11, "20" 21, "50" 51, "100" 101, "200" 201, "500" 501, \
               "1k" 1001, "2k" 2001, "5k" 5001, "10k" 10001, "20k" 20001, "50k" 50001, "100k" 100001)
    set ylabel "free blocks"
    set key
    plot for [o = 0:10] ARG1 index z using 1:(column(o + 2) + 1) with lines linewidth 1.4 \
             linecolor rgb ORDER[o + 1] title sprintf("order %d", o), \
         for [o = 0:10] ARG1 index z every step using 1:(column(o + 13) + 1) with points pointtype 6 pointsize 0.45 \
             linecolor rgb ORDER[o + 1], \
         ARG1 index z using 1:(3) with points pointtype -1, \
         NaN with points pointtype 6 pointsize 0.6 linecolor rgb "#333333" title "real"
    unset logscale y
    unset key
    set title ""
    set size 1,(0.26 * HEIGHT / TOTAL)
    set origin 0,(top - 0.98 * HEIGHT / TOTAL)
    set tmargin 0.3
    set bmargin 3
    set yrange [0:*]
    set yrange [0:top_error * 1.05]
    unit = 10 ** floor(log10(top_error))
    set ytics 0,(top_error >= 5 * unit ? 5 * unit : top_error >= 2 * unit ? 2 * unit : unit)
    set format y "%g"
    set ylabel "blocks wrong"
    set xlabel "time in the trace (s)"
    plot ARG1 index z using 1:24 with impulses linewidth 1.5 linecolor rgb "#b2182b"
    set tmargin 2.2
}
unset multiplot
