/* SPDX-License-Identifier: MIT
 * memtype.c - see memtype.h.
 */
#include "models/mmu/memtype.h"

#include <string.h>

enum km_memtype km_memtype_combine_pat(enum km_memtype mtrr, enum km_memtype pat)
{
    /* [MTRR][PAT], table 11-7; the columns are WB WT WP WC UC UC- */
    static const uint8_t table[KM_MEM_UC + 1][KM_MEM_TYPES] = {
        [KM_MEM_WB] = {KM_MEM_WB, KM_MEM_WT, KM_MEM_WP, KM_MEM_WC, KM_MEM_UC, KM_MEM_UC},
        [KM_MEM_WT] = {KM_MEM_WT, KM_MEM_WT, KM_MEM_WP, KM_MEM_WC, KM_MEM_UC, KM_MEM_UC},
        [KM_MEM_WP] = {KM_MEM_WP, KM_MEM_WT, KM_MEM_WP, KM_MEM_WC, KM_MEM_UC, KM_MEM_WC},
        [KM_MEM_WC] = {KM_MEM_WC, KM_MEM_UC, KM_MEM_UC, KM_MEM_WC, KM_MEM_UC, KM_MEM_WC},
        [KM_MEM_UC] = {KM_MEM_UC, KM_MEM_UC, KM_MEM_UC, KM_MEM_WC, KM_MEM_UC, KM_MEM_UC},
    };

    return (enum km_memtype)table[mtrr][pat];
}

enum km_memtype km_memtype_combine_bits(enum km_memtype mtrr, bool pcd, bool pwt)
{
    /* [MTRR][PCD PWT], table 11-6 */
    static const uint8_t table[KM_MEM_UC + 1][4] = {
        [KM_MEM_WB] = {KM_MEM_WB, KM_MEM_WT, KM_MEM_UC, KM_MEM_UC},
        [KM_MEM_WT] = {KM_MEM_WT, KM_MEM_WT, KM_MEM_UC, KM_MEM_UC},
        [KM_MEM_WP] = {KM_MEM_WP, KM_MEM_WP, KM_MEM_WC, KM_MEM_UC},
        [KM_MEM_WC] = {KM_MEM_WC, KM_MEM_WC, KM_MEM_WC, KM_MEM_UC},
        [KM_MEM_UC] = {KM_MEM_UC, KM_MEM_UC, KM_MEM_UC, KM_MEM_UC},
    };

    return (enum km_memtype)table[mtrr][pcd * 2 + pwt];
}

void km_memtypes_init(struct km_memtypes *m, bool has_pat)
{
    static const uint8_t power_on[4] = {KM_MEM_WB, KM_MEM_WT, KM_MEM_UC_MINUS, KM_MEM_UC};

    memset(m, 0, sizeof(*m));
    m->has_pat = has_pat;
    m->standard = KM_MEM_WB;
    for (unsigned i = 0; i < 8; i++)
        m->pat[i] = power_on[i % 4];
}

enum km_memtype km_memtypes_range(const struct km_memtypes *m, uint64_t pa)
{
    bool found = false;
    enum km_memtype type = m->standard;

    for (unsigned i = 0; i < m->nr; i++) {
        if (pa < m->range[i].start || pa >= m->range[i].end)
            continue;
        enum km_memtype here = m->range[i].type;

        if (!found || here == KM_MEM_UC || (here == KM_MEM_WT && type == KM_MEM_WB))
            type = here;
        found = true;
    }
    return type;
}

/* Overlaps have a meaning if the types are equal, if one is UC, or if they are WT and WB. */
static bool may_overlap(enum km_memtype a, enum km_memtype b)
{
    return a == b || a == KM_MEM_UC || b == KM_MEM_UC || (a <= KM_MEM_WT && b <= KM_MEM_WT);
}

const char *km_memtypes_check(const struct km_memtypes *m)
{
    for (unsigned i = 0; i < m->nr; i++) {
        const struct km_mtrr *a = &m->range[i];

        if (a->start >= a->end)
            return "a range is empty";
        if (a->start % KM_PAGE_BYTES || a->end % KM_PAGE_BYTES)
            return "a range does not start and end at multiples of 4 KiB";
        if (a->end > 1ull << 36)
            return "a range ends beyond 36 address bits";
        for (unsigned j = 0; j < i; j++) {
            const struct km_mtrr *b = &m->range[j];

            if (a->start < b->end && b->start < a->end && !may_overlap(a->type, b->type))
                return "two ranges overlap whose types have no order (UC wins, WT wins over WB)";
        }
    }
    return NULL;
}

static bool read_number(const char **at, uint64_t *out)
{
    const char *s = *at;
    uint64_t v = 0;
    unsigned base = 10, digits = 0;

    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
    }
    for (;; s++, digits++) {
        unsigned d = *s >= '0' && *s <= '9'   ? (unsigned)(*s - '0')
                     : *s >= 'a' && *s <= 'f' ? (unsigned)(*s - 'a') + 10
                     : *s >= 'A' && *s <= 'F' ? (unsigned)(*s - 'A') + 10
                                              : 99;

        if (d >= base)
            break;
        if (v >> 48)
            return false;
        v = v * base + d;
    }
    *at = s;
    *out = v;
    return digits > 0;
}

static bool read_type(const char **at, enum km_memtype *out)
{
    static const char *const name[] = {"wb", "wt", "wp", "wc", "uc"};

    for (unsigned i = 0; i < 5; i++)
        if (!strncmp(*at, name[i], 2)) {
            *out = (enum km_memtype)i;
            *at += 2;
            return true;
        }
    return false;
}

const char *km_memtypes_parse(struct km_memtypes *m, const char *text)
{
    m->nr = 0;
    if (!*text || !strcmp(text, "none"))
        return NULL;
    for (;;) {
        struct km_mtrr r;

        if (m->nr == KM_MTRR_MAX)
            return "there are eight variable ranges";
        if (!read_number(&text, &r.start) || *text++ != '-' || !read_number(&text, &r.end) ||
            *text++ != '=' || !read_type(&text, &r.type))
            return "expected START-END=TYPE,... with a type of wb, wt, wp, wc or uc";
        m->range[m->nr++] = r;
        if (!*text)
            return km_memtypes_check(m);
        if (*text++ != ',')
            return "expected a comma between ranges";
    }
}

enum km_memtype km_memtype_of(const struct km_memtypes *m, uint64_t pa, unsigned pat_index)
{
    enum km_memtype mtrr = km_memtypes_range(m, pa);

    if (!m->has_pat)
        return km_memtype_combine_bits(mtrr, pat_index & 2, pat_index & 1);
    return km_memtype_combine_pat(mtrr, (enum km_memtype)m->pat[pat_index & 7]);
}
