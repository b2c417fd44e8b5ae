/* SPDX-License-Identifier: MIT
 * write.c - see write.h. Fields are printed from the tables of fields.c, the ones the parser reads
 * with.
 */
#include "sim/trace/write.h"
#include "sim/trace/fields.h"
#include "sim/trace/gfp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct out {
    const struct km_trace *trace;
    char *buf;
    size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void put(struct out *o, const char *fmt, ...)
{
    va_list args;
    int len;

    if (o->used + 1 >= o->size)
        return;
    va_start(args, fmt);
    len = vsnprintf(o->buf + o->used, o->size - o->used, fmt, args);
    va_end(args);
    if (len > 0)
        o->used += (size_t)len;
    if (o->used >= o->size)
        o->used = o->size - 1;
}

static void put_flags(struct out *o, const struct km_event *ev)
{
    bool hard = ev->context & KM_EV_HARDIRQ, soft = ev->context & KM_EV_SOFTIRQ;
    bool nmi = ev->context & KM_EV_NMI;
    char flags[6] = ".....";

    if (!(ev->context & KM_EV_CONTEXT_KNOWN))
        return;
    if (ev->context & KM_EV_IRQS_OFF)
        flags[0] = 'd';
    if (ev->context & KM_EV_NEED_RESCHED)
        flags[1] = 'N';
    if (nmi)
        flags[2] = hard ? 'Z' : 'z';
    else if (hard)
        flags[2] = soft ? 'H' : 'h';
    else if (soft)
        flags[2] = 's';
    if (ev->preempt_count)
        flags[3] = "0123456789abcdef"[ev->preempt_count & 15];
    put(o, "%s ", flags);
}

static void put_head(struct out *o, const struct km_event *ev, const char *name)
{
    put(o, "%16s-%-5d [%03u] ", km_trace_string(o->trace, ev->comm), ev->pid, ev->cpu);
    put_flags(o, ev);
    put(o, "%5llu.%09llu: %s:", (unsigned long long)(ev->time_ns / 1000000000u),
        (unsigned long long)(ev->time_ns % 1000000000u), name);
    put(o, "%*s ", (int)(strlen(name) < 20 ? 20 - strlen(name) : 0), "");
}

static void put_site(struct out *o, const struct km_event *ev)
{
    bool percpu = ev->type == KM_EV_PERCPU_ALLOC;
    uint64_t addr = percpu ? ev->percpu.call_site_addr : ev->obj.call_site_addr;
    uint32_t symbol = percpu ? ev->percpu.call_site : ev->obj.call_site;
    uint32_t offset = percpu ? ev->percpu.call_site_offset : ev->obj.call_site_offset;

    if (symbol)
        put(o, "%s+0x%x", km_trace_string(o->trace, symbol), offset);
    else
        put(o, "0x%llx", (unsigned long long)addr);
}

/* The address would be lost behind a symbol. */
static void put_address(struct out *o, const struct km_event *ev)
{
    if (ev->type >= KM_EV_KMALLOC && ev->type <= KM_EV_KMEM_CACHE_FREE) {
        if (ev->obj.call_site && ev->obj.call_site_addr)
            put(o, "(%llx) ", (unsigned long long)ev->obj.call_site_addr);
    } else if (ev->type == KM_EV_PERCPU_ALLOC) {
        if (ev->percpu.call_site && ev->percpu.call_site_addr)
            put(o, "(%llx) ", (unsigned long long)ev->percpu.call_site_addr);
    }
}

static void put_pointer(struct out *o, uint64_t ptr)
{
    if (ptr)
        put(o, "0x%llx", (unsigned long long)ptr);
    else
        put(o, "(nil)");
}

static void put_gfp(struct out *o, uint32_t bits)
{
    char text[KM_GFP_TEXT_MAX];

    km_gfp_format(bits, text, sizeof(text));
    put(o, "%s", text);
}

static void put_text(struct out *o, const char *text, bool always_quoted)
{
    bool quoted = always_quoted || !*text || strchr(text, ' ');

    put(o, quoted ? "\"%s\"" : "%s", text);
}

