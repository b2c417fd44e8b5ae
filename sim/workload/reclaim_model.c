/* SPDX-License-Identifier: MIT
 * reclaim_model.c - see reclaim_model.h.
 *
 * The trace says what was asked for and what its users gave back. What the traced kernel took back is left out, and the
 * simulated kernel takes back what it must. A frame of the trace then stands for
 *
 *     a page of the model      as long as both kernels have it
 *     nothing (gone)           the model has reclaimed it: its user's free finds nothing to free
 *   and a page of the model may stand for no frame
 *     (left over)              the traced kernel has reclaimed it, the model has not yet
 *
 * Which page of many is reclaimed depends on uses that no event tells. Pages of one task's anonymous memory, and all
 * pages of the page cache, are therefore taken for interchangeable: if one kernel has reclaimed one and the other kernel
 * another, the page that is there takes the name of the one that is not. So either pages are gone or pages are left
 * over, never both. When a task frees its last anonymous page, what is left over of it is freed too.
 *
 * Traced reclaim is what frees listed pages in kswapd, or between the begin and end of a direct reclaim, outside
 * interrupts. Pages enter the LRU lists by their flags (km_lru_kind_of); at the start kpageflags names list and flags,
 * in the order of the page frames: the order of the lists is not recorded.
 * Tasks: those that allocate. Pages a task shares after a fork count for the one that allocated them. A task the model
 * kills asks for nothing any more.
 * References: kernel-behaviour D2 to D6, H3, H6; Documentation/admin-guide/mm/pagemap.rst.
 */
#include "sim/workload/reclaim_model.h"

#include "models/os/oom.h"
#include "models/os/page_alloc.h"
#include "models/os/reclaim.h"
#include "sim/report/proc_fields.h"
#include "sim/workload/compact_model.h"
#include "sim/workload/kpageflags.h"

#include <stdlib.h>
#include <string.h>

#define TASKS 16384u
#define RECLAIMERS 64u
#define NONE KM_PFN_NONE
enum { CACHE = TASKS, NOBODYS, GROUPS }; /* groups besides the tasks': page cache, anonymous pages of the start */

enum use { USE_OTHER, USE_ANON, USE_FILE, USE_PAGE_TABLE };

struct links {
    km_pfn next, prev;
    uint32_t group; /* + 1; 0: in no chain */
};

/* Pages that can stand for each other: a task's anonymous ones, or the page cache. */
struct group {
    km_pfn gone; /* first traced frame; NONE: none */
    km_pfn left; /* first model frame */
    uint64_t nr_gone;
    uint64_t live; /* traced frames in use, gone or not */
};

struct page {
    uint32_t group;
    int32_t pid;
    uint8_t use;
};

struct km_reclaim_model {
    struct km_lru lru;
    struct km_reclaim reclaim;
    struct km_oom oom;
    struct km_compact_model compact;
    km_pfn nr_traced, nr_model;
    struct page *page;         /* [model] */
    struct links *gone, *left; /* [traced], [model] */
    struct group *group;       /* [task], then CACHE and NOBODYS */
    int32_t reclaimer[RECLAIMERS]; /* tasks the trace has in direct reclaim; 0: free */
    uint64_t kept, skipped_gone, renamed, dead_requests;
};

bool km_reclaim_wanted(const struct km_replay *r)
{
    uint64_t ram = r->cfg->machine.ram_bytes, traced = r->bundle ? r->bundle->ram_bytes : 0;

    if (r->cfg->replay.mode != KM_REPLAY_PAGES && r->cfg->replay.mode != KM_REPLAY_OBJECTS)
        return false;
    if (r->cfg->replay.reclaim == KM_RECLAIM_AUTO)
        return ram && traced && ram < traced;
    return r->cfg->replay.reclaim == KM_RECLAIM_MODEL;
}

/* ---- chains ---- */

