/* SPDX-License-Identifier: MIT
 * ref_lackey.c - valgrind --tool=lackey --trace-mem=yes: "I  addr,size", " L addr,size", " S", " M"
 * (load, then store). Valgrind's own messages ("==pid== ...") are skipped.
 */
#include "sim/workload/ref.h"

static enum km_line_is lackey_parse(const char *line, struct km_mem_ref *ref)
{
    const char *p = line;

    if (!*p || (p[0] == '=' && p[1] == '=') || (p[0] == '-' && p[1] == '-'))
        return KM_LINE_NOTHING;
    while (*p == ' ')
        p++;
    switch (*p++) {
    case 'I':
        ref->op = KM_OP_FETCH;
        break;
    case 'L':
        ref->op = KM_OP_LOAD;
        break;
    case 'S':
        ref->op = KM_OP_STORE;
        break;
    case 'M':
        ref->op = KM_OP_MODIFY;
        break;
    default:
        return KM_LINE_BAD;
    }
    if (*p != ' ')
        return KM_LINE_BAD;
    while (*p == ' ')
        p++;
    if (!km_ref_hex(&p, &ref->addr) || *p++ != ',')
        return KM_LINE_BAD;
    uint32_t bytes = 0;

    if (*p < '0' || *p > '9')
        return KM_LINE_BAD;
    for (; *p >= '0' && *p <= '9'; p++) {
        bytes = bytes * 10 + (uint32_t)(*p - '0');
        if (bytes > 65536)
            return KM_LINE_BAD;
    }
    ref->bytes = bytes ? bytes : 1;
    return *p ? KM_LINE_BAD : KM_LINE_REF;
}

const struct km_ref_reader km_ref_lackey = {
    .name = "lackey",
    .help = "valgrind --tool=lackey --trace-mem=yes",
    .parse = lackey_parse,
};
