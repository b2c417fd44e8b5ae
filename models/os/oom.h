/* SPDX-License-Identifier: MIT
 * oom.h - who is killed when nothing can be reclaimed any more.
 */
#ifndef KM_OS_OOM_H
#define KM_OS_OOM_H

#include "models/os/os.h"

#define KM_OOM_COMM_BYTES 16u
#define KM_OOM_ADJ_EXEMPT (-1000)

struct km_oom_task {
    int32_t pid; /* 0: no task */
    char comm[KM_OOM_COMM_BYTES];
    int32_t adj; /* oom_score_adj: -1000 (never) to 1000 */
    uint32_t rss_anon, rss_file, swap, page_tables; /* pages */
    bool killed;
};

struct km_oom {
    struct km_oom_task *task; /* lent by the caller, zeroed: a hash table by pid */
    unsigned room;
    int32_t current[KM_MAX_CPUS]; /* pid running on each CPU; 0: none known */
    void *ctx;
    void (*kill)(void *ctx, struct km_cpu *cpu, struct km_oom_task *victim); /* frees its memory; may be NULL */
    uint64_t kills;
};

/* The task's entry, made if it has none; NULL: the table is full. */
struct km_oom_task *km_oom_task(struct km_oom *oom, int32_t pid);
struct km_oom_task *km_oom_find(const struct km_oom *oom, int32_t pid); /* NULL: not known */
void km_oom_set_comm(struct km_oom_task *task, const char *comm);

/* Pages a kill is worth, moved by oom_score_adj; INT64_MIN: exempt. total: pages of RAM and swap. */
int64_t km_oom_badness(const struct km_oom_task *task, uint64_t total);
/* Task with the highest score, the first seen wins a tie by table order; NULL: nobody. */
struct km_oom_task *km_oom_select(const struct km_oom *oom, uint64_t total);
/* Is the task on this CPU a victim? Then it may use half of the MIN mark. */
bool km_oom_is_victim(const struct km_oom *oom, const struct km_cpu *cpu);
/* out_of_memory: kills somebody; false: nobody is left. */
bool km_oom_kill(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order);

#endif
