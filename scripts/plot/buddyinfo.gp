# SPDX-License-Identifier: MIT
# buddyinfo.gp - free pages per zone over time, stacked by order.
# ARG4 zone names; one data block each: seconds, pages in order 0..10
load ARG3."/style.inc"
set autoscale xfix
n = words(ARG4)
set terminal svg size 1000,(n * 320) dynamic enhanced font FONT background "#ffffff"
set output ARG2
set multiplot layout n,1
set style fill solid 1.0 noborder
set key outside right top vertical reverse Left samplen 1 width -3 noautotitle
set ylabel "free pages"
set yrange [0:*]
set tmargin 2.2
set bmargin 3.2
do for [z = 0:n - 1] {
    set title word(ARG4, z + 1) noenhanced font ",15" offset 0,-0.5
    set xlabel (z == n - 1 ? "time in the trace (s)" : "")
    plot for [o = 0:10] ARG1 index z using 1:(sum [k = o:10] column(k + 2)) \
        with filledcurves x1 linecolor rgb ORDER[o + 1] title sprintf("order %d", o)
}
unset multiplot