static void link_in(struct links *l, km_pfn *head, km_pfn pfn, uint32_t group)
{
    l[pfn] = (struct links){.next = *head, .prev = NONE, .group = group + 1};
    if (*head != NONE)
        l[*head].prev = pfn;
    *head = pfn;
}

static void link_out(struct links *l, km_pfn *head, km_pfn pfn)
{
    if (l[pfn].prev != NONE)
        l[l[pfn].prev].next = l[pfn].next;
    else
        *head = l[pfn].next;
    if (l[pfn].next != NONE)
        l[l[pfn].next].prev = l[pfn].prev;
    l[pfn].group = 0;
}

static uint32_t group_of(struct km_reclaim_model *m, enum use use, int32_t pid)
{
    struct km_oom_task *t = use == USE_ANON ? km_oom_task(&m->oom, pid) : NULL;

    if (use != USE_ANON)
        return CACHE;
    return t ? (uint32_t)(t - m->oom.task) : NOBODYS;
}

static void set_gone(struct km_reclaim_model *m, km_pfn traced, uint32_t group)
{
    link_in(m->gone, &m->group[group].gone, traced, group);
    m->group[group].nr_gone++;
}

static void clear_gone(struct km_reclaim_model *m, km_pfn traced)
{
    struct group *g = &m->group[m->gone[traced].group - 1];

    link_out(m->gone, &g->gone, traced);
    g->nr_gone--;
}

/* ---- accounts of the tasks ---- */

static void account(struct km_reclaim_model *m, const struct page *p, int32_t pages)
{
    struct km_oom_task *t = p->pid ? km_oom_find(&m->oom, p->pid) : NULL;

    if (!t)
        return;
    if (p->use == USE_ANON)
        t->rss_anon += (uint32_t)pages;
    else if (p->use == USE_PAGE_TABLE)
        t->page_tables += (uint32_t)pages;
}

static void forget(struct km_reclaim_model *m, km_pfn pfn)
{
    account(m, &m->page[pfn], -1);
    m->page[pfn] = (struct page){.use = USE_OTHER};
}

static void give_slot_back(struct km_replay *r, uint32_t group)
{
    struct km_reclaim_model *m = r->reclaim;

    if (group >= TASKS || !m->oom.task[group].swap)
        return;
    m->oom.task[group].swap--;
    km_swap_free(&r->guest.os, 1);
}

/* ---- the model reclaims ---- */

static void on_gone(void *ctx, struct km_cpu *cpu, km_pfn pfn, bool swapped)
{
    struct km_replay *r = ctx;
    struct km_reclaim_model *m = r->reclaim;
    uint32_t group = m->page[pfn].group;
    km_pfn traced = km_page_map_traced(&r->map, pfn);

    (void)cpu;
    forget(m, pfn);
    if (m->left[pfn].group) { /* the traced kernel was first */
        link_out(m->left, &m->group[group].left, pfn);
        return;
    }
    if (traced == NONE)
        return;
    km_page_map_clear(&r->map, traced, 0);
    km_pfn left = m->group[group].left;

    if (left != NONE) {
        link_out(m->left, &m->group[group].left, left);
        km_page_map_set(&r->map, traced, left, 0);
        m->renamed++;
        return;
    }
    set_gone(m, traced, group);
    if (swapped && group < TASKS)
        m->oom.task[group].swap++;
}

/* Compaction moves the page: what it is used for goes with it. */
void km_reclaim_model_moved(struct km_replay *r, km_pfn from, km_pfn to)
{
    struct km_reclaim_model *m = r->reclaim;
    uint32_t left = m->left[from].group;

    m->page[to] = m->page[from];
    m->page[from] = (struct page){.use = USE_OTHER};
    if (!left)
        return;
    link_out(m->left, &m->group[left - 1].left, from);
    link_in(m->left, &m->group[left - 1].left, to, left - 1);
}

/* ---- the trace ---- */

