# SPDX-License-Identifier: MIT
# fragmentation.gp - unusable index (solid) and extfrag index (dashed) per zone over time.
# ARG4 zone names; one data block each: seconds, unusable index of orders 1..10, extfrag index of orders 1..10
load ARG3."/style.inc"
set autoscale xfix
n = words(ARG4)
set terminal svg size 1000,(n * 320) dynamic enhanced font FONT background "#ffffff"
set output ARG2
set multiplot layout n,1
set key outside right top vertical reverse Left samplen 1.5 width -3 noautotitle
set ylabel "index"
set format y "%.1f"
set yrange [0:1.02]
set ytics 0.2
set tmargin 2.2
set bmargin 3.2
do for [z = 0:n - 1] {
    set title word(ARG4, z + 1) noenhanced font ",15" offset 0,-0.5
    set xlabel (z == n - 1 ? "time in the trace (s)" : "")
    plot for [o = 1:10] ARG1 index z using 1:(column(o + 1)) with lines linewidth 1.4 \
             linecolor rgb ORDER[o + 1] title sprintf("order %d", o), \
         for [o = 1:10] ARG1 index z using 1:(column(o + 11)) with lines linewidth 1.4 dashtype (6, 4) \
             linecolor rgb ORDER[o + 1], \
         NaN with lines linecolor rgb "#333333" dashtype (6, 4) title "extfrag"
}
unset multiplot
