/* SPDX-License-Identifier: MIT
 * test_text.c - every kind of event from real lines of real kernels, in both text spellings.
 */
#include "trace_helper.h"

#include "sim/trace/text.h"

struct fixture {
    struct km_intern strings;
    struct km_text text;
    struct km_event ev;
};

static void parse_kind(struct fixture *f, const char *line, enum km_text_line kind)
{
    assert_int_equal(km_text_parse(&f->text, line, strlen(line), &f->ev), kind);
}

static const struct km_event *parse(struct fixture *f, const char *line)
{
    parse_kind(f, line, KM_TEXT_EVENT);
    return &f->ev;
}

/* The same payload behind a trace-cmd head. */
static const struct km_event *payload(struct fixture *f, const char *text)
{
    char line[2048];

    snprintf(line, sizeof(line), "            bash-289   [001]    57.089903447: %s", text);
    return parse(f, line);
}

static const char *string(const struct fixture *f, uint32_t id)
{
    return km_intern_text(&f->strings, id);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_true(km_intern_init(&f->strings));
    km_text_init(&f->text, &f->strings);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_intern_release(&f->strings);
    free(f);
    return 0;
}

static void head_of_tracecmd(void **state)
{
    struct fixture *f = *state;
    const struct km_event *ev =
        parse(f, "            bash-289   [001]    57.089903447: kfree:                (f+0x3) "
                 "call_site=f+0x3 ptr=(nil)");

    assert_string_equal(string(f, ev->comm), "bash");
    assert_int_equal(ev->pid, 289);
    assert_int_equal(ev->cpu, 1);
    assert_int_equal(ev->time_ns, 57089903447);
    assert_int_equal(ev->context, 0);
}

static void head_of_tracefs(void **state)
{
    struct fixture *f = *state;
    const struct km_event *ev =
        parse(f, "           sleep-288     [001] dN.2.    46.163892: kfree: call_site=f+0x6c/0xd0 "
                 "ptr=c2e93210");

    assert_string_equal(string(f, ev->comm), "sleep");
    assert_int_equal(ev->time_ns, 46163892000);
    assert_int_equal(ev->context, KM_EV_CONTEXT_KNOWN | KM_EV_IRQS_OFF | KM_EV_NEED_RESCHED);
    assert_int_equal(ev->preempt_count, 2);
    assert_int_equal(ev->obj.ptr, 0xc2e93210);
    assert_int_equal(ev->obj.call_site_offset, 0x6c);
}

static void context_column(void **state)
{
    static const struct {
        const char *flags;
        unsigned context, preempt;
    } rows[] = {
        {".....", 0, 0},
        {"d.h1.", KM_EV_IRQS_OFF | KM_EV_HARDIRQ, 1},
        {"d.H1.", KM_EV_IRQS_OFF | KM_EV_HARDIRQ | KM_EV_SOFTIRQ, 1},
        {"..s1.", KM_EV_SOFTIRQ, 1},
        {"d..a.", KM_EV_IRQS_OFF, 10},
        {"D.z..", KM_EV_IRQS_OFF | KM_EV_NMI, 0},
        {".n...", KM_EV_NEED_RESCHED, 0},
    };
    struct fixture *f = *state;
    char line[256];

    for (size_t i = 0; i < KM_ARRAY_LEN(rows); i++) {
        snprintf(line, sizeof(line),
                 "    kworker/0:1-17 [000] %s 1.000001: kfree: call_site=f+0x1/0x2 ptr=c1000000",
                 rows[i].flags);
        assert_int_equal(parse(f, line)->context, rows[i].context | KM_EV_CONTEXT_KNOWN);
        assert_int_equal(f->ev.preempt_count, rows[i].preempt);
    }
}

static void odd_task_names(void **state)
{
    struct fixture *f = *state;

    parse(f, "          <idle>-0     [000]     0.000000000: kfree: call_site=f+0x1 ptr=0xc1000000");
    assert_string_equal(string(f, f->ev.comm), "<idle>");
    parse(f, "    kworker/u4:1-44    [000]     3.162819935: kfree: call_site=f+0x1 ptr=0xc1000000");
    assert_string_equal(string(f, f->ev.comm), "kworker/u4:1");
    parse(f, "     a [0]-9 b-1-12345 [003]     3.162819: kfree: call_site=f+0x1 ptr=0xc1000000");
    assert_string_equal(string(f, f->ev.comm), "a [0]-9 b-1");
    assert_int_equal(f->ev.pid, 12345);
    parse(f, "           <...>-4711  (   4711) [002] .... 3.162819: kfree: call_site=f+0x1 "
             "ptr=c1000000");
    assert_string_equal(string(f, f->ev.comm), "<...>");
    assert_int_equal(f->ev.pid, 4711);
    assert_int_equal(f->ev.cpu, 2);
}