/* The traced kernel's compaction frees a page it has moved: here it stays and is called by its new frame. */
bool km_reclaim_model_renames(struct km_replay *r, const struct km_event *ev, uint64_t index)
{
    struct km_reclaim_model *m = r->reclaim;
    km_pfn traced = ev->page.pfn, to = m ? km_compact_model_target(r, ev, index) : NONE;
    km_pfn pfn = km_page_map_get(&r->map, traced);

    if (to == NONE || to >= m->nr_traced || (to == traced && pfn != NONE))
        return false;
    if (to == traced)
        return true;
    if (km_page_map_get(&r->map, to) != NONE || m->gone[to].group)
        return false; /* its free was silent: the target found is doubtful */
    if (pfn != NONE) {
        km_page_map_clear(&r->map, traced, 0);
        km_page_map_set(&r->map, to, pfn, 0);
    } else if (m->gone[traced].group) {
        uint32_t group = m->gone[traced].group - 1;

        clear_gone(m, traced);
        set_gone(m, to, group);
    }
    m->compact.followed++;
    return true;
}

static void free_left_overs(struct km_replay *r, struct km_cpu *cpu, uint32_t group)
{
    struct km_reclaim_model *m = r->reclaim;
    km_pfn pfn;

    while ((pfn = m->group[group].left) != NONE) {
        link_out(m->left, &m->group[group].left, pfn);
        forget(m, pfn);
        km_free_pages(&r->guest.os, cpu, pfn, 0);
    }
}

static bool reclaiming(const struct km_reclaim_model *m, const struct km_trace *trace, const struct km_event *ev)
{
    if (ev->context & (KM_EV_SOFTIRQ | KM_EV_HARDIRQ | KM_EV_NMI))
        return false;
    if (!strncmp(km_trace_string(trace, ev->comm), "kswapd", 6))
        return true;
    for (unsigned i = 0; i < RECLAIMERS; i++)
        if (m->reclaimer[i] == ev->pid && ev->pid)
            return true;
    return false;
}

bool km_reclaim_model_keeps(struct km_replay *r, const struct km_event *ev)
{
    struct km_reclaim_model *m = r->reclaim;
    km_pfn traced = ev->page.pfn, pfn = km_page_map_get(&r->map, traced);

    if (!m || ev->page.order || !reclaiming(m, r->trace, ev))
        return false;
    if (pfn == NONE) {
        if (traced < m->nr_traced && m->gone[traced].group) { /* both have reclaimed it */
            clear_gone(m, traced);
            return true;
        }
        return false;
    }
    uint32_t flags = km_peek32(r->guest.window.base, km_page_va(&r->guest.os, pfn) + KM_PAGE_FLAGS);

    if (!(flags & (KM_PG_LRU | KM_PG_BATCHED | KM_PG_ISOLATED)))
        return false; /* slabs that shrinkers gave back are not the lists' */
    uint32_t group = m->page[pfn].group;
    km_pfn other = m->group[group].gone;

    m->kept++;
    km_page_map_clear(&r->map, traced, 0);
    if (other != NONE) {
        clear_gone(m, other);
        km_page_map_set(&r->map, other, pfn, 0);
        m->renamed++;
    } else {
        link_in(m->left, &m->group[group].left, pfn, group);
    }
    return true;
}

bool km_reclaim_model_gone(struct km_replay *r, km_pfn traced)
{
    struct km_reclaim_model *m = r->reclaim;

    if (!m || traced >= m->nr_traced || !m->gone[traced].group)
        return false;
    uint32_t group = m->gone[traced].group - 1;

    clear_gone(m, traced);
    give_slot_back(r, group);
    if (m->group[group].live)
        m->group[group].live--;
    m->skipped_gone++;
    return true;
}

void km_reclaim_model_freed(struct km_replay *r, struct km_cpu *cpu, km_pfn pfn)
{
    struct km_reclaim_model *m = r->reclaim;

    if (!m || pfn >= m->nr_model)
        return;
    uint32_t group = m->page[pfn].group;
    bool anon = m->page[pfn].use == USE_ANON;

    forget(m, pfn);
    if (!anon || !m->group[group].live)
        return;
    if (--m->group[group].live == 0 && group < TASKS)
        free_left_overs(r, cpu, group);
}

