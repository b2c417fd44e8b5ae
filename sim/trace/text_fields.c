/* SPDX-License-Identifier: MIT
 * text_fields.c - tables of the fields of every modelled event, and the readers of their values.
 *
 * Fields are expected in the order of the table, which is the order 6.1 prints; a field that is not where it
 * is expected is searched in the whole line, so other kernels' orders and extra fields are accepted.
 * Numbers: hexadecimal with 0x, decimal without; pointers are always hexadecimal; "(nil)" and "(null)" are 0.
 * Spellings: kernel-behaviour H2, H3.
 */
#include "sim/trace/text_fields.h"
#include "sim/trace/gfp.h"

#include <string.h>

enum field_kind {
    F_U64,  /* number               */
    F_U32,  /* number               */
    F_I32,  /* number with sign     */
    F_I16,
    F_I8,
    F_U8,
    F_PTR,  /* hexadecimal, 64 bit  */
    F_PFN,  /* number, km_pfn       */
    F_BOOL, /* 0, 1, true, false    */
    F_GFP,
    F_SITE, /* symbol+offset or address */
    F_TEXT, /* interned, up to the next blank; quotes removed */
    F_SYNC, /* "sync" or "async"    */
};

struct field {
    const char *key; /* with the '=' */
    uint8_t key_len;
    uint8_t kind; /* enum field_kind */
    bool needed;
    uint16_t at; /* offset in struct km_event */
};

#define FIELD(key, kind, needed, member) \
    {key "=", sizeof(key "=") - 1, kind, needed, offsetof(struct km_event, member)}
#define TABLE(name, ...) static const struct field name[] = {__VA_ARGS__, {NULL, 0, 0, false, 0}}

TABLE(f_alloc, FIELD("call_site", F_SITE, true, obj), FIELD("ptr", F_PTR, true, obj.ptr),
      FIELD("bytes_req", F_U32, true, obj.bytes_req), FIELD("bytes_alloc", F_U32, true, obj.bytes_alloc),
      FIELD("gfp_flags", F_GFP, true, obj.gfp), FIELD("node", F_I16, false, obj.node),
      FIELD("accounted", F_BOOL, false, obj.accounted));
TABLE(f_kfree, FIELD("call_site", F_SITE, true, obj), FIELD("ptr", F_PTR, true, obj.ptr));
TABLE(f_cache_free, FIELD("call_site", F_SITE, true, obj), FIELD("ptr", F_PTR, true, obj.ptr),
      FIELD("name", F_TEXT, false, obj.name));
TABLE(f_page_alloc, FIELD("pfn", F_PFN, true, page.pfn), FIELD("order", F_U8, true, page.order),
      FIELD("migratetype", F_I8, true, page.migratetype), FIELD("gfp_flags", F_GFP, true, page.gfp));
TABLE(f_page_free, FIELD("pfn", F_PFN, true, page.pfn), FIELD("order", F_U8, true, page.order));
TABLE(f_zone_locked, FIELD("pfn", F_PFN, true, page.pfn), FIELD("order", F_U8, true, page.order),
      FIELD("migratetype", F_I8, true, page.migratetype),
      FIELD("percpu_refill", F_BOOL, false, page.flag));
TABLE(f_drain, FIELD("pfn", F_PFN, true, page.pfn), FIELD("order", F_U8, true, page.order),
      FIELD("migratetype", F_I8, true, page.migratetype));
TABLE(f_extfrag, FIELD("pfn", F_PFN, true, extfrag.pfn),
      FIELD("alloc_order", F_U8, true, extfrag.alloc_order),
      FIELD("fallback_order", F_U8, true, extfrag.fallback_order),
      FIELD("pageblock_order", F_U8, false, extfrag.pageblock_order),
      FIELD("alloc_migratetype", F_I8, true, extfrag.alloc_migratetype),
      FIELD("fallback_migratetype", F_I8, true, extfrag.fallback_migratetype),
      FIELD("change_ownership", F_BOOL, false, extfrag.change_ownership));