static void counter_clock(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        parse(f, "  bash-1 [000] 123456: kfree: call_site=f+0x1 ptr=0xc1000000")->time_ns, 123456);
}

static void kmalloc(void **state)
{
    struct fixture *f = *state;
    const struct km_event *ev = payload(
        f, "kmalloc:              (vmstat_start+0x3b) call_site=vmstat_start+0x3b ptr=0xc2df1800 "
           "bytes_req=616 bytes_alloc=1024 gfp_flags=GFP_KERNEL|__GFP_ZERO node=-1 accounted=true");

    assert_int_equal(ev->type, KM_EV_KMALLOC);
    assert_string_equal(string(f, ev->obj.call_site), "vmstat_start");
    assert_int_equal(ev->obj.call_site_offset, 0x3b);
    assert_int_equal(ev->obj.call_site_addr, 0);
    assert_int_equal(ev->obj.ptr, 0xc2df1800);
    assert_int_equal(ev->obj.bytes_req, 616);
    assert_int_equal(ev->obj.bytes_alloc, 1024);
    assert_int_equal(ev->obj.gfp, 0xdc0);
    assert_int_equal(ev->obj.node, -1);
    assert_true(ev->obj.accounted);
}

static void kmalloc_of_older_kernels(void **state)
{
    struct fixture *f = *state;
    const struct km_event *ev =
        payload(f, "kmalloc_node: call_site=c10f1234 ptr=0xf6a01000 bytes_req=100 bytes_alloc=128 "
                   "gfp_flags=GFP_KERNEL|GFP_ZERO|GFP_REPEAT|GFP_COLD node=0");

    assert_int_equal(ev->type, KM_EV_KMALLOC);
    assert_int_equal(ev->obj.call_site, 0);
    assert_int_equal(ev->obj.call_site_addr, 0xc10f1234);
    assert_int_equal(ev->obj.gfp, 0xcc0 | 0x100 | 0x4000);
    assert_int_equal(ev->obj.node, 0);
    ev = payload(
        f, "kmem_cache_alloc_node: call_site=c10f1234 ptr=(null) bytes_req=100 bytes_alloc=128 "
           "gfp_flags=GFP_KERNEL_ACCOUNT node=0");
    assert_int_equal(ev->type, KM_EV_KMEM_CACHE_ALLOC);
    assert_int_equal(ev->obj.ptr, 0);
    assert_true(ev->obj.accounted);
}

static void cache_events(void **state)
{
    struct fixture *f = *state;
    const struct km_event *ev =
        payload(f, "kmem_cache_free:      (putname+0x47) call_site=putname+0x47 ptr=0xc7741000 "
                   "name=names_cache");

    assert_int_equal(ev->type, KM_EV_KMEM_CACHE_FREE);
    assert_string_equal(string(f, ev->obj.name), "names_cache");
    ev =
        payload(f, "kfree:                (vmstat_stop+0x13) call_site=vmstat_stop+0x13 ptr=(nil)");
    assert_int_equal(ev->type, KM_EV_KFREE);
    assert_int_equal(ev->obj.ptr, 0);
    assert_int_equal(payload(f, "kfree: call_site=f+0x1/0x2 ptr=00000000")->obj.ptr, 0);
    assert_int_equal(payload(f, "kfree: call_site=f+0x1/0x2 ptr=          (null)")->obj.ptr, 0);
}

static void wide_pointers(void **state)
{
    struct fixture *f = *state;

    payload(f,
            "kmalloc: call_site=ffffffff81234567 ptr=0xffff888012345678 bytes_req=8 bytes_alloc=8 "
            "gfp_flags=GFP_KERNEL");
    assert_true(f->text.wide_pointers);
    assert_true(f->ev.obj.ptr == 0xffff888012345678);
    assert_true(f->ev.obj.call_site_addr == 0xffffffff81234567);
}