bool km_reclaim_model_dead(const struct km_replay *r, const struct km_event *ev)
{
    const struct km_oom_task *t = r->reclaim ? km_oom_find(&r->reclaim->oom, ev->pid) : NULL;

    if (!t || !t->killed || ev->context & (KM_EV_SOFTIRQ | KM_EV_HARDIRQ))
        return false;
    r->reclaim->dead_requests++;
    return true;
}

/* PTE pages: accounted, may lie in HighMem, cleared. */
static bool is_page_table(const struct km_event *ev)
{
    const uint32_t wanted = KM_GFP_ACCOUNT | KM_GFP_HIGHMEM | KM_GFP_ZERO;

    return !ev->page.order && (ev->page.gfp & wanted) == wanted && !(ev->page.gfp & (KM_GFP_MOVABLE | KM_GFP_HARDWALL));
}

static void know(struct km_replay *r, km_pfn pfn, enum use use, int32_t pid)
{
    struct km_reclaim_model *m = r->reclaim;

    m->page[pfn] = (struct page){.use = (uint8_t)use, .pid = pid, .group = group_of(m, use, pid)};
    m->group[m->page[pfn].group].live++;
    if (pid)
        km_oom_task(&m->oom, pid);
    account(m, &m->page[pfn], 1);
}

void km_reclaim_model_alloc(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev, km_pfn pfn)
{
    struct km_reclaim_model *m = r->reclaim;
    enum km_lru_kind kind = km_lru_kind_of(ev->page.gfp, ev->page.order);
    enum use use = kind == KM_LRU_ANON ? USE_ANON : kind != KM_LRU_NONE ? USE_FILE : USE_OTHER;
    struct km_oom_task *t = km_oom_task(&m->oom, ev->pid);

    if (t)
        km_oom_set_comm(t, km_trace_string(r->trace, ev->comm));
    if (use == USE_OTHER && is_page_table(ev))
        use = USE_PAGE_TABLE;
    if (use == USE_OTHER)
        return;
    for (km_pfn p = pfn; p < pfn + (1u << ev->page.order); p++)
        know(r, p, use, ev->pid);
    km_lru_add(&r->guest.os, cpu, pfn, kind);
}

static void set_reclaimer(struct km_reclaim_model *m, int32_t from, int32_t to)
{
    for (unsigned i = 0; i < RECLAIMERS; i++)
        if (m->reclaimer[i] == from) {
            m->reclaimer[i] = to;
            return;
        }
}

/* "pid=309 comm=stress-ng oom_score_adj=-1000" */
static void on_oom_event(struct km_reclaim_model *m, const struct km_trace *trace, const struct km_event *ev)
{
    const char *pid = strstr(ev->text.text, "pid="), *adj = strstr(ev->text.text, "oom_score_adj=");
    struct km_oom_task *t;

    if (strcmp(km_trace_string(trace, ev->text.name), "oom_score_adj_update") || !pid || !adj)
        return;
    t = km_oom_task(&m->oom, (int32_t)strtol(pid + 4, NULL, 10));
    if (t)
        t->adj = (int32_t)strtol(adj + 14, NULL, 10);
}

void km_reclaim_model_event(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct km_reclaim_model *m = r->reclaim;

    if (!m)
        return;
    m->oom.current[cpu->id] = ev->pid;
    km_reclaim_step(&r->guest.os, cpu, ev->time_ns);
    km_compact_model_step(r, &m->compact, cpu, ev->time_ns);
    if (ev->type == KM_EV_DIRECT_RECLAIM_BEGIN)
        set_reclaimer(m, 0, ev->pid);
    else if (ev->type == KM_EV_DIRECT_RECLAIM_END)
        set_reclaimer(m, ev->pid, 0);
    else if (ev->type == KM_EV_OOM)
        on_oom_event(m, r->trace, ev);
}

