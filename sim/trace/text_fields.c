/* SPDX-License-Identifier: MIT
 * text_fields.c - readers of the values of the fields in fields.c.
 *
 * Fields are expected in the order of the table, which is the order 6.1 prints; a field that is not
 * where it is expected is searched in the whole line, so other kernels' orders and extra fields are
 * accepted. Numbers: hexadecimal with 0x, decimal without; pointers are always hexadecimal; "(nil)"
 * and "(null)" are 0. Spellings: kernel-behaviour H2, H3.
 */
#include "sim/trace/text_fields.h"
#include "sim/trace/fields.h"
#include "sim/trace/gfp.h"

#include <string.h>

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

static const char *read_site(struct km_text *text, const char *p, const char *end,
                             struct km_event *ev)
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

static const char *read_integer(const char *p, enum km_field_kind kind, void *to)
{
    uint64_t value = 0;

    p = kind == KM_F_PTR ? read_pointer(p, &value) : read_number(p, &value);
    if (!p)
        return NULL;
    if (kind == KM_F_U64 || kind == KM_F_PTR)
        *(uint64_t *)to = value;
    else if (kind == KM_F_U32 || kind == KM_F_I32)
        *(uint32_t *)to = (uint32_t)value;
    else if (kind == KM_F_PFN)
        *(km_pfn *)to = value > UINT32_MAX ? KM_PFN_NONE : (km_pfn)value;
    else if (kind == KM_F_I16)
        *(int16_t *)to = (int16_t)value;
    else
        *(uint8_t *)to = (uint8_t)value;
    return p;
}

static const char *read_value(struct km_text *text, const struct km_field *f, const char *p,
                              const char *end, struct km_event *ev)
{
    void *to = (char *)ev + f->at;

    switch ((enum km_field_kind)f->kind) {
    case KM_F_BOOL:
        return read_bool(p, to);
    case KM_F_GFP:
        return read_gfp(text, p, end, to);
    case KM_F_SITE:
        return read_site(text, p, end, ev);
    case KM_F_TEXT:
        return read_text(text, p, end, to);
    case KM_F_SKIP:
        return word_end(p, end);
    case KM_F_SYNC:
        *(bool *)to = *p == 's';
        return word_end(p, end);
    default:
        return read_integer(p, f->kind, to);
    }
}

static const char *find_key(const struct km_field *f, const char *p, const char *end)
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
        struct km_field f = {key, 3, KM_F_PTR, false, 0};
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

/* "page=00000000 pfn=0x0": the kernel's text of a failed allocation (page frame 0 is never given
 * out). */
static bool null_page(const char *p, const char *end)
{
    struct km_field f = {"page=", 5, KM_F_PTR, false, 0};
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

/* "(c1234567) " or "(c1234567 <- c7654321) " or "(symbol+0x12) ": the instruction address of the
 * record. */
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
    const struct km_field *f = km_fields_of(ev->type);
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
        else if (f->at == offsetof(struct km_event, obj.accounted))
            ev->obj.accounted = ev->obj.gfp & KM_GFP_ACCOUNT; /* older kernels do not print it */
    }
    finish(text, first, end, ev);
    return true;
}