static void page_events(void **state)
{
    struct fixture *f = *state;
    const struct km_event *ev = payload(f, "mm_page_alloc:        page=0x4968 pfn=0x4968 order=1 "
                                           "migratetype=2 gfp_flags=__GFP_ZERO|__GFP_ACCOUNT");

    assert_int_equal(ev->type, KM_EV_PAGE_ALLOC);
    assert_int_equal(ev->page.pfn, 0x4968);
    assert_int_equal(ev->page.order, 1);
    assert_int_equal(ev->page.migratetype, 2);
    assert_int_equal(ev->page.gfp, 0x400100);
    ev = payload(f, "mm_page_free:         page=dfaa4b68 pfn=0x8649 order=3");
    assert_int_equal(ev->type, KM_EV_PAGE_FREE);
    assert_int_equal(ev->page.pfn, 0x8649);
    assert_int_equal(ev->page.order, 3);
    ev = payload(f, "mm_page_free_batched: page=0x7f800 pfn=0x7f800 order=0");
    assert_int_equal(ev->type, KM_EV_PAGE_FREE_BATCHED);
    ev = payload(
        f,
        "mm_page_alloc_zone_locked: page=0x4965 pfn=0x4965 order=0 migratetype=1 percpu_refill=1");
    assert_int_equal(ev->type, KM_EV_PAGE_ALLOC_ZONE_LOCKED);
    assert_true(ev->page.flag);
    ev = payload(f, "mm_page_pcpu_drain:   page=0x91f1 pfn=0x91f1 order=0 migratetype=0");
    assert_int_equal(ev->type, KM_EV_PAGE_PCPU_DRAIN);
    assert_int_equal(ev->page.pfn, 0x91f1);
}

static void pfn_in_decimal(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(payload(f, "mm_page_free: page=f6f2a4c0 pfn=12345 order=0")->page.pfn, 12345);
    assert_int_equal(payload(f, "mm_page_free_direct: page=f6f2a4c0 pfn=99 order=0")->type,
                     KM_EV_PAGE_FREE);
}

static void failed_page_allocations(void **state)
{
    static const char *const lines[] = {
        "mm_page_alloc: page=00000000 pfn=0x0 order=3 migratetype=0 gfp_flags=GFP_ATOMIC",
        "mm_page_alloc: page=(nil) pfn=0x0 order=3 migratetype=0 gfp_flags=GFP_ATOMIC",
        "mm_page_alloc: page=          (null) pfn=0 order=3 migratetype=0 gfp_flags=GFP_ATOMIC",
        "mm_page_alloc: page=0xffffffff pfn=0xffffffff order=3 migratetype=0 gfp_flags=GFP_ATOMIC",
        "mm_page_alloc: page=0xffffffffffffffff pfn=0xffffffffffffffff order=3 migratetype=0 "
        "gfp_flags=GFP_ATOMIC",
        "mm_page_alloc: page=(nil) pfn=18446744073709551615 order=3 migratetype=0 "
        "gfp_flags=GFP_ATOMIC",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < KM_ARRAY_LEN(lines); i++) {
        assert_int_equal(payload(f, lines[i])->page.pfn, KM_PFN_NONE);
        assert_int_equal(f->ev.page.order, 3);
        assert_int_equal(f->ev.page.gfp, 0xa20);
    }
    assert_int_equal(payload(f, "mm_page_free: page=dfaa4b68 pfn=0x0 order=0")->page.pfn, 0);
}

static void extfrag(void **state)
{
    struct fixture *f = *state;
    const struct km_event *ev =
        payload(f, "mm_page_alloc_extfrag: page=0x5000 pfn=0x5000 alloc_order=1 fallback_order=8 "
                   "pageblock_order=10 "
                   "alloc_migratetype=2 fallback_migratetype=1 fragmenting=1 change_ownership=1");

    assert_int_equal(ev->type, KM_EV_PAGE_ALLOC_EXTFRAG);
    assert_int_equal(ev->extfrag.pfn, 0x5000);
    assert_int_equal(ev->extfrag.alloc_order, 1);
    assert_int_equal(ev->extfrag.fallback_order, 8);
    assert_int_equal(ev->extfrag.pageblock_order, 10);
    assert_int_equal(ev->extfrag.alloc_migratetype, 2);
    assert_int_equal(ev->extfrag.fallback_migratetype, 1);
    assert_true(ev->extfrag.change_ownership);
}