void km_reclaim_model_tp(struct km_replay *r, const struct km_cpu *cpu, const struct km_tp *tp)
{
    uint64_t now_ns = r->at[cpu->id].time_ns;

    if (!r->reclaim)
        return;
    switch (tp->kind) {
    case KM_TP_KSWAPD_WAKE:
        km_report_event(r->report, now_ns, cpu->id, "kswapd_wake_model", "order %u", tp->order);
        break;
    case KM_TP_KSWAPD_SLEEP:
        km_report_event(r->report, now_ns, cpu->id, "kswapd_sleep_model", "balanced");
        break;
    case KM_TP_DIRECT_RECLAIM_BEGIN:
        km_report_event(r->report, now_ns, cpu->id, "direct_reclaim_model", "order %u gfp %#x", tp->order, tp->gfp);
        break;
    case KM_TP_DIRECT_RECLAIM_END:
        km_report_event(r->report, now_ns, cpu->id, "direct_reclaim_end_model", "%u pages reclaimed", tp->nr);
        break;
    case KM_TP_COMPACTION:
        km_compact_model_tp(r, cpu, tp);
        break;
    case KM_TP_OOM_KILL:
        km_report_event(r->report, now_ns, cpu->id, "oom_model", "%s (%u) killed for order %u gfp %#x", tp->name, tp->nr,
                        tp->order, tp->gfp);
        break;
    case KM_TP_ALLOC_FAILURE:
        km_report_event(r->report, now_ns, cpu->id, "alloc_failure_model", "page allocation failure: order:%u, mode:%#x",
                        tp->order, tp->gfp);
        break;
    default:
        break;
    }
}

/* ---- OOM ---- */

static void on_kill(void *ctx, struct km_cpu *cpu, struct km_oom_task *victim)
{
    struct km_replay *r = ctx;
    struct km_reclaim_model *m = r->reclaim;
    uint32_t group = (uint32_t)(victim - m->oom.task);

    free_left_overs(r, cpu, group);
    for (km_pfn p = 0; p < m->nr_model; p++) {
        km_pfn traced = km_page_map_traced(&r->map, p);

        if (m->page[p].pid != victim->pid || m->page[p].use == USE_FILE || m->page[p].use == USE_OTHER || traced == NONE)
            continue;
        km_page_map_clear(&r->map, traced, 0);
        forget(m, p);
        km_free_pages(&r->guest.os, cpu, p, 0);
    }
    while (m->group[group].gone != NONE)
        clear_gone(m, m->group[group].gone);
    km_swap_free(&r->guest.os, victim->swap);
    victim->swap = victim->rss_anon = victim->page_tables = 0;
}

/* ---- the start ---- */

/* page->flags of a kpageflags word. */
static uint32_t flags_of(uint64_t word)
{
    static const struct {
        unsigned bit;
        uint32_t flag;
    } table[] = {{KPF_REFERENCED, KM_PG_REFERENCED}, {KPF_DIRTY, KM_PG_DIRTY},           {KPF_ACTIVE, KM_PG_ACTIVE},
                 {KPF_RECLAIM, KM_PG_RECLAIM},       {KPF_SWAPBACKED, KM_PG_SWAPBACKED}, {KPF_UNEVICTABLE, KM_PG_UNEVICTABLE},
                 {KPF_MMAP, KM_PG_YOUNG}}; /* a mapped page was used through it at least once */
    uint32_t flags = 0;

    for (size_t i = 0; i < KM_ARRAY_LEN(table); i++)
        if (word >> table[i].bit & 1)
            flags |= table[i].flag;
    if (word >> KPF_SWAPBACKED & 1)
        flags &= ~(uint32_t)KM_PG_DIRTY; /* every page without a place in swap is */
    return flags;
}

