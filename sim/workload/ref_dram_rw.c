/* SPDX-License-Identifier: MIT
 * ref_dram_rw.c - requests to a DRAM controller: "R|W hexaddr". Accepted as well: READ and WRITE,
 * the address first ("0x12340 READ 17", DRAMsim3; "0x12340 R", Ramulator); anything after the two
 * words is ignored.
 */
#include "sim/workload/ref.h"

#include <string.h>

static bool operation(const char **p, struct km_mem_ref *ref)
{
    static const struct {
        const char *word;
        enum km_mem_op op;
    } words[] = {
        {"READ", KM_OP_LOAD}, {"WRITE", KM_OP_STORE}, {"R", KM_OP_LOAD}, {"W", KM_OP_STORE}};

    for (unsigned i = 0; i < KM_ARRAY_LEN(words); i++) {
        size_t n = strlen(words[i].word);

        if (strncmp(*p, words[i].word, n) == 0 && ((*p)[n] == ' ' || (*p)[n] == 0)) {
            ref->op = words[i].op;
            *p += n;
            return true;
        }
    }
    return false;
}

static enum km_line_is dram_parse(const char *line, struct km_mem_ref *ref)
{
    const char *p = line;

    while (*p == ' ')
        p++;
    if (!*p || *p == '#')
        return KM_LINE_NOTHING;
    ref->bytes = 64;
    bool op_first = operation(&p, ref);

    while (*p == ' ')
        p++;
    if (!km_ref_hex(&p, &ref->addr) || (*p && *p != ' '))
        return KM_LINE_BAD;
    while (*p == ' ')
        p++;
    return op_first || operation(&p, ref) ? KM_LINE_REF : KM_LINE_BAD;
}

const struct km_ref_reader km_ref_dram_rw = {
    .name = "dram-rw",
    .help = "DRAM requests: R|W hexaddr, one per line",
    .dram = true,
    .parse = dram_parse,
};