static void percpu_events(void **state)
{
    struct fixture *f = *state;
    const struct km_event *ev = payload(
        f, "percpu_alloc_percpu:  call_site=__alloc_percpu+0x14 reserved=0 is_atomic=1 size=60 "
           "align=4 "
           "base_addr=0xf5237000 off=4116 ptr=0xc1e6a014 bytes_alloc=180 gfp_flags=GFP_KERNEL");

    assert_int_equal(ev->type, KM_EV_PERCPU_ALLOC);
    assert_string_equal(string(f, ev->percpu.call_site), "__alloc_percpu");
    assert_false(ev->percpu.reserved);
    assert_true(ev->percpu.is_atomic);
    assert_int_equal(ev->percpu.size, 60);
    assert_int_equal(ev->percpu.align, 4);
    assert_int_equal(ev->percpu.base_addr, 0xf5237000);
    assert_int_equal(ev->percpu.off, 4116);
    assert_int_equal(ev->percpu.ptr, 0xc1e6a014);
    assert_int_equal(ev->percpu.bytes_alloc, 180);
    assert_int_equal(ev->percpu.gfp, 0xcc0);
    payload(f, "percpu_alloc_percpu: reserved=0 is_atomic=0 size=8 align=4 base_addr=f5237000 "
               "off=16 ptr=c1e6a014");
    assert_int_equal(f->ev.percpu.size, 8);
    payload(f, "percpu_free_percpu:   base_addr=0xf5237000 off=7352 ptr=0xc1e6acb8");
    assert_int_equal(f->ev.type, KM_EV_PERCPU_FREE);
    assert_int_equal(f->ev.percpu.off, 7352);
    payload(f, "percpu_alloc_percpu_fail: reserved=0 is_atomic=1 size=8192 align=8");
    assert_int_equal(f->ev.type, KM_EV_PERCPU_ALLOC_FAIL);
    assert_int_equal(f->ev.percpu.size, 8192);
    payload(f, "percpu_create_chunk:  base_addr=0xfebbc000");
    assert_int_equal(f->ev.type, KM_EV_PERCPU_CREATE_CHUNK);
    payload(f, "percpu_destroy_chunk: base_addr=0xfebbc000");
    assert_int_equal(f->ev.type, KM_EV_PERCPU_DESTROY_CHUNK);
    assert_int_equal(f->ev.percpu.base_addr, 0xfebbc000);
}

static void reclaim_events(void **state)
{
    struct fixture *f = *state;

    payload(f, "mm_vmscan_kswapd_wake: nid=0 order=3");
    assert_int_equal(f->ev.type, KM_EV_KSWAPD_WAKE);
    assert_int_equal(f->ev.reclaim.order, 3);
    payload(f, "mm_vmscan_kswapd_sleep: nid=0");
    assert_int_equal(f->ev.type, KM_EV_KSWAPD_SLEEP);
    payload(f, "mm_vmscan_wakeup_kswapd: nid=0 order=0 gfp_flags=none");
    assert_int_equal(f->ev.type, KM_EV_WAKEUP_KSWAPD);
    assert_int_equal(f->ev.reclaim.gfp, 0);
    payload(f, "mm_vmscan_direct_reclaim_begin: order=0 "
               "gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO");
    assert_int_equal(f->ev.type, KM_EV_DIRECT_RECLAIM_BEGIN);
    assert_int_equal(f->ev.reclaim.gfp, 0x140dca);
    payload(f, "mm_vmscan_direct_reclaim_end: nr_reclaimed=37");
    assert_int_equal(f->ev.type, KM_EV_DIRECT_RECLAIM_END);
    assert_int_equal(f->ev.reclaim.nr, 37);
}

static void compaction_events(void **state)
{
    struct fixture *f = *state;

    payload(f, "mm_compaction_begin:  zone_start=0x1000 migrate_pfn=0x1001 free_pfn=0x1fe00 "
               "zone_end=0x1ffda, mode=sync");
    assert_int_equal(f->ev.type, KM_EV_COMPACTION_BEGIN);
    assert_int_equal(f->ev.compaction.zone_start, 0x1000);
    assert_int_equal(f->ev.compaction.migrate_pfn, 0x1001);
    assert_int_equal(f->ev.compaction.free_pfn, 0x1fe00);
    assert_int_equal(f->ev.compaction.zone_end, 0x1ffda);
    assert_true(f->ev.compaction.sync);
    payload(f, "mm_compaction_end:    zone_start=0x1 migrate_pfn=0x400 free_pfn=0x400 "
               "zone_end=0x1000, mode=async status=complete");
    assert_int_equal(f->ev.type, KM_EV_COMPACTION_END);
    assert_false(f->ev.compaction.sync);
    assert_string_equal(string(f, f->ev.compaction.name), "complete");
}