static void place_start_page(struct km_replay *r, km_pfn pfn, uint64_t word)
{
    struct km_guest *g = &r->guest;
    km_vaddr va = km_page_va(&g->os, pfn);
    bool anon = word >> KPF_SWAPBACKED & 1;

    if (word >> KPF_TAIL & 1 || !(word >> KPF_LRU & 1))
        return;
    know(r, pfn, anon ? USE_ANON : USE_FILE, 0);
    km_st32(&g->cpu[0], va + KM_PAGE_TYPE, word >> KPF_MMAP & 1 ? 0 : KM_PAGE_TYPE_NONE);
    km_lru_place(&g->os, &g->cpu[0], pfn, flags_of(word), false);
}

/* This machine had no room for it: it was reclaimed before the replay begins. */
static void note_dropped(struct km_replay *r, km_pfn traced, bool anon)
{
    struct km_reclaim_model *m = r->reclaim;

    set_gone(m, traced, anon ? NOBODYS : CACHE);
    if (anon && km_swap_room(&m->reclaim))
        m->reclaim.swap_used++;
}

/* What the snapshot says of the pages the trace starts with; no list is known without it. */
static void place_start(struct km_replay *r)
{
    const struct km_proc_state *s = r->bundle ? &r->bundle->start : NULL;
    struct km_guest *g = &r->guest;

    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        for (km_pfn p = g->os.zone[z].start_pfn; p < g->os.zone[z].end_pfn; p++)
            *(uint32_t *)(g->window.base + km_page_va(&g->os, p) + KM_PAGE_FLAGS) &= ~(uint32_t)KM_PG_LRU;
    if (!s || r->boot || !s->kpageflags)
        return;
    for (km_pfn traced = 0; traced < s->nr_frames && traced < r->map.nr_frames; traced++) {
        km_pfn pfn = km_page_map_get(&r->map, traced);

        if (pfn != NONE && km_pfn_zone(&g->os, pfn) != KM_NR_ZONES)
            place_start_page(r, pfn, s->kpageflags[traced]);
        else if (r->elsewhere && pfn == NONE && s->kpageflags[traced] >> KPF_LRU & 1)
            note_dropped(r, traced, s->kpageflags[traced] >> KPF_SWAPBACKED & 1);
    }
}

static int allocate(struct km_reclaim_model *m, struct km_err *err)
{
    m->page = calloc(m->nr_model, sizeof(*m->page));
    m->gone = calloc(m->nr_traced, sizeof(*m->gone));
    m->left = calloc(m->nr_model, sizeof(*m->left));
    m->group = calloc(GROUPS, sizeof(*m->group));
    m->oom.task = calloc(TASKS, sizeof(*m->oom.task));
    m->reclaim.dirty.item = calloc(m->nr_model, sizeof(struct km_write));
    m->reclaim.writing.item = calloc(m->nr_model, sizeof(struct km_write));
    m->reclaim.dirty.room = m->reclaim.writing.room = m->nr_model;
    if (!m->page || !m->gone || !m->left || !m->group || !m->oom.task || !m->reclaim.dirty.item ||
        !m->reclaim.writing.item)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory to follow %u page frames", m->nr_model);
    for (uint32_t i = 0; i < GROUPS; i++)
        m->group[i] = (struct group){.gone = NONE, .left = NONE};
    return KM_OK;
}

static void configure(struct km_replay *r, struct km_reclaim_model *m)
{
    const struct km_os_config *os = &r->cfg->os;
    const struct km_bundle *b = r->bundle;
    uint64_t used = b && !os->swap_bytes ? b->swap_kbytes - b->swap_free_kbytes : 0;

    m->reclaim.swap_pages = os->swap_bytes ? os->swap_bytes >> KM_PAGE_SHIFT : b ? b->swap_kbytes / 4 : 0;
    m->reclaim.swap_used = used / 4 < m->reclaim.swap_pages ? used / 4 : m->reclaim.swap_pages;
    m->reclaim.swappiness = os->swappiness;
    m->reclaim.writeback_ns = os->writeback_ns;
    m->reclaim.dirty_expire_ns = 30000000000ull; /* vm.dirty_expire_centisecs */
    m->reclaim.scan_page_ns = os->reclaim_page_ns;
    m->reclaim.ctx = r;
    m->reclaim.gone = on_gone;
    m->oom.room = TASKS;
    m->oom.ctx = r;
    m->oom.kill = on_kill;
}

