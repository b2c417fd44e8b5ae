/* SPDX-License-Identifier: MIT
 * scan.h - reading words and numbers from a line of /proc text; every call moves the cursor
 * forward.
 */
#ifndef KM_TRACE_SCAN_H
#define KM_TRACE_SCAN_H

#include "models/base/types.h"

static inline const char *km_scan_blanks(const char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

/* Decimal number after blanks; false (cursor unmoved) if there is none. Saturates at UINT64_MAX. */
static inline bool km_scan_u64(const char **cursor, uint64_t *value)
{
    const char *p = km_scan_blanks(*cursor);
    uint64_t v = 0;

    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
            v = UINT64_MAX;
    *cursor = p;
    *value = v;
    return true;
}

static inline bool km_scan_u32(const char **cursor, uint32_t *value)
{
    uint64_t v;

    if (!km_scan_u64(cursor, &v))
        return false;
    *value = v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
    return true;
}

/* Hexadecimal number with or without 0x. */
static inline bool km_scan_hex(const char **cursor, uint64_t *value)
{
    const char *p = km_scan_blanks(*cursor);
    const char *first;
    uint64_t v = 0;

    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
        p += 2;
    for (first = p;; p++) {
        char c = (char)(*p | 32);

        if (*p >= '0' && *p <= '9')
            v = v << 4 | (uint64_t)(*p - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint64_t)(c - 'a' + 10);
        else
            break;
    }
    if (p == first)
        return false;
    *cursor = p;
    *value = v;
    return true;
}

/* The literal after blanks (which may itself contain blanks). */
static inline bool km_scan_word(const char **cursor, const char *word)
{
    const char *p = km_scan_blanks(*cursor);

    for (; *word; word++, p++)
        if (*p != *word)
            return false;
    *cursor = p;
    return true;
}

/* A name up to blank, comma or the end, cut to size; false if empty. */
static inline bool km_scan_name(const char **cursor, char *name, size_t size)
{
    const char *p = km_scan_blanks(*cursor);
    size_t used = 0;

    for (; *p && *p != ' ' && *p != '\t' && *p != ',' && *p != '\n'; p++)
        if (used + 1 < size)
            name[used++] = *p;
    name[used] = '\0';
    *cursor = p;
    return used > 0;
}

#endif