static void oom_events(void **state)
{
    struct fixture *f = *state;

    payload(f, "oom_score_adj_update: pid=309 comm=stress-ng oom_score_adj=-1000");
    assert_int_equal(f->ev.type, KM_EV_OOM);
    assert_string_equal(string(f, f->ev.text.name), "oom_score_adj_update");
    assert_string_equal(f->ev.text.text, "pid=309 comm=stress-ng oom_score_adj=-1000");
    assert_int_equal(payload(f, "mark_victim: pid=309")->type, KM_EV_OOM);
}

static void vmalloc_probes(void **state)
{
    struct fixture *f = *state;

    payload(f, "vmalloc_range:        (c128f660) size=86601 align=4096 start=0xe07da000 "
               "end=0xfeffe000 gfp=0xcc0");
    assert_int_equal(f->ev.type, KM_EV_VMALLOC_RANGE);
    assert_int_equal(f->ev.probe.a, 86601);
    assert_int_equal(f->ev.probe.b, 4096);
    assert_int_equal(f->ev.probe.c, 0xe07da000);
    assert_int_equal(f->ev.probe.d, 0xfeffe000);
    assert_int_equal(f->ev.probe.gfp, 0xcc0);
    payload(f, "vmalloc_range_ret:    (c128f660 <- c128fdef) ptr=0xe08f3000");
    assert_int_equal(f->ev.type, KM_EV_VMALLOC_RANGE_RET);
    assert_int_equal(f->ev.probe.a, 0xe08f3000);
    assert_int_equal(payload(f, "vfree:                (c128f340) ptr=0xe08f3000")->type,
                     KM_EV_VFREE);
    payload(f, "vm_area:              (c128ef00) size=8192 flags=0x1");
    assert_int_equal(f->ev.type, KM_EV_VM_AREA);
    assert_int_equal(f->ev.probe.b, 1);
    assert_int_equal(payload(f, "vm_area_remove:       (c128ef60) ptr=0xe08f3000")->type,
                     KM_EV_VM_AREA_REMOVE);
}

static void page_probes(void **state)
{
    struct fixture *f = *state;

    payload(f, "pages_bulk:           (c1296810) gfp=0x2cc2 nr=22");
    assert_int_equal(f->ev.type, KM_EV_PAGES_BULK);
    assert_int_equal(f->ev.probe.a, 22);
    assert_int_equal(f->ev.probe.gfp, 0x2cc2);
    payload(f, "pages_bulk_ret:       (c1296810 <- c128f816) got=21");
    assert_int_equal(f->ev.type, KM_EV_PAGES_BULK_RET);
    assert_int_equal(f->ev.probe.a, 21);
    payload(f, "split_page:           (c1290c60) page=0xdfe29900 order=5");
    assert_int_equal(f->ev.type, KM_EV_SPLIT_PAGE);
    assert_int_equal(f->ev.probe.a, 0xdfe29900);
    assert_int_equal(f->ev.probe.b, 5);
    payload(f, "pages_exact:          (c1290d00) size=20480 gfp=0xdc0");
    assert_int_equal(f->ev.type, KM_EV_PAGES_EXACT);
    assert_int_equal(f->ev.probe.a, 20480);
    payload(f, "pages_exact_ret:      (c1290d00 <- c128fdef) ptr=0xc8600000");
    assert_int_equal(f->ev.type, KM_EV_PAGES_EXACT_RET);
    assert_int_equal(payload(f, "kmap_high: (c126eff0) page=0xf6e784e8")->type, KM_EV_KMAP_HIGH);
    assert_int_equal(payload(f, "kunmap_high: (c126eff0) page=0xf6e784e8")->type,
                     KM_EV_KUNMAP_HIGH);
    payload(f, "kmap_local:           (c126eff0) page=0xf6e784e8");
    assert_int_equal(f->ev.type, KM_EV_KMAP_LOCAL);
    assert_int_equal(f->ev.probe.a, 0xf6e784e8);
    payload(f, "kunmap_local:         (c126ed60) ptr=0xfffbb988");
    assert_int_equal(f->ev.type, KM_EV_KUNMAP_LOCAL);
    assert_int_equal(f->ev.probe.a, 0xfffbb988);
}

