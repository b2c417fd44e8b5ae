# SPDX-License-Identifier: MIT
# false_sharing.gp - cycles lost per cache line.
# ARG4 number of lines; data: rank, cycles lost to false sharing, to true sharing, in all, label
load ARG3."/style.inc"
n = int(ARG4)
set terminal svg size 1000,(n * 24 + 110) dynamic enhanced font FONT background "#ffffff"
set output ARG2
set lmargin 46
set rmargin 4
set key at graph 1.0,1.0 bottom right horizontal noautotitle samplen 1
set tmargin 2.5
set style fill solid 1.0 noborder
set border 1
set grid noytics
set yrange [n + 0.6:0.4]
set xrange [0:*]
set format x "%.1s%c"
set ytics scale 0 noenhanced
set xlabel "cycles lost"
plot ARG1 using (0):1:(0):2:($1 - 0.36):($1 + 0.36):ytic(5) with boxxyerror linecolor rgb LINE[2] \
         title "false sharing", \
     ARG1 using 2:1:2:($2 + $3):($1 - 0.36):($1 + 0.36) with boxxyerror linecolor rgb LINE[1] \
         title "true sharing", \
     ARG1 using ($2 + $3):1:($2 + $3):4:($1 - 0.36):($1 + 0.36) with boxxyerror linecolor rgb "#b8b8b8" \
         title "other"