static void put_value(struct out *o, const struct km_field *f, const struct km_event *ev)
{
    const void *from = (const char *)ev + f->at;

    switch ((enum km_field_kind)f->kind) {
    case KM_F_U64:
        put(o, "%llu", (unsigned long long)*(const uint64_t *)from);
        break;
    case KM_F_U32:
        put(o, strcmp(f->key, "gfp=") == 0 ? "0x%x" : "%u", *(const uint32_t *)from);
        break;
    case KM_F_I32:
        put(o, "%d", *(const int32_t *)from);
        break;
    case KM_F_I16:
        put(o, "%d", *(const int16_t *)from);
        break;
    case KM_F_I8:
        put(o, "%d", *(const int8_t *)from);
        break;
    case KM_F_U8:
        put(o, "%u", *(const uint8_t *)from);
        break;
    case KM_F_PTR:
        put_pointer(o, *(const uint64_t *)from);
        break;
    case KM_F_PFN:
        put(o, "0x%x", *(const km_pfn *)from);
        break;
    case KM_F_SKIP: /* page=: repeats the pfn, as trace-cmd does; the pfn is the first member */
        put(o, "0x%x", ev->page.pfn);
        break;
    case KM_F_BOOL:
        if (strcmp(f->key, "accounted=") == 0)
            put(o, "%s", *(const bool *)from ? "true" : "false");
        else
            put(o, "%d", *(const bool *)from);
        break;
    case KM_F_GFP:
        put_gfp(o, *(const uint32_t *)from);
        break;
    case KM_F_SITE:
        put_site(o, ev);
        break;
    case KM_F_TEXT:
        put_text(o, km_trace_string(o->trace, *(const uint32_t *)from),
                 ev->type == KM_EV_CACHE_CREATE);
        break;
    case KM_F_SYNC:
        put(o, "%s", *(const bool *)from ? "sync" : "async");
        break;
    }
}

static bool worth_printing(const struct km_event *ev, const struct km_field *f)
{
    if (f->kind == KM_F_TEXT && !f->needed)
        return *(const uint32_t *)(const void *)((const char *)ev + f->at) != 0;
    return true;
}

static void put_fields(struct out *o, const struct km_event *ev)
{
    const struct km_field *f = km_fields_of(ev->type);
    const char *blank = "";

    put_address(o, ev);
    for (; f && f->key; f++) {
        if (!worth_printing(ev, f))
            continue;
        put(o, "%s%s", blank, f->key);
        put_value(o, f, ev);
        blank = " ";
    }
    for (unsigned i = 0; ev->type == KM_EV_SLAB_FREE_BULK && i < KM_BULK_MAX; i++)
        put(o, " p%u=0x%x", i, ev->bulk.ptr[i]);
}

static void put_lost(struct out *o, const struct km_event *ev)
{
    if (ev->lost.nr)
        put(o, "CPU:%u [%llu EVENTS DROPPED]", ev->cpu, (unsigned long long)ev->lost.nr);
    else
        put(o, "CPU:%u [EVENTS DROPPED]", ev->cpu);
}

size_t km_trace_format_event(const struct km_trace *trace, const struct km_event *ev, char *buf,
                             size_t size)
{
    struct out o = {trace, buf, size, 0};

    if (size == 0)
        return 0;
    buf[0] = '\0';
    switch (ev->type) {
    case KM_EV_LOST:
        put_lost(&o, ev);
        break;
    case KM_EV_MARK:
        put_head(&o, ev, "print");
        put(&o, "tracing_mark_write: %s", ev->text.text);
        break;
    case KM_EV_OTHER:
    case KM_EV_OOM:
        put_head(&o, ev, km_trace_string(trace, ev->text.name));
        put(&o, "%s", ev->text.text);
        break;
    default:
        put_head(&o, ev, km_event_name(ev->type));
        put_fields(&o, ev);
        break;
    }
    for (char *p = buf; (p = strchr(p, '\n')); p++)
        *p = ' '; /* a marker may hold line ends; a line of text cannot */
    return o.used;
}