static void slab_probes(void **state)
{
    struct fixture *f = *state;

    payload(f, "slab_alloc_bulk:      (c12a7660) cache=0xc2003500 gfp=0xcc0 nr=5");
    assert_int_equal(f->ev.type, KM_EV_SLAB_ALLOC_BULK);
    assert_int_equal(f->ev.probe.a, 0xc2003500);
    assert_int_equal(f->ev.probe.b, 5);
    payload(f, "slab_alloc_bulk_ret: (mas_alloc_nodes+0xe7/0x200 <- kmem_cache_alloc_bulk) got=5");
    assert_int_equal(f->ev.type, KM_EV_SLAB_ALLOC_BULK_RET);
    assert_int_equal(f->ev.probe.a, 5);
    payload(f, "slab_free_bulk:       (c12a7640) cache=0xc2003500 nr=2 array=0xc3565354 "
               "p0=0xc3565500 p1=0xc3565100 "
               "p2=0x0 p3=0x0 p4=0x0 p5=0x0 p6=0x0 p7=0x0 p8=0x0 p9=0x0 p10=0xa p11=0x0 p12=0x0 "
               "p13=0x0 p14=0x0 p15=0xf");
    assert_int_equal(f->ev.type, KM_EV_SLAB_FREE_BULK);
    assert_int_equal(f->ev.bulk.cache, 0xc2003500);
    assert_int_equal(f->ev.bulk.nr, 2);
    assert_int_equal(f->ev.bulk.ptr[0], 0xc3565500);
    assert_int_equal(f->ev.bulk.ptr[1], 0xc3565100);
    assert_int_equal(f->ev.bulk.ptr[10], 10);
    assert_int_equal(f->ev.bulk.ptr[15], 15);
    payload(f,
            "cache_create:         (c1261dd0) name=\"fat_cache\" size=20 align=0 flags=0x120000");
    assert_int_equal(f->ev.type, KM_EV_CACHE_CREATE);
    assert_string_equal(string(f, f->ev.probe.name), "fat_cache");
    assert_int_equal(f->ev.probe.a, 20);
    assert_int_equal(f->ev.probe.c, 0x120000);
    payload(f, "mempool_alloc:        (c122a970) pool=0xc1ecb00c gfp=0xcc0");
    assert_int_equal(f->ev.type, KM_EV_MEMPOOL_ALLOC);
    assert_int_equal(f->ev.probe.a, 0xc1ecb00c);
    payload(f, "mempool_free:         (c122a880) ptr=0xc2d08000 pool=0xc2246900");
    assert_int_equal(f->ev.type, KM_EV_MEMPOOL_FREE);
    assert_int_equal(f->ev.probe.b, 0xc2246900);
    payload(f, "krealloc:             (c1262c10) ptr=0xc86fa680 size=56 gfp=0xcc0");
    assert_int_equal(f->ev.type, KM_EV_KREALLOC);
    assert_int_equal(f->ev.probe.b, 56);
}

static void marks(void **state)
{
    struct fixture *f = *state;

    payload(f, "print:                tracing_mark_write: SAMPLE_BEGIN 7");
    assert_int_equal(f->ev.type, KM_EV_MARK);
    assert_string_equal(f->ev.text.text, "SAMPLE_BEGIN 7");
    payload(f, "tracing_mark_write: PAGETYPE Page block order: 9");
    assert_string_equal(f->ev.text.text, "PAGETYPE Page block order: 9");
}

static void lost_events(void **state)
{
    struct fixture *f = *state;

    parse(f, "CPU:1 [LOST 42 EVENTS]");
    assert_int_equal(f->ev.type, KM_EV_LOST);
    assert_int_equal(f->ev.cpu, 1);
    assert_int_equal(f->ev.lost.nr, 42);
    assert_int_equal(parse(f, "CPU:0 [17 EVENTS DROPPED]")->lost.nr, 17);
    assert_int_equal(parse(f, "CPU:0 [LOST EVENTS]")->lost.nr, 0);
    assert_int_equal(parse(f, "CPU:3 [EVENTS DROPPED]")->cpu, 3);
}

