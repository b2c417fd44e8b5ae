/* SPDX-License-Identifier: MIT
 * gfp.c - see gfp.h. The first part of the table is in the order in which 6.1 prints (compound
 * names first).
 */
#include "sim/trace/gfp.h"

#include <stdio.h>
#include <string.h>

struct gfp_name {
    const char *name;
    uint32_t bits;
};

static const struct gfp_name printed[] = {
    {"GFP_TRANSHUGE", 0x1c24ca},
    {"GFP_TRANSHUGE_LIGHT", 0x1c20ca},
    {"GFP_HIGHUSER_MOVABLE", 0x100cca},
    {"GFP_HIGHUSER", 0x100cc2},
    {"GFP_USER", 0x100cc0},
    {"GFP_KERNEL_ACCOUNT", 0x400cc0},
    {"GFP_KERNEL", 0xcc0},
    {"GFP_NOFS", 0xc40},
    {"GFP_ATOMIC", 0xa20},
    {"GFP_NOIO", 0xc00},
    {"GFP_NOWAIT", 0x800},
    {"GFP_DMA", 0x01},
    {"__GFP_HIGHMEM", 0x02},
    {"GFP_DMA32", 0x04},
    {"__GFP_HIGH", 0x20},
    {"__GFP_ATOMIC", 0x200},
    {"__GFP_IO", 0x40},
    {"__GFP_FS", 0x80},
    {"__GFP_NOWARN", 0x2000},
    {"__GFP_RETRY_MAYFAIL", 0x4000},
    {"__GFP_NOFAIL", 0x8000},
    {"__GFP_NORETRY", 0x10000},
    {"__GFP_COMP", 0x40000},
    {"__GFP_ZERO", 0x100},
    {"__GFP_NOMEMALLOC", 0x80000},
    {"__GFP_MEMALLOC", 0x20000},
    {"__GFP_HARDWALL", 0x100000},
    {"__GFP_THISNODE", 0x200000},
    {"__GFP_RECLAIMABLE", 0x10},
    {"__GFP_MOVABLE", 0x08},
    {"__GFP_ACCOUNT", 0x400000},
    {"__GFP_WRITE", 0x1000},
    {"__GFP_RECLAIM", 0xc00},
    {"__GFP_DIRECT_RECLAIM", 0x400},
    {"__GFP_KSWAPD_RECLAIM", 0x800},
    {"__GFP_ZEROTAGS", 0x800000},
};

static const struct gfp_name only_read[] = {
    {"none", 0},
    {"__GFP_DMA", 0x01},
    {"__GFP_DMA32", 0x04},
    /* older kernels */
    {"GFP_TEMPORARY", 0xcd0},
    {"__GFP_WAIT", 0xc00},
    {"__GFP_REPEAT", 0x4000},
    {"__GFP_COLD", 0},
    {"__GFP_NOTRACK", 0},
    {"__GFP_OTHER_NODE", 0},
    {"__GFP_NO_KSWAPD", 0},
    {"__GFP_KMEMCG", 0x400000},
    {"__GFP_NOACCOUNT", 0},
    /* no bit in a 6.1 x86-32 kernel */
    {"__GFP_NOLOCKDEP", 0},
    {"__GFP_SKIP_ZERO", 0},
    {"__GFP_SKIP_KASAN", 0},
    {"__GFP_SKIP_KASAN_POISON", 0},
    {"__GFP_SKIP_KASAN_UNPOISON", 0},
    {"__GFP_NO_OBJ_EXT", 0},
};

static bool find(const struct gfp_name *table, size_t nr, const char *name, size_t len,
                 uint32_t *bits)
{
    for (size_t i = 0; i < nr; i++) {
        if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0) {
            *bits = table[i].bits;
            return true;
        }
    }
    return false;
}

static bool find_any(const char *name, size_t len, uint32_t *bits)
{
    return find(printed, KM_ARRAY_LEN(printed), name, len, bits) ||
           find(only_read, KM_ARRAY_LEN(only_read), name, len, bits);
}

bool km_gfp_by_name(const char *name, size_t len, uint32_t *bits)
{
    char prefixed[40] = "__";

    if (find_any(name, len, bits))
        return true;
    if (len < 5 || len > sizeof(prefixed) - 3 || memcmp(name, "GFP_", 4) != 0)
        return false;
    memcpy(prefixed + 2, name, len); /* before 4.6 single flags were printed without "__" */
    return find_any(prefixed, len + 2, bits);
}

static bool parse_hex(const char *text, size_t len, uint32_t *bits)
{
    uint64_t value = 0;

    if (len < 3 || len > 18 || text[0] != '0' || (text[1] | 32) != 'x')
        return false;
    for (size_t i = 2; i < len; i++) {
        char c = (char)(text[i] | 32);

        if (text[i] >= '0' && text[i] <= '9')
            value = value << 4 | (uint64_t)(text[i] - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *bits = (uint32_t)value;
    return true;
}

bool km_gfp_parse(const char *text, size_t len, uint32_t *bits)
{
    bool known = true;
    uint32_t sum = 0;

    while (len > 0) {
        const char *bar = memchr(text, '|', len);
        size_t part = bar ? (size_t)(bar - text) : len;
        uint32_t one = 0;

        if (!km_gfp_by_name(text, part, &one) && !parse_hex(text, part, &one))
            known = false;
        sum |= one;
        text += bar ? part + 1 : part;
        len -= bar ? part + 1 : part;
    }
    *bits = sum;
    return known;
}

size_t km_gfp_format(uint32_t bits, char *buf, size_t size)
{
    size_t used = 0;

    if (bits == 0)
        return (size_t)snprintf(buf, size, "none");
    for (size_t i = 0; i < KM_ARRAY_LEN(printed) && bits; i++) {
        if ((bits & printed[i].bits) != printed[i].bits)
            continue;
        bits &= ~printed[i].bits;
        used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? "|" : "", printed[i].name);
    }
    if (bits)
        used += (size_t)snprintf(buf + used, size - used, "%s0x%x", used ? "|" : "", bits);
    return used;
}