TABLE(f_percpu_alloc, FIELD("call_site", F_SITE, false, percpu.call_site_addr),
      FIELD("reserved", F_BOOL, true, percpu.reserved), FIELD("is_atomic", F_BOOL, true, percpu.is_atomic),
      FIELD("size", F_U32, true, percpu.size), FIELD("align", F_U32, true, percpu.align),
      FIELD("base_addr", F_PTR, true, percpu.base_addr), FIELD("off", F_U32, true, percpu.off),
      FIELD("ptr", F_PTR, true, percpu.ptr), FIELD("bytes_alloc", F_U32, false, percpu.bytes_alloc),
      FIELD("gfp_flags", F_GFP, false, percpu.gfp));
TABLE(f_percpu_free, FIELD("base_addr", F_PTR, true, percpu.base_addr),
      FIELD("off", F_U32, true, percpu.off), FIELD("ptr", F_PTR, true, percpu.ptr));
TABLE(f_percpu_fail, FIELD("reserved", F_BOOL, true, percpu.reserved),
      FIELD("is_atomic", F_BOOL, true, percpu.is_atomic), FIELD("size", F_U32, true, percpu.size),
      FIELD("align", F_U32, true, percpu.align));
TABLE(f_percpu_chunk, FIELD("base_addr", F_PTR, true, percpu.base_addr));
TABLE(f_kswapd_wake, FIELD("nid", F_I32, true, reclaim.nid), FIELD("order", F_U32, true, reclaim.order));
TABLE(f_kswapd_sleep, FIELD("nid", F_I32, true, reclaim.nid));
TABLE(f_wakeup, FIELD("nid", F_I32, true, reclaim.nid), FIELD("order", F_U32, true, reclaim.order),
      FIELD("gfp_flags", F_GFP, false, reclaim.gfp));
TABLE(f_direct_begin, FIELD("order", F_U32, true, reclaim.order),
      FIELD("gfp_flags", F_GFP, true, reclaim.gfp));
TABLE(f_direct_end, FIELD("nr_reclaimed", F_U32, true, reclaim.nr));
TABLE(f_compaction, FIELD("zone_start", F_PFN, true, compaction.zone_start),
      FIELD("migrate_pfn", F_PFN, true, compaction.migrate_pfn),
      FIELD("free_pfn", F_PFN, true, compaction.free_pfn),
      FIELD("zone_end", F_PFN, true, compaction.zone_end), FIELD("mode", F_SYNC, true, compaction.sync),
      FIELD("status", F_TEXT, false, compaction.name));
TABLE(f_vmalloc_range, FIELD("size", F_U64, true, probe.a), FIELD("align", F_U64, true, probe.b),
      FIELD("start", F_PTR, true, probe.c), FIELD("end", F_PTR, true, probe.d),
      FIELD("gfp", F_U32, true, probe.gfp));
TABLE(f_ptr, FIELD("ptr", F_PTR, true, probe.a));
TABLE(f_got, FIELD("got", F_U64, true, probe.a));
TABLE(f_vm_area, FIELD("size", F_U64, true, probe.a), FIELD("flags", F_PTR, true, probe.b));
TABLE(f_pages_bulk, FIELD("gfp", F_U32, true, probe.gfp), FIELD("nr", F_U64, true, probe.a));
TABLE(f_slab_bulk, FIELD("cache", F_PTR, true, probe.a), FIELD("gfp", F_U32, true, probe.gfp),
      FIELD("nr", F_U64, true, probe.b));
TABLE(f_slab_free_bulk, FIELD("cache", F_PTR, true, bulk.cache), FIELD("nr", F_U32, true, bulk.nr));
TABLE(f_cache_create, FIELD("name", F_TEXT, true, probe.name), FIELD("size", F_U64, true, probe.a),
      FIELD("align", F_U64, true, probe.b), FIELD("flags", F_PTR, true, probe.c));
TABLE(f_split_page, FIELD("page", F_PTR, true, probe.a), FIELD("order", F_U64, true, probe.b));
TABLE(f_pages_exact, FIELD("size", F_U64, true, probe.a), FIELD("gfp", F_U32, true, probe.gfp));
TABLE(f_mempool_alloc, FIELD("pool", F_PTR, true, probe.a), FIELD("gfp", F_U32, true, probe.gfp));
TABLE(f_mempool_free, FIELD("ptr", F_PTR, true, probe.a), FIELD("pool", F_PTR, true, probe.b));
TABLE(f_page, FIELD("page", F_PTR, true, probe.a));
TABLE(f_krealloc, FIELD("ptr", F_PTR, true, probe.a), FIELD("size", F_U64, true, probe.b),
      FIELD("gfp", F_U32, true, probe.gfp));

