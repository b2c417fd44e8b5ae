/* SPDX-License-Identifier: MIT
 * ref_din.c - Dinero: "label address [size]", label 0 load, 1 store, 2 instruction fetch; address
 * and size hexadecimal. Letters r, w, i stand for 0, 1, 2 (extended din). Labels 3 and 4 (escape,
 * flush) are refused.
 */
#include "sim/workload/ref.h"

static void skip_blanks(const char **p)
{
    while (**p == ' ' || **p == '\t')
        (*p)++;
}

static enum km_line_is din_parse(const char *line, struct km_mem_ref *ref)
{
    const char *p = line;
    uint64_t bytes = 1;

    skip_blanks(&p);
    if (!*p || *p == '#')
        return KM_LINE_NOTHING;
    switch (*p++) {
    case '0':
    case 'r':
        ref->op = KM_OP_LOAD;
        break;
    case '1':
    case 'w':
        ref->op = KM_OP_STORE;
        break;
    case '2':
    case 'i':
        ref->op = KM_OP_FETCH;
        break;
    default:
        return KM_LINE_BAD;
    }
    if (*p != ' ' && *p != '\t')
        return KM_LINE_BAD;
    skip_blanks(&p);
    if (!km_ref_hex(&p, &ref->addr))
        return KM_LINE_BAD;
    skip_blanks(&p);
    if (*p && (!km_ref_hex(&p, &bytes) || !bytes || bytes > 65536))
        return KM_LINE_BAD;
    ref->bytes = (uint32_t)bytes;
    return KM_LINE_REF;
}

const struct km_ref_reader km_ref_din = {
    .name = "din",
    .help = "Dinero: label 0 load, 1 store, 2 fetch; hexadecimal address; optional size",
    .parse = din_parse,
};
