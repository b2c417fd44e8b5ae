/* SPDX-License-Identifier: MIT
 * oom.c - see oom.h.
 *
 * Models:      badness = resident pages + swapped pages + page-table pages + oom_score_adj * total / 1000; the
 *              highest wins, -1000 and task 1 (init) are exempt; a victim that has not died yet is waited for instead
 *              of killing another; the victim's memory is freed at once (the reaper and its exit in one).
 * Not modelled: tasks that share memory, cgroups, cpusets, panic_on_oom, oom_kill_allocating_task, core dumps.
 * Invariants:  nobody is killed twice.
 * Units:       pages.
 * References:  kernel-behaviour notes D6; Linux 6.1 Documentation/filesystems/proc.rst (oom_score_adj).
 */
#include "models/os/oom.h"

#include "models/os/reclaim.h"

#include <string.h>

static const struct km_site site_select = {"oom_evaluate_task", 0xc1268000u, 512};

#define INIT 1 /* never killed */

static unsigned slot(const struct km_oom *oom, int32_t pid)
{
    return (unsigned)(((uint32_t)pid * 2654435761u) % oom->room);
}

struct km_oom_task *km_oom_find(const struct km_oom *oom, int32_t pid)
{
    for (unsigned i = 0, at = slot(oom, pid); pid > 0 && i < oom->room; i++, at = (at + 1) % oom->room) {
        if (oom->task[at].pid == pid)
            return &oom->task[at];
        if (!oom->task[at].pid)
            return NULL;
    }
    return NULL;
}

struct km_oom_task *km_oom_task(struct km_oom *oom, int32_t pid)
{
    for (unsigned i = 0, at = slot(oom, pid); pid > 0 && i < oom->room; i++, at = (at + 1) % oom->room) {
        if (oom->task[at].pid == pid)
            return &oom->task[at];
        if (!oom->task[at].pid) {
            oom->task[at].pid = pid;
            return &oom->task[at];
        }
    }
    return NULL;
}

void km_oom_set_comm(struct km_oom_task *task, const char *comm)
{
    size_t len = strlen(comm);

    if (len >= sizeof(task->comm))
        len = sizeof(task->comm) - 1;
    memcpy(task->comm, comm, len);
    task->comm[len] = '\0';
}

int64_t km_oom_badness(const struct km_oom_task *task, uint64_t total)
{
    if (task->adj == KM_OOM_ADJ_EXEMPT || task->pid == INIT)
        return INT64_MIN;
    return (int64_t)task->rss_anon + task->rss_file + task->swap + task->page_tables +
           task->adj * (int64_t)(total / 1000);
}

struct km_oom_task *km_oom_select(const struct km_oom *oom, uint64_t total)
{
    struct km_oom_task *victim = NULL;
    int64_t most = INT64_MIN;

    for (unsigned i = 0; i < oom->room; i++) {
        struct km_oom_task *t = &oom->task[i];
        uint64_t memory = (uint64_t)t->rss_anon + t->rss_file + t->swap + t->page_tables;
        int64_t points = km_oom_badness(t, total);

        if (!t->pid || t->killed || !memory || points == INT64_MIN)
            continue; /* a task without memory is gone, or a kernel thread */
        if (points > most || (points == most && t->pid < victim->pid)) {
            most = points;
            victim = t;
        }
    }
    return victim;
}

bool km_oom_is_victim(const struct km_oom *oom, const struct km_cpu *cpu)
{
    const struct km_oom_task *t = oom ? km_oom_find(oom, oom->current[cpu->id]) : NULL;

    return t && t->killed;
}

static uint64_t total_pages(struct km_os *os, struct km_cpu *cpu)
{
    uint64_t pages = os->reclaim ? os->reclaim->swap_pages : 0;

    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        pages += km_ld32(cpu, os->zone[z].va + KM_ZONE_MANAGED);
    return pages;
}

bool km_oom_kill(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order)
{
    struct km_oom *oom = os->oom;

    if (!oom)
        return false;
    struct km_oom_task *victim = km_oom_select(oom, total_pages(os, cpu));

    km_exec(cpu, &site_select, 40 * oom->room);
    if (!victim)
        return false;
    victim->killed = true;
    oom->kills++;
    if (os->reclaim)
        km_reclaim_count(os->reclaim, KM_VM_OOM_KILL, 1);
    km_trace_tp(os, cpu,
                &(struct km_tp){.kind = KM_TP_OOM_KILL,
                                .pfn = KM_PFN_NONE,
                                .order = (uint8_t)order,
                                .gfp = gfp,
                                .nr = (uint32_t)victim->pid,
                                .name = victim->comm});
    if (oom->kill)
        oom->kill(oom->ctx, cpu, victim);
    return true;
}