static const struct field *const fields_of[KM_EV_NR] = {
    [KM_EV_KMALLOC] = f_alloc,
    [KM_EV_KMEM_CACHE_ALLOC] = f_alloc,
    [KM_EV_KFREE] = f_kfree,
    [KM_EV_KMEM_CACHE_FREE] = f_cache_free,
    [KM_EV_PAGE_ALLOC] = f_page_alloc,
    [KM_EV_PAGE_FREE] = f_page_free,
    [KM_EV_PAGE_FREE_BATCHED] = f_page_free,
    [KM_EV_PAGE_ALLOC_ZONE_LOCKED] = f_zone_locked,
    [KM_EV_PAGE_PCPU_DRAIN] = f_drain,
    [KM_EV_PAGE_ALLOC_EXTFRAG] = f_extfrag,
    [KM_EV_PERCPU_ALLOC] = f_percpu_alloc,
    [KM_EV_PERCPU_FREE] = f_percpu_free,
    [KM_EV_PERCPU_ALLOC_FAIL] = f_percpu_fail,
    [KM_EV_PERCPU_CREATE_CHUNK] = f_percpu_chunk,
    [KM_EV_PERCPU_DESTROY_CHUNK] = f_percpu_chunk,
    [KM_EV_KSWAPD_WAKE] = f_kswapd_wake,
    [KM_EV_KSWAPD_SLEEP] = f_kswapd_sleep,
    [KM_EV_WAKEUP_KSWAPD] = f_wakeup,
    [KM_EV_DIRECT_RECLAIM_BEGIN] = f_direct_begin,
    [KM_EV_DIRECT_RECLAIM_END] = f_direct_end,
    [KM_EV_COMPACTION_BEGIN] = f_compaction,
    [KM_EV_COMPACTION_END] = f_compaction,
    [KM_EV_VMALLOC_RANGE] = f_vmalloc_range,
    [KM_EV_VMALLOC_RANGE_RET] = f_ptr,
    [KM_EV_VFREE] = f_ptr,
    [KM_EV_VM_AREA] = f_vm_area,
    [KM_EV_VM_AREA_REMOVE] = f_ptr,
    [KM_EV_PAGES_BULK] = f_pages_bulk,
    [KM_EV_PAGES_BULK_RET] = f_got,
    [KM_EV_SLAB_ALLOC_BULK] = f_slab_bulk,
    [KM_EV_SLAB_ALLOC_BULK_RET] = f_got,
    [KM_EV_SLAB_FREE_BULK] = f_slab_free_bulk,
    [KM_EV_CACHE_CREATE] = f_cache_create,
    [KM_EV_SPLIT_PAGE] = f_split_page,
    [KM_EV_PAGES_EXACT] = f_pages_exact,
    [KM_EV_PAGES_EXACT_RET] = f_ptr,
    [KM_EV_MEMPOOL_ALLOC] = f_mempool_alloc,
    [KM_EV_MEMPOOL_FREE] = f_mempool_free,
    [KM_EV_KMAP_HIGH] = f_page,
    [KM_EV_KUNMAP_HIGH] = f_page,
    [KM_EV_KREALLOC] = f_krealloc,
    [KM_EV_KMAP_LOCAL] = f_page,
    [KM_EV_KUNMAP_LOCAL] = f_ptr,
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Every reader returns the place behind the value, or NULL if there is no value. */
static const char *read_hex(const char *p, uint64_t *value)
{
    const char *first = p;
    uint64_t v = 0;
    int digit;

    for (; (digit = hex_digit(*p)) >= 0; p++)
        v = v << 4 | (uint64_t)digit;
    *value = v;
    return p == first || p - first > 16 ? NULL : p;
}

static const char *read_pointer(const char *p, uint64_t *value)
{
    while (*p == ' ') /* "          (null)" of older kernels */
        p++;
    if (*p == '(') {
        *value = 0;
        p = strchr(p, ')');
        return p ? p + 1 : NULL;
    }
    if (p[0] == '0' && (p[1] | 32) == 'x')
        p += 2;
    return read_hex(p, value);
}

static const char *read_number(const char *p, uint64_t *value)
{
    bool negative = *p == '-';
    const char *first;
    uint64_t v = 0;

    p += negative;
    if (p[0] == '0' && (p[1] | 32) == 'x')
        return read_hex(p + 2, value);
    for (first = p; *p >= '0' && *p <= '9'; p++)
        v = v * 10 + (uint64_t)(*p - '0');
    *value = negative ? 0 - v : v;
    return p == first || p - first > 20 ? NULL : p;
}

static const char *read_bool(const char *p, bool *value)
{
    *value = *p == 't' || *p == '1';
    if (*p == '0' || *p == '1')
        return p + 1;
    if (strncmp(p, "true", 4) == 0)
        return p + 4;
    return strncmp(p, "false", 5) == 0 ? p + 5 : NULL;
}

static const char *word_end(const char *p, const char *end)
{
    const char *blank = memchr(p, ' ', (size_t)(end - p));

    return blank ? blank : end;
}

static const char *read_gfp(struct km_text *text, const char *p, const char *end, uint32_t *bits)
{
    const char *stop = word_end(p, end);
    uint32_t id = km_intern(text->strings, p, (size_t)(stop - p));
    struct km_text_gfp *seen = &text->gfp[id % KM_TEXT_GFPS];

    if (KM_UNLIKELY(seen->id != id)) {
        if (!km_gfp_parse(p, (size_t)(stop - p), &seen->bits))
            text->unknown_gfp++;
        seen->id = id;
    }
    *bits = seen->bits;
    return stop > p ? stop : NULL;
}

struct site {
    uint64_t addr;
    uint32_t symbol, offset;
};

static const char *read_site(struct km_text *text, const char *p, const char *end, struct km_event *ev)
{
    const char *stop = p;
    struct site site = {0, 0, 0};
    uint64_t value;

    while (stop < end && *stop != ' ' && *stop != '+')
        stop++;
    if (stop == p)
        return NULL;
    if (hex_digit(*p) >= 0 && *stop != '+' && read_pointer(p, &value) == stop) {
        site.addr = value;
    } else {
        site.symbol = km_intern(text->strings, p, (size_t)(stop - p));
        if (*stop == '+' && read_number(stop + 1, &value))
            site.offset = (uint32_t)value;
    }
    if (ev->type == KM_EV_PERCPU_ALLOC) {
        ev->percpu.call_site_addr = site.addr ? site.addr : ev->percpu.call_site_addr;
        ev->percpu.call_site = site.symbol;
        ev->percpu.call_site_offset = site.offset;
    } else {
        ev->obj.call_site_addr = site.addr ? site.addr : ev->obj.call_site_addr;
        ev->obj.call_site = site.symbol;
        ev->obj.call_site_offset = site.offset;
    }
    return *stop == '+' ? word_end(stop, end) : stop;
}

static const char *read_text(struct km_text *text, const char *p, const char *end, uint32_t *id)
{
    bool quoted = *p == '"';
    const char *first = p + quoted;
    const char *stop = quoted ? memchr(first, '"', (size_t)(end - first)) : word_end(p, end);

    if (!stop)
        return NULL;
    *id = km_intern(text->strings, first, (size_t)(stop - first));
    return stop + quoted;
}

static const char *read_integer(const char *p, enum field_kind kind, void *to)
{
    uint64_t value = 0;

    p = kind == F_PTR ? read_pointer(p, &value) : read_number(p, &value);
    if (!p)
        return NULL;
    if (kind == F_U64 || kind == F_PTR)
        *(uint64_t *)to = value;
    else if (kind == F_U32 || kind == F_I32)
        *(uint32_t *)to = (uint32_t)value;
    else if (kind == F_PFN)
        *(km_pfn *)to = value > UINT32_MAX ? KM_PFN_NONE : (km_pfn)value;
    else if (kind == F_I16)
        *(int16_t *)to = (int16_t)value;
    else
        *(uint8_t *)to = (uint8_t)value;
    return p;
}

static const char *read_value(struct km_text *text, const struct field *f, const char *p,
                              const char *end, struct km_event *ev)
{
    void *to = (char *)ev + f->at;

    switch ((enum field_kind)f->kind) {
    case F_BOOL:
        return read_bool(p, to);
    case F_GFP:
        return read_gfp(text, p, end, to);
    case F_SITE:
        return read_site(text, p, end, ev);
    case F_TEXT:
        return read_text(text, p, end, to);
    case F_SYNC:
        *(bool *)to = *p == 's';
        return word_end(p, end);
    default:
        return read_integer(p, f->kind, to);
    }
}

static const char *find_key(const struct field *f, const char *p, const char *end)
{
    for (; p + f->key_len <= end; p = word_end(p, end) + 1)
        if (memcmp(p, f->key, f->key_len) == 0)
            return p + f->key_len;
    return NULL;
}

/* Pointers of a bulk free: "p0=0x.. p1=0x..": as many as are there. */
static void read_bulk_pointers(const char *p, const char *end, struct km_event *ev)
{
    char key[8] = "p0=";

    for (unsigned i = 0; i < KM_BULK_MAX; i++) {
        struct field f = {key, 3, F_PTR, false, 0};
        uint64_t value;

        if (i >= 10) {
            memcpy(key, "p1?=", 5);
            key[2] = (char)('0' + i - 10);
            f.key_len = 4;
        } else {
            key[1] = (char)('0' + i);
        }
        p = find_key(&f, p, end);
        if (!p)
            return;
        p = read_pointer(p, &value);
        if (!p)
            return;
        ev->bulk.ptr[i] = (uint32_t)value;
        while (p < end && *p == ' ')
            p++;
    }
}

/* "page=00000000 pfn=0x0": the kernel's text of a failed allocation (page frame 0 is never given out). */
static bool null_page(const char *p, const char *end)
{
    struct field f = {"page=", 5, F_PTR, false, 0};
    const char *page = find_key(&f, p, end);
    uint64_t value = 1;

    return page && read_pointer(page, &value) && value == 0;
}

static void finish(struct km_text *text, const char *p, const char *end, struct km_event *ev)
{
    switch (ev->type) {
    case KM_EV_KMALLOC:
    case KM_EV_KMEM_CACHE_ALLOC:
        if (ev->obj.ptr > UINT32_MAX)
            text->wide_pointers = true;
        break;
    case KM_EV_PAGE_ALLOC:
    case KM_EV_PAGE_ALLOC_ZONE_LOCKED:
        if (ev->page.pfn == 0 && null_page(p, end))
            ev->page.pfn = KM_PFN_NONE;
        break;
    case KM_EV_SLAB_FREE_BULK:
        read_bulk_pointers(p, end, ev);
        break;
    default:
        break;
    }
}

/* "(c1234567) " or "(c1234567 <- c7654321) " or "(symbol+0x12) ": the instruction address of the record. */
static const char *skip_address(const char *p, const char *end, struct km_event *ev)
{
    const char *close = memchr(p, ')', (size_t)(end - p));
    uint64_t addr;

    if (!close)
        return p;
    if (ev->type <= KM_EV_KMEM_CACHE_FREE && read_pointer(p + 1, &addr) == close)
        ev->obj.call_site_addr = addr;
    else if (ev->type == KM_EV_PERCPU_ALLOC && read_pointer(p + 1, &addr) == close)
        ev->percpu.call_site_addr = addr;
    for (p = close + 1; p < end && *p == ' '; p++)
        ;
    return p;
}

bool km_text_fields(struct km_text *text, const char *p, const char *end, struct km_event *ev)
{
    const struct field *f = fields_of[ev->type];
    const char *first;

    if (!f)
        return false;
    if (p < end && *p == '(')
        p = skip_address(p, end, ev);
    first = p;
    if (ev->type == KM_EV_KMALLOC || ev->type == KM_EV_KMEM_CACHE_ALLOC)
        ev->obj.node = -1;
    for (; f->key; f++) {
        const char *value;

        while (p < end && *p == ' ')
            p++;
        if (KM_LIKELY(p + f->key_len <= end && memcmp(p, f->key, f->key_len) == 0))
            value = p + f->key_len;
        else
            value = find_key(f, first, end);
        value = value ? read_value(text, f, value, end, ev) : NULL;
        if (!value && f->needed)
            return false;
        if (value)
            p = value;
    }
    finish(text, first, end, ev);
    return true;
}