int km_reclaim_model_open(struct km_replay *r, struct km_err *err)
{
    struct km_reclaim_model *m = calloc(1, sizeof(*m));

    if (!m)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    r->reclaim = m;
    m->nr_traced = r->map.nr_frames;
    m->nr_model = r->guest.facts.max_pfn;
    if (km_page_map_follow(&r->map, m->nr_model) < 0)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory for %u page frames", m->nr_model);
    int rc = allocate(m, err);

    if (rc < 0)
        return rc;
    configure(r, m);
    km_lru_open(&m->lru, &r->guest.os, &r->guest.cpu[0]);
    km_reclaim_open(&m->reclaim, &r->guest.os);
    r->guest.os.oom = &m->oom;
    km_compact_model_open(r, &m->compact);
    place_start(r);
    return KM_OK;
}

void km_reclaim_model_summary(const struct km_replay *r, struct km_run_summary *sum)
{
    const struct km_reclaim_model *m = r->reclaim;
    unsigned n = 0;

    if (!m)
        return;
    for (unsigned e = 0; e < KM_VM_NR; e++)
        sum->reclaim[n++] = (struct km_run_count){km_vm_event_name((enum km_vm_event)e), m->reclaim.count[e]};
    sum->reclaim[n++] = (struct km_run_count){"swap_pages_used", m->reclaim.swap_used};
    sum->reclaim[n++] = (struct km_run_count){"traced_reclaims_left_out", m->kept};
    sum->reclaim[n++] = (struct km_run_count){"frees_of_reclaimed", m->skipped_gone};
    sum->reclaim[n++] = (struct km_run_count){"pages_renamed", m->renamed};
    sum->nr_reclaim = n;
    km_compact_model_summary(&m->compact, sum);
}

void km_reclaim_model_vmstat(const struct km_replay *r, struct km_proc_counter *lines, unsigned nr)
{
    static const char *const list[KM_LRU_NR] = {"nr_inactive_anon", "nr_active_anon", "nr_inactive_file",
                                                "nr_active_file", "nr_unevictable"};
    const struct km_reclaim_model *m = r->reclaim;

    if (!m)
        return;
    for (unsigned l = 0; l < KM_LRU_NR; l++) {
        uint64_t pages = 0;

        for (unsigned z = 0; z < KM_NR_ZONES; z++)
            pages += km_peek32(r->guest.window.base, m->lru.zone_size_va + (z * KM_LRU_NR + l) * 4);
        km_proc_set_counter(lines, nr, list[l], pages);
    }
    km_proc_set_counter(lines, nr, "nr_dirty", m->lru.nr_dirty);
    km_proc_set_counter(lines, nr, "nr_writeback", m->lru.nr_writeback);
    for (unsigned e = 0; e < KM_VM_NR; e++)
        km_proc_set_counter(lines, nr, km_vm_event_name((enum km_vm_event)e), m->reclaim.count[e]);
    km_compact_model_vmstat(&m->compact, lines, nr);
}

const char *km_reclaim_model_check(const struct km_replay *r)
{
    return r->reclaim ? km_lru_check(&r->guest.os, r->guest.window.base) : NULL;
}

void km_reclaim_model_close(struct km_replay *r)
{
    struct km_reclaim_model *m = r->reclaim;

    if (!m)
        return;
    r->guest.os.lru = NULL;
    r->guest.os.reclaim = NULL;
    r->guest.os.oom = NULL;
    km_compact_model_close(r);
    free(m->page);
    free(m->gone);
    free(m->left);
    free(m->group);
    free(m->oom.task);
    free(m->reclaim.dirty.item);
    free(m->reclaim.writing.item);
    free(m);
    r->reclaim = NULL;
}