static void other_events(void **state)
{
    struct fixture *f = *state;

    payload(f, "sched_switch: prev_comm=bash prev_pid=1 ==> next_comm=x");
    assert_int_equal(f->ev.type, KM_EV_OTHER);
    assert_string_equal(string(f, f->ev.text.name), "sched_switch");
}

static void fields_in_another_order(void **state)
{
    struct fixture *f = *state;

    payload(f,
            "mm_page_alloc: gfp_flags=GFP_KERNEL extra=1 order=2 migratetype=0 pfn=0x10 page=c1");
    assert_int_equal(f->ev.page.pfn, 0x10);
    assert_int_equal(f->ev.page.order, 2);
    assert_int_equal(f->ev.page.gfp, 0xcc0);
}

static void not_events(void **state)
{
    static const char *const bad[] = {
        "rubbish",
        "            bash-289   [001]    57.0899",
        "            bash-289   [001]    57.089903447: kmalloc: call_site=f+0x1 ptr=0xc1000000 "
        "bytes_req=",
        "            bash-289   [001]    57.089903447: mm_page_alloc: page=0x1 pfn=0x1",
        "            bash-289   [999999999999]    57.089903447: kfree: call_site=f+0x1 "
        "ptr=0xc1000000",
        "            bash-289   [001]    57.089903447: two words: call_site=f+0x1 ptr=0xc1000000",
        "            bash-289   [001]    x.089903447: kfree: call_site=f+0x1 ptr=0xc1000000",
        "bash  289 [001]  57.089903: kmem:kfree: call_site=f+0x1 ptr=0xc1000000",
        "CPU:x [LOST 3 PENCILS]",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < KM_ARRAY_LEN(bad); i++)
        parse_kind(f, bad[i], KM_TEXT_UNPARSED);
    parse_kind(f, "# entries-in-buffer/entries-written: 158061/158061   #P:4", KM_TEXT_IGNORED);
    assert_int_equal(f->text.cpus, 4);
    parse_kind(f, "cpus=2", KM_TEXT_IGNORED);
    assert_int_equal(f->text.cpus, 2);
    parse_kind(f, "   ", KM_TEXT_IGNORED);
    parse_kind(f, "CPU 3 is empty", KM_TEXT_IGNORED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(head_of_tracecmd, setup, teardown),
        cmocka_unit_test_setup_teardown(head_of_tracefs, setup, teardown),
        cmocka_unit_test_setup_teardown(context_column, setup, teardown),
        cmocka_unit_test_setup_teardown(odd_task_names, setup, teardown),
        cmocka_unit_test_setup_teardown(counter_clock, setup, teardown),
        cmocka_unit_test_setup_teardown(kmalloc, setup, teardown),
        cmocka_unit_test_setup_teardown(kmalloc_of_older_kernels, setup, teardown),
        cmocka_unit_test_setup_teardown(cache_events, setup, teardown),
        cmocka_unit_test_setup_teardown(wide_pointers, setup, teardown),
        cmocka_unit_test_setup_teardown(page_events, setup, teardown),
        cmocka_unit_test_setup_teardown(pfn_in_decimal, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_page_allocations, setup, teardown),
        cmocka_unit_test_setup_teardown(extfrag, setup, teardown),
        cmocka_unit_test_setup_teardown(percpu_events, setup, teardown),
        cmocka_unit_test_setup_teardown(reclaim_events, setup, teardown),
        cmocka_unit_test_setup_teardown(compaction_events, setup, teardown),
        cmocka_unit_test_setup_teardown(oom_events, setup, teardown),
        cmocka_unit_test_setup_teardown(vmalloc_probes, setup, teardown),
        cmocka_unit_test_setup_teardown(page_probes, setup, teardown),
        cmocka_unit_test_setup_teardown(slab_probes, setup, teardown),
        cmocka_unit_test_setup_teardown(marks, setup, teardown),
        cmocka_unit_test_setup_teardown(lost_events, setup, teardown),
        cmocka_unit_test_setup_teardown(other_events, setup, teardown),
        cmocka_unit_test_setup_teardown(fields_in_another_order, setup, teardown),
        cmocka_unit_test_setup_teardown(not_events, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
