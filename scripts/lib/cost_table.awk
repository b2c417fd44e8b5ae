# SPDX-License-Identifier: MIT
# cost_table.awk - the tables of docs/model-cost.md from two lists of calls (first file: model, second: recorded).
#
# A line is one call: E <n> <function> insns= loads= stores= lines64= irq=. Interrupted calls (irq other than 0) are
# left out. What a call costs depends on the path it takes and on how many bytes it zeroes; how often which path and
# size occurs is a matter of the workload. So calls are sorted into classes by path, those of the fast path also by what
# they zero, and the model's mean of a class is weighted with how often the recorded run was in it.
# With -v emit=1 the calls themselves are printed instead: function, model or real, instructions besides stores.
# The path is told by the instructions besides stores (zeroing counts one of each per word or byte).
BEGIN {
    split("x instructions loads stores lines64", title, " ")
    nf = split("alloc_pages free_pages kmalloc kmem_cache_alloc kmem_cache_free kfree kfree_null", order, " ")
    np = split("fast partial slab refill", path, " ")
    for (i = 1; i <= nf; i++) row[order[i]] = order[i]
    row["__alloc_pages"] = row["__folio_alloc"] = "alloc_pages"
    row["__free_pages"] = row["free_unref_page"] = "free_pages"
    row["__kmalloc"] = row["kmalloc_trace"] = row["__kmalloc_node_track_caller"] = "kmalloc"
    row["kmem_cache_alloc_lru"] = row["kmem_cache_alloc_node"] = "kmem_cache_alloc"
    # most instructions besides stores on the fast path, and stores of it besides zeroing
    fast["alloc_pages"] = 600; fast["free_pages"] = 330; fast["kmalloc"] = 170; fast["kmem_cache_alloc"] = 120
    fast["kmem_cache_free"] = 95; fast["kfree"] = 120; fast["kfree_null"] = 20
    own["kmalloc"] = 25; own["kmem_cache_alloc"] = 17; own["alloc_pages"] = 60
    unit["kmalloc"] = unit["kmem_cache_alloc"] = 4; unit["alloc_pages"] = 1000 # a zeroed page: 1024 stores
}

# Was the task switched out inside the call (cond_resched)? The recording counts what the scheduler did as well.
# As in the calls recorded in full: some 3000 to 5000 instructions with 1700 to 2000 loads on lines all their own.
function switched(f, rest, loads, stores, lines)
{
    if (rest < 3200 || rest > 6500 || loads < 1600 || loads > 2600) return 0
    if (f == "alloc_pages") return lines >= 150
    return stores < 1900 || (stores > 5000 && stores < 5700)
}

/ irq=0$/ && $3 in row {
    for (c = 2; c <= 5; c++) { split($(c + 2), a, "="); v[c] = a[2] }
    f = row[$3]
    rest = v[2] - v[4]
    if (f == "kfree" && v[2] <= 20) f = "kfree_null" # returns at once
    p = rest <= fast[f] ? "fast" : rest < 600 ? "partial" : rest < 2700 ? "slab" : "refill"
    key = f SUBSEP p SUBSEP (p == "fast" && f in own ? int((v[4] - own[f]) / unit[f]) : 0)
    if (emit) {
        if (f != "kfree_null" && (FNR == NR || !switched(f, rest, v[3], v[4], v[5]))) print f, FNR == NR ? "model" : "real", rest
        next
    }
    if (FNR == NR) {
        model_n[key]++; model_path[f, p]++; model_all[f]++
        for (c = 2; c <= 5; c++) { model[key, c] += v[c]; model_raw[f, c] += v[c]; model_sum[f, p, c] += v[c] }
        next
    }
    if (switched(f, rest, v[3], v[4], v[5])) { switches[f]++; next }
    real_n[key]++; real_path[f, p]++; real_all[f]++
    for (c = 2; c <= 5; c++) { real[key, c] += v[c]; real_raw[f, c] += v[c]; real_sum[f, p, c] += v[c] }
}

function ratio(m, r) { return r ? sprintf(m / r < 0.85 || m / r > 1.15 ? "%.2f" : "**%.2f**", m / r) : "-" }

END {
    if (emit) exit
    for (key in real_n) {
        split(key, a, SUBSEP)
        if (!(key in model_n)) continue
        used[a[1]] += real_n[key]
        for (c = 2; c <= 5; c++) {
            like_real[a[1], c] += real[key, c]
            like_model[a[1], c] += real_n[key] * model[key, c] / model_n[key]
        }
    }
    print "| function | per call | recorded calls | of them compared | recorded mean | model mean, same mix | ratio | model mean, own mix |"
    print "|---|---|---:|---:|---:|---:|---:|---:|"
    for (i = 1; i <= nf; i++) {
        f = order[i]
        for (c = 2; c <= 5 && used[f]; c++)
            printf "| %s | %s | %d | %.1f %% | %.1f | %.1f | %s | %.1f |\n", f, title[c], real_all[f], 100 * used[f] / real_all[f],
                like_real[f, c] / used[f], like_model[f, c] / used[f], ratio(like_model[f, c], like_real[f, c]),
                model_raw[f, c] / model_all[f]
    }
    print "\n| function | path | recorded share | model share | instructions besides stores: recorded | model | ratio | loads: recorded | model | ratio |"
    print "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for (i = 1; i <= nf; i++)
        for (j = 1; j <= np; j++) {
            f = order[i]; p = path[j]; r = real_path[f, p]; m = model_path[f, p]
            if (!r || !m) continue
            ri = (real_sum[f, p, 2] - real_sum[f, p, 4]) / r; mi = (model_sum[f, p, 2] - model_sum[f, p, 4]) / m
            rl = real_sum[f, p, 3] / r; ml = model_sum[f, p, 3] / m
            printf "| %s | %s | %.2f %% | %.2f %% | %.0f | %.0f | %s | %.0f | %.0f | %s |\n", f, p, 100 * r / real_all[f],
                100 * m / model_all[f], ri, mi, ratio(mi, ri), rl, ml, ratio(ml, rl)
        }
    line = ""
    for (i = 1; i <= nf; i++) if (switches[order[i]]) line = line sprintf("%s%d of %s", line ? ", " : "", switches[order[i]], order[i])
    print "\nRecorded calls in which the task was switched out, left out: " line "."
}
